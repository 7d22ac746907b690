/** Which images of many are matched with which, by a rule. */

import { checkIterable } from "../check.js";
import { checkChoice, checkNumber } from "../options.js";

/** The rules: all with all, those of one folder, those near each other in the order of their names. */
export const PAIR_RULES = ["exhaustive", "folders", "sequential"] as const;
/** Which images are matched with which. */
export type PairRule = (typeof PAIR_RULES)[number];

/** Names of two images. */
export type NamePair = readonly [name0: string, name1: string];

/**
 * The pairs of `names` by that rule, one at a time, sorted by name: there may be millions. `overlap`: how many images
 * after each one "sequential" takes.
 */
export function* pairsByRule(rule: PairRule, names: Iterable<string>, overlap: number): Generator<NamePair> {
  checkChoice("pairsByRule", "rule", rule, PAIR_RULES);
  checkIterable("pairsByRule", "names", names);
  if (rule === "sequential") checkNumber("pairsByRule", "overlap", overlap, { min: 1, integer: true });
  const sorted = [...names].sort((a, b) => (a < b ? -1 : 1));
  const folder = (name: string): string => name.slice(0, name.lastIndexOf("/") + 1);
  for (const [i, a] of sorted.entries()) {
    const end = rule === "sequential" ? Math.min(sorted.length, i + 1 + overlap) : sorted.length;
    for (let j = i + 1; j < end; j++) {
      if (rule !== "folders" || folder(a) === folder(sorted[j])) yield [a, sorted[j]];
    }
  }
}
