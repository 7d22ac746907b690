/** Which images are matched with which: all, those of a folder, those near each other in order, or as a file says. */
import { readFile } from "node:fs/promises";
import { FormatError, OptionError } from "../../errors.js";
import { ioError } from "../../node/atomic.js";

/** Words for `--pairs`; anything else is a file. */
export const PAIR_RULES = ["exhaustive", "folders", "sequential"] as const;

export type NamePair = readonly [string, string];

/**
 * The pairs of `names` by a rule, or those of a file with two names a line (hloc's and COLMAP's lists; # begins a
 * comment). `overlap`: how many images after each one "sequential" takes. A pair that a file names twice, in whatever
 * order, is taken once. FormatError that names the line, OptionError where nothing is left.
 */
export async function listPairs(rule: string, names: readonly string[], overlap: number): Promise<NamePair[]> {
  const sorted = [...names].sort((a, b) => (a < b ? -1 : 1));
  const pairs = (PAIR_RULES as readonly string[]).includes(rule)
    ? byRule(rule, sorted, overlap)
    : await fromFile(rule, new Set(names));
  if (pairs.length === 0) throw new OptionError(`--pairs ${rule}: no pair among ${names.length} images`);
  return pairs;
}

function byRule(rule: string, names: readonly string[], overlap: number): NamePair[] {
  const folder = (name: string): string => name.slice(0, name.lastIndexOf("/") + 1);
  return names.flatMap((a, i) => {
    const later = names.slice(i + 1, rule === "sequential" ? i + 1 + overlap : undefined);
    return later.filter((b) => rule !== "folders" || folder(a) === folder(b)).map((b): NamePair => [a, b]);
  });
}

async function fromFile(path: string, names: ReadonlySet<string>): Promise<NamePair[]> {
  const text = await readFile(path, "utf8").catch((cause) => {
    throw ioError("read", path, cause);
  });
  const found = new Map<string, NamePair>();
  for (const [i, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === "" || words[0].startsWith("#")) continue;
    if (words.length !== 2)
      throw new FormatError(`${path}: line ${i + 1}: expected two image names, got "${line.slice(0, 60)}"`);
    const unknown = words.find((name) => !names.has(name));
    if (unknown !== undefined) throw new FormatError(`${path}: line ${i + 1}: there are no features of "${unknown}"`);
    const [a, b] = words;
    if (a === b) throw new FormatError(`${path}: line ${i + 1}: "${a}" is paired with itself`);
    const key = a < b ? `${a} ${b}` : `${b} ${a}`;
    if (!found.has(key)) found.set(key, [a, b]);
  }
  return [...found.values()];
}
