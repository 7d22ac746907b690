/**
 * COLMAP's sparse models: cameras, images with their poses and observations, points. Here the text form (cameras.txt,
 * images.txt, points3D.txt) and what holds for both; the binary form is `colmap-model-binary.ts`. Colours, errors and
 * tracks of points are passed over: nothing here uses them, and the images say the tracks again.
 *
 * Pixels stay COLMAP's: (0.5, 0.5) is the centre of the first one.
 */
import { FormatError, OptionError, UnsupportedError } from "../errors.js";
import { decodeUtf8 } from "./bytes.js";
import { readColmapBinary } from "./colmap-model-binary.js";
import { assembleModel, CAMERA_MODELS, type ColmapCamera, type ColmapImage, type ColmapModel } from "./colmap-parts.js";

export type { ColmapCamera, ColmapImage, ColmapModel };

/** The bytes of a model's three files. */
export interface ColmapModelFiles {
  cameras: Uint8Array;
  images: Uint8Array;
  points3D: Uint8Array;
}

export const COLMAP_MODEL_FORMATS = ["text", "binary"] as const;
export type ColmapModelFormat = (typeof COLMAP_MODEL_FORMATS)[number];

/**
 * The model in those files. FormatError that names file and line (or offset) for damage and for parts that do not
 * belong together, UnsupportedError for camera models that COLMAP does not have.
 */
export function readColmapModel(
  files: ColmapModelFiles,
  format: ColmapModelFormat,
  where = "COLMAP model",
): ColmapModel {
  if (format === "binary") return readColmapBinary(files, where);
  if (format !== "text") {
    throw new OptionError(`readColmapModel: "format" must be one of text, binary, got ${String(format)}`);
  }
  return assembleModel(where, {
    cameras: readCameras(`${where}: cameras.txt`, files.cameras),
    images: readImages(`${where}: images.txt`, files.images),
    ...readPoints(`${where}: points3D.txt`, files.points3D),
  });
}

/** CAMERA_ID MODEL WIDTH HEIGHT PARAMS[] */
function readCameras(where: string, bytes: Uint8Array): ColmapCamera[] {
  const cameras: ColmapCamera[] = [];
  for (const line of new Lines(where, bytes).filled()) {
    const words = line.text.split(" ");
    const [id, width, height] = [words[0], words[2], words[3]].map((word) => whole(line, word));
    const model = CAMERA_MODELS.find(({ name }) => name === words[1]);
    if (!model) {
      const known = CAMERA_MODELS.map(({ name }) => name).join(", ");
      throw new UnsupportedError(
        `${line.place}: no camera model "${(words[1] ?? "").slice(0, 40)}"; known are ${known}`,
      );
    }
    const params = numbersOf(line, words.slice(4));
    if (params.length !== model.params) {
      throw line.error(`${model.name} has ${model.params} parameters, got ${params.length}`);
    }
    cameras.push({ id, model: model.name, width, height, params });
  }
  return cameras;
}

/** Two lines each: IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, then (X Y POINT3D_ID)*, which may be empty. */
function readImages(where: string, bytes: Uint8Array): ColmapImage[] {
  const lines = new Lines(where, bytes);
  const images: ColmapImage[] = [];
  for (const line of lines.filled()) {
    const words = line.text.split(" ");
    if (words.length < 10) throw line.error("expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME");
    const pose = numbersOf(line, words.slice(1, 8));
    const second = lines.next();
    if (!second) throw line.error("the line of its points is missing; the file is truncated");
    const observations = numbersOf(second, second.text === "" ? [] : second.text.split(" "));
    if (observations.length % 3 !== 0) throw second.error("expected X Y POINT3D_ID, again and again");
    const count = observations.length / 3;
    const points = new Float64Array(2 * count);
    const pointIds = new Float64Array(count);
    for (let k = 0; k < count; k++) {
      points[2 * k] = observations[3 * k];
      points[2 * k + 1] = observations[3 * k + 1];
      pointIds[k] = observations[3 * k + 2];
      if (!(Number.isSafeInteger(pointIds[k]) && pointIds[k] >= -1)) {
        throw second.error(`${pointIds[k]} is no POINT3D_ID`);
      }
    }
    images.push({
      id: whole(line, words[0]),
      name: words.slice(9).join(" "),
      cameraId: whole(line, words[8]),
      rotation: pose.slice(0, 4),
      translation: pose.slice(4),
      points,
      pointIds,
    });
  }
  return images;
}

/** POINT3D_ID X Y Z R G B ERROR TRACK[] */
function readPoints(where: string, bytes: Uint8Array): { pointIds: Float64Array; positions: Float64Array } {
  const ids: number[] = [];
  const positions: number[] = [];
  for (const line of new Lines(where, bytes).filled()) {
    const words = line.text.split(" ", 4);
    if (words.length < 4) throw line.error("expected POINT3D_ID X Y Z");
    ids.push(whole(line, words[0]));
    const [x, y, z] = numbersOf(line, words.slice(1));
    positions.push(x, y, z);
  }
  return { pointIds: Float64Array.from(ids), positions: Float64Array.from(positions) };
}

/** A line with its number, for errors. */
class Line {
  constructor(
    private readonly where: string,
    private readonly number: number,
    readonly text: string,
  ) {}

  /** What stands before what is wrong. */
  get place(): string {
    return `${this.where}: line ${this.number}`;
  }
  error(what: string): FormatError {
    return new FormatError(`${this.place}: ${what}`);
  }
}

/** Lines decoded one by one: images.txt of a large scene is longer than the longest string. */
class Lines {
  private offset = 0;
  private number = 0;

  constructor(
    private readonly where: string,
    private readonly bytes: Uint8Array,
  ) {}

  /** The next line, trimmed, blanks single; undefined at the end. */
  next(): Line | undefined {
    const { bytes, offset } = this;
    if (offset >= bytes.length) return undefined;
    const feed = bytes.indexOf(10, offset);
    const end = feed < 0 ? bytes.length : feed;
    this.offset = end + 1;
    this.number++;
    const where = `${this.where}: line ${this.number}`;
    const text = decodeUtf8(where, bytes.subarray(offset, end)).trim().replace(/\s+/g, " ");
    return new Line(this.where, this.number, text);
  }

  /** Lines that are neither empty nor comments. */
  *filled(): Generator<Line> {
    for (let line = this.next(); line; line = this.next()) {
      if (line.text !== "" && !line.text.startsWith("#")) yield line;
    }
  }
}

function whole(line: Line, word: string | undefined): number {
  const value = word !== undefined && /^\d{1,16}$/.test(word) ? Number(word) : NaN;
  if (!Number.isSafeInteger(value)) throw line.error(`expected a whole number, got "${(word ?? "").slice(0, 40)}"`);
  return value;
}

/** Finite numbers. */
function numbersOf(line: Line, words: readonly string[]): Float64Array {
  const values = new Float64Array(words.length);
  for (let i = 0; i < values.length; i++) {
    values[i] = words[i] === "" ? NaN : Number(words[i]);
    if (!Number.isFinite(values[i])) throw line.error(`expected a number, got "${words[i].slice(0, 40)}"`);
  }
  return values;
}
