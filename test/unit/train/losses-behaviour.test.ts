/** What losses promise: when they are zero, what does not count, what their options do, and that nothing becomes NaN. */
import type { numpy as np } from "@jax-js/jax";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/random.js";
import {
  ATTENTION_LOSSES,
  type AttentionLossName,
  correspondenceLoss,
  type LossOptions,
  peakyLoss,
} from "../../../src/train/losses/index.js";
import { graphGradients, interpretedLoss, type Named } from "../../gradients.js";
import type { Values } from "../../networks.js";

const [N, W, H] = [2, 10, 10];
const P = W * H;
const OPTIONS: LossOptions = { n: 4, lambda: 0.5, margin: 1 };

const pairsOf = (x: Named<np.Array>) => ({
  maps: [x.z1, x.z2] as const,
  scores: [x.a1, x.a2] as const,
  targets: x.targets,
  valid: x.valid,
  pairWeights: x.pairWeights,
});

type Loss = (x: Named<np.Array>) => np.Array;
const correspondence: Loss = (x) => {
  const { scores, ...pairs } = pairsOf(x);
  return correspondenceLoss(pairs);
};
const attention =
  (name: AttentionLossName, options: Partial<LossOptions> = {}): Loss =>
  (x) =>
    ATTENTION_LOSSES[name].loss(pairsOf(x), { ...OPTIONS, ...options }).loss;

const losses: [string, Loss][] = [
  ["correspondence", correspondence],
  ["d2net", attention("d2net")],
  ["distinctiveness", attention("distinctiveness")],
  ["distinctiveness+", attention("distinctiveness+")],
];

/** Noise; every cell corresponds to itself. */
function noise(channels = 6, seed = 1): Named<Values> {
  const random = new Random(seed);
  const map = (c: number, draw: () => number): Values => ({
    shape: [N, c, H, W],
    data: Float32Array.from({ length: N * c * P }, draw),
  });
  return {
    z1: map(channels, () => random.normal()),
    z2: map(channels, () => random.normal()),
    a1: map(1, () => random.uniform(0.1, 1)),
    a2: map(1, () => random.uniform(0.1, 1)),
    targets: {
      shape: [N, P, 2],
      data: Float32Array.from({ length: 2 * N * P }, (_, i) =>
        i % 2 ? Math.floor(((i >> 1) % P) / W) : ((i >> 1) % P) % W,
      ),
    },
    valid: { shape: [N, P], data: new Float32Array(N * P).fill(1) },
    pairWeights: { shape: [N], data: new Float32Array(N).fill(1) },
  };
}

async function run(loss: Loss, inputs: Named<Values>) {
  const { targets, valid, pairWeights, ...variables } = inputs;
  return graphGradients((v, c) => loss({ ...v, ...c }), variables, { targets, valid, pairWeights });
}

const value = (loss: Loss, inputs: Named<Values>) => interpretedLoss((v) => loss(v), inputs, {});
const withData = (inputs: Named<Values>, name: string, data: Float32Array): Named<Values> => ({
  ...inputs,
  [name]: { ...inputs[name], data },
});

