/** Runs one row of the table both ways, by jax-js's interpreter and through the lowered graph, and measures the difference. */
import { type DType, defaultDevice, init, numpy as np } from "@jax-js/jax";
import { type Compiled, compile, type InputSpec } from "../../../src/graph/compile.js";
import { flattenJaxpr } from "../../../src/graph/jaxpr.js";
import type { Runtime, SessionOptions, Tensor } from "../../../src/graph/session.js";
import { leavesOf, type Tree, trace } from "../../../src/graph/trace.js";
import type { Case, Inputs, RuntimeId, Value } from "./case.js";

export interface Verdict {
  /** Largest max |a − b| / max(1, max |b|) of the outputs; NaN where one side is NaN or infinite alone. */
  error: number;
  /** What does not fit besides the values: names, shapes, types. */
  mismatch?: string;
}

/** What jax-js says: outputs by path. */
export type Expected = Map<string, { shape: number[]; dtype: string; data: ArrayLike<number> }>;

/** Largest error that is accepted: a row's own, 1e-5 on CPUs, 1e-4 on GPUs. */
const limitOf = (row: Case, on: RuntimeId): number =>
  on.endsWith("webgpu") ? Math.max(row.gpuTolerance ?? 1e-4, row.tolerance ?? 0) : (row.tolerance ?? 1e-5);

/** What is wrong with a row's answer; empty where nothing is. */
export function complaint(row: Case, { error, mismatch }: Verdict, on: RuntimeId): string {
  if (mismatch) return `${row.name}: ${mismatch}`;
  return error <= limitOf(row, on) ? "" : `${row.name}: error ${error} is above ${limitOf(row, on)}`;
}

/** np.array names Float16Array, which Node 20 lacks; any class will do, but runtimes must not see it. */
function makeArray(...args: Parameters<typeof np.array>): np.Array {
  if ("Float16Array" in globalThis) return np.array(...args);
  Object.assign(globalThis, { Float16Array: class {} });
  try {
    return np.array(...args);
  } finally {
    Reflect.deleteProperty(globalThis, "Float16Array");
  }
}

/** jax-js array of a value; float16 is computed in float32 by the oracle. */
function toArray({ type, shape, data }: Value, device: "cpu" | "wasm"): np.Array {
  const dtype = (type === "float16" ? "float32" : type) as DType;
  if (data.length === 0) return np.zeros([...shape], { dtype, device });
  const raw = type === "bool" ? Int32Array.from(data) : type === "float16" ? halves(data as Uint16Array) : data;
  return makeArray(raw as Float32Array<ArrayBuffer>, { dtype, shape: [...shape], device });
}

/** Numbers behind half-precision bits. */
export function halves(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, (word) => {
    const exponent = (word >> 10) & 31;
    const fraction = word & 1023;
    const sign = word & 0x8000 ? -1 : 1;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
  });
}

const isArray = (value: unknown): value is np.Array => value instanceof np.Array;

/** Every reading of an input is a reference of its own. */
const sharing = (arrays: Record<string, np.Array>): Inputs =>
  Object.defineProperties(
    {},
    Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, { get: () => array.ref }])),
  ) as Inputs;

/** What jax-js says. */
export async function interpret(row: Case): Promise<Expected> {
  const device = row.oracle ?? "cpu";
  await init(device);
  const before = defaultDevice();
  defaultDevice(device);
  try {
    const arrays = Object.fromEntries(
      Object.entries(row.inputs).map(([name, value]) => [name, toArray(value, device)]),
    );
    const outputs = leavesOf(row.fn(sharing(arrays)), isArray);
    return new Map(
      outputs.map(([path, array]) => {
        const shape = [...array.shape];
        const dtype = String(array.dtype);
        return [path || "out", { shape, dtype, data: array.dataSync() }];
      }),
    );
  } finally {
    defaultDevice(before);
  }
}

/** The lowered graph of a row; what the row computes while it is traced, jax-js computes in JavaScript. */
export async function lowered(row: Case, runtime: Runtime, options: SessionOptions = {}): Promise<Compiled> {
  await init("cpu");
  defaultDevice("cpu");
  const specs = Object.fromEntries(
    Object.entries(row.inputs).map(([name, { type, shape }]): [string, InputSpec] => [name, { type, shape }]),
  );
  return compile((x: Inputs) => row.fn(sharing(x)), specs, { runtime, ...options });
}

/** Names of a row's primitives; nested jits written out. */
export async function primitivesOf(row: Case): Promise<string[]> {
  await init("cpu");
  const isValue = (value: unknown): value is Value => typeof value === "object" && value !== null && "data" in value;
  const { closed } = trace(
    (x: Inputs) => row.fn(sharing(x)),
    row.inputs as Tree<Value>,
    isValue,
    (value) => value,
  );
  const names = flattenJaxpr(closed).eqns.map(({ primitive }) => primitive);
  closed.dispose();
  return names;
}

/** The largest difference between what jax-js says and what the lowered graph gives on `runtime`. */
export async function check(
  row: Case,
  runtime: Runtime,
  options: SessionOptions = {},
  expected?: Expected,
): Promise<Verdict> {
  const right = expected ?? (await interpret(row));
  const compiled = await lowered(row, runtime, options);
  try {
    if (compiled.info.fallback) throw new Error(compiled.info.fallback);
    const feeds = Object.fromEntries(
      Object.entries(row.inputs).map(([name, { data, shape }]) => [name, { data, shape }]),
    );
    const got = await compiled.run(feeds);
    let error = 0;
    for (const [name, want] of right) {
      const mismatch = misfit(name, want, got[name]);
      if (mismatch) return { error, mismatch };
      const data = got[name].type === "float16" ? halves(got[name].data as Uint16Array) : got[name].data;
      const own = difference(data, want.data);
      error = Number.isNaN(own) || Number.isNaN(error) ? Number.NaN : Math.max(error, own);
    }
    return { error };
  } finally {
    await compiled.dispose();
  }
}

function misfit(name: string, want: { shape: number[]; dtype: string }, got: Tensor | undefined): string | undefined {
  if (!got) return `no output "${name}"`;
  if (got.shape.join() !== want.shape.join()) return `${name} has shape [${got.shape}], not [${want.shape}]`;
  if (got.type !== want.dtype && got.type !== "float16") return `${name} is ${got.type}, not ${want.dtype}`;
  return undefined;
}

/** max |a − b| / max(1, max |b|); NaN and infinities must be the same on both sides. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN;
  let scale = 1;
  for (let i = 0; i < b.length; i++) if (Number.isFinite(b[i])) scale = Math.max(scale, Math.abs(b[i]));
  let worst = 0;
  for (let i = 0; i < b.length; i++) {
    if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
    if (!Number.isFinite(a[i]) || !Number.isFinite(b[i])) return Number.NaN;
    worst = Math.max(worst, Math.abs(a[i] - b[i]) / scale);
  }
  return worst;
}
