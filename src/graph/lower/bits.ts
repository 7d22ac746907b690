/** Bit operations and random bits. uint32 is carried as int64, so shifts are multiplications and divisions by 2ⁿ. */
import type { DType } from "@jax-js/jax";
import { UnsupportedError } from "../../errors.js";
import { dtypeOf } from "../jaxpr.js";
import { onnxTypeCode } from "../onnx.js";
import { identityView, type View } from "../views.js";
import type { Lowering, Rule } from "./lowering.js";

const U32 = "uint32" as DType;
const MASK = 0xffffffff;

const and = (ctx: Lowering, a: View, value: number) => ctx.elementwise("BitwiseAnd", [a, ctx.scalar(U32, value)]);
const shiftRight = (ctx: Lowering, a: View, by: number) => ctx.elementwise("Div", [a, ctx.scalar(U32, 2 ** by)]);
const add32 = (ctx: Lowering, a: View, b: View) => and(ctx, ctx.elementwise("Add", [a, b]), MASK);

/** The value as an unsigned 32-bit number carried in int64. */
function toUint32(ctx: Lowering, view: View, dtype: DType): View {
  return dtype === "uint32" ? view : ctx.cast(view, dtype, U32);
}

const bitCombine: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  const views = eqn.inputs.map((atom) => ctx.viewAs(atom, dtype));
  const op = { and: "And", or: "Or", xor: "Xor" }[eqn.params.op as string] as string;
  return [ctx.elementwise(dtype === "bool" ? op : `Bitwise${op}`, views)];
};

const bitShift: Rule = (ctx, eqn) => {
  const dtype = dtypeOf(eqn.outs[0]);
  const [value, amount] = eqn.inputs;
  const bits = toUint32(ctx, ctx.view(value), dtypeOf(value));
  // Only the low five bits of the amount count, as in JavaScript and WebAssembly.
  const by = and(ctx, toUint32(ctx, ctx.view(amount), dtypeOf(amount)), 31);
  const powers = BigInt64Array.from({ length: 32 }, (_, i) => 1n << BigInt(i));
  const table = ctx.builder.constant("int64", [32], powers, "powers");
  const factor: View = { ...by, source: { ...by.source, name: ctx.builder.node("Gather", [table, by.source.name]) } };
  const shifted =
    eqn.params.op === "shl"
      ? and(ctx, ctx.elementwise("Mul", [bits, factor]), MASK)
      : ctx.elementwise("Div", [bits, factor]);
  return [dtype === "uint32" ? shifted : ctx.cast(shifted, U32, dtype)];
};

/** Number of ones, by adding up neighbouring bits, then pairs, then nibbles, then bytes. */
const bitCount: Rule = (ctx, eqn) => {
  const [value] = eqn.inputs;
  let x = toUint32(ctx, ctx.view(value), dtypeOf(value));
  for (const [mask, by] of [
    [0x55555555, 1],
    [0x33333333, 2],
    [0x0f0f0f0f, 4],
    [0x00ff00ff, 8],
    [0x0000ffff, 16],
  ]) {
    x = ctx.elementwise("Add", [and(ctx, x, mask), and(ctx, shiftRight(ctx, x, by), mask)]);
  }
  return [ctx.cast(x, U32, "int32" as DType)];
};

/**
 * Bits of a uint32 read as a float32: sign · mantissa · 2^exponent, put together by arithmetic. The power comes in two
 * factors, so that neither is too small for a float32 of its own; every product is exact.
 */
