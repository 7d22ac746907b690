/**
 * A target as one buffer, little-endian: magic "STRATATG", version (u32), length of the whole (u32), CRC-32 of what follows
 * (u32), length of the header (u32), the header (JSON), keypoints (u16 pairs, steps over the image's edges), scores
 * (float32), descriptors (signed bytes), the packed picture (picture-codec.ts).
 */
import { checkObject, jsonText } from "../check.js";
import { FormatError, UnsupportedError } from "../errors.js";
import { checkFeatures } from "../features.js";
import { ByteReader, crc32, encodeUtf8, parseJson } from "../formats/bytes.js";
import { descriptorBytes, descriptorFloats, placesFromPixels, placesToPixels } from "../packed.js";
import { unpackPicture } from "./picture-codec.js";
import { judgeQuality } from "./quality.js";
import type { Target } from "./target.js";

const MAGIC = "STRATATG";
/** The version that this code writes and reads. */
export const TARGET_VERSION = 1;
/** A larger file is no target. */
const MOST_BYTES = 2 ** 22;
const MOST_KEYPOINTS = 20_000;
const MOST_DIM = 1024;
const MOST_EDGE = 1_000_000;
const LONGEST_NAME = 500;
const HEADER_BYTES = 24;

interface Header {
  name: string;
  size: [number, number];
  physicalWidth: number;
  model: { name: string; sha256: string };
  count: number;
  dim: number;
}

/** The target as bytes, for a file or a page. */
export function writeTarget(target: Target): Uint8Array<ArrayBuffer> {
  const where = "writeTarget";
  checkObject(where, "the target", target);
  const { name, size, physicalWidth, model, features, packedPicture } = target;
  checkFeatures(where, features);
  const { count, dim, keypoints, scores } = features;
  const header: Header = { name, size, physicalWidth, model, count, dim };
  const text = encodeUtf8(JSON.stringify(header));
  const length = HEADER_BYTES + text.length + 4 * count + 4 * count + dim * count + packedPicture.length;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(encodeUtf8(MAGIC));
  view.setUint32(8, TARGET_VERSION, true);
  view.setUint32(12, length, true);
  view.setUint32(20, text.length, true);
  bytes.set(text, HEADER_BYTES);
  let at = HEADER_BYTES + text.length;
  for (const place of placesFromPixels(keypoints, size)) {
    view.setUint16(at, place, true);
    at += 2;
  }
  for (const score of scores) {
    view.setFloat32(at, score, true);
    at += 4;
  }
  bytes.set(new Uint8Array(descriptorBytes(features).buffer), at);
  bytes.set(packedPicture, at + dim * count);
  view.setUint32(16, crc32(bytes.subarray(20)), true);
  return bytes;
}

/** Whether bytes begin as a target does. */
export function isTarget(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && [...MAGIC].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}

/**
 * The target in bytes of `writeTarget`. FormatError for other bytes and for truncated or damaged ones, UnsupportedError for a
 * target of another version; `where` names the file in the message.
 */
export function readTarget(bytes: Uint8Array, where = "readTarget"): Target {
  const reader = new ByteReader(where, bytes);
  if (!isTarget(bytes)) {
    throw new FormatError(
      `${where}: not a target; "strata target compile" (in code compileTarget) makes one of a picture`,
    );
  }
  reader.skip(8, "the magic");
  const version = reader.u32("the version");
  if (version !== TARGET_VERSION) {
    throw new UnsupportedError(
      `${where}: a target of version ${version}; this strata reads version ${TARGET_VERSION}: compile the picture again`,
    );
  }
  const length = reader.u32("the length");
  if (length > MOST_BYTES) throw new FormatError(`${where}: ${length} bytes are more than a target has; it is damaged`);
  if (length !== bytes.length) {
    const state = length > bytes.length ? "truncated" : "damaged";
    throw new FormatError(`${where}: the target has ${bytes.length} bytes, expected ${length}; it is ${state}`);
  }
  const digest = reader.u32("the checksum");
  if (crc32(bytes.subarray(20)) !== digest)
    throw new FormatError(`${where}: the checksum does not fit; the target is damaged`);
  const header = checkHeader(where, parseJson(where, reader.take(reader.u32("the header's length"), "the header")));
  const { count, dim, size } = header;
  const places = Uint16Array.from({ length: 2 * count }, () => reader.u16("a keypoint"));
  const bits = new DataView(new ArrayBuffer(4));
  const scores = Float32Array.from({ length: count }, () => {
    bits.setUint32(0, reader.u32("a score"));
    return bits.getFloat32(0);
  });
  if (!scores.every(Number.isFinite)) throw new FormatError(`${where}: a score is no number; the target is damaged`);
  const packed = reader.take(count * dim, "descriptors");
  const descriptors = descriptorFloats(
    Int8Array.from(packed, (value) => (value << 24) >> 24),
    count,
    dim,
  );
  const packedPicture = reader.take(reader.left, "the picture").slice();
  const picture = unpackPicture(where, packedPicture);
  const { name, physicalWidth, model } = header;
  const keypoints = placesToPixels(places, size);
  const features = { count, dim, imageSize: size, keypoints, scores, descriptors };
  return {
    name,
    size,
    physicalWidth,
    model,
    features,
    picture,
    packedPicture,
    quality: judgeQuality(features, picture),
  };
}

function checkHeader(where: string, value: unknown): Header {
  const fail = (field: string, wanted: string, got: unknown) =>
    new FormatError(`${where}: "${field}" of the target must be ${wanted}, got ${jsonText(got)}; it is damaged`);
  const object = (field: string, one: unknown): Record<string, unknown> => {
    if (typeof one !== "object" || one === null || Array.isArray(one)) throw fail(field, "an object", one);
    return one as Record<string, unknown>;
  };
  const text = (field: string, one: unknown): string => {
    if (typeof one !== "string" || one.length > LONGEST_NAME) throw fail(field, "a text", one);
    return one;
  };
  const whole = (field: string, one: unknown, min: number, max: number): number => {
    if (!Number.isInteger(one) || (one as number) < min || (one as number) > max) {
      throw fail(field, `a whole number from ${min} to ${max}`, one);
    }
    return one as number;
  };
  const header = object("header", value);
  const { size, physicalWidth } = header;
  const model = object("model", header.model);
  if (!Array.isArray(size) || size.length !== 2) throw fail("size", "[width, height]", size);
  if (typeof physicalWidth !== "number" || !(physicalWidth > 0) || !Number.isFinite(physicalWidth)) {
    throw fail("physicalWidth", "a number above 0", physicalWidth);
  }
  return {
    name: text("name", header.name),
    size: [whole("size", size[0], 1, MOST_EDGE), whole("size", size[1], 1, MOST_EDGE)],
    physicalWidth,
    model: { name: text("model.name", model.name), sha256: text("model.sha256", model.sha256) },
    count: whole("count", header.count, 0, MOST_KEYPOINTS),
    dim: whole("dim", header.dim, 1, MOST_DIM),
  };
}
