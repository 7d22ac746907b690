/** What a COLMAP database holds, and the numbers that its reader and its writer share. */
import type { ColmapDatabaseCamera } from "./colmap-cameras.js";
import type { TwoView } from "./colmap-two-view.js";

/** An image of a COLMAP database. */
export interface ColmapDatabaseImage {
  /** 1 … 2³¹ − 2. */
  id: number;
  /** Path below the folder of images, with slashes. */
  name: string;
  cameraId: number;
  /** x0, y0, x1, y1, … in our pixels; null: the database says nothing of keypoints. */
  keypoints: Float32Array | null;
  /**
   * What COLMAP keeps of a keypoint beside its position, row by row: 2 numbers (scale, orientation) or 4 (an affine
   * shape a11, a12, a21, a22); null: nothing.
   */
  shapes: Float32Array | null;
  /** Row-major, equally many bytes a keypoint (128 for SIFT, four a float for other types); null: none. */
  descriptors: Uint8Array | null;
  /** COLMAP 4's number of what made the descriptors: 0 SIFT (default), 1 and 2 ALIKED, …; −1 something else. */
  descriptorType?: number;
}

/** A pair of images of a COLMAP database. */
export interface ColmapDatabasePair {
  /** Ids of the two images. */
  id0: number;
  id1: number;
  /** Indices of keypoints i0, j0, i1, j1, …; null: not matched. */
  matches: Uint32Array | null;
  /** null: not verified. */
  geometry: TwoView | null;
}

/** The tables of a COLMAP database. */
export interface ColmapDatabase {
  cameras: ColmapDatabaseCamera[];
  images: ColmapDatabaseImage[];
  pairs: ColmapDatabasePair[];
}

/** Layouts of databases that are written. */
export const COLMAP_VERSIONS = ["3.8", "4"] as const;
/** A layout of databases. */
export type ColmapVersion = (typeof COLMAP_VERSIONS)[number];

/** Numbers of COLMAP 4 for what made descriptors. */
export const SIFT_TYPE = 0;
export const UNDEFINED_TYPE = -1;

/** Images are numbered below this, and pairs by it. */
export const MAX_IMAGES = 2 ** 31 - 1;
/** Bytes of a descriptor of SIFT. */
export const SIFT_BYTES = 128;
/** What a database may hold at once, in bytes; SQLite in WebAssembly has 2 GiB for everything. */
export const DATABASE_LIMIT = 2 ** 30;