function bitsToFloat(ctx: Lowering, bits: View): View {
  const f32 = "float32" as DType;
  const exponent = and(ctx, shiftRight(ctx, bits, 23), 0xff);
  const mantissa = ctx.unary(and(ctx, bits, 0x7fffff), "Cast", { to: onnxTypeCode("float32") });
  const lookUp = (name: string, value: (e: number) => number): View => {
    const table = ctx.builder.constant(
      "float32",
      [256],
      Float32Array.from({ length: 256 }, (_, e) => value(e)),
      name,
    );
    return {
      ...exponent,
      source: { ...exponent.source, name: ctx.builder.node("Gather", [table, exponent.source.name]) },
    };
  };
  const power = (e: number) => Math.min(Math.max(e, 1), 254) - 150;
  const implicit = lookUp("implicit", (e) => (e === 0 ? 0 : 2 ** 23));
  const coarse = lookUp("scale", (e) => 2 ** Math.max(power(e), -126));
  const fine = lookUp("scale", (e) => 2 ** Math.min(power(e) + 126, 0));
  const units = ctx.elementwise("Add", [mantissa, implicit]);
  const finite = ctx.elementwise("Mul", [ctx.elementwise("Mul", [units, coarse]), fine]);
  const special = ctx.elementwise("Where", [
    ctx.elementwise("Equal", [mantissa, ctx.scalar(f32, 0)]),
    ctx.scalar(f32, Number.POSITIVE_INFINITY),
    ctx.scalar(f32, Number.NaN),
  ]);
  const magnitude = ctx.elementwise("Where", [
    ctx.elementwise("Equal", [exponent, ctx.scalar(U32, 255)]),
    special,
    finite,
  ]);
  const negative = ctx.elementwise("Equal", [shiftRight(ctx, bits, 31), ctx.scalar(U32, 1)]);
  return ctx.elementwise("Where", [negative, ctx.unary(magnitude, "Neg"), magnitude]);
}

/** Bits of a float32: exponent from a table of powers of two by counting, mantissa by exact scaling in double. */
function floatToBits(ctx: Lowering, view: View): View {
  const f64 = "float64" as DType;
  const x = ctx.unary(view, "Cast", { to: onnxTypeCode("float64") });
  const magnitude = ctx.unary(x, "Abs");
  // The exponent is found by bisection: eight steps, each a comparison with a power of two.
  let exponent = ctx.scalar(f64, 0);
  let rest = magnitude;
  let down = ctx.scalar(f64, 0);
  let small = magnitude;
  for (const step of [128, 64, 32, 16, 8, 4, 2, 1]) {
    const big = ctx.elementwise("GreaterOrEqual", [rest, ctx.scalar(f64, 2 ** step)]);
    rest = ctx.elementwise("Mul", [
      rest,
      ctx.elementwise("Where", [big, ctx.scalar(f64, 2 ** -step), ctx.scalar(f64, 1)]),
    ]);
    exponent = ctx.elementwise("Add", [
      exponent,
      ctx.elementwise("Where", [big, ctx.scalar(f64, step), ctx.scalar(f64, 0)]),
    ]);
    const tiny = ctx.elementwise("Less", [small, ctx.scalar(f64, 2 ** (1 - step))]);
    small = ctx.elementwise("Mul", [
      small,
      ctx.elementwise("Where", [tiny, ctx.scalar(f64, 2 ** step), ctx.scalar(f64, 1)]),
    ]);
    down = ctx.elementwise("Add", [down, ctx.elementwise("Where", [tiny, ctx.scalar(f64, step), ctx.scalar(f64, 0)])]);
  }
  const biased = ctx.elementwise("Max", [
    ctx.elementwise("Add", [ctx.elementwise("Sub", [exponent, down]), ctx.scalar(f64, 127)]),
    ctx.scalar(f64, 1),
  ]);
  const powers = ctx.builder.constant(
    "float64",
    [256],
    Float64Array.from({ length: 256 }, (_, e) => 2 ** (150 - e)),
    "unscale",
  );
  const index = ctx.unary(ctx.elementwise("Min", [biased, ctx.scalar(f64, 254)]), "Cast", {
    to: onnxTypeCode("int64"),
  });
  const unscale: View = {
    ...index,
    source: { ...index.source, name: ctx.builder.node("Gather", [powers, index.source.name]) },
  };
  const units = ctx.elementwise("Mul", [magnitude, unscale]);
  // Units of at least 2²³ carry the implicit one, which adds 1 to the exponent field by itself.
  const field = ctx.elementwise("Mul", [
    ctx.elementwise("Sub", [biased, ctx.scalar(f64, 1)]),
    ctx.scalar(f64, 2 ** 23),
  ]);
  let bits = ctx.elementwise("Add", [units, field]);
  const infinite = ctx.elementwise("GreaterOrEqual", [magnitude, ctx.scalar(f64, 2 ** 128)]);
  bits = ctx.elementwise("Where", [infinite, ctx.scalar(f64, 0x7f800000), bits]);
  bits = ctx.elementwise("Where", [ctx.unary(x, "IsNaN"), ctx.scalar(f64, 0x7fc00000), bits]);
  const reciprocal = ctx.unary(x, "Reciprocal"); // its sign tells −0 from 0
  const negative = ctx.elementwise("Less", [ctx.elementwise("Add", [x, reciprocal]), ctx.scalar(f64, 0)]);
  bits = ctx.elementwise("Add", [
    bits,
    ctx.elementwise("Where", [negative, ctx.scalar(f64, 2 ** 31), ctx.scalar(f64, 0)]),
  ]);
  return ctx.unary(bits, "Cast", { to: onnxTypeCode("int64") });
}

