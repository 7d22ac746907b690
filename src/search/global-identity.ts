/** Which model gives an index's global vectors, how a vector is kept, and whether two models are the same. */
import { checkArray, checkList, checkNumbers, checkObject, wrong } from "../check.js";
import { StrataError } from "../errors.js";
import type { FloatFeatures } from "../features.js";
import { checkNumber } from "../options.js";
import { descriptorBytes } from "../packed.js";

/** How pixels become a global model's input. */
export interface GlobalInput {
  /** Width and height in pixels that pictures are resized to, whatever their form. */
  size: readonly [number, number];
  /** Of red, green and blue, 0 to 1: (value / 255 − mean) / std. */
  mean: readonly number[];
  /** See mean. */
  std: readonly number[];
}

/** A global model as an index names it: its file decides. */
export interface GlobalIdentity {
  /** Its file, as it was named. */
  name: string;
  /** SHA-256 of the file, hexadecimal. */
  sha256: string;
  /** Values of a vector. */
  dim: number;
  input: GlobalInput;
}

/** Features of a picture with its global vector. */
export interface IndexFeatures extends FloatFeatures {
  /** Of unit length; there where an index ranks by it. */
  global?: Float32Array;
}

/** Most pixels of an edge of a global model's input. */
export const MOST_EDGE = 4096;
/** Most values of a global vector. */
export const MOST_GLOBAL = 2 ** 16;
/** Options of an input, checked; what is left out stays out. */
export function checkInput(where: string, input: unknown): Partial<GlobalInput> {
  const { size, mean, std, ...more } = checkObject(where, "input", input) as Partial<GlobalInput>;
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) throw wrong(where, "input", "an object of size, mean and std", input);
  if (size !== undefined) {
    if (checkList(where, "input.size", size).length !== 2) throw wrong(where, "input.size", "width and height", size);
    for (const edge of size) checkNumber(where, "input.size", edge, { min: 1, max: MOST_EDGE, integer: true });
  }
  for (const [key, values] of [
    ["mean", mean],
    ["std", std],
  ] as const) {
    if (values === undefined) continue;
    if (checkList(where, `input.${key}`, values).length !== 3) {
      throw wrong(where, `input.${key}`, "three numbers: of red, green and blue", values);
    }
    for (const value of values)
      checkNumber(where, `input.${key}`, value, { min: key === "std" ? 1e-6 : -1e6, max: 1e6 });
  }
  return {
    ...(size && { size: [...size] as [number, number] }),
    ...(mean && { mean: [...mean] }),
    ...(std && { std: [...std] }),
  };
}

/** Identity of a global model in a manifest; what `fail` gives for a field that is wrong is thrown. */
export function parseGlobal(
  value: unknown,
  fail: (field: string, wanted: string, got: unknown) => Error,
): GlobalIdentity {
  const {
    name,
    sha256: digest,
    dim,
    input,
  } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof name !== "string") throw fail("global.name", "a text", name);
  if (typeof digest !== "string") throw fail("global.sha256", "a text", digest);
  if (!Number.isInteger(dim) || (dim as number) < 1 || (dim as number) > MOST_GLOBAL) {
    throw fail("global.dim", `a whole number from 1 to ${MOST_GLOBAL}`, dim);
  }
  try {
    const { size, mean, std } = checkInput("manifest", input);
    if (size && mean && std) return { name, sha256: digest, dim: dim as number, input: { size, mean, std } };
  } catch (error) {
    if (!(error instanceof StrataError)) throw error;
  }
  throw fail("global.input", "size, mean and std of the input", input);
}

/** The identity of a global model, as options give it. */
export function checkGlobal(where: string, global: GlobalIdentity): GlobalIdentity {
  checkObject(where, "global", global);
  return parseGlobal(global, (field, wanted, got) => wrong(where, `"${field}"`, wanted, got));
}

/** The vector of features as an index keeps it, signed bytes; an error where it is missing or of another length. */
export function globalBytes(where: string, { global }: IndexFeatures, { name, dim }: GlobalIdentity): Int8Array {
  if (global === undefined) {
    throw wrong(where, "global", `the vector of ${name}, by which the index ranks (extract with withGlobal)`, global);
  }
  checkNumbers(where, "global", checkArray(where, "global", global, Float32Array));
  if (global.length !== dim)
    throw wrong(where, "global", `${dim} values, as ${name} gives them`, `${global.length} values`);
  return descriptorBytes({ descriptors: global, count: 1, dim });
}

/** How a global model and an index's fit; null where they do. */
export function globalMismatch(wanted: GlobalIdentity | undefined, found: GlobalIdentity | undefined): string | null {
  const called = ({ name, sha256: digest }: GlobalIdentity) => `${name} (${digest.slice(0, 8)})`;
  if (!wanted) return found ? `ranks by words, not by vectors of ${called(found)}; leave out the global model` : null;
  if (!found)
    return `ranks by vectors of the global model ${called(wanted)}; open that too (withGlobal, or --global ${wanted.name})`;
  if (found.sha256 !== wanted.sha256) {
    return `ranks by vectors of ${called(wanted)}, not of ${called(found)}; use --global ${wanted.name}, or index the images again`;
  }
  const inputs = [wanted, found].map(({ input: { size, mean, std } }) => JSON.stringify({ size, mean, std }));
  if (inputs[0] === inputs[1]) return null;
  return `ranks by vectors of ${called(wanted)} with the input ${inputs[0]}, not ${inputs[1]}`;
}
