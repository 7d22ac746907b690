/** Runs a function on jax-js arrays both ways, interpreted and as a graph, and says how far two results differ. */
import { defaultDevice, init, numpy as np } from "@jax-js/jax";
import "../src/graph/jax-now.js";
import { type Compiled, compile, type InputSpec } from "../src/graph/compile.js";
import { leavesOf, type Tree } from "../src/graph/trace.js";
import { nodeRuntime } from "../src/node/runtime.js";
import { Random } from "../src/random.js";

/** Seeded uniform numbers in [-1, 1). */
export function randomValues(count: number, seed = 1): Float32Array<ArrayBuffer> {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.uniform(-1, 1));
}

export interface Values {
  shape: readonly number[];
  data: Float32Array;
}

/** Numbers of a shape by their index. */
export const values = (shape: number[], of: (i: number) => number): Values => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => of(i)),
});
/** Seeded uniform numbers of a shape. */
export const uniform = (shape: number[], seed: number, low = 0, high = 1): Values => {
  const random = new Random(seed);
  return values(shape, () => random.uniform(low, high));
};

const isSpec = (value: unknown): value is InputSpec => Array.isArray((value as InputSpec)?.shape);
const isArray = (value: unknown): value is np.Array => value instanceof np.Array;

/** What jax-js's own interpreter makes of a function of `x` and of weights: outputs by path. */
export async function interpret(
  fn: (inputs: never) => Tree<np.Array>,
  inputs: Tree<InputSpec>,
): Promise<Record<string, Values>> {
  await init("wasm");
  const before = defaultDevice();
  defaultDevice("wasm");
  try {
    const arrays = (tree: Tree<InputSpec>): Tree<np.Array> => {
      if (isSpec(tree)) {
        return np.array(tree.data as Float32Array<ArrayBuffer>, { shape: tree.shape as number[], dtype: np.float32 });
      }
      if (Array.isArray(tree)) return tree.map(arrays);
      return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, arrays(value)]));
    };
    const outputs = leavesOf(fn(arrays(inputs) as never), isArray);
    return Object.fromEntries(
      outputs.map(([path, array]) => {
        const shape = [...array.shape];
        return [path || "out", { shape, data: array.dataSync() as Float32Array }];
      }),
    );
  } finally {
    defaultDevice(before);
  }
}

/** The function as a graph in ONNX Runtime, its weights constants, run once on `image`. */
export async function runGraph(
  fn: (inputs: never) => Tree<np.Array>,
  inputs: Record<string, Tree<InputSpec>>,
  image: Values,
): Promise<Record<string, Values>> {
  const compiled: Compiled = await compile(
    fn as never,
    { ...inputs, image: { shape: image.shape } },
    { runtime: nodeRuntime, threads: 1 },
  );
  try {
    const outputs = await compiled.run({ image: { data: image.data, shape: image.shape } });
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { shape, data }]) => [
        name,
        { shape: [...shape], data: data as Float32Array },
      ]),
    );
  } finally {
    await compiled.dispose();
  }
}

/** Largest difference of two outputs, relative to the largest value (or 1); NaN where shapes or NaNs differ. */
export function worstDifference(a: Values, b: Values): number {
  if (a.shape.join() !== b.shape.join() || a.data.length !== b.data.length) return Number.NaN;
  let [worst, largest] = [0, 1];
  for (let i = 0; i < a.data.length; i++) {
    worst = Math.max(worst, Math.abs(a.data[i] - b.data[i]));
    largest = Math.max(largest, Math.abs(b.data[i]));
  }
  return worst / largest;
}

/** A convolution written as its definition, the judge of all others: [N, in, H, W] with zeros around. */
export function naiveConv(
  x: Values,
  weight: Values,
  bias: ArrayLike<number>,
  { stride = 1, padding = 0, dilation = 1 } = {},
): Values {
  const [n, channels, h, w] = x.shape;
  const [out, , kh, kw] = weight.shape;
  const size = (from: number, k: number) => Math.floor((from + 2 * padding - dilation * (k - 1) - 1) / stride) + 1;
  const shape = [n, out, size(h, kh), size(w, kw)];
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  let at = 0;
  for (let image = 0; image < n; image++) {
    for (let o = 0; o < out; o++) {
      for (let y = 0; y < shape[2]; y++) {
        for (let x0 = 0; x0 < shape[3]; x0++, at++) {
          let sum = bias[o];
          for (let c = 0; c < channels; c++) {
            for (let ky = 0; ky < kh; ky++) {
              for (let kx = 0; kx < kw; kx++) {
                const sy = y * stride - padding + ky * dilation;
                const sx = x0 * stride - padding + kx * dilation;
                if (sy < 0 || sx < 0 || sy >= h || sx >= w) continue;
                const value = x.data[((image * channels + c) * h + sy) * w + sx];
                sum += value * weight.data[((o * channels + c) * kh + ky) * kw + kx];
              }
            }
          }
          data[at] = sum;
        }
      }
    }
  }
  return { shape, data };
}
