/**
 * COLMAP's sparse models in their binary form (cameras.bin, images.bin, points3D.bin): little-endian records after a
 * count. Counts are compared with the bytes that are left before memory is taken for them.
 */
import { FormatError, UnsupportedError } from "../errors.js";
import { ByteReader, decodeUtf8 } from "./bytes.js";
import { assembleModel, CAMERA_MODELS, type ColmapCamera, type ColmapImage, type ColmapModel } from "./colmap-parts.js";
import { viewOf } from "./ndarray.js";

/** Bytes of an observation: x, y, id of the point. */
const OBSERVATION = 24;
/** Bytes of an entry of a track: image, index of its observation. */
const TRACK = 8;
/** Least bytes of a record, with no parameters, observations or track. */
const CAMERA = 24;
const IMAGE = 73;
const POINT = 51;

/** The upper half of the id "none". */
const NONE = 0xffffffff;

/** As `readColmapModel`. */
export function readColmapBinary(
  files: { cameras: Uint8Array; images: Uint8Array; points3D: Uint8Array },
  where: string,
): ColmapModel {
  return assembleModel(where, {
    cameras: readCameras(new ByteReader(`${where}: cameras.bin`, files.cameras)),
    images: readImages(new ByteReader(`${where}: images.bin`, files.images)),
    ...readPoints(new ByteReader(`${where}: points3D.bin`, files.points3D)),
  });
}

function readCameras(reader: ByteReader): ColmapCamera[] {
  const cameras: ColmapCamera[] = [];
  for (let left = countOf(reader, "cameras", CAMERA); left > 0; left--) {
    const id = reader.u32("camera id");
    const number = reader.i32("camera model");
    const model = CAMERA_MODELS[number];
    if (!model) {
      throw new UnsupportedError(
        `${reader.where}: camera ${id} has model number ${number}; known are 0 to ${CAMERA_MODELS.length - 1}`,
      );
    }
    const width = reader.u64("width");
    const height = reader.u64("height");
    cameras.push({ id, model: model.name, width, height, params: doubles(reader, model.params, "camera parameters") });
  }
  return finished(reader, cameras);
}

function readImages(reader: ByteReader): ColmapImage[] {
  const images: ColmapImage[] = [];
  for (let left = countOf(reader, "images", IMAGE); left > 0; left--) {
    const id = reader.u32("image id");
    const pose = doubles(reader, 7, "pose");
    const cameraId = reader.u32("camera id");
    const name = readName(reader);
    const count = countOf(reader, "observations", OBSERVATION);
    const bytes = reader.take(count * OBSERVATION, "observations");
    const numbers = viewOf(bytes, 0, "float64", 3 * count);
    const words = viewOf(bytes, 0, "uint32", 6 * count);
    const points = new Float64Array(2 * count);
    const pointIds = new Float64Array(count);
    for (let k = 0; k < count; k++) {
      const x = Number(numbers[3 * k]);
      const y = Number(numbers[3 * k + 1]);
      if (!Number.isFinite(x + y))
        throw new FormatError(`${reader.where}: "${name}": observation ${k} is (${x}, ${y})`);
      points[2 * k] = x;
      points[2 * k + 1] = y;
      const [low, high] = [Number(words[6 * k + 4]), Number(words[6 * k + 5])];
      pointIds[k] = low === NONE && high === NONE ? -1 : high * 2 ** 32 + low;
      if (pointIds[k] > Number.MAX_SAFE_INTEGER) {
        throw new FormatError(
          `${reader.where}: "${name}": observation ${k} is of point ${pointIds[k]}, which cannot be`,
        );
      }
    }
    images.push({ id, name, cameraId, rotation: pose.slice(0, 4), translation: pose.slice(4), points, pointIds });
  }
  return finished(reader, images);
}

function readPoints(reader: ByteReader): { pointIds: Float64Array; positions: Float64Array } {
  const count = countOf(reader, "points", POINT);
  const pointIds = new Float64Array(count);
  const positions = new Float64Array(3 * count);
  for (let k = 0; k < count; k++) {
    pointIds[k] = reader.u64("point id");
    positions.set(doubles(reader, 3, "position"), 3 * k);
    reader.skip(11, "colour and error");
    reader.skip(TRACK * countOf(reader, "track entries", TRACK), "track");
  }
  return finished(reader, { pointIds, positions });
}

/** A count of records that can be in the bytes that are left. */
function countOf(reader: ByteReader, what: string, size: number): number {
  const count = reader.u64(`number of ${what}`);
  if (count * size > reader.left) {
    throw new FormatError(
      `${reader.where}: ${count} ${what} need ${count * size} bytes, ${reader.left} are left; truncated or damaged`,
    );
  }
  return count;
}

/** Finite doubles; few, so that the copy does not matter. */
function doubles(reader: ByteReader, count: number, what: string): Float64Array {
  const at = reader.offset;
  const values = Float64Array.from(viewOf(reader.take(8 * count, what), 0, "float64", count), Number);
  if (!values.every(Number.isFinite)) throw new FormatError(`${reader.where}: ${what} at offset ${at}: ${values}`);
  return values;
}

/** Text up to a zero. */
function readName(reader: ByteReader): string {
  const end = reader.bytes.indexOf(0, reader.offset);
  if (end < 0) throw new FormatError(`${reader.where}: the name at offset ${reader.offset} has no end; truncated`);
  const name = decodeUtf8(reader.where, reader.take(end - reader.offset, "name"));
  reader.skip(1, "name");
  return name;
}

function finished<T>(reader: ByteReader, value: T): T {
  if (reader.left > 0) throw new FormatError(`${reader.where}: ${reader.left} bytes follow the last record`);
  return value;
}
