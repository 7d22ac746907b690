/**
 * Calls a function with every argument, and every field of its arguments, in turn replaced by things of other kinds. What
 * comes must be an error of ours; a value of the right kind that cannot be (−1, NaN, 10¹²) may be one.
 */
import { StrataError } from "../../../src/errors.js";

export interface Sample {
  /** Arguments that the function takes. */
  args: readonly unknown[];
  /** From this argument on they may be left out, and fields of theirs may be undefined; default: none may. */
  optional?: number;
  /** Other kinds that are right too, by path ("1.size"), separated by spaces; "any": whatever is given. */
  also?: Readonly<Record<string, string>>;
  /** What the sample names is not there: it is refused itself, in our words. */
  refused?: boolean;
  /** Depth to which fields are replaced; default 2. */
  depth?: number;
  /** Paths whose fields are left alone: what another library makes, labels for messages. */
  opaque?: readonly string[];
}

export type Table = Readonly<Record<string, () => Sample | Promise<Sample>>>;

/** One of each kind that people give by mistake. */
export const WRONG: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  boolean: () => true,
  number: () => 5,
  bigint: () => 5n,
  string: () => "x",
  array: () => [1, 2, 3],
  object: () => ({ colour: "red" }),
  function: () => () => 1,
  Map: () => new Map([["x", 1]]),
  Float64Array: () => Float64Array.of(0.1, 0.2, 0.3),
  Float32Array: () => Float32Array.of(0.1, 0.2, 0.3),
  Uint8Array: () => Uint8Array.of(1, 2, 3),
  Uint32Array: () => Uint32Array.of(1, 2, 3),
  ArrayBuffer: () => new ArrayBuffer(3),
};

/** Of the right kind, and nothing that can be. */
const IMPOSSIBLE: Readonly<Record<string, readonly unknown[]>> = {
  number: [-1, 0, 0.5, Number.NaN, Infinity, 1e12],
  string: ["", "\0", "/dev/null/x"],
  array: [[], [null], [Number.NaN], ["x"], [{}]],
  object: [{}],
  Map: [new Map(), new Map([[5, null]])],
  Float64Array: [new Float64Array(0), Float64Array.of(Number.NaN)],
  Float32Array: [new Float32Array(0), Float32Array.of(Number.NaN)],
  Uint8Array: [new Uint8Array(0), new Uint8Array(5)],
  Uint32Array: [new Uint32Array(0), Uint32Array.of(0, 1e9)],
};

export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value !== "object") return typeof value;
  const name = Object.prototype.toString.call(value).slice(8, -1);
  return name === "Object" ? "object" : name;
}

type Unknown = (...args: unknown[]) => unknown;

/** What is wrong with how `fn` takes misuse, a line each. */
export async function misuses(name: string, fn: Unknown, sample: Sample): Promise<string[]> {
  const complaints: string[] = [];
  const right = await outcome(fn, sample.args);
  if (right !== (sample.refused ? "ours" : null)) complaints.push(`${name} on its own sample: ${right}`);
  const { optional = Infinity, also = {}, depth = 2 } = sample;
  for (const { path, value, replaced } of placesOf(sample.args, depth, sample.opaque ?? [])) {
    const may = (also[path] ?? "").split(" ");
    const left = Number(path.split(".")[0]) >= optional;
    for (const [kind, make] of Object.entries(WRONG)) {
      if (kind === kindOf(value)) continue;
      const allowed = may.includes("any") || may.includes(kind) || (kind === "undefined" && left);
      const found = await outcome(fn, replaced(make()));
      if (found === "ours" || (found === null && allowed)) continue;
      complaints.push(`${name}(${path} = ${kind}): ${found ?? "is accepted"}`);
    }
    for (const one of IMPOSSIBLE[kindOf(value)] ?? []) {
      const found = await outcome(fn, replaced(one));
      if (found !== null && found !== "ours") complaints.push(`${name}(${path} = ${show(one)}): ${found}`);
    }
  }
  return complaints;
}

const show = (value: unknown): string =>
  value instanceof Map ? "Map" : Number.isNaN(value) ? "NaN" : JSON.stringify(value);

interface Place {
  path: string;
  value: unknown;
  replaced(value: unknown): unknown[];
}

/** Every argument, and fields of plain objects and short arrays in them. */
function placesOf(args: readonly unknown[], depth: number, opaque: readonly string[]): Place[] {
  const places: Place[] = [];
  const walk = (value: unknown, path: string, left: number, put: (value: unknown) => unknown[]) => {
    if (path) places.push({ path, value, replaced: put });
    const plain = kindOf(value) === "object" && Object.getPrototypeOf(value) === Object.prototype;
    if (left === 0 || opaque.includes(path) || !(plain || (Array.isArray(value) && value.length <= 3))) return;
    for (const [key, inner] of Object.entries(value as object)) {
      const set = (one: unknown) =>
        put(
          Array.isArray(value)
            ? value.map((old, i) => (String(i) === key ? one : old))
            : { ...(value as object), [key]: one },
        );
      walk(inner, path ? `${path}.${key}` : key, left - 1, set);
    }
  };
  args.forEach((value, i) => {
    walk(value, String(i), depth, (one) => args.map((old, k) => (k === i ? one : old)));
  });
  return places;
}

/** null: a result; "ours": an error of ours that says something; else what is wrong. */
async function outcome(fn: Unknown, args: readonly unknown[]): Promise<string | null> {
  try {
    const result = (await fn(...args)) as { next?: () => unknown; dispose?: () => unknown } | null | undefined;
    if (typeof result?.next === "function") await result.next();
    return null;
  } catch (error) {
    if (!(error instanceof StrataError))
      return `${(error as Error)?.name}: ${String((error as Error)?.message).split("\n")[0]}`;
    return error.message.length > 15 && !/\[object |undefined×/.test(error.message)
      ? "ours"
      : `says only: ${error.message}`;
  }
}
