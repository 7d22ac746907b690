/**
 * A vocabulary of visual words: unit vectors around which a model's descriptors gather (Sivic and Zisserman 2003), in cells,
 * so that the nearest word is found without looking at all of them. A file of its own, which belongs to one model.
 *
 * The file, little-endian: magic "STRATAVC", version (u32), length of the whole (u32), CRC-32 of what follows (u32), length of
 * the header (u32), the header (JSON), first word of each cell and the number of words (u32), each word's idf (float32), the
 * cells' centres and then the words (signed bytes, as packed.ts writes descriptors).
 */
import { checkArray, checkBytes, checkNumbers, checkObject, checkText, jsonText } from "../check.js";
import { FormatError, ShapeError, UnsupportedError } from "../errors.js";
import { ByteReader, crc32, encodeUtf8, parseJson } from "../formats/bytes.js";
import { checkNumber } from "../options.js";
import { descriptorBytes, descriptorFloats } from "../packed.js";

const MAGIC = "STRATAVC";
/** The version of vocabulary files that this code writes and reads. */
export const VOCABULARY_VERSION = 1;
const HEADER_BYTES = 24;
const MOST_BYTES = 2 ** 28;
/** Most words of a vocabulary. */
export const MOST_WORDS = 2 ** 20;
const MOST_CELLS = 2 ** 14;
const MOST_DIM = 1024;

/** A model as files name it: its weights decide. */
export interface ModelIdentity {
  name: string;
  /** SHA-256 of the weights, hexadecimal. */
  sha256: string;
}

/** Visual words of one model. */
export interface Vocabulary {
  model: ModelIdentity;
  /** Length of a word, that of a descriptor. */
  dim: number;
  words: number;
  cells: number;
  /** First word of each cell, then the number of words. */
  starts: Uint32Array;
  /** Inverse document frequency of each word among the pictures that it was trained on. */
  idf: Float32Array;
  /** Row-major cells × dim, unit rows. */
  coarse: Float32Array;
  /** Row-major words × dim, unit rows. */
  centres: Float32Array;
  /** Eight hexadecimal digits (CRC-32) that tell it from others. */
  digest: string;
}

interface Header {
  model: ModelIdentity;
  dim: number;
  words: number;
  cells: number;
}

/** The vocabulary as the bytes of a file. */
export function writeVocabulary(vocabulary: Omit<Vocabulary, "digest">): Uint8Array<ArrayBuffer> {
  const where = "writeVocabulary";
  const { model, dim, words, cells, starts, idf, coarse, centres } = checkVocabularyArrays(where, vocabulary);
  const header: Header = { model: { name: model.name, sha256: model.sha256 }, dim, words, cells };
  const text = encodeUtf8(JSON.stringify(header));
  const length = HEADER_BYTES + text.length + 4 * (cells + 1) + 4 * words + dim * (cells + words);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(encodeUtf8(MAGIC));
  view.setUint32(8, VOCABULARY_VERSION, true);
  view.setUint32(12, length, true);
  view.setUint32(20, text.length, true);
  bytes.set(text, HEADER_BYTES);
  let at = HEADER_BYTES + text.length;
  for (const start of starts) at = put(() => view.setUint32(at, start, true), at);
  for (const value of idf) at = put(() => view.setFloat32(at, value, true), at);
  for (const [rows, count] of [
    [coarse, cells],
    [centres, words],
  ] as const) {
    bytes.set(new Uint8Array(descriptorBytes({ descriptors: rows, count, dim }).buffer), at);
    at += count * dim;
  }
  view.setUint32(16, crc32(bytes.subarray(20)), true);
  return bytes;
}

const put = (write: () => void, at: number): number => {
  write();
  return at + 4;
};

/** Whether bytes begin as a vocabulary does. */
export function isVocabulary(bytes: Uint8Array): boolean {
  checkBytes("isVocabulary", bytes);
  return bytes.length >= 8 && [...MAGIC].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}

/**
 * The vocabulary in bytes of `writeVocabulary`. FormatError for other bytes and for truncated or damaged ones,
 * UnsupportedError for a file of another version; `where` names the file in the message.
 */
