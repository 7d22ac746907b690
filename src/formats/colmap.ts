/**
 * COLMAP's text files for importing features and matches (its `feature_importer` and `matches_importer`).
 *
 * Features: a line `N 128`, then N lines `X Y SCALE ORIENTATION D_1 … D_128`, pixels with (0.5, 0.5) at the centre of
 * the first pixel, bytes 0..255. COLMAP takes only 128 bytes, holds 512 for the length of a descriptor, and compares by
 * the angle between them. A signed unit vector d of 64 therefore becomes its positive and its negative part side by
 * side: byte[k] = round(512·max(d_k, 0)), byte[64 + k] = round(512·max(−d_k, 0)), cut at 255. Length and angles
 * to close neighbours stay (only products of opposite signs are lost, which far neighbours have), so that COLMAP's
 * ratio and distance tests keep their meaning; d comes back as (byte[k] − byte[64 + k]) / 512. (An affine mapping
 * to bytes would keep the order of all neighbours, but squeezes angles into a tenth of a radian, and the rounding of
 * its length then decides the ratio test.) Our own matches are exact: import those where that matters.
 *
 * Matches: per pair a line `NAME1 NAME2`, lines `i j`, and an empty line.
 */
import { checkArray, checkBytes, checkFlag, checkIterable, checkObject, checkPoints, checkText } from "../check.js";
import { FormatError, OptionError, ShapeError, UnsupportedError } from "../errors.js";
import { checkFeatures, checkMatches, describeDescriptors, type Features, type Matches } from "../features.js";
import { fromColmap, toColmap } from "../geometry/coordinates.js";
import { decodeUtf8, encodeUtf8 } from "./bytes.js";

const BYTES = 128;
const LENGTH = 512;
/** SCALE and ORIENTATION of a keypoint that has neither. */
const UPRIGHT = [1, 0];

/** What a feature file holds; pixels are ours (centres on integers). */
export interface ColmapFeatures {
  count: number;
  /** x0, y0, x1, y1, … */
  keypoints: Float32Array;
  scales: Float32Array;
  /** Radians. */
  orientations: Float32Array;
  /** Row-major count × 128. */
  descriptors: Uint8Array;
}

/** The matches of a pair of images. */
export interface ImagePair {
  name0: string;
  name1: string;
  matches: Matches;
}

/**
 * A feature file. UnsupportedError for descriptors that 128 bytes do not hold: they hold 64 values, or 128 of which none
 * is negative (SIFT's).
 */
export function writeColmapFeatures(features: Features): Uint8Array {
  const { count, keypoints } = checkFeatures("writeColmapFeatures", features);
  const packed = packColmapDescriptors(features);
  if (packed === null) {
    throw new UnsupportedError(
      `writeColmapFeatures: COLMAP's feature files need descriptors that its 128 bytes hold (64 floats, or 128 that are ` +
        `not negative), the features have ${describeDescriptors(features)}; a database does without`,
    );
  }
  const points = toColmap(keypoints.slice());
  const lines = [`${count} ${BYTES}`];
  for (let i = 0; i < count; i++) {
    const [x, y] = [points[2 * i], points[2 * i + 1]];
    if (!Number.isFinite(x + y)) throw new ShapeError(`writeColmapFeatures: keypoint ${i} is (${x}, ${y})`);
    lines.push([x, y, ...UPRIGHT, ...packed.subarray(i * BYTES, (i + 1) * BYTES)].join(" "));
  }
  return encodeUtf8(`${lines.join("\n")}\n`);
}

/**
 * What a feature file or a database of COLMAP says, as Features of an image of that size: descriptors as
 * `unpackColmapDescriptors` gives them, scores 1 (COLMAP has none), scales and orientations dropped.
 */
export function colmapFeatures(
  found: { keypoints: Float32Array; descriptors: Uint8Array },
  imageSize: [number, number],
  packed?: boolean,
): Features {
  const where = "colmapFeatures";
  checkObject(where, "features", found);
  const { keypoints, descriptors } = found;
  checkPoints(where, "keypoints", checkArray(where, "keypoints", keypoints, Float32Array));
  const count = keypoints.length / 2;
  return checkFeatures(where, {
    count,
    imageSize,
    keypoints,
    scores: new Float32Array(count).fill(1),
    ...unpackColmapDescriptors(descriptors, packed),
  });
}

