/**
 * The manifest of an index: what it is made of, in one small file that is replaced whole. JSON: { crc32, manifest }, the
 * checksum being that of the manifest's text (docs/search-format.md).
 */
import { jsonText } from "../check.js";
import { FormatError, UnsupportedError } from "../errors.js";
import { crc32, encodeUtf8, parseJson } from "../formats/bytes.js";
import { parseVerdictModel, type VerdictModel } from "../geometry/verdict.js";
import { type GlobalIdentity, parseGlobal } from "./global-identity.js";
import { INDEX_KINDS, type IndexKind, MOST_IMAGES } from "./segment-format.js";
import { type IndexStore, readWhole } from "./store.js";
import { type ModelIdentity, parseModel } from "./vocabulary.js";

/** The name of the manifest's file. */
export const MANIFEST = "manifest.json";
const FORMAT = "strata-index";
/** The newest version of indexes that this code writes and reads: 1 for those of words, 2 for those of global vectors. */
export const INDEX_VERSION = 2;
const versionOf = (kind: unknown): number => (kind === "global" ? 2 : 1);
const MOST_BYTES = 2 ** 28;
/** Names of files that a manifest may lead to: nothing outside of the index. */
const FILE = /^[a-z0-9][a-z0-9.-]{0,99}$/;

/** What the segment of that number is called. */
export const segmentFile = (number: number): string => `segment-${`${number}`.padStart(8, "0")}.strata`;

/** A segment of an index. */
export interface SegmentEntry {
  file: string;
  images: number;
  bytes: number;
  /** A bit per image, 1 where it is removed; null: none is. */
  removed: Uint8Array | null;
}

export interface Manifest {
  kind: IndexKind;
  model: ModelIdentity;
  dim: number;
  /** `file` is null and `digest` that of the global model where that takes the vocabulary's place. */
  vocabulary: { file: string | null; digest: string };
  /** Of the kind "global": the model that gives the vectors. */
  global?: GlobalIdentity;
  /** How features are extracted, for whoever adds more; the index itself does not read it. */
  options: Record<string, unknown>;
  /** Most keypoints of an image that make its words, and that are kept for verification. */
  keypoints: { words: number; kept: number };
  verdict: VerdictModel | null;
  /** Counts changes. */
  generation: number;
  segments: SegmentEntry[];
}

export function manifestBytes({ segments, ...rest }: Manifest): Uint8Array {
  const manifest = {
    format: FORMAT,
    version: versionOf(rest.kind),
    ...rest,
    segments: segments.map(({ removed, ...segment }) => ({ ...segment, removed: removed && toBase64(removed) })),
  };
  return encodeUtf8(`${JSON.stringify({ crc32: crc32(encodeUtf8(JSON.stringify(manifest))), manifest })}\n`);
}

/** The manifest of an index; null where there is none. */
export async function readManifest(store: IndexStore): Promise<Manifest | null> {
  const source = await store.open(MANIFEST);
  if (!source) return null;
  try {
    const where = `${store.name}: ${MANIFEST}`;
    return parseManifest(where, await readWhole(where, source, MOST_BYTES));
  } finally {
    source.dispose?.();
  }
}

