/**
 * Cameras of images that nothing is known about, guessed as COLMAP's `feature_extractor` does (measured with COLMAP
 * 3.8): focal length 1.2 times the longer edge, principal point in the middle of the image, no distortion, and a flag
 * that says the focal length is a guess. Order of parameters: COLMAP, src/colmap/sensor/models.h.
 */
import { checkNumbers, checkSize } from "../check.js";
import { OptionError } from "../errors.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { CAMERA_MODELS, type ColmapCamera } from "./colmap-parts.js";

/** A camera of a COLMAP database. */
export interface ColmapDatabaseCamera extends ColmapCamera {
  /** Whether the focal length is known (by calibration, by EXIF) rather than guessed. */
  priorFocalLength: boolean;
}

/** Name of one of COLMAP's camera models. */
export type CameraModelName = (typeof CAMERA_MODELS)[number]["name"];
/** COLMAP's camera models that are known by name. */
export const CAMERA_MODEL_NAMES: readonly CameraModelName[] = CAMERA_MODELS.map(({ name }) => name);

/** COLMAP's guess of the focal length, in longer edges of the image. */
const FOCAL_FACTOR = 1.2;
/** Parameters that cannot be 0 for "no distortion": FOV's, and EUCM's alpha and beta, which make a pinhole so. */
const FOV_OMEGA = 0.01;
const EUCM_PINHOLE = [0, 1];
/** Models with one focal length for x and y; the others have two. */
const ONE_FOCAL: readonly CameraModelName[] = [
  "SIMPLE_PINHOLE",
  "SIMPLE_RADIAL",
  "RADIAL",
  "SIMPLE_RADIAL_FISHEYE",
  "RADIAL_FISHEYE",
  "SIMPLE_DIVISION",
  "SIMPLE_FISHEYE",
];

/** What is known of a camera: its model and, with `params`, all of its parameters. */
export interface CameraChoice {
  /** Default "SIMPLE_RADIAL". */
  model?: CameraModelName;
  /** In the model's order, in pixels; default: guessed. */
  params?: readonly number[] | null;
}

/** The camera `id` of images of width × height pixels. OptionError for parameters that do not fit the model. */
export function makeCamera(
  id: number,
  size: readonly [number, number],
  choice: CameraChoice = {},
): ColmapDatabaseCamera {
  const { model, params } = withDefaults<Required<CameraChoice>>(
    "makeCamera",
    { model: "SIMPLE_RADIAL", params: null },
    choice,
  );
  checkNumber("makeCamera", "id", id, { min: 1, integer: true });
  const [width, height] = checkSize("makeCamera", "size", size);
  if (params !== null) checkNumbers("makeCamera", "params", params);
  checkChoice("makeCamera", "model", model, CAMERA_MODEL_NAMES);
  const { params: count } = CAMERA_MODELS[CAMERA_MODEL_NAMES.indexOf(model)];
  const camera = { id, model, width, height, priorFocalLength: params !== null };
  if (params === null) return { ...camera, params: guess(model, count, width, height) };
  if (params.length !== count || !params.every(Number.isFinite)) {
    throw new OptionError(`makeCamera: ${model} has ${count} parameters, got [${params}]`);
  }
  return { ...camera, params: Float64Array.from(params) };
}

function guess(model: CameraModelName, count: number, width: number, height: number): Float64Array {
  // A panorama has no focal length.
  if (model === "EQUIRECTANGULAR") return Float64Array.of(width, height);
  const focal = FOCAL_FACTOR * Math.max(width, height);
  const known = [...(ONE_FOCAL.includes(model) ? [focal] : [focal, focal]), width / 2, height / 2];
  if (model === "FOV") known.push(FOV_OMEGA);
  if (model === "EUCM") known.push(...EUCM_PINHOLE);
  const params = new Float64Array(count);
  params.set(known);
  return params;
}
