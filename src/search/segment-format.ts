/**
 * A segment: images that were added together, in one file that is never changed (docs/search-format.md). Magic "STRATASG",
 * version (u32), 0 (u32); the sections, each from a multiple of 4 on; the footer (JSON), which says where they lie; the footer's
 * length (u32), its CRC-32 (u32), and "STRATAEN". So a segment is written in one go, and opened by its last bytes.
 */
import { jsonText } from "../check.js";
import { FormatError, LimitError, UnsupportedError } from "../errors.js";
import { crc32, decodeUtf8, encodeUtf8, parseJson } from "../formats/bytes.js";
import { MOST_GLOBAL } from "./global-identity.js";
import type { IndexSource } from "./store.js";
import { MOST_WORDS } from "./vocabulary.js";

const MAGIC = "STRATASG";
const END = "STRATAEN";
/** The version of segments that this code writes and reads. */
export const SEGMENT_VERSION = 1;
export const HEAD_BYTES = 16;
const TAIL_BYTES = 16;
const MOST_FOOTER = 2 ** 20;
/** Most images of a segment. */
export const MOST_IMAGES = 2 ** 24;
/** Most bytes of an image's id in UTF-8. */
export const LONGEST_ID = 4096;
/** Bytes of an image's digest. */
export const DIGEST_BYTES = 16;

/** Forms of an index: words with signatures, one vector per image made of its words, or one that a global model gives. */
export const INDEX_KINDS = ["asmk", "vlad", "global"] as const;
/** Those that are made with a vocabulary. */
export const WORD_KINDS = ["asmk", "vlad"] as const;
/** Form of an index. */
export type IndexKind = (typeof INDEX_KINDS)[number];

/**
 * What a segment holds. words: the postings; directory: for each word where its postings begin, counted in postings, then
 * their number; checks: a CRC-32 for each word's postings; vectors: of the forms "vlad" and "global"; locals: keypoints of each image;
 * places: where they begin, in steps of 4 bytes, then the end; ids: where each id begins, then their end, then their text;
 * digests; norms: a float32 each.
 */
export const SECTIONS = [
  "words",
  "directory",
  "checks",
  "vectors",
  "locals",
  "places",
  "ids",
  "digests",
  "norms",
] as const;
export type SectionName = (typeof SECTIONS)[number];

/** Where a section lies; `crc` is null where its parts have their own. */
export interface Section {
  offset: number;
  length: number;
  crc: number | null;
}

export interface Footer {
  kind: IndexKind;
  images: number;
  dim: number;
  /** Of the vocabulary; 0 of the form "global", which has none. */
  words: number;
  cells: number;
  /** Digest of the vocabulary, or of the global model. */
  vocabulary: string;
  /** Values of a vector; of the form "global" only. */
  vector?: number;
  sections: Record<SectionName, Section>;
}

export function headBytes(): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  bytes.set(encodeUtf8(MAGIC));
  new DataView(bytes.buffer).setUint32(8, SEGMENT_VERSION, true);
  return bytes;
}

