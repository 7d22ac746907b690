/** The bytes of a segment, piece by piece, from images that were added or from segments that are merged. */
import { crc32, encodeUtf8 } from "../formats/bytes.js";
import type { Postings } from "./score.js";
import {
  DIGEST_BYTES,
  type Footer,
  footerBytes,
  HEAD_BYTES,
  headBytes,
  type IndexKind,
  SECTIONS,
  type Section,
  type SectionName,
} from "./segment-format.js";

/** What a segment is made of; images by their ordinals. */
export interface SegmentContent {
  images: number;
  id(image: number): string;
  /** DIGEST_BYTES bytes; zeros where nothing is known. */
  digest(image: number): Uint8Array;
  norm(image: number): number;
  /** A block of local-features.ts. */
  local(image: number): Uint8Array | Promise<Uint8Array>;
  /** Of the form "asmk". */
  postings(word: number): Postings | Promise<Postings>;
  /** Of the forms "vlad" and "global". */
  vector(image: number): Int8Array | Promise<Int8Array>;
}

/** What a segment was made with. */
export type SegmentFacts = Pick<Footer, "dim" | "words" | "cells" | "vocabulary" | "vector">;

/** Small pieces are put together to this many bytes. */
const PIECE = 2 ** 20;

export async function* segmentBytes(
  kind: IndexKind,
  { dim, words, cells, vocabulary, vector }: SegmentFacts,
  content: SegmentContent,
): AsyncGenerator<Uint8Array> {
  const out = new Pieces();
  const sections = {} as Record<SectionName, Section>;
  const { images } = content;
  const section = async function* (
    name: SectionName,
    parts: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    whole: boolean,
  ) {
    const offset = out.written;
    let crc = 0;
    for await (const part of parts()) {
      if (whole) crc = crc32(part, crc);
      yield* out.add(part);
    }
    const length = out.written - offset;
    sections[name] = { offset, length, crc: whole ? crc : null };
    yield* out.add(new Uint8Array(-length & 3));
  };
  yield* out.add(headBytes());

  const starts = new Uint32Array(kind === "asmk" ? words + 1 : 0);
  const checks = new Uint32Array(kind === "asmk" ? words : 0);
  yield* section(
    "words",
    async function* () {
      for (let word = 0; word < checks.length; word++) {
        const postings = await content.postings(word);
        const bytes = postingBytes(postings);
        starts[word + 1] = starts[word] + postings.images.length;
        checks[word] = crc32(bytes);
        yield bytes;
      }
    },
    false,
  );
  yield* section("directory", () => [bytesOf(starts)], true);
  yield* section("checks", () => [bytesOf(checks)], true);
  yield* section(
    "vectors",
    async function* () {
      if (kind === "asmk") return;
      for (let i = 0; i < images; i++) {
        const row = await content.vector(i);
        yield new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
      }
    },
    true,
  );
  const places = new Uint32Array(images + 1);
  yield* section(
    "locals",
    async function* () {
      for (let i = 0; i < images; i++) {
        const block = await content.local(i);
        places[i + 1] = places[i] + block.length / 4;
        yield block;
      }
    },
    false,
  );
  yield* section("places", () => [bytesOf(places)], true);
  const ids = Array.from({ length: images }, (_, i) => encodeUtf8(content.id(i)));
  const offsets = new Uint32Array(images + 1);
  for (const [i, id] of ids.entries()) offsets[i + 1] = offsets[i] + id.length;
  yield* section("ids", () => [bytesOf(offsets), ...ids], true);
  yield* section(
    "digests",
    () => Array.from({ length: images }, (_, i) => content.digest(i).subarray(0, DIGEST_BYTES)),
    true,
  );
  yield* section("norms", () => [bytesOf(Float32Array.from({ length: images }, (_, i) => content.norm(i)))], true);
  for (const name of SECTIONS) sections[name] ??= { offset: HEAD_BYTES, length: 0, crc: null };
  const footer: Footer = { kind, images, dim, words, cells, vocabulary, ...(vector && { vector }), sections };
  yield* out.add(footerBytes(footer));
  yield* out.end();
}

/** Bytes of a word's postings: ordinals, then signatures. */
export const POSTING_BYTES = 12;

function postingBytes({ images, signatures }: Postings): Uint8Array {
  const bytes = new Uint8Array(POSTING_BYTES * images.length);
  bytes.set(bytesOf(images));
  bytes.set(bytesOf(signatures), 4 * images.length);
  return bytes;
}

const bytesOf = (array: Uint32Array | Int32Array | Float32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Puts small pieces together, and counts. */
class Pieces {
  written = 0;
  private readonly buffer = new Uint8Array(PIECE);
  private filled = 0;

  *add(bytes: Uint8Array): Generator<Uint8Array> {
    this.written += bytes.length;
    if (this.filled + bytes.length > PIECE) yield* this.end();
    if (bytes.length > PIECE) yield bytes;
    else {
      this.buffer.set(bytes, this.filled);
      this.filled += bytes.length;
    }
  }

  *end(): Generator<Uint8Array> {
    if (this.filled > 0) yield this.buffer.slice(0, this.filled);
    this.filled = 0;
  }
}
