/** Loss and gradients of a function of named arrays: as a graph in ONNX Runtime, or by jax-js's interpreter. */
import { defaultDevice, init, numpy as np, valueAndGrad } from "@jax-js/jax";
import "../src/graph/jax-now.js";
import { expect } from "vitest";
import { compile, input } from "../src/graph/compile.js";
import { nodeRuntime } from "../src/node/runtime.js";
import type { Values } from "./networks.js";

export type Named<T> = Record<string, T>;
type LossFn = (variables: Named<np.Array>, constants: Named<np.Array>) => np.Array;

export interface LossAndGradients {
  loss: number;
  gradients: Named<Float32Array>;
}

/** The function and its gradient to all `variables`, as a graph. */
export async function graphGradients(
  fn: LossFn,
  variables: Named<Values>,
  constants: Named<Values>,
): Promise<LossAndGradients> {
  const specs = (values: Named<Values>) =>
    Object.fromEntries(Object.entries(values).map(([name, { shape }]) => [name, input(shape)]));
  const step = (given: { v: Named<np.Array>; c: Named<np.Array> }) => {
    const [loss, gradients] = differentiated(fn)(given.v as never, given.c as never) as unknown as [
      np.Array,
      Named<np.Array>,
    ];
    return { loss, gradients };
  };
  const compiled = await compile(
    step as never,
    { v: specs(variables), c: specs(constants) },
    { runtime: nodeRuntime, threads: 1 },
  );
  try {
    const feeds = [...feedsOf("v", variables), ...feedsOf("c", constants)];
    const out = await compiled.run(Object.fromEntries(feeds.filter(([name]) => compiled.inputNames.includes(name))));
    const gradient = (name: string) => out[`gradients.${name}`].data as Float32Array;
    return {
      loss: out.loss.data[0],
      gradients: Object.fromEntries(Object.keys(variables).map((name) => [name, gradient(name)])),
    };
  } finally {
    await compiled.dispose();
  }
}

/** jax-js types gradients of one array; of a tree of them it returns a tree. */
const differentiated = (fn: LossFn) =>
  valueAndGrad(fn as unknown as (...args: np.Array[]) => np.Array) as unknown as (
    variables: Named<np.Array>,
    constants: Named<np.Array>,
  ) => [np.Array, Named<np.Array>];

const feedsOf = (prefix: string, values: Named<Values>) =>
  Object.entries(values).map(([name, { data }]): [string, Float32Array] => [`${prefix}.${name}`, data]);

const toArrays = (values: Named<Values>): Named<np.Array> =>
  Object.fromEntries(
    Object.entries(values).map(([name, { data, shape }]) => [
      name,
      np.array(Float32Array.from(data), { shape: [...shape], dtype: np.float32 }),
    ]),
  );

/** Runs `work` with jax-js's own device. */
async function onDevice<T>(device: "cpu" | "wasm", work: () => T): Promise<T> {
  await init(device);
  const before = defaultDevice();
  defaultDevice(device);
  try {
    return work();
  } finally {
    defaultDevice(before);
  }
}

/** The same by the interpreter. */
export function interpretedGradients(
  fn: LossFn,
  variables: Named<Values>,
  constants: Named<Values>,
): Promise<LossAndGradients> {
  return onDevice("wasm", () => {
    const [loss, gradients] = differentiated(fn)(toArrays(variables), toArrays(constants));
    return {
      loss: loss.dataSync()[0],
      gradients: Object.fromEntries(
        Object.entries(gradients).map(([name, array]) => [name, array.dataSync() as Float32Array]),
      ),
    };
  });
}

/** The loss alone. */
export function interpretedLoss(fn: LossFn, variables: Named<Values>, constants: Named<Values>): Promise<number> {
  return onDevice("wasm", () => fn(toArrays(variables), toArrays(constants)).dataSync()[0]);
}

/** Graph and interpreter agree on loss and gradients, and gradients are the loss's slopes along random directions. */
export async function checkGradients(
  fn: (x: Named<np.Array>, constants: Named<np.Array>) => np.Array,
  variables: Named<Values>,
  constants: Named<Values>,
  { step = 1e-3, tolerance = 0.02 } = {},
): Promise<number> {
  const [graph, own] = [
    await graphGradients(fn, variables, constants),
    await interpretedGradients(fn, variables, constants),
  ];
  expect(Math.abs(graph.loss - own.loss)).toBeLessThan(1e-5 * Math.max(1, Math.abs(own.loss)));
  for (const [name, { shape, data }] of Object.entries(variables)) {
    const gradient = own.gradients[name];
    const largest = gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
    expect(largest, name).toBeGreaterThan(0);
    gradient.forEach((g, i) => {
      expect(Math.abs(g - graph.gradients[name][i]), name).toBeLessThan(1e-4 * largest + 1e-7);
    });
    // Along the gradient, where the slope is its norm: nothing else is as far above rounding.
    const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    const moved = (by: number) =>
      interpretedLoss(
        fn,
        { ...variables, [name]: { shape, data: data.map((v, i) => v + (by * gradient[i]) / norm) } },
        constants,
      );
    const slope = ((await moved(step)) - (await moved(-step))) / (2 * step);
    expect(Math.abs(slope - norm), `slope of ${name}: ${slope}, gradient ${norm}`).toBeLessThan(tolerance * norm);
  }
  return own.loss;
}
