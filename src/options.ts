import { OptionError } from "./errors.js";

/** Checks for the small, closed option objects: unknown keys and wrong values are refused by name, early. */

/** Defaults overlaid by `given`; a key of `given` that `defaults` does not have is an OptionError. */
export function withDefaults<T extends object>(where: string, defaults: T, given: Partial<T> = {}): T {
  const known = Object.keys(defaults);
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) throw new OptionError(`${where}: unknown option "${key}"; known: ${known.join(", ")}`);
  }
  const defined = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...(Object.fromEntries(defined) as Partial<T>) };
}

/** `value` when it is a finite number in [min, max] (and whole, when asked); an OptionError that names it otherwise. */
export function checkNumber(
  where: string,
  name: string,
  value: unknown,
  { min = -Infinity, max = Infinity, integer = false }: { min?: number; max?: number; integer?: boolean } = {},
): number {
  const fits = typeof value === "number" && Number.isFinite(value) && value >= min && value <= max;
  if (!fits || (integer && !Number.isInteger(value))) {
    const range = [min === -Infinity ? "" : ` ≥ ${min}`, max === Infinity ? "" : ` ≤ ${max}`];
    const wanted = `${integer ? "a whole number" : "a number"}${range.filter(Boolean).join(" and")}`;
    throw new OptionError(`${where}: "${name}" must be ${wanted}, got ${String(value)}`);
  }
  return value;
}

/** `value` when it is one of `choices`; an OptionError that lists them otherwise. */
export function checkChoice<T extends string>(where: string, name: string, value: unknown, choices: readonly T[]): T {
  if (!choices.includes(value as T)) {
    throw new OptionError(`${where}: "${name}" must be one of ${choices.join(", ")}, got ${String(value)}`);
  }
  return value as T;
}
