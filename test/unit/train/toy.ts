/** A task small enough to be followed by hand: a line y = w·x + b fitted to points, with a running mean as state. */
import { numpy as np } from "@jax-js/jax";
import { input } from "../../../src/graph/compile.js";
import type { Task } from "../../../src/train/task.js";
import type { PairBatch } from "../../../src/train/types.js";

/** x and y of each "pair" are in its id: "x,y". */
export function toyTask(overrides: Partial<Task> = {}): Task {
  return {
    name: "line",
    recipe: { kind: "line" },
    grid: { width: 2, height: 2, scale: 1, shift: 0 },
    minCorrespondences: 1,
    parameters: (seed) => [
      { name: "w", shape: [1], data: Float32Array.of(0.5 + seed) },
      { name: "b", shape: [1, 1], data: Float32Array.of(-0.25) },
    ],
    state: () => [{ name: "mean", shape: [1], data: Float32Array.of(0) }],
    inputs: (pairs) => ({ x: input([pairs]), y: input([pairs]) }),
    feeds: async ({ pairs }: PairBatch) => {
      const points = pairs.map(({ id }) => id.split(",").map(Number));
      return { x: Float32Array.from(points, ([x]) => x), y: Float32Array.from(points, ([, y]) => y) };
    },
    loss: ({ parameters, state, inputs }, training) => {
      const { x, y } = inputs;
      const error = x.ref
        .mul(parameters.w)
        .add(parameters.b.reshape([1]))
        .sub(y);
      const mean = np.mean(x).reshape([1]);
      const next = training ? state.mean.mul(0.9).add(mean.mul(0.1)) : state.mean;
      return { loss: np.mean(np.square(error.ref)), metrics: { worst: np.max(np.abs(error)) }, state: { mean: next } };
    },
    dispose: async () => {},
    ...overrides,
  };
}
