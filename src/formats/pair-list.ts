/**
 * Lists of pairs of images, as hloc and COLMAP have them: two names a line, with further columns (scores) behind them;
 * lines that begin with # are comments. Names with spaces stand in quotes or have a tab between them. Else the line is
 * split where both sides are names of images that are known; a line that can be read in two ways is refused.
 */
import { checkBytes, wrong } from "../check.js";
import { FormatError } from "../errors.js";
import type { NamePair } from "../match/pairs.js";
import { decodeUtf8 } from "./bytes.js";

/** Longest line in characters: two paths and some numbers. */
const MAX_LINE = 20_000;

/** What may stand behind the names without a tab: numbers, what stands in for one, `key=value`. */
const EXTRA = /^([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)|none|null|true|false|\w+[=:]\S*)$/i;

/**
 * The pairs of such a file, in its order. `names` are the images that there are. A pair that is listed twice, in whatever
 * order, is taken once. FormatError that names the line for images that are not there, an image with itself, and lines
 * that name no pair or more than one.
 */
export function readPairList(bytes: Uint8Array, names: ReadonlySet<string>, where = "readPairList"): NamePair[] {
  checkBytes(where, bytes);
  if (!(names instanceof Set)) throw wrong(where, "names", "a Set of names", names);
  const found = new Map<string, NamePair>();
  for (const [i, line] of decode(where, bytes)
    .split(/\r\n|\n|\r/)
    .entries()) {
    const fail = (problem: string): never => {
      throw new FormatError(`${where}: line ${i + 1}: ${problem}`);
    };
    if (line.length > MAX_LINE) fail(`${line.length} characters are no two names`);
    const text = line.trim();
    const candidates = readingsOf(line, names);
    if (text === "" || (text.startsWith("#") && candidates.length === 0)) continue;
    // Names may begin with # too, but not where the rest names a pair as well.
    if (text.startsWith("#") && readingsOf(text.slice(1), names).length > 0) fail("may be a pair or a comment");
    if (candidates.length === 0) fail(problemOf(line, names));
    if (candidates.length > 1) {
      const ways = candidates.slice(0, 2).map(([a, b]) => `"${a}" and "${b}"`);
      fail(`may be ${ways.join(", or ")}; put a tab between the names, or each in quotes`);
    }
    const [a, b] = candidates[0];
    if (a === b) fail(`"${a}" is paired with itself`);
    const key = a < b ? `${a}\0${b}` : `${b}\0${a}`;
    if (!found.has(key)) found.set(key, [a, b]);
  }
  return [...found.values()];
}

/** UTF-8, or UTF-16 with its mark, as Windows' shell redirects it. */
function decode(where: string, bytes: Uint8Array): string {
  const wide =
    bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff && "utf-16be";
  return wide ? new TextDecoder(wide).decode(bytes) : decodeUtf8(where, bytes).replace(/^\uFEFF/, "");
}

/** Every pair of known names that the line can mean; tabs and quotes leave no doubt. */
function readingsOf(line: string, names: ReadonlySet<string>): NamePair[] {
  for (const fields of [
    line.includes("\t") ? line.split("\t").map((field) => field.trim()) : null,
    quotedFields(line),
  ]) {
    if (fields && fields.length >= 2 && names.has(fields[0]) && names.has(fields[1])) return [[fields[0], fields[1]]];
  }
  return splits(line.trim(), names);
}

/** The fields of a line of which at least one is in quotes; null for any other line. */
function quotedFields(line: string): string[] | null {
  const field = /[\s,;]*(?:"((?:[^"]|"")*)"|'([^']*)'|([^\s,;"'][^\s,;]*))(?=[\s,;]|$)/y;
  const fields: string[] = [];
  let anyQuoted = false;
  const text = line.trim();
  while (field.lastIndex < text.length) {
    const [whole, double, single, bare] = field.exec(text) ?? [];
    if (whole === undefined) return null;
    anyQuoted ||= bare === undefined;
    fields.push(double?.replaceAll('""', '"') ?? single ?? bare);
  }
  return anyQuoted ? fields : null;
}

/** Every split of the text into two known names and, behind them, nothing but scores and the like. */
function splits(text: string, names: ReadonlySet<string>): NamePair[] {
  const found: NamePair[] = [];
  const joints = [...text.matchAll(/[\s,;]+/g)].map(({ index, 0: { length } }) => [index, index + length] as const);
  for (const [k, [end0, start1]] of joints.entries()) {
    const a = text.slice(0, end0);
    if (!names.has(a)) continue;
    for (const [end1, rest] of [...joints.slice(k + 1), [text.length, text.length] as const]) {
      const b = text.slice(start1, end1);
      if (names.has(b) && areExtras(text.slice(rest))) found.push([a, b]);
    }
  }
  return found;
}

const words = (text: string): string[] => text.split(/[\s,;]+/).filter((word) => word !== "");

/** Whether these are further columns, perhaps with a comment behind them. */
function areExtras(text: string): boolean {
  const extras = words(text);
  const comment = extras.findIndex((word) => word.startsWith("#"));
  return extras.slice(0, comment < 0 ? undefined : comment).every((word) => EXTRA.test(word));
}

/** Why a line names no pair. */
function problemOf(line: string, names: ReadonlySet<string>): string {
  const isTabbed = line.includes("\t");
  const fields = quotedFields(line) ?? (isTabbed ? line.split("\t").map((field) => field.trim()) : words(line.trim()));
  const given = fields.filter((field, i) => i < 2 || !EXTRA.test(field));
  if (given.length < 2) return `expected two image names, got "${line.trim().slice(0, 60)}"`;
  const unknown = given.slice(0, 2).find((name) => !names.has(name));
  if (unknown !== undefined && (given.length === 2 || isTabbed || quotedFields(line))) {
    const some = [...names].slice(0, 3);
    return `there are no features of "${unknown}"; there are ${names.size} images: ${some.join(", ") || "none"}${names.size > 3 ? ", …" : ""}`;
  }
  return (
    `no split of "${line.trim().slice(0, 60)}" gives two images that there are features of; put a tab between names with ` +
    "spaces, or each in quotes"
  );
}