/** The end of a segment. */
export function footerBytes(footer: Footer): Uint8Array {
  const text = encodeUtf8(JSON.stringify(footer));
  const bytes = new Uint8Array(text.length + TAIL_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(text);
  view.setUint32(text.length, text.length, true);
  view.setUint32(text.length + 4, crc32(text), true);
  bytes.set(encodeUtf8(END), text.length + 8);
  return bytes;
}

/** The footer of a segment, checked; FormatError for a file that is none, is truncated or damaged. */
export async function readFooter(where: string, source: IndexSource): Promise<Footer> {
  const truncated = () => new FormatError(`${where}: the segment is truncated or damaged`);
  if (source.size < HEAD_BYTES + TAIL_BYTES) throw truncated();
  const head = await source.read(0, HEAD_BYTES);
  if (!begins(head, MAGIC)) throw new FormatError(`${where}: not a segment of an index`);
  const version = viewOf(head).getUint32(8, true);
  if (version !== SEGMENT_VERSION) {
    throw new UnsupportedError(
      `${where}: a segment of version ${version}; this strata reads version ${SEGMENT_VERSION}: index the images again`,
    );
  }
  const tail = await source.read(source.size - TAIL_BYTES, TAIL_BYTES);
  const length = viewOf(tail).getUint32(0, true);
  if (!begins(tail.subarray(8), END) || length > source.size - HEAD_BYTES - TAIL_BYTES) throw truncated();
  if (length > MOST_FOOTER) throw new LimitError(`${where}: the footer has ${length} bytes, over ${MOST_FOOTER}`);
  const text = await source.read(source.size - TAIL_BYTES - length, length);
  if (crc32(text) !== viewOf(tail).getUint32(4, true)) throw truncated();
  return checkFooter(where, parseJson(where, text), source.size - TAIL_BYTES - length);
}

/** Signed bytes of an image's vector. */
export const vectorBytes = ({
  kind,
  cells,
  dim,
  vector = 0,
}: Pick<Footer, "kind" | "cells" | "dim" | "vector">): number =>
  kind === "vlad" ? cells * dim : kind === "global" ? vector : 0;

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const begins = (bytes: Uint8Array, text: string): boolean =>
  bytes.length >= text.length && [...text].every((letter, i) => bytes[i] === letter.charCodeAt(0));

function checkFooter(where: string, value: unknown, end: number): Footer {
  const fail = (field: string, wanted: string, got: unknown) =>
    new FormatError(`${where}: "${field}" of the segment must be ${wanted}, got ${jsonText(got)}; it is damaged`);
  const object = (field: string, one: unknown): Record<string, unknown> => {
    if (typeof one !== "object" || one === null || Array.isArray(one)) throw fail(field, "an object", one);
    return one as Record<string, unknown>;
  };
  const whole = (field: string, one: unknown, min: number, max: number): number => {
    if (!Number.isInteger(one) || (one as number) < min || (one as number) > max) {
      throw fail(field, `a whole number from ${min} to ${max}`, one);
    }
    return one as number;
  };
  const root = object("footer", value);
  const { kind, vocabulary } = root;
  if (!INDEX_KINDS.includes(kind as IndexKind)) throw fail("kind", `one of ${INDEX_KINDS.join(", ")}`, kind);
  if (typeof vocabulary !== "string") throw fail("vocabulary", "a text", vocabulary);
  const least = kind === "global" ? 0 : 1;
  const footer: Footer = {
    kind: kind as IndexKind,
    vocabulary,
    images: whole("images", root.images, 0, MOST_IMAGES),
    dim: whole("dim", root.dim, 1, 1024),
    words: whole("words", root.words, least, MOST_WORDS),
    cells: whole("cells", root.cells, least, MOST_WORDS),
    ...(kind === "global" && { vector: whole("vector", root.vector, 1, MOST_GLOBAL) }),
    sections: {} as Footer["sections"],
  };
  const given = object("sections", root.sections);
  for (const name of SECTIONS) {
    const { offset, length, crc } = object(`sections.${name}`, given[name]);
    const at = whole(`${name}.offset`, offset, HEAD_BYTES, end);
    footer.sections[name] = {
      offset: at,
      length: whole(`${name}.length`, length, 0, end - at),
      crc: crc === null ? null : whole(`${name}.crc`, crc, 0, 2 ** 32 - 1),
    };
  }
  const { images, words, sections } = footer;
  const exact: Partial<Record<SectionName, number>> = {
    directory: kind === "asmk" ? 4 * (words + 1) : 0,
    checks: kind === "asmk" ? 4 * words : 0,
    vectors: images * vectorBytes(footer),
    places: 4 * (images + 1),
    digests: DIGEST_BYTES * images,
    norms: 4 * images,
  };
  for (const [name, length] of Object.entries(exact)) {
    if (sections[name as SectionName].length !== length) {
      throw fail(`${name}.length`, `${length}`, sections[name as SectionName].length);
    }
  }
  if (sections.ids.length < 4 * (images + 1)) throw fail("ids.length", "room for all ids", sections.ids.length);
  return footer;
}

/** Where ids begin, in the bytes of the section; FormatError where they do not follow each other. */
export function idOffsets(where: string, bytes: Uint8Array, images: number): Uint32Array {
  const offsets = new Uint32Array(bytes.slice(0, 4 * (images + 1)).buffer);
  const text = bytes.length - 4 * (images + 1);
  const fits = offsets[0] === 0 && offsets[images] === text;
  if (!fits || offsets.some((at, i) => i > 0 && (at < offsets[i - 1] || at - offsets[i - 1] > LONGEST_ID))) {
    throw new FormatError(`${where}: the ids of the images are damaged`);
  }
  return offsets;
}

export const decodeId = (where: string, bytes: Uint8Array): string => decodeUtf8(where, bytes);
