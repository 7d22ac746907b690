/**
 * Features and matches as comma-separated values (RFC 4180), for spreadsheets, R, pandas and eyes. The first line names
 * the columns: `x,y,score[,level],d0,d1,…` for one image's features (`b0,b1,…` for bytes of bits); `name0,name1,index0,index1,x0,y0,x1,y1,score[,inlier]`
 * for matches of many pairs. Nine digits give every float32 back exactly. A feature file has no place for the image's
 * size.
 */

import { checkMap, checkSize } from "../check.js";
import { FormatError, ShapeError } from "../errors.js";
import type { DescriptorKind, Features } from "../features.js";
import { checkFeatures, DESCRIPTOR_KINDS } from "../features.js";
import { checkChoice } from "../options.js";
import { decodeUtf8, encodeUtf8 } from "./bytes.js";
import type { ImagePair } from "./colmap.js";
import { checkedPairs } from "./colmap.js";
import { csvField, unescapeCsv } from "./csv-field.js";
import { arraysToFeatures, checkFiniteFeatures } from "./feature-arrays.js";
import type { NdArray } from "./ndarray.js";
import type { OpenCvPair } from "./opencv-json.js";

const MATCH_COLUMNS = ["name0", "name1", "index0", "index1", "x0", "y0", "x1", "y1", "score"];

/** One image's features, a line each. */
export function writeFeaturesCsv(features: Features): Uint8Array {
  const { count, dim, kind, keypoints, scores, levels, descriptors } = checkFiniteFeatures(
    "writeFeaturesCsv",
    features,
  );
  const names = ["x", "y", "score", ...(levels ? ["level"] : []), ...descriptorColumns(kind, dim)];
  const lines = [names.join(",")];
  for (let i = 0; i < count; i++) {
    const row = [short(keypoints[2 * i]), short(keypoints[2 * i + 1]), short(scores[i])];
    if (levels) row.push(levels[i]);
    for (let k = 0; k < dim; k++) row.push(short(descriptors[i * dim + k]));
    lines.push(row.join(","));
  }
  return text(lines);
}

/**
 * The features of such a file of an image of that size, also of files without scores (they are 1 then) or descriptors.
 * `kind` overrules what the columns' names say of descriptors. FormatError that names the line for damage.
 */
export function readFeaturesCsv(
  bytes: Uint8Array,
  imageSize: [number, number] | null,
  kind: DescriptorKind | null = null,
): Features {
  const where = "readFeaturesCsv";
  if (imageSize !== null) checkSize(where, "imageSize", imageSize);
  if (kind !== null) checkChoice(where, "kind", kind, DESCRIPTOR_KINDS);
  const { columns, rows } = parse(where, bytes);
  const [floats, binary] = [/^d\d+$/, /^b\d+$/].map((name) => columns.filter((column) => name.test(column)).length);
  const own = binary > 0 && floats === 0 ? "binary" : "float";
  const dim = own === "binary" ? binary : floats;
  const at = ["x", "y", ...descriptorColumns(own, dim)].map((name) => columns.indexOf(name));
  if (at.includes(-1)) throw new FormatError(`${where}: line 1 must name the columns x, y, score, d0, d1, …`);
  const pick = (from: readonly number[], name: string): NdArray => {
    const data = new Float32Array(rows.length * from.length);
    for (const [i, row] of rows.entries()) {
      for (const [k, column] of from.entries()) data[i * from.length + k] = number(where, i, name, row[column]);
    }
    return { dtype: "float32", shape: [rows.length, from.length], data };
  };
  const arrays: Record<string, NdArray> = { keypoints: pick(at.slice(0, 2), "x or y") };
  if (dim > 0) arrays.descriptors = pick(at.slice(2), "a descriptor");
  for (const [array, name] of [
    ["scores", "score"],
    ["levels", "level"],
  ]) {
    const column = columns.indexOf(name);
    if (column >= 0) arrays[array] = pick([column], name);
  }
  return arraysToFeatures(where, arrays, { imageSize, kind: kind ?? own });
}

function descriptorColumns(kind: DescriptorKind = "float", dim: number): string[] {
  const letter = kind === "binary" ? "b" : "d";
  return Array.from({ length: dim }, (_, k) => `${letter}${k}`);
}

/**
 * Matches of many pairs, a line each, with the positions of both keypoints; `inlier` is 1 or 0 where a pair was
 * verified, empty where not (the column is left out when none was). ShapeError for a match of a keypoint that is not there.
 */
export function writeMatchesCsv(pairs: Iterable<OpenCvPair>, features: ReadonlyMap<string, Features>): Uint8Array {
  const listed = [...checkedPairs("writeMatchesCsv", pairs)];
  const anyVerified = listed.some(({ homography }) => homography);
  return encodeUtf8([...matchesCsvText(listed, features, anyVerified)].join(""));
}

