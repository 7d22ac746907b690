/**
 * Tensors of a file put into the places of a network. What fits is taken; what is missing, left over or of another shape
 * is named in full, for a weight that is dropped in silence is found by nobody.
 */
import { FormatError } from "../errors.js";
import { type NdArray, toFloat32 } from "../formats/ndarray.js";
import type { Tensors } from "../model/checkpoint.js";
import type { Layout, Shapes } from "./layout.js";

/** A tensor that the network has a place for. */
export interface Place {
  /** As the file calls it, and its shape there. */
  name: string;
  shape: readonly number[];
  /** As strata calls it. */
  as: string;
  /** From the file's order of axes to strata's; default: as it is. */
  convert?: (tensor: NdArray) => NdArray;
  /** Whether the network runs without it, and whether anybody is told. */
  need: "required" | "optional" | "extra";
}

export interface UnusedTensor {
  name: string;
  shape: number[];
  dtype: string;
}

export interface Mismatch {
  name: string;
  expected: number[];
  found: number[];
}

export interface Fitted {
  /** In the order of the places. */
  tensors: Map<string, NdArray>;
  unused: UnusedTensor[];
  /** Optional tensors that the file does not have. */
  missing: string[];
  /** Tensors of 64-bit floats, which became float32. */
  converted: string[];
}

/** Weights that do not make the network they were taken for, with everything that is wrong. */
export class ImportError extends FormatError {
  readonly missing: string[];
  readonly mismatched: Mismatch[];
  readonly unused: UnusedTensor[];

  constructor(message: string, wrong: { missing: string[]; mismatched: Mismatch[]; unused: UnusedTensor[] }) {
    super(message);
    this.missing = wrong.missing;
    this.mismatched = wrong.mismatched;
    this.unused = wrong.unused;
  }
}

/** At most this many names are in one message. */
const LISTED = 5;

/** Places of a layout whose shapes are the file's own; `rename` gives the file's name. */
export function placesOf({ required, optional, extras }: Layout, rename = (name: string): string => name): Place[] {
  const of = (shapes: Shapes, need: Place["need"]) =>
    [...shapes].map(([as, shape]): Place => ({ name: rename(as), shape, as, need }));
  return [...of(required, "required"), ...of(optional, "optional"), ...of(extras, "extra")];
}

/** Throws an ImportError with all that is missing or of another shape, a FormatError for values that are no weights. */
export function fillPlaces(where: string, tensors: Tensors, places: readonly Place[]): Fitted {
  const fitted: Fitted = { tensors: new Map(), unused: unusedOf(tensors, places), missing: [], converted: [] };
  const missing: string[] = [];
  const mismatched: Mismatch[] = [];
  for (const { name, shape, as, convert, need } of places) {
    const tensor = tensors.get(name);
    if (!tensor) {
      if (need === "required") missing.push(name);
      else if (need === "optional") fitted.missing.push(name);
    } else if (tensor.shape.length !== shape.length || shape.some((size, i) => size !== tensor.shape[i])) {
      mismatched.push({ name, expected: [...shape], found: [...tensor.shape] });
    } else {
      const weights = isCounter(name) ? tensor : checkWeights(where, name, tensor);
      if (weights.dtype !== tensor.dtype) fitted.converted.push(name);
      fitted.tensors.set(as, convert ? convert(weights) : weights);
    }
  }
  if (missing.length === 0 && mismatched.length === 0) return fitted;
  throw new ImportError(`${where}: ${complaint(missing, mismatched, fitted.unused)}`, {
    missing,
    mismatched,
    unused: fitted.unused,
  });
}

/** Batch norms count their batches; nothing is computed with it. */
const isCounter = (name: string): boolean => name.endsWith(".num_batches_tracked");

function unusedOf(tensors: Tensors, places: readonly Place[]): UnusedTensor[] {
  const known = new Set(places.map(({ name }) => name));
  return [...tensors]
    .filter(([name]) => !known.has(name))
    .map(([name, { shape, dtype }]) => ({ name, shape: [...shape], dtype }));
}

/** Floats of 16 or 32 bits, all finite; 64 bits become 32. */
function checkWeights(where: string, name: string, tensor: NdArray): NdArray {
  const { dtype } = tensor;
  if (!/float/.test(dtype)) {
    throw new FormatError(`${where}: tensor "${name}" has type ${dtype}; a network's weights are floats`);
  }
  const weights: NdArray = dtype === "float64" ? { ...tensor, dtype: "float32", data: toFloat32(tensor) } : tensor;
  if (!allFinite(weights)) {
    throw new FormatError(`${where}: tensor "${name}" has values that are infinite or not a number`);
  }
  return weights;
}

/** Whether all values are finite; those of 16 bits are told by their exponents. */
function allFinite({ dtype, data }: NdArray): boolean {
  const exponent = dtype === "float16" ? 0x7c00 : dtype === "bfloat16" ? 0x7f80 : 0;
  if (exponent === 0) {
    for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return false;
    return true;
  }
  for (let i = 0; i < data.length; i++) if (((data[i] as number) & exponent) === exponent) return false;
  return true;
}

function complaint(missing: string[], mismatched: Mismatch[], unused: UnusedTensor[]): string {
  const parts: string[] = [];
  if (mismatched.length > 0) {
    const texts = mismatched.map(({ name, expected, found }) => `"${name}" expected [${expected}], found [${found}]`);
    parts.push(`tensors of another shape: ${some(texts)}`);
  }
  if (missing.length > 0) parts.push(`missing tensors: ${some(missing)}`);
  if (unused.length > 0) parts.push(`it has, unused: ${some(unused.map(({ name }) => name))}`);
  return parts.join("; ");
}

const some = (texts: readonly string[]): string =>
  texts.slice(0, LISTED).join(", ") + (texts.length > LISTED ? `, … (${texts.length} in all)` : "");
