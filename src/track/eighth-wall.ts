/**
 * Image targets of 8th Wall: a JSON file beside a picture. Flat ones have the picture at `imagePath`, cropped and often grey
 * (480 × 640), and, where `isRotated`, turned a quarter clockwise; curved ones are not tracked.
 */
import { jsonText } from "../check.js";
import { FormatError, UnsupportedError } from "../errors.js";
import { parseJson } from "../formats/bytes.js";
import { cropImage } from "../image/crop.js";
import { checkImage, type Image, newPixels } from "../image/image.js";

/** A flat image target of 8th Wall, without its picture. */
export interface EighthWallTarget {
  name: string;
  /** Where its picture lies, as the file says; other names of it that may be there, best first. */
  imagePath: string;
  otherPaths: string[];
  /** The part of the original picture that is the target, in pixels of it. */
  crop: { left: number; top: number; width: number; height: number };
  originalSize: [number, number];
  /** Whether the picture at `imagePath` is turned a quarter clockwise. */
  isRotated: boolean;
}

const FLAT = ["PLANAR", "FLAT"];
const CURVED = ["CYLINDER", "CYLINDRICAL", "CONICAL", "CONE"];
const MOST_EDGE = 100_000;
/** Difference in aspect that rounding of 480 × 640 makes. */
const SAME_ASPECT = 0.03;

/** Whether it is the value of an image target's JSON rather than of some other. */
export function isEighthWallTarget(value: unknown): boolean {
  return typeof value === "object" && value !== null && "imagePath" in value && "type" in value;
}

/** Reads the JSON; FormatError for what does not fit, UnsupportedError for a curved target. `where` names the file. */
export function readEighthWallTarget(where: string, bytes: Uint8Array): EighthWallTarget {
  const value = parseJson(where, bytes);
  if (!isEighthWallTarget(value)) {
    throw new FormatError(`${where}: no image target of 8th Wall: it needs "imagePath", "type" and "properties"`);
  }
  const { name = "", type, imagePath, properties, xrMetadata, resources } = value as Record<string, unknown>;
  const fail = (field: string, wanted: string, got: unknown) =>
    new FormatError(`${where}: "${field}" must be ${wanted}, got ${jsonText(got)}`);
  if (typeof name !== "string") throw fail("name", "a text", name);
  if (typeof imagePath !== "string" || imagePath === "") throw fail("imagePath", "the path of a picture", imagePath);
  if (CURVED.includes(type as string)) {
    throw new UnsupportedError(
      `${where}: a curved target (${type}); only flat pictures are tracked. The label laid flat can be a target of its own`,
    );
  }
  if (!FLAT.includes(type as string)) throw fail("type", FLAT.join(" or "), type);
  const given = properties ?? xrMetadata;
  if (typeof given !== "object" || given === null) throw fail("properties", "an object", given);
  const fields = given as Record<string, unknown>;
  const whole = (field: string, min: number): number => {
    const number = fields[field];
    if (typeof number !== "number" || !Number.isFinite(number) || number < min || number > MOST_EDGE) {
      throw fail(`properties.${field}`, `a number from ${min} to ${MOST_EDGE}`, number);
    }
    return Math.round(number);
  };
  const { isRotated = false } = fields;
  if (typeof isRotated !== "boolean") throw fail("properties.isRotated", "true or false", isRotated);
  const crop = { left: whole("left", 0), top: whole("top", 0), width: whole("width", 1), height: whole("height", 1) };
  const originalSize: [number, number] = [whole("originalWidth", 1), whole("originalHeight", 1)];
  if (crop.left + crop.width > originalSize[0] || crop.top + crop.height > originalSize[1]) {
    throw new FormatError(
      `${where}: the part ${crop.width}×${crop.height} at ${crop.left}, ${crop.top} leaves the picture of ${originalSize.join("×")}`,
    );
  }
  const others = typeof resources === "object" && resources !== null ? (resources as Record<string, unknown>) : {};
  const otherPaths = [others.croppedImage, others.luminanceImage].filter((path) => typeof path === "string");
  return { name, imagePath, otherPaths, crop, originalSize, isRotated };
}

/**
 * The target's picture, upright, from the one that was read: the original, of which the part is taken, or the part itself.
 * FormatError for a picture of another shape.
 */
export function eighthWallPicture(where: string, target: EighthWallTarget, image: Image): Image {
  checkImage(where, image);
  const { crop, originalSize, isRotated } = target;
  const { width, height } = image;
  const isPart = Math.abs(Math.log((width * crop.height) / (height * crop.width))) <= SAME_ASPECT;
  const isOriginal = width === originalSize[0] && height === originalSize[1];
  if (!isPart && !isOriginal) {
    throw new FormatError(
      `${where}: the picture ${target.imagePath} is ${width}×${height}; expected the shape ${crop.width}×${crop.height} of the ` +
        `target or the original's ${originalSize.join("×")}`,
    );
  }
  const isWhole = crop.width === originalSize[0] && crop.height === originalSize[1];
  const part = isOriginal && !isWhole ? cropImage(image, crop.left, crop.top, crop.width, crop.height) : image;
  return isRotated ? turnedBack(part) : part;
}

/** A quarter counter-clockwise. */
function turnedBack({ width, height, data }: Image): Image {
  const out = newPixels("turn", height, width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 3 * (y * width + x);
      const to = 3 * ((width - 1 - x) * height + y);
      out[to] = data[from];
      out[to + 1] = data[from + 1];
      out[to + 2] = data[from + 2];
    }
  }
  return { width: height, height: width, data: out };
}
