import { afterEach, describe, expect, it } from "vitest";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { hyperparameters, type OptimizerOptions } from "../../../src/train/optimizer.js";
import { Stepper } from "../../../src/train/step.js";
import { toyTask } from "./toy.js";

const ADAM: OptimizerOptions = { optimizer: "adam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
const X = [1, 2, -1, 3];
const Y = [2, 3.5, -1.5, 5];
const batch = (from = 0, to = 4) => ({
  x: Float32Array.from(X.slice(from, to)),
  y: Float32Array.from(Y.slice(from, to)),
});

/** Adam on the same problem, in double precision, by the paper's formulas. */
function byHand(steps: number, rate: number, options: OptimizerOptions, clip: number | null) {
  let [w, b] = [0.5, -0.25];
  const [m, v] = [
    [0, 0],
    [0, 0],
  ];
  const norms: number[] = [];
  for (let t = 1; t <= steps; t++) {
    const errors = X.map((x, i) => w * x + b - Y[i]);
    let g = [0, 1].map((k) => errors.reduce((sum, e, i) => sum + (2 / 4) * e * (k ? 1 : X[i]), 0));
    const norm = Math.hypot(...g);
    norms.push(norm);
    if (clip !== null && norm > clip) g = g.map((value) => (value * clip) / (norm + 1e-6));
    const values = [w, b];
    if (options.optimizer === "adam") g = g.map((value, k) => value + options.weightDecay * values[k]);
    const next = values.map((value, k) => {
      m[k] = options.beta1 * m[k] + (1 - options.beta1) * g[k];
      v[k] = options.beta2 * v[k] + (1 - options.beta2) * g[k] ** 2;
      const move = m[k] / (1 - options.beta1 ** t) / (Math.sqrt(v[k] / (1 - options.beta2 ** t)) + options.epsilon);
      const kept = options.optimizer === "adamw" ? value * (1 - rate * options.weightDecay) : value;
      return kept - rate * move;
    });
    [w, b] = next;
  }
  return { w, b, norms };
}

let stepper: Stepper;
const open = (options = ADAM, task = toyTask()) => {
  stepper = new Stepper(task, 0, options, { runtime: nodeRuntime, threads: 1 });
  return stepper;
};
afterEach(() => stepper.dispose());

describe("a step", () => {
  it.each<[string, OptimizerOptions, number | null]>([
    ["Adam", ADAM, null],
    ["Adam with decay", { ...ADAM, weightDecay: 0.1 }, null],
    ["AdamW", { ...ADAM, optimizer: "adamw", weightDecay: 0.1 }, null],
    ["Adam, clipped", ADAM, 0.5],
  ])("of %s is what the formulas say", async (_, options, clip) => {
    const own = open(options);
    const expected = byHand(6, 0.1, options, clip);
    for (let t = 1; t <= 6; t++) {
      const { norm } = await own.step(4, batch(), hyperparameters(0.1, t, clip, options));
      expect(norm).toBeCloseTo(expected.norms[t - 1], 4);
      own.commit();
    }
    expect(own.parameters[0]).toBeCloseTo(expected.w, 5);
    expect(own.parameters[1]).toBeCloseTo(expected.b, 5);
    // The running mean of x, 1.25 in every batch, from 0.
    expect(own.state[0]).toBeCloseTo(1.25 * (1 - 0.9 ** 6), 5);
  });

  it("tells loss and metrics of the parameters before it, and changes nothing until it is committed", async () => {
    const own = open();
    const before = own.save();
    const hyper = hyperparameters(0.1, 1, null, ADAM);
    const first = await own.step(4, batch(), hyper);
    const errors = X.map((x, i) => 0.5 * x - 0.25 - Y[i]);
    expect(first.loss).toBeCloseTo(errors.reduce((sum, e) => sum + e * e, 0) / 4, 5);
    expect(first.metrics).toEqual({ worst: expect.closeTo(Math.max(...errors.map(Math.abs)), 5) });
    expect(own.save()).toEqual(before);
    expect(await own.step(4, batch(), hyper)).toEqual(first);
    own.commit();
    expect(own.save()).not.toEqual(before);
    const { loss } = await own.evaluate(4, batch());
    expect(loss).toBeLessThan(first.loss);
  });

  it("of accumulated parts of a batch is that of the batch", async () => {
    const whole = open();
    await whole.step(4, batch(), hyperparameters(0.1, 1, null, ADAM));
    whole.commit();
    const expected = whole.save();
    await whole.dispose();
    const own = open();
    for (let round = 0; round < 2; round++) {
      // The first round is thrown away: an update begins anew.
      await own.accumulate(1, batch(0, 1), 0.25, true);
      const part = await own.accumulate(3, batch(1, 4), 0.75, false);
      expect(part.loss).toBeGreaterThan(0);
    }
    await own.apply(hyperparameters(0.1, 1, null, ADAM));
    own.commit();
    const actual = own.save();
    for (const key of ["flat", "first", "second"] as const) {
      for (const [i, value] of expected[key].entries()) expect(actual[key][i]).toBeCloseTo(value, 6);
    }
  });

  it("goes on from a saved state as it would have, to the last bit", async () => {
    const own = open();
    const run = async (from: number, to: number) => {
      for (let t = from; t <= to; t++) {
        await own.step(4, batch(), hyperparameters(0.1, t, null, ADAM));
        own.commit();
      }
    };
    await run(1, 3);
    const saved = own.save();
    await run(4, 7);
    const end = own.save();
    own.restore(saved);
    await run(4, 7);
    expect(own.save()).toEqual(end);
  });

  it("takes batches of any size, and tasks without state", async () => {
    const own = open(
      ADAM,
      toyTask({
        state: () => [],
        loss: ({ parameters, inputs: { x, y } }) => {
          const error = x
            .mul(parameters.w)
            .add(parameters.b.reshape([1]))
            .sub(y);
          return { loss: error.ref.mul(error).sum(), metrics: {}, state: {} };
        },
      }),
    );
    for (const size of [4, 1, 3, 4]) {
      const { loss } = await own.step(size, batch(0, size), hyperparameters(0.01, 1, null, ADAM));
      expect(Number.isFinite(loss)).toBe(true);
      own.commit();
    }
  });
});