/** The features of such a file, also of SIFT ones. FormatError that names the line for damage. */
export function readColmapFeatures(bytes: Uint8Array): ColmapFeatures {
  const where = "readColmapFeatures";
  const lines = decodeUtf8(where, bytes).split("\n");
  const [count, dim] = numbers(where, 1, lines[0], 2);
  if (dim !== BYTES) throw new FormatError(`${where}: descriptors of ${dim} bytes, COLMAP's have ${BYTES}`);
  const rest = lines.slice(1 + count).some((line) => line.trim() !== "");
  if (!Number.isInteger(count) || count < 0 || lines.length <= count || rest) {
    throw new FormatError(`${where}: line 1 says ${count} features, ${lines.length - 1} lines follow`);
  }
  const out: ColmapFeatures = {
    count,
    keypoints: new Float32Array(2 * count),
    scales: new Float32Array(count),
    orientations: new Float32Array(count),
    descriptors: new Uint8Array(BYTES * count),
  };
  for (let i = 0; i < count; i++) {
    const [x, y, scale, orientation, ...values] = numbers(where, i + 2, lines[i + 1], 4 + BYTES);
    const bad = values.find((value) => !Number.isInteger(value) || value < 0 || value > 255);
    if (bad !== undefined) throw new FormatError(`${where}: line ${i + 2}: ${bad} is no byte 0..255`);
    out.keypoints.set([x, y], 2 * i);
    out.scales[i] = scale;
    out.orientations[i] = orientation;
    out.descriptors.set(values, BYTES * i);
  }
  fromColmap(out.keypoints);
  return out;
}

/**
 * Descriptors as COLMAP's 128 bytes each: 64 signed values side by side as the head of this file says, 128 that are not
 * negative as round(512·d). Null for any others, which COLMAP cannot hold.
 */
export function packColmapDescriptors(features: Features): Uint8Array | null {
  const { kind, dim, descriptors } = checkFeatures("packColmapDescriptors", features);
  if (kind === "binary") return null;
  if (2 * dim === BYTES) return plainBytes(toColmapDescriptors(descriptors));
  if (dim !== BYTES || descriptors.some((value) => value < 0)) return null;
  return plainBytes(Uint8ClampedArray.from(descriptors, (value) => Math.round(LENGTH * value)));
}

/** Whether bytes are of 64 signed values: one of each two that hold a value is 0, which SIFT's bytes never keep up. */
export function isPackedColmap(bytes: Uint8Array): boolean {
  checkBytes("isPackedColmap", bytes);
  const half = BYTES / 2;
  return bytes.every((byte, i) => byte === 0 || (i & half) === 0 || bytes[i - half] === 0);
}

/**
 * The inverse of `packColmapDescriptors`: 64 values, or 128 (each byte / 512) unless `packed`, which is found out by
 * default. Their L2 norm is 1 up to rounding.
 */
export function unpackColmapDescriptors(
  bytes: Uint8Array,
  packed?: boolean,
): { dim: number; descriptors: Float32Array } {
  checkRows("unpackColmapDescriptors", bytes);
  if (packed !== undefined) checkFlag("unpackColmapDescriptors", "packed", packed);
  if (packed ?? isPackedColmap(bytes)) return { dim: BYTES / 2, descriptors: fromColmapDescriptors(bytes) };
  return { dim: BYTES, descriptors: Float32Array.from(bytes, (byte) => byte / LENGTH) };
}

/** A ShapeError unless it is whole rows of COLMAP's bytes. */
function checkRows(where: string, bytes: Uint8Array): void {
  checkBytes(where, bytes);
  if (bytes.length % BYTES) {
    throw new ShapeError(`${where}: COLMAP's descriptors have ${BYTES} bytes each, got ${bytes.length} in all`);
  }
}