/** The text of such a file, pair by pair; `anyVerified`: with the column `inlier`. */
export function* matchesCsvText(
  pairs: Iterable<OpenCvPair>,
  features: ReadonlyMap<string, Features>,
  anyVerified = false,
): Generator<string> {
  const where = "writeMatchesCsv";
  checkMap(where, "features", features);
  yield `${[...MATCH_COLUMNS, ...(anyVerified ? ["inlier"] : [])].join(",")}\r\n`;
  for (const { name0, name1, matches, homography } of checkedPairs(where, pairs)) {
    const [a, b] = [features.get(name0), features.get(name1)];
    if (!a || !b) throw new ShapeError(`${where}: there are no features of "${a ? name1 : name0}"`);
    checkFeatures(`${where}: "${name0}"`, a);
    checkFeatures(`${where}: "${name1}"`, b);
    const inliers = new Set(homography?.inliers);
    const lines: string[] = [];
    for (let m = 0; m < matches.count; m++) {
      const [i, j] = [matches.pairs[2 * m], matches.pairs[2 * m + 1]];
      if (i >= a.count || j >= b.count) {
        throw new ShapeError(
          `${where}: "${name0}", "${name1}": match ${m} joins ${i} and ${j} of ${a.count} and ${b.count}`,
        );
      }
      const [x0, y0, x1, y1] = [...point(a, i), ...point(b, j)];
      const row = [csvField(name0), csvField(name1), i, j, x0, y0, x1, y1, short(matches.scores[m])];
      if (anyVerified) row.push(homography ? Number(inliers.has(m)) : "");
      lines.push(`${row.join(",")}\r\n`);
    }
    yield lines.join("");
  }
}

/** The pairs of such a file, in the order of their first lines; of the columns names, indices and score are read. */
export function readMatchesCsv(bytes: Uint8Array): ImagePair[] {
  const where = "readMatchesCsv";
  const { columns, rows } = parse(where, bytes);
  const [name0, name1, index0, index1, score] = ["name0", "name1", "index0", "index1", "score"].map((name) => {
    const at = columns.indexOf(name);
    if (at < 0) throw new FormatError(`${where}: line 1 names no column "${name}"`);
    return at;
  });
  const found = new Map<string, { names: [string, string]; indices: number[]; scores: number[] }>();
  for (const [i, row] of rows.entries()) {
    const names: [string, string] = [unescapeCsv(row[name0]), unescapeCsv(row[name1])];
    const key = JSON.stringify(names);
    const pair = found.get(key) ?? { names, indices: [], scores: [] };
    found.set(key, pair);
    for (const column of [index0, index1]) {
      const index = number(where, i, columns[column], row[column]);
      if (!Number.isInteger(index) || index < 0 || index > 0xffffffff) {
        throw new FormatError(`${where}: row ${i + 1}: ${index} is no index of a keypoint`);
      }
      pair.indices.push(index);
    }
    pair.scores.push(number(where, i, "score", row[score]));
  }
  return [...found.values()].map(({ names: [a, b], indices, scores }) => ({
    name0: a,
    name1: b,
    matches: { count: scores.length, pairs: Uint32Array.from(indices), scores: Float32Array.from(scores) },
  }));
}

function point({ keypoints }: Features, i: number): [number, number] {
  return [short(keypoints[2 * i]), short(keypoints[2 * i + 1])];
}

/** A decimal that rounds to the same float32. */
function short(value: number): number {
  return Number(value.toPrecision(9));
}

function text(lines: readonly string[]): Uint8Array {
  return encodeUtf8(lines.map((line) => `${line}\r\n`).join(""));
}

function number(where: string, row: number, column: string, field: string): number {
  const value = field.trim() === "" ? Number.NaN : Number(field);
  if (!Number.isFinite(value)) throw new FormatError(`${where}: row ${row + 1}: ${column} is "${field.slice(0, 40)}"`);
  return value;
}

/** The columns' names and the fields of every row, as many as there are columns. */
function parse(where: string, bytes: Uint8Array): { columns: string[]; rows: string[][] } {
  const records = split(where, decodeUtf8(where, bytes).replace(/^\uFEFF/, ""));
  const [columns, ...rows] = records;
  if (!columns) throw new FormatError(`${where}: no line that names the columns`);
  const bad = rows.findIndex((row) => row.length !== columns.length);
  if (bad >= 0) {
    throw new FormatError(`${where}: row ${bad + 1} has ${rows[bad].length} fields, expected ${columns.length}`);
  }
  return { columns, rows };
}

/** Records of RFC 4180: fields may be quoted, and then hold commas, line ends and doubled quotes. Empty lines are skipped. */
function split(where: string, source: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  const bare = /[^",\r\n]*/y;
  for (let at = 0; at < source.length || record.length > 0; ) {
    let field: string;
    if (source[at] === '"') {
      const end = closingQuote(source, at + 1);
      field = source.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      bare.lastIndex = at;
      field = bare.exec(source)?.[0] ?? "";
      at += field.length;
    }
    record.push(field);
    if (source[at] === ",") {
      at++;
      continue;
    }
    const lineEnd = source.startsWith("\r\n", at) ? 2 : source[at] === "\n" ? 1 : 0;
    if (lineEnd === 0 && at < source.length) {
      throw new FormatError(
        `${where}: line ${source.slice(0, at).split("\n").length}: a quote or line end in the wrong place`,
      );
    }
    at += lineEnd;
    if (record.length > 1 || record[0] !== "") records.push(record);
    record = [];
  }
  return records;
}

/** Where the quoted text that begins at `from` ends; behind the source when it never does. */
function closingQuote(source: string, from: number): number {
  for (let at = source.indexOf('"', from); at >= 0; at = source.indexOf('"', at + 2)) {
    if (source[at + 1] !== '"') return at;
  }
  return source.length;
}
