/** The parts of a COLMAP model as both of its forms give them, and the checks that they belong together. */
import { FormatError } from "../errors.js";

export interface ColmapCamera {
  id: number;
  /** COLMAP's name, e.g. "PINHOLE". */
  model: string;
  width: number;
  height: number;
  params: Float64Array;
}

export interface ColmapImage {
  id: number;
  /** Path below the folder of images. */
  name: string;
  cameraId: number;
  /** Unit quaternion w, x, y, z: world to camera. */
  rotation: Float64Array;
  /** World to camera. */
  translation: Float64Array;
  /** x0, y0, x1, y1, … in COLMAP's pixels. */
  points: Float64Array;
  /** Id of the 3D point that each one observes; −1: none. */
  pointIds: Float64Array;
}

export interface ColmapModel {
  /** By id. */
  cameras: Map<number, ColmapCamera>;
  /** In the file's order. */
  images: ColmapImage[];
  /** Ids of the 3D points, in the file's order. */
  pointIds: Float64Array;
  /** x, y, z of each, in the world. */
  positions: Float64Array;
}

/** Camera models by COLMAP's number, with the number of their parameters; those from 11 on came with COLMAP 3.9 to 4. */
export const CAMERA_MODELS = [
  { name: "SIMPLE_PINHOLE", params: 3 },
  { name: "PINHOLE", params: 4 },
  { name: "SIMPLE_RADIAL", params: 4 },
  { name: "RADIAL", params: 5 },
  { name: "OPENCV", params: 8 },
  { name: "OPENCV_FISHEYE", params: 8 },
  { name: "FULL_OPENCV", params: 12 },
  { name: "FOV", params: 5 },
  { name: "SIMPLE_RADIAL_FISHEYE", params: 4 },
  { name: "RADIAL_FISHEYE", params: 5 },
  { name: "THIN_PRISM_FISHEYE", params: 12 },
  { name: "RAD_TAN_THIN_PRISM_FISHEYE", params: 16 },
  { name: "SIMPLE_DIVISION", params: 4 },
  { name: "DIVISION", params: 5 },
  { name: "SIMPLE_FISHEYE", params: 3 },
  { name: "FISHEYE", params: 4 },
  { name: "EUCM", params: 6 },
  { name: "EQUIRECTANGULAR", params: 2 },
] as const;

/** How a database's camera is called whose model has no name here: a later COLMAP's, whose number says it all. */
const UNNAMED = /^MODEL_(\d+)$/;

/** The name of the camera model with that number; "MODEL_99" where it has none here. */
export function cameraModelName(number: number): string {
  return CAMERA_MODELS[number]?.name ?? `MODEL_${number}`;
}

/** The inverse; −1 for a name that is none. */
export function cameraModelNumber(name: string): number {
  const known = CAMERA_MODELS.findIndex((model) => model.name === name);
  return known >= 0 ? known : Number(UNNAMED.exec(name)?.[1] ?? -1);
}

export interface ModelParts {
  cameras: readonly ColmapCamera[];
  images: ColmapImage[];
  pointIds: Float64Array;
  positions: Float64Array;
}

/** The model of those parts; FormatError for ids that occur twice, cameras that are missing, and rotations that are none. */
export function assembleModel(where: string, { cameras, images, pointIds, positions }: ModelParts): ColmapModel {
  const byId = new Map<number, ColmapCamera>();
  for (const camera of cameras) {
    if (byId.has(camera.id)) throw new FormatError(`${where}: two cameras have the id ${camera.id}`);
    if (camera.width === 0 || camera.height === 0) throw new FormatError(`${where}: camera ${camera.id} has no pixels`);
    byId.set(camera.id, camera);
  }
  const ids = new Set<number>();
  for (const { id, name, cameraId, rotation } of images) {
    if (ids.has(id)) throw new FormatError(`${where}: two images have the id ${id}`);
    ids.add(id);
    if (name === "") throw new FormatError(`${where}: image ${id} has no name`);
    if (!byId.has(cameraId)) throw new FormatError(`${where}: image ${id} ("${name}") has no camera ${cameraId}`);
    const norm = Math.hypot(...rotation);
    if (!(norm > 1e-9 && Number.isFinite(norm))) {
      throw new FormatError(`${where}: image ${id} ("${name}") has no rotation: its quaternion is ${rotation}`);
    }
    for (let k = 0; k < 4; k++) rotation[k] /= norm;
  }
  return { cameras: byId, images, pointIds, positions };
}
