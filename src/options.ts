import { checkObject, described, wrong } from "./check.js";
import { OptionError } from "./errors.js";

/** Checks for the small, closed option objects: unknown keys and wrong values are refused by name, early. */

/** What an option must be whose default is of that type. */
const KINDS: Readonly<Record<string, string>> = { boolean: "true or false", number: "a number", string: "a text" };

/**
 * Defaults overlaid by `given`. An OptionError for a key of `given` that `defaults` does not have, and for a value of
 * another type than a default that is a number, a text or a boolean, but for null where the option is `nullable`.
 */
export function withDefaults<T extends object>(
  where: string,
  defaults: T,
  given: Partial<T> = {},
  nullable: readonly (keyof T)[] = [],
): T {
  checkObject(where, "options", given);
  const known = Object.keys(defaults);
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) throw new OptionError(`${where}: unknown option "${key}"; known: ${known.join(", ")}`);
  }
  for (const [key, value] of Object.entries(given)) {
    const [wanted, got] = [typeof defaults[key as keyof T], typeof value];
    const fits = value === undefined || got === wanted || (value === null && nullable.includes(key as keyof T));
    if (!fits && wanted in KINDS) throw wrong(where, `"${key}"`, KINDS[wanted], value);
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
    throw new OptionError(`${where}: "${name}" must be ${wanted}, got ${shown(value)}`);
  }
  return value;
}

/** `value` when it is one of `choices`; an OptionError that lists them otherwise. */
export function checkChoice<T extends string>(where: string, name: string, value: unknown, choices: readonly T[]): T {
  if (!choices.includes(value as T)) {
    throw new OptionError(`${where}: "${name}" must be one of ${choices.join(", ")}, got ${shown(value)}`);
  }
  return value as T;
}

/** Texts and numbers as they are, anything else by what it is. */
const shown = (value: unknown): string =>
  typeof value === "string" || typeof value === "number" ? String(value) : described(value);
