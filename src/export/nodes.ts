/**
 * Nodes of an exported graph that are not lowered from a function: sizes that depend on the image, pixels, lists of
 * keypoints. A size that is known when the file is written is a number and is computed then; the others are int64
 * tensors [1], computed by the same formulas when the graph runs.
 */
import { type Attribute, type ConstantData, type OnnxBuilder, type OnnxType, onnxTypeCode } from "../graph/onnx.js";

/** A number, or the name of an int64 tensor [1]. */
export type Size = number | string;

type Arithmetic = "Add" | "Sub" | "Mul" | "Div" | "Min" | "Max";

/** Of sizes, which are never negative. */
const COMPUTE: Record<Arithmetic, (a: number, b: number) => number> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => Math.floor(a / b),
  Min: Math.min,
  Max: Math.max,
};

export class Nodes {
  constructor(readonly graph: OnnxBuilder) {}

  node(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    return this.graph.node(op, inputs, attributes);
  }

  /** A constant vector, or a scalar where a lone number is given. */
  constant(type: OnnxType, values: number | readonly number[]): string {
    const list = typeof values === "number" ? [values] : values;
    return this.graph.constant(type, typeof values === "number" ? [] : [list.length], dataOf(type, list), "k");
  }

  cast(value: string, to: OnnxType): string {
    return this.node("Cast", [value], { to: onnxTypeCode(to) });
  }

  /** Constant scalars of the other operand's type. */
  with(op: string, value: string, scalar: number, type: OnnxType = "float32"): string {
    return this.node(op, [value, this.constant(type, scalar)]);
  }

  /** A size as a tensor [1]. */
  tensor(size: Size): string {
    return typeof size === "number" ? this.graph.ints([size]) : size;
  }

  /** A size as a scalar. */
  scalar(size: Size): string {
    return typeof size === "number" ? this.constant("int64", size) : this.node("Squeeze", [size, this.graph.ints([0])]);
  }

  /** Several sizes as one shape. */
  shape(sizes: readonly Size[]): string {
    if (sizes.every((size) => typeof size === "number")) return this.graph.ints(sizes);
    return this.node(
      "Concat",
      sizes.map((size) => this.tensor(size)),
      { axis: 0 },
    );
  }

  /** The length of a tensor along an axis. */
  length(value: string, axis: number): Size {
    return this.node("Gather", [this.node("Shape", [value]), this.graph.ints([axis])]);
  }

  size(op: Arithmetic, a: Size, b: Size): Size {
    if (typeof a === "number" && typeof b === "number") return COMPUTE[op](a, b);
    return this.node(op, [this.tensor(a), this.tensor(b)]);
  }

  /** The next multiple. */
  roundUp(size: Size, multiple: number): Size {
    return this.size("Mul", this.size("Div", this.size("Add", size, multiple - 1), multiple), multiple);
  }

  /** 0, 1, …, size − 1. */
  range(size: Size): string {
    return this.node("Range", [this.constant("int64", 0), this.scalar(size), this.constant("int64", 1)]);
  }

  reshape(value: string, shape: readonly Size[]): string {
    return this.node("Reshape", [value, this.shape(shape)]);
  }

  /** Zeros. */
  zeros(shape: readonly Size[]): string {
    return this.node("Expand", [this.constant("float32", 0), this.shape(shape)]);
  }

  /** The tensor grown at the end of its axes, by `by[axis]`; the border is repeated, or zeros follow. */
  grow(value: string, by: readonly Size[], mode: "edge" | "constant"): string {
    if (by.every((n) => n === 0)) return value;
    // Every axis is written: onnxruntime's transpose optimizer misreads pads that name some of them.
    return this.node("Pad", [value, this.shape([...by.map(() => 0), ...by])], { mode });
  }
}

function dataOf(type: OnnxType, values: readonly number[]): ConstantData {
  switch (type) {
    case "int64":
      return BigInt64Array.from(values, BigInt);
    case "float64":
      return Float64Array.from(values);
    case "bool":
      return Uint8Array.from(values);
    default:
      return Float32Array.from(values);
  }
}