export function readVocabulary(bytes: Uint8Array, where = "readVocabulary"): Vocabulary {
  checkText("readVocabulary", "where", where);
  const reader = new ByteReader(where, bytes);
  if (!isVocabulary(bytes)) {
    throw new FormatError(`${where}: not a vocabulary; "strata index train-vocabulary" makes one of photographs`);
  }
  reader.skip(8, "the magic");
  const version = reader.u32("the version");
  if (version !== VOCABULARY_VERSION) {
    throw new UnsupportedError(
      `${where}: a vocabulary of version ${version}; this strata reads version ${VOCABULARY_VERSION}`,
    );
  }
  const length = reader.u32("the length");
  if (length > MOST_BYTES || length !== bytes.length) {
    const state = length > bytes.length ? "truncated" : "damaged";
    throw new FormatError(`${where}: the vocabulary has ${bytes.length} bytes, expected ${length}; it is ${state}`);
  }
  const digest = reader.u32("the checksum");
  if (crc32(bytes.subarray(20)) !== digest) {
    throw new FormatError(`${where}: the checksum does not fit; the vocabulary is damaged`);
  }
  const header = checkHeader(where, parseJson(where, reader.take(reader.u32("the header's length"), "the header")));
  const { dim, words, cells } = header;
  const starts = Uint32Array.from({ length: cells + 1 }, () => reader.u32("a cell's first word"));
  const rising = starts.every((start, i) => i === 0 || start >= starts[i - 1]);
  if (starts[0] !== 0 || starts[cells] !== words || !rising) {
    throw new FormatError(`${where}: the cells do not hold the words; the vocabulary is damaged`);
  }
  const idf = new Float32Array(new Uint8Array(reader.take(4 * words, "the words' weights")).buffer);
  if (!idf.every((value) => Number.isFinite(value) && value >= 0)) {
    throw new FormatError(`${where}: a word's weight is no number ≥ 0; the vocabulary is damaged`);
  }
  const rows = (count: number, what: string) =>
    descriptorFloats(new Int8Array(new Uint8Array(reader.take(count * dim, what)).buffer), count, dim);
  const coarse = rows(cells, "the cells");
  const centres = rows(words, "the words");
  if (reader.left > 0) throw new FormatError(`${where}: ${reader.left} bytes too many; the vocabulary is damaged`);
  return { ...header, starts, idf, coarse, centres, digest: digest.toString(16).padStart(8, "0") };
}

function checkHeader(where: string, value: unknown): Header {
  const fail = (field: string, wanted: string, got: unknown) =>
    new FormatError(`${where}: "${field}" of the vocabulary must be ${wanted}, got ${jsonText(got)}; it is damaged`);
  if (typeof value !== "object" || value === null) throw fail("header", "an object", value);
  const { model, dim, words, cells } = value as Record<string, unknown>;
  const whole = (field: string, one: unknown, max: number): number => {
    if (!Number.isInteger(one) || (one as number) < 1 || (one as number) > max) {
      throw fail(field, `a whole number from 1 to ${max}`, one);
    }
    return one as number;
  };
  return {
    model: parseModel(model, (field, got) => fail(field, "a text", got)),
    dim: whole("dim", dim, MOST_DIM),
    words: whole("words", words, MOST_WORDS),
    cells: whole("cells", cells, Math.min(MOST_CELLS, words as number)),
  };
}

/** A model's identity of JSON; what `fail` gives for a field that is no text is thrown. */
export function parseModel(value: unknown, fail: (field: string, got: unknown) => Error): ModelIdentity {
  const { name, sha256 } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof name !== "string") throw fail("model.name", name);
  if (typeof sha256 !== "string") throw fail("model.sha256", sha256);
  return { name, sha256 };
}

/** A model by name and weights. */
export function checkIdentity<M extends ModelIdentity>(where: string, model: M): M {
  checkObject(where, "the model", model);
  checkText(where, "name of the model", model.name);
  checkText(where, "sha256 of the model", model.sha256);
  return model;
}

/** A vocabulary whose arrays fit each other. */
export function checkVocabularyArrays<V extends Omit<Vocabulary, "digest">>(where: string, vocabulary: V): V {
  checkObject(where, "the vocabulary", vocabulary);
  const { model, dim, words, cells, starts, idf, coarse, centres } = vocabulary;
  checkIdentity(where, model);
  checkNumber(where, "dim", dim, { min: 1, max: 1024, integer: true });
  checkNumber(where, "words", words, { min: 1, max: MOST_WORDS, integer: true });
  checkNumber(where, "cells", cells, { min: 1, max: words, integer: true });
  checkArray(where, "starts", starts, Uint32Array);
  const wanted = [
    ["starts", starts, cells + 1],
    ["idf", idf, words],
    ["coarse", coarse, cells * dim],
    ["centres", centres, words * dim],
  ] as const;
  for (const [name, array, length] of wanted) {
    if (name !== "starts") checkNumbers(where, name, checkArray(where, name, array, Float32Array));
    if (array.length !== length) {
      throw new ShapeError(`${where}: ${name} of the vocabulary must have ${length} values, got ${array.length}`);
    }
  }
  return vocabulary;
}