/** FormatError for what is no manifest or damaged, UnsupportedError for one of another version. */
export function parseManifest(where: string, bytes: Uint8Array): Manifest {
  const fail = (field: string, wanted: string, got: unknown) =>
    new FormatError(`${where}: "${field}" must be ${wanted}, got ${jsonText(got)}; the index is damaged`);
  const object = (field: string, one: unknown): Record<string, unknown> => {
    if (typeof one !== "object" || one === null || Array.isArray(one)) throw fail(field, "an object", one);
    return one as Record<string, unknown>;
  };
  const whole = (field: string, one: unknown, max: number): number => {
    if (!Number.isInteger(one) || (one as number) < 0 || (one as number) > max) {
      throw fail(field, `a whole number from 0 to ${max}`, one);
    }
    return one as number;
  };
  const file = (field: string, one: unknown): string => {
    if (typeof one !== "string" || !FILE.test(one)) throw fail(field, "the name of a file", one);
    return one;
  };
  const root = object("content", parseJson(where, bytes));
  const manifest = object("manifest", root.manifest);
  if (manifest.format !== FORMAT) throw new FormatError(`${where}: not the manifest of an index`);
  if (manifest.version !== 1 && manifest.version !== INDEX_VERSION) {
    throw new UnsupportedError(
      `${where}: an index of version ${jsonText(manifest.version)}; this strata reads versions 1 to ${INDEX_VERSION}: index the images again`,
    );
  }
  if (root.crc32 !== crc32(encodeUtf8(JSON.stringify(manifest)))) {
    throw new FormatError(`${where}: the checksum does not fit; the index is damaged`);
  }
  const { kind, verdict, options } = manifest;
  const kinds = INDEX_KINDS.filter((one) => versionOf(one) === manifest.version);
  if (!kinds.includes(kind as IndexKind)) throw fail("kind", `one of ${kinds.join(", ")}`, kind);
  const vocabulary = object("vocabulary", manifest.vocabulary);
  if (typeof vocabulary.digest !== "string") throw fail("vocabulary.digest", "a text", vocabulary.digest);
  const global = kind === "global" ? parseGlobal(manifest.global, fail) : undefined;
  if (global && vocabulary.digest !== global.sha256) throw fail("vocabulary.digest", global.sha256, vocabulary.digest);
  const keypoints = object("keypoints", manifest.keypoints);
  if (!Array.isArray(manifest.segments)) throw fail("segments", "an array", manifest.segments);
  return {
    kind: kind as IndexKind,
    model: parseModel(manifest.model, (field, got) => fail(field, "a text", got)),
    dim: whole("dim", manifest.dim, 1024),
    vocabulary: { file: global ? null : file("vocabulary.file", vocabulary.file), digest: vocabulary.digest },
    ...(global && { global }),
    options: object("options", options),
    keypoints: {
      words: whole("keypoints.words", keypoints.words, 1e6),
      kept: whole("keypoints.kept", keypoints.kept, 1e6),
    },
    verdict: verdict === null ? null : parseVerdictModel(where, verdict),
    generation: whole("generation", manifest.generation, Number.MAX_SAFE_INTEGER),
    segments: manifest.segments.map((one: unknown, i: number) => {
      const segment = object(`segments[${i}]`, one);
      const images = whole(`segments[${i}].images`, segment.images, MOST_IMAGES);
      const { removed } = segment;
      const bits = removed === null ? null : fromBase64(removed);
      if (bits === undefined || (bits !== null && bits.length !== Math.ceil(images / 8))) {
        throw fail(`segments[${i}].removed`, "null, or a bit per image in base64", removed);
      }
      return {
        file: file(`segments[${i}].file`, segment.file),
        images,
        bytes: whole(`segments[${i}].bytes`, segment.bytes, Number.MAX_SAFE_INTEGER),
        removed: bits,
      };
    }),
  };
}

/** Whether the image of that ordinal is removed. */
export const isRemoved = ({ removed }: SegmentEntry, image: number): boolean =>
  removed !== null && ((removed[image >> 3] >> (image & 7)) & 1) === 1;

/** How many images of a segment are removed. */
export function countRemoved({ removed, images }: SegmentEntry): number {
  let count = 0;
  for (let i = 0; removed && i < images; i++) count += (removed[i >> 3] >> (i & 7)) & 1;
  return count;
}

/** The segment without these images too. */
export function withoutImages(segment: SegmentEntry, images: Iterable<number>): SegmentEntry {
  const removed = segment.removed?.slice() ?? new Uint8Array(Math.ceil(segment.images / 8));
  for (const image of images) removed[image >> 3] |= 1 << (image & 7);
  return { ...segment, removed };
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function fromBase64(text: unknown): Uint8Array | undefined {
  try {
    if (typeof text === "string") return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    // No base64.
  }
  return undefined;
}
