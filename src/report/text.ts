/** Numbers as tables and captions show them. */

/** A dash stands for what is not there or is no number; nothing prints as NaN. */
export const NOTHING = "–";

/** `value` with so many decimals. */
export function decimals(value: number | null | undefined, digits: number): string {
  return typeof value === "number" && Number.isFinite(value) ? value.toFixed(digits) : NOTHING;
}

/** A count with thin spaces between thousands, which no language reads as a decimal sign. */
export function count(value: number | null | undefined): string {
  return decimals(value, 0).replace(/\B(?=(\d{3})+$)/g, "\u2009");
}
