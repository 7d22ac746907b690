/**
 * Products with constants, gathered while the graph is built: x·1 is x, and x·c·d is x·(c·d). jax-js writes ones into
 * every gradient, and the mean over a window as count⁻¹ times a sum that AveragePool gives divided by count.
 */
import type { DType } from "@jax-js/jax";
import { alignView, type View } from "../views.js";
import { broadcastShapes, type Lowering } from "./lowering.js";

/** Relative difference of two neighbouring float32 numbers: a factor this close to 1 is 1, rounded. */
const EPSILON = 2 ** -23;

/** Factors within these bounds can be gathered without leaving the range of ordinary numbers on one side only. */
const ordinary = (factor: number): boolean => Math.abs(factor) > 1e-15 && Math.abs(factor) < 1e15;

/** The value of a stored float32 scalar, or undefined. */
function constantOf(ctx: Lowering, name: string): number | undefined {
  const stored = ctx.builder.initializer(name);
  if (stored?.shape.length !== 0 || stored.type !== "float32") return undefined;
  return Number(stored.data[0]);
}

/** The product of two float32 views where a constant can be folded away; null otherwise. */
export function foldProduct(ctx: Lowering, [a, b]: readonly View[], dtype: DType): View | null {
  const shape = broadcastShapes([a.shape, b.shape]);
  for (const [x, y] of [
    [a, b],
    [b, a],
  ]) {
    const factor = constantOf(ctx, y.source.name);
    if (factor === undefined) continue;
    if (factor === 1) return alignView(x, shape);
    const before = earlierFactor(ctx, x);
    if (!before || !ordinary(factor) || !ordinary(before.factor)) continue;
    const joint = before.factor * factor;
    if (Math.abs(joint - 1) <= EPSILON) return alignView(before.view, shape);
    return alignView(ctx.elementwise("Mul", [before.view, ctx.scalar(dtype, joint)]), shape);
  }
  return null;
}

/** What a view was before it was multiplied by a constant. */
function earlierFactor(ctx: Lowering, view: View): { view: View; factor: number } | null {
  const maker = ctx.builder.maker(view.source.name);
  if (maker?.op !== "Mul") return null;
  for (const [value, other] of [maker.inputs, [...maker.inputs].reverse()]) {
    const factor = constantOf(ctx, other);
    if (factor !== undefined) return { view: { ...view, source: { ...view.source, name: value } }, factor };
  }
  return null;
}