describe("triplets", () => {
  /** Every cell has a descriptor of its own, at right angles to all others. */
  function distinct(): Named<Values> {
    const inputs = noise(P);
    const data = new Float32Array(N * P * P);
    for (let n = 0; n < N; n++) for (let p = 0; p < P; p++) data[(n * P + p) * P + p] = 3;
    return { ...inputs, z1: { shape: [N, P, H, W], data }, z2: { shape: [N, P, H, W], data } };
  }

  it("perfect correspondences cost nothing and teach nothing", async () => {
    for (const loss of [correspondence, attention("d2net")]) {
      const { loss: cost, gradients } = await run(loss, distinct());
      expect(cost).toBe(0);
      expect(gradients.z1.every((v) => v === 0) && gradients.z2.every((v) => v === 0)).toBe(true);
    }
  });

  it("descriptors that are all alike cost the margin", async () => {
    const inputs = noise();
    const ones = new Float32Array(inputs.z1.data.length).fill(1);
    const same = withData(withData(inputs, "z1", ones), "z2", ones);
    expect(await value(correspondence, same)).toBeCloseTo(1, 5);
    expect(await value(attention("d2net"), same)).toBeCloseTo(1, 5);
  });

  it("the length of descriptors does not matter", async () => {
    const inputs = noise();
    const longer = withData(
      inputs,
      "z1",
      inputs.z1.data.map((v) => 7 * v),
    );
    expect(await value(correspondence, longer)).toBeCloseTo(await value(correspondence, inputs), 5);
  });

  it("d2net follows the scores: weight on a bad correspondence costs more", async () => {
    const inputs = distinct();
    // Cell 0 of image 2 looks like cell 99, everywhere else all is well.
    const z2 = inputs.z2.data.slice();
    for (let n = 0; n < N; n++) [z2[n * P * P], z2[(n * P + 99) * P]] = [0, 3];
    const bad = withData(inputs, "z2", z2);
    const { loss, gradients } = await run(attention("d2net"), bad);
    expect(loss).toBeGreaterThan(0);
    expect(gradients.a1[0]).toBeGreaterThan(0);
    expect(gradients.a1[50]).toBeLessThan(0);
    const loud = bad.a1.data.slice();
    for (let n = 0; n < N; n++) loud[n * P] = 50;
    expect(await value(attention("d2net"), withData(bad, "a1", loud))).toBeGreaterThan(loss);
  });

  it("a grid without any cell far enough has no negatives", async () => {
    const small: Named<Values> = {
      z1: { shape: [1, 2, 2, 2], data: Float32Array.of(1, 0, 1, 0, 0, 1, 0, 1) },
      z2: { shape: [1, 2, 2, 2], data: Float32Array.of(0, 1, 0, 1, 1, 0, 1, 0) },
      a1: { shape: [1, 1, 2, 2], data: new Float32Array(4).fill(1) },
      a2: { shape: [1, 1, 2, 2], data: new Float32Array(4).fill(1) },
      targets: { shape: [1, 4, 2], data: Float32Array.of(0, 0, 1, 0, 0, 1, 1, 1) },
      valid: { shape: [1, 4], data: new Float32Array(4).fill(1) },
      pairWeights: { shape: [1], data: Float32Array.of(1) },
    };
    expect(await value(correspondence, small)).toBe(0);
  });
});

describe("options", () => {
  it("λ weighs the peaky part, margin and N change their own", async () => {
    const inputs = noise();
    const plus = (options: Partial<LossOptions>) => value(attention("distinctiveness+", options), inputs);
    const [none, half, one] = [await plus({ lambda: 0 }), await plus({ lambda: 0.5 }), await plus({ lambda: 1 })];
    expect(none).toBeCloseTo(await value(attention("distinctiveness"), inputs), 6);
    expect(half - none).toBeCloseTo((one - none) / 2, 5);
    expect(one - none).toBeGreaterThan(0.1);
    expect(await plus({ n: 8 })).not.toBeCloseTo(half, 2);
    expect(await plus({ margin: 0.5 })).not.toBeCloseTo(half, 3);
  });

  it("a narrower margin finds fewer lookalikes, so that scores should be higher", async () => {
    const zero = withData(withData(noise(), "a1", new Float32Array(N * P)), "a2", new Float32Array(N * P));
    // Against scores of 0 the loss is the sum of both mean targets.
    const targets = async (margin: number) => value(attention("distinctiveness", { margin }), zero);
    const found = [await targets(1.2), await targets(1), await targets(0.5)];
    expect(found[0]).toBeLessThan(found[1]);
    expect(found[1]).toBeLessThan(found[2]);
    expect(await targets(1e-3)).toBeCloseTo(2, 4);
  });

  it("a lone lookalike asks for a score of 2^−¼", async () => {
    const inputs = noise();
    const twins = withData(inputs, "z2", inputs.z1.data);
    const score = new Float32Array(N * P).fill(2 ** -0.25);
    const exact = withData(withData(twins, "a1", score), "a2", score);
    expect(await value(attention("distinctiveness", { margin: 0.02 }), exact)).toBeCloseTo(0, 4);
  });

  it("descriptors learn nothing from distinctiveness", async () => {
    const { gradients } = await run(attention("distinctiveness+"), noise());
    expect([...gradients.z1, ...gradients.z2].every((v) => v === 0)).toBe(true);
    expect(gradients.a1.some((v) => v !== 0)).toBe(true);
  });

  it("peaky: lone peaks cost less than a plain, and N is the distance at which they are lone", async () => {
    const map = (peak: (x: number, y: number) => number): Named<Values> => ({
      a: {
        shape: [1, 1, 12, 12],
        data: Float32Array.from({ length: 144 }, (_, i) => peak(i % 12, Math.floor(i / 12))),
      },
      w: { shape: [1], data: Float32Array.of(1) },
    });
    const cost = (inputs: Named<Values>, n: number) => interpretedLoss((x) => peakyLoss(x.a, x.w, n), inputs, {});
    const lone = map((x, y) => (x % 6 === 2 && y % 6 === 2 ? 9 : 0));
    expect(await cost(lone, 6)).toBeLessThan(
      await cost(
        map(() => 0.25),
        6,
      ),
    );
    expect(await cost(lone, 6)).toBeLessThan(await cost(lone, 2));
    // All zero: neither maximum nor average.
    expect(
      await cost(
        map(() => 0),
        4,
      ),
    ).toBe(1);
  });
});