const bitcast: Rule = (ctx, eqn) => {
  const from = dtypeOf(eqn.inputs[0]);
  const to = eqn.params.dtype as DType;
  const view = ctx.view(eqn.inputs[0]);
  if (from === to) return [view];
  const whole = (dtype: DType) => dtype === "int32" || dtype === "uint32";
  if (whole(from) && whole(to)) return [ctx.cast(view, from, to)];
  if (whole(from) && to === "float32") return [bitsToFloat(ctx, toUint32(ctx, view, from))];
  if (from === "float32" && whole(to)) {
    const bits = floatToBits(ctx, view);
    return [to === "uint32" ? bits : ctx.cast(bits, U32, to)];
  }
  throw new UnsupportedError(`bitcast from ${from} to ${to} is not offered`);
};

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
];

/** Threefry-2x32 with 20 rounds (Salmon et al. 2011): the generator of jax-js's random keys. */
function threefry(ctx: Lowering, k0: View, k1: View, c0: View, c1: View): [View, View] {
  const xor = (a: View, b: View) => ctx.elementwise("BitwiseXor", [a, b]);
  const keys = [k0, k1, xor(xor(k0, k1), ctx.scalar(U32, 0x1bd11bda))];
  let x0 = add32(ctx, c0, keys[0]);
  let x1 = add32(ctx, c1, keys[1]);
  for (let round = 0; round < 5; round++) {
    for (const by of ROTATIONS[round % 2]) {
      x0 = add32(ctx, x0, x1);
      const high = and(ctx, ctx.elementwise("Mul", [x1, ctx.scalar(U32, 2 ** by)]), MASK);
      x1 = xor(ctx.elementwise("BitwiseOr", [high, shiftRight(ctx, x1, 32 - by)]), x0);
    }
    x0 = add32(ctx, x0, keys[(round + 1) % 3]);
    x1 = add32(ctx, x1, add32(ctx, keys[(round + 2) % 3], ctx.scalar(U32, round + 1)));
  }
  return [x0, x1];
}

const randomBits: Rule = (ctx, eqn) => {
  const shape = eqn.params.shape as number[];
  const [k0, k1] = eqn.inputs.map((atom) => ctx.view(atom));
  const rank = k0.shape.length;
  const own = shape.slice(rank);
  const count = own.reduce((a, b) => a * b, 1);
  // Each key numbers its own values from 0.
  const counters = ctx.builder.constant(
    "int64",
    own,
    BigInt64Array.from({ length: count }, (_, i) => BigInt(i)),
    "iota",
  );
  const key = (view: View): View => ({
    source: view.source,
    shape: [...view.shape, ...own],
    axes: [...view.axes, ...own.map(() => null)],
  });
  const c1 = identityView({ name: counters, shape: own });
  const [x0, x1] = threefry(ctx, key(k0), key(k1), ctx.scalar(U32, 0), c1);
  if (eqn.params.mode === "xor") return [ctx.elementwise("BitwiseXor", [x0, x1])];
  return [eqn.params.mode === 0 ? x0 : x1];
};

export const bitRules: Record<string, Rule> = {
  bit_combine: bitCombine,
  bit_shift: bitShift,
  bit_count: bitCount,
  bitcast,
  random_bits: randomBits,
};
