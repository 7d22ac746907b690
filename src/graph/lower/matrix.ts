/** Parts of matrices in the last two axes, for what is written out row by row; and how large that may be. */
import { LimitError } from "../../errors.js";
import { transposeView, type View } from "../views.js";
import type { Lowering } from "./lowering.js";
import { sliceView } from "./movement.js";

/** Most rows that are written out: ten to thirty nodes each. */
export const MAX_UNROLLED = 64;

export function checkSize(primitive: string, n: number): void {
  if (n > MAX_UNROLLED) {
    throw new LimitError(
      `${primitive} is written out for matrices up to ${MAX_UNROLLED}×${MAX_UNROLLED}, got ${n}×${n}`,
    );
  }
}

/** A block of the last two axes. */
export function block(ctx: Lowering, view: View, rows: [number, number], columns: [number, number]): View {
  const leading = view.shape.slice(0, -2).map((size): [number, number] => [0, size]);
  return sliceView(ctx, view, [...leading, rows, columns]);
}

/** The last two axes swapped. */
export function swapLast(view: View): View {
  const rank = view.shape.length;
  return transposeView(view, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
}