describe.each(losses)("%s", (_, loss) => {
  it("pairs of weight 0 do not count", async () => {
    const inputs = withData(noise(), "pairWeights", Float32Array.of(1, 0));
    const { loss: cost, gradients } = await run(loss, inputs);
    const other = noise(6, 2);
    const changed: Named<Values> = { ...inputs };
    for (const name of ["z1", "z2", "a1", "a2"]) {
      const data = inputs[name].data.slice();
      data.set(other[name].data.subarray(data.length / 2), data.length / 2);
      changed[name] = { ...inputs[name], data };
      expect(gradients[name].subarray(data.length / 2).every((v) => v === 0)).toBe(true);
    }
    expect(await value(loss, changed)).toBeCloseTo(cost, 5);
    const first = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, data }]) => [
        name,
        { shape: [1, ...shape.slice(1)], data: data.slice(0, data.length / N) },
      ]),
    );
    expect(await value(loss, first)).toBeCloseTo(cost, 5);
  });

  it("cells that are not valid do not count, wherever their targets point", async () => {
    const inputs = noise();
    const valid = Float32Array.from({ length: N * P }, (__, i) => (i % 3 ? 1 : 0));
    const targets = inputs.targets.data.slice();
    for (let i = 0; i < N * P; i += 3) [targets[2 * i], targets[2 * i + 1]] = i % 2 ? [1e6, -1e6] : [5, 5];
    const before = withData(inputs, "valid", valid);
    const after = withData(before, "targets", targets);
    expect(await value(loss, after)).toBeCloseTo(await value(loss, before), 6);
    expect(await value(loss, before)).not.toBeCloseTo(await value(loss, inputs), 6);
  });

  it("no pair that counts, no cell that counts: zero, with zero gradients", async () => {
    const inputs = noise();
    for (const [name, length] of [
      ["pairWeights", N],
      ["valid", N * P],
    ] as const) {
      const empty = withData(inputs, name, new Float32Array(length));
      const { loss: cost, gradients } = await run(loss, empty);
      // Peakiness needs no correspondences.
      const peaky = name === "valid" && loss === losses[3][1];
      if (peaky) expect(cost).toBeGreaterThan(0);
      else expect(cost).toBe(0);
      const all = Object.values(gradients).flatMap((g) => [...g]);
      expect(all.every((v) => (peaky ? Number.isFinite(v) : v === 0))).toBe(true);
    }
  });

  it("descriptors and scores of zero give no NaN", async () => {
    const inputs = noise();
    const dead: Named<Values> = { ...inputs };
    for (const name of ["z1", "z2", "a1", "a2"]) {
      dead[name] = { ...inputs[name], data: new Float32Array(inputs[name].data.length) };
    }
    const { loss: cost, gradients } = await run(loss, dead);
    expect(Number.isFinite(cost)).toBe(true);
    expect(Object.values(gradients).every((g) => g.every(Number.isFinite))).toBe(true);
  });
});
