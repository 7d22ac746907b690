/**
 * What one row of the contract table is: a function on jax-js arrays with its inputs, and how to make inputs. The
 * same table runs on every runtime, in Node and in browsers, so nothing here touches the platform.
 */
import { grad, numpy as np } from "@jax-js/jax";
import type { ElementType, TensorData } from "../../../src/graph/session.js";
import type { Tree } from "../../../src/graph/trace.js";
import { Random } from "../../../src/random.js";

export interface Value {
  type: ElementType;
  shape: readonly number[];
  data: TensorData;
}

/** The runtimes of the contract; a row may except one by name, with the reason. */
export type RuntimeId = "node-cpu" | "node-webgpu" | "web-wasm" | "web-webgpu";

/** Inputs by name. Every access of an input is a reference of its own, so a row never has to write `x.a.ref`. */
export type Inputs = Record<string, np.Array>;

export interface Case {
  name: string;
  inputs: Record<string, Value>;
  fn: (x: Inputs) => Tree<np.Array>;
  /** Largest error that is accepted on a CPU: max |a − b| / max(1, max |b|). Default 1e-5; whole numbers must agree. */
  tolerance?: number;
  /** The same on GPUs, where it differs. Default 1e-4. */
  gpuTolerance?: number;
  /** jax-js device that says what is right. Default "cpu"; "wasm" where only it multiplies whole numbers exactly. */
  oracle?: "cpu" | "wasm";
  /** Runtimes that this row does not hold for, and why. */
  except?: Partial<Record<RuntimeId, string>>;
}

const random = new Random(1);
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Uniform float32 numbers. */
export function uniform(shape: readonly number[], low = -2, high = 2): Value {
  const data = Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(low, high));
  return { type: "float32", shape, data };
}

/** Whole numbers of [low, high). */
export function integers(
  shape: readonly number[],
  low: number,
  high: number,
  type: "int32" | "uint32" = "int32",
): Value {
  const numbers = Array.from({ length: sizeOf(shape) }, () => Math.floor(random.uniform(low, high)));
  return { type, shape, data: type === "int32" ? Int32Array.from(numbers) : Uint32Array.from(numbers) };
}

/** Well-conditioned symmetric positive definite matrices. */
export function definite(batch: readonly number[], n: number): Value {
  const value = uniform([...batch, n, n], -1, 1);
  const { data } = value;
  for (let at = 0; at < data.length; at += n * n) {
    const a = Float64Array.from(data.subarray(at, at + n * n) as Float32Array);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let sum = i === j ? 1 : 0;
        for (let k = 0; k < n; k++) sum += (a[i * n + k] * a[j * n + k]) / n;
        data[at + i * n + j] = sum;
      }
    }
  }
  return value;
}

/** Bools, about half of them true. */
export function bools(shape: readonly number[]): Value {
  return { type: "bool", shape, data: Uint8Array.from({ length: sizeOf(shape) }, () => random.integer(2)) };
}

/** The given numbers, as a vector unless a shape is given. */
export function values(data: readonly number[], type: ElementType = "float32", shape = [data.length]): Value {
  const arrays = {
    float32: Float32Array,
    float64: Float64Array,
    int32: Int32Array,
    uint32: Uint32Array,
    bool: Uint8Array,
    float16: Uint16Array,
  };
  return { type, shape, data: arrays[type].from(data) };
}

/** Numbers where functions have their edges. */
export const EDGES = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1,
  -1,
  0.5,
  -2.5,
  1e-30,
  1e30,
];

/** Rows of edges are not for GPUs, which may round angles of 1e30 as they like, and need not keep NaN and infinities. */
export const GPU_EDGES = {
  "node-webgpu": "WGSL promises neither NaN nor large angles",
  "web-webgpu": "WGSL promises neither NaN nor large angles",
};

/** Why rows in double precision are not for browsers' GPUs. */
export const NO_DOUBLE = { "web-webgpu": "onnxruntime-web's WebGPU build has no double precision" };

/** Every pair of the edges, as two vectors. */
export function edgePairs(edges: readonly number[] = EDGES, type: ElementType = "float32"): { a: Value; b: Value } {
  const a = edges.flatMap((x) => edges.map(() => x));
  const b = edges.flatMap(() => [...edges]);
  return { a: values(a, type), b: values(b, type) };
}

/** A weighted sum of everything, so that gradients of a map are not all alike; the weights are a constant of the graph. */
export function weigh(y: np.Array): np.Array {
  const weights = Float32Array.from({ length: y.size }, (_, i) => Math.sin(0.7 * i + 0.3));
  return np.sum(y.mul(np.array(weights, { shape: y.shape, dtype: y.dtype })));
}

export type Map1 = (x: np.Array) => np.Array;

/** A function plain and with its gradient. */
export function twoWays(name: string, shape: readonly number[], fn: Map1, low = -2, high = 2): Case[] {
  const inputs = { a: uniform(shape, low, high) };
  return [
    { name, inputs, fn: (x) => fn(x.a) },
    { name: `gradient of ${name}`, inputs, fn: (x) => grad((a: np.Array) => weigh(np.square(fn(a))))(x.a) },
  ];
}
