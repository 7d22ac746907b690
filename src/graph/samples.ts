/**
 * The sizes at which a function with named dimensions is traced. A graph may serve every size only if sizes show where
 * they are baked in, so no number that is made of two dimensions may be the same at every sample: with H: [32, 48] and
 * W: [48, 32] the mean over an image would be divided by 1536 both times.
 */
import { jsonText } from "../check.js";
import { OptionError } from "../errors.js";

/** A size for each named dimension. */
export type Sample = Readonly<Record<string, number>>;

export interface Samples {
  /** As they are given; one without sizes where no dimension is named. */
  given: Sample[];
  /**
   * Sizes exchanged between samples, for dimensions that do not tell themselves apart: their sum, difference, product or
   * ratio is the same at all samples. A function may refuse them, for dimensions that belong together.
   */
  exchanged: Sample[];
}

/** What two sizes are commonly made into. */
const MADE_OF_TWO: readonly ((p: number, q: number) => number)[] = [
  (p, q) => p + q,
  (p, q) => p - q,
  (p, q) => p * q,
  (p, q) => p / q,
];

/** The samples of `names`; an OptionError for a dimension without two different sizes. */
export function samplesOf(
  names: readonly string[],
  dims: Readonly<Record<string, readonly number[]>> | undefined,
): Samples {
  const sizes = new Map(names.map((name) => [name, checkSizes(name, dims?.[name])]));
  const count = Math.max(1, ...[...sizes.values()].map((own) => own.length));
  const at = (name: string, k: number): number => {
    const own = sizes.get(name) as readonly number[];
    return own[k % own.length];
  };
  const sample = (place: (name: string) => number): Sample =>
    Object.fromEntries(names.map((name) => [name, at(name, place(name))]));
  const given = Array.from({ length: count }, (_, k) => sample(() => k));
  const alike = new Set<string>();
  names.forEach((p, i) => {
    for (const q of names.slice(i + 1)) {
      const coincide = MADE_OF_TWO.some((make) =>
        given.every((s) => make(s[p], s[q]) === make(given[0][p], given[0][q])),
      );
      if (coincide) alike.add(p).add(q);
    }
  });
  // Any two of them differ in a digit of their numbers, and with it in one of these samples.
  const order = [...alike];
  const digits = Math.ceil(Math.log2(Math.max(1, order.length)));
  const exchanged = Array.from({ length: digits }, (_, digit) => sample((name) => (order.indexOf(name) >> digit) & 1));
  return { given, exchanged };
}

function checkSizes(name: string, sizes: readonly number[] | undefined): readonly number[] {
  if (sizes === undefined) {
    throw new OptionError(`compile: dimension "${name}" needs two sample sizes in options.dims`);
  }
  const whole = Array.isArray(sizes) && sizes.every((size) => Number.isSafeInteger(size) && size >= 1);
  if (!whole || new Set(sizes).size !== sizes.length || sizes.length < 2) {
    throw new OptionError(
      `compile: dims.${name} must be two or more different whole numbers from 1 on, got ${jsonText(sizes)}`,
    );
  }
  return sizes;
}
