/** Which images are matched with which: by a rule, or as a file says. */

import { readFile } from "node:fs/promises";
import { wrong } from "../check.js";
import { OptionError } from "../errors.js";
import { readPairList } from "../formats/pair-list.js";
import { type NamePair, PAIR_RULES, type PairRule, pairsByRule } from "../match/pairs.js";
import { checkPath, ioError } from "./atomic.js";

export interface ListedPairs {
  count: number;
  pairs: Iterable<NamePair>;
}

/**
 * The pairs of `names` by a rule (`overlap` is for "sequential"), or those of a file with two names a line. FormatError that
 * names the line, OptionError where nothing is left.
 */
export async function listPairs(rule: string, names: ReadonlySet<string>, overlap: number): Promise<ListedPairs> {
  checkPath("listPairs", rule);
  if (!(names instanceof Set)) throw wrong("listPairs", "names", "a Set of names", names);
  const listed = isRule(rule)
    ? byRule(rule, names, overlap)
    : ofList(readPairList(await readFile(rule).catch(unreadable(rule)), names, rule));
  if (listed.count === 0) throw new OptionError(`--pairs ${rule}: no pair among ${names.size} images`);
  return listed;
}

const unreadable = (path: string) => (cause: unknown) => {
  throw ioError("read", path, cause);
};

const isRule = (rule: string): rule is PairRule => (PAIR_RULES as readonly string[]).includes(rule);

const ofList = (pairs: readonly NamePair[]): ListedPairs => ({ count: pairs.length, pairs });

/** Counted by going through them once: there may be more than one likes to keep. */
function byRule(rule: PairRule, names: ReadonlySet<string>, overlap: number): ListedPairs {
  let count = 0;
  for (const _ of pairsByRule(rule, names, overlap)) count++;
  return { count, pairs: pairsByRule(rule, names, overlap) };
}
