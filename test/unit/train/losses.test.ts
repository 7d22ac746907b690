/** Each loss against its definition in double precision: value, gradient by central differences, graph and interpreter. */
import type { numpy as np } from "@jax-js/jax";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/random.js";
import {
  ATTENTION_LOSSES,
  correspondenceLoss,
  type LossOptions,
  peakyLoss,
  reconstructionLoss,
} from "../../../src/train/losses/index.js";
import { graphGradients, interpretedGradients, type Named } from "../../gradients.js";
import {
  type NaiveLevel,
  naiveCorrespondence,
  naiveD2net,
  naiveDistinctiveness,
  naiveDistinctivenessPlus,
  naivePeaky,
} from "../../naive-losses.js";
import type { Values } from "../../networks.js";

/** Wide enough for negatives more than four cells away; the middle pair does not count. */
const [N, C, W, H] = [3, 5, 11, 12];
const P = W * H;

type Variable = "z1" | "z2" | "a1" | "a2";

function level(seed = 1): NaiveLevel {
  const random = new Random(seed);
  const normal = (length: number) => Float32Array.from({ length }, () => random.normal());
  const uniform = (length: number, low: number, high: number) =>
    Float32Array.from({ length }, () => random.uniform(low, high));
  return {
    pairs: N,
    channels: C,
    width: W,
    height: H,
    z1: normal(N * C * P),
    z2: normal(N * C * P),
    a1: uniform(N * P, 0.05, 1.2),
    a2: uniform(N * P, 0.05, 1.2),
    targets: Float32Array.from({ length: 2 * N * P }, (_, i) => random.uniform(-0.45, (i % 2 ? H : W) - 0.55)),
    valid: Float32Array.from({ length: N * P }, () => (random.uniform() < 0.6 ? 1 : 0)),
    pairWeights: Float32Array.of(1, 0, 1),
  };
}

const shapes: Record<keyof Omit<NaiveLevel, "pairs" | "channels" | "width" | "height">, number[]> = {
  z1: [N, C, H, W],
  z2: [N, C, H, W],
  a1: [N, 1, H, W],
  a2: [N, 1, H, W],
  targets: [N, P, 2],
  valid: [N, P],
  pairWeights: [N],
};

const valuesOf = (given: NaiveLevel): Named<Values> =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, data: given[name as keyof typeof shapes] as Float32Array },
    ]),
  );

const described = (x: Named<np.Array>) => ({
  maps: [x.z1, x.z2] as const,
  targets: x.targets,
  valid: x.valid,
  pairWeights: x.pairWeights,
});
const scored = (x: Named<np.Array>) => ({ ...described(x), scores: [x.a1, x.a2] as const });

interface Row {
  name: string;
  variables: Variable[];
  loss(x: Named<np.Array>): np.Array;
  naive(given: NaiveLevel): number;
}

const attention = (name: keyof typeof ATTENTION_LOSSES, options: LossOptions) => (x: Named<np.Array>) =>
  ATTENTION_LOSSES[name].loss(scored(x), options).loss;

const PLUS: LossOptions[] = [
  { n: 2, lambda: 0.5, margin: 1 },
  { n: 8, lambda: 1, margin: 0.5 },
  { n: 16, lambda: 0.1, margin: 1.2 },
  // Windows far larger than the map.
  { n: 64, lambda: 1, margin: 1 },
];

const rows: Row[] = [
  {
    name: "correspondence",
    variables: ["z1", "z2"],
    loss: (x) => correspondenceLoss(described(x)),
    naive: naiveCorrespondence,
  },
  {
    name: "d2net",
    variables: ["z1", "z2", "a1", "a2"],
    loss: attention("d2net", PLUS[0]),
    naive: naiveD2net,
  },
  {
    name: "distinctiveness",
    variables: ["a1", "a2"],
    loss: attention("distinctiveness", { ...PLUS[0], margin: 0.9 }),
    naive: (given) => naiveDistinctiveness(given, 0.9),
  },
  ...PLUS.map(
    (options): Row => ({
      name: `distinctiveness+ ${JSON.stringify(options)}`,
      variables: ["a1", "a2"],
      loss: attention("distinctiveness+", options),
      naive: (given) => naiveDistinctivenessPlus(given, options),
    }),
  ),
  ...[2, 4, 6, 12].map(
    (n): Row => ({
      name: `peaky ${n}`,
      variables: ["a1"],
      loss: (x) => peakyLoss(x.a1, x.pairWeights, n),
      naive: (given) => naivePeaky(given, given.a1, n),
    }),
  ),
];

/** Central difference of the definition. */
function slope({ naive }: Row, given: NaiveLevel, name: Variable, at: number): number {
  const step = 1e-5;
  const shifted = (by: number) => {
    const values = Float64Array.from(given[name]);
    values[at] += by;
    return naive({ ...given, [name]: values });
  };
  return (shifted(step) - shifted(-step)) / (2 * step);
}

describe.each(rows)("$name", (row) => {
  const given = level();
  const all = valuesOf(given);
  const pick = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, all[name]]));
  const variables = pick(row.variables);
  const constants = pick(Object.keys(all).filter((name) => !row.variables.includes(name as Variable)));
  const fn = (v: Named<np.Array>, c: Named<np.Array>) => row.loss({ ...c, ...v });

  it("has the value and the gradient of its definition, in the graph and interpreted", async () => {
    const graph = await graphGradients(fn, variables, constants);
    const interpreted = await interpretedGradients(fn, variables, constants);
    const expected = row.naive(given);
    expect(expected).toBeGreaterThan(0.01);
    expect(Math.abs(graph.loss - expected) / expected).toBeLessThan(1e-5);
    expect(Math.abs(interpreted.loss - expected) / expected).toBeLessThan(1e-5);
    for (const name of row.variables) {
      const gradient = graph.gradients[name];
      const largest = Math.max(...gradient.map(Math.abs));
      expect(largest).toBeGreaterThan(1e-5);
      gradient.forEach((value, i) => {
        expect(Math.abs(value - interpreted.gradients[name][i]) / largest).toBeLessThan(1e-4);
      });
      const random = new Random(7);
      for (let k = 0; k < 25; k++) {
        const at = random.integer(gradient.length);
        expect(Math.abs(gradient[at] - slope(row, given, name, at)) / largest).toBeLessThan(2e-3);
      }
    }
  });
});

describe("reconstruction", () => {
  it("is the mean over images, and pairs of weight 0 do not count in it", async () => {
    const random = new Random(3);
    const shape = [2 * N, 2, 3, 2];
    const map = (): Values => ({ shape, data: Float32Array.from({ length: 72 }, () => random.normal()) });
    const [x, y] = [map(), map()];
    const { loss, gradients } = await graphGradients(
      (v, c) => reconstructionLoss(c.x, v.y, c.pairWeights),
      { y },
      { x, pairWeights: { shape: [N], data: Float32Array.of(1, 0, 1) } },
    );
    let expected = 0;
    y.data.forEach((value, i) => {
      const counts = Math.floor(i / 12) % N !== 1;
      const difference = value - x.data[i];
      if (counts) expected += difference ** 2 / 48;
      expect(gradients.y[i]).toBeCloseTo(counts ? (2 * difference) / 48 : 0, 6);
    });
    expect(loss).toBeCloseTo(expected, 5);
  });
});