function plainBytes({ buffer, byteOffset, length }: Uint8ClampedArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** Row-major count × 64 signed floats → count × 128 bytes, as the head of this file says. */
export function toColmapDescriptors(descriptors: Float32Array): Uint8ClampedArray {
  const half = BYTES / 2;
  checkArray("toColmapDescriptors", "descriptors", descriptors, Float32Array);
  if (descriptors.length % half) {
    throw new ShapeError(`toColmapDescriptors: descriptors have ${half} floats each, got ${descriptors.length} in all`);
  }
  const out = new Uint8ClampedArray(2 * descriptors.length);
  for (let i = 0; i < descriptors.length; i++) {
    const value = Math.round(LENGTH * Math.abs(descriptors[i]));
    const row = (i - (i % half)) * 2;
    out[row + (i % half) + (descriptors[i] < 0 ? half : 0)] = value;
  }
  return out;
}

/** The inverse, up to rounding: count × 128 bytes → count × 64 floats. For files written by `writeColmapFeatures`. */
export function fromColmapDescriptors(bytes: Uint8Array): Float32Array {
  const half = BYTES / 2;
  checkRows("fromColmapDescriptors", bytes);
  const out = new Float32Array(bytes.length / 2);
  for (let i = 0; i < out.length; i++) {
    const row = (i - (i % half)) * 2;
    out[i] = (bytes[row + (i % half)] - bytes[row + half + (i % half)]) / LENGTH;
  }
  return out;
}

/** The pairs, each looked at as it comes: its names and its matches. */
export function* checkedPairs<P extends ImagePair>(where: string, pairs: Iterable<P>): Generator<P> {
  checkIterable(where, "pairs", pairs);
  for (const pair of pairs) {
    checkObject(where, "a pair", pair);
    checkText(where, "name0", pair.name0);
    checkText(where, "name1", pair.name1);
    checkMatches(`${where}: "${pair.name0}" and "${pair.name1}"`, pair.matches);
    yield pair;
  }
}

/** A matches file. OptionError for names that the format cannot hold. */
export function writeColmapMatches(pairs: Iterable<ImagePair>): Uint8Array {
  return encodeUtf8([...colmapMatchText(pairs)].join(""));
}

/** The text of a matches file, pair by pair. */
export function* colmapMatchText(pairs: Iterable<ImagePair>): Generator<string> {
  for (const { name0, name1, matches } of checkedPairs("writeColmapMatches", pairs)) {
    checkColmapName("writeColmapMatches", name0);
    checkColmapName("writeColmapMatches", name1);
    const lines = [`${name0} ${name1}\n`];
    for (let i = 0; i < matches.count; i++) lines.push(`${matches.pairs[2 * i]} ${matches.pairs[2 * i + 1]}\n`);
    yield `${lines.join("")}\n`;
  }
}

/** An OptionError for a name that COLMAP's lists cannot hold: it ends at white space, and lines with # are comments. */
export function checkColmapName(where: string, name: string): void {
  if (/^[^\s#]\S*$/.test(name)) return;
  throw new OptionError(`${where}: the name "${name}" is empty, has white space or begins with #`);
}

/** The pairs of a matches file; it has no scores, so they are 1. FormatError that names the line for damage. */
export function readColmapMatches(bytes: Uint8Array): ImagePair[] {
  const where = "readColmapMatches";
  const lines = decodeUtf8(where, bytes).split("\n");
  const found: ImagePair[] = [];
  let at = 0;
  while (at < lines.length) {
    const names = lines[at++].trim().split(/\s+/);
    if (names[0] === "") continue;
    if (names.length !== 2) throw new FormatError(`${where}: line ${at}: expected two image names`);
    const indices: number[] = [];
    for (; at < lines.length && lines[at].trim() !== ""; at++) {
      for (const index of numbers(where, at + 1, lines[at], 2)) {
        if (!Number.isInteger(index) || index < 0 || index > 0xffffffff) {
          throw new FormatError(`${where}: line ${at + 1}: ${index} is no index of a keypoint`);
        }
        indices.push(index);
      }
    }
    const count = indices.length / 2;
    const matches = { count, pairs: Uint32Array.from(indices), scores: new Float32Array(count).fill(1) };
    found.push({ name0: names[0], name1: names[1], matches });
  }
  return found;
}

/** The `count` finite numbers of a line. */
function numbers(where: string, line: number, text: string | undefined, count: number): number[] {
  const words = (text ?? "").trim().split(/\s+/);
  const values = words.map(Number);
  if (words[0] === "" || values.length !== count || !values.every((value) => Number.isFinite(Math.fround(value)))) {
    throw new FormatError(`${where}: line ${line}: expected ${count} numbers, got "${(text ?? "").slice(0, 60)}"`);
  }
  return values;
}
