/**
 * The vocabulary: what goes from extractor to matcher to file, unchanged. Flat typed arrays throughout; words are
 * those of the ecosystem (hloc, LightGlue, COLMAP). Pixel centres lie on integers, x right, y down, in the
 * orientation-corrected original image.
 */
import { ShapeError } from "./errors.js";

/** Local features of one image, best score first. */
export interface Features {
  /** Number of keypoints; 0 is an answer. */
  count: number;
  /** Length of one descriptor (64 for every model shipped here). */
  dim: number;
  /** [width, height] of the image in pixels. */
  imageSize: [number, number];
  /** x0, y0, x1, y1, … in pixels; length 2·count. */
  keypoints: Float32Array;
  /** One score per keypoint. */
  scores: Float32Array;
  /** Level that found each keypoint (0 early, 1 middle, 2 deep), where a model detects per level. */
  levels?: Uint8Array;
  /** Row-major count × dim, each row of L2 norm 1. */
  descriptors: Float32Array;
}

/** Pairs of keypoints, one of each image. */
export interface Matches {
  count: number;
  /** i0, j0, i1, j1, …: index in the first image, index in the second; length 2·count. */
  pairs: Uint32Array;
  /** Cosine similarity of each pair's descriptors. */
  scores: Float32Array;
}

/** A plane-to-plane mapping from image 1 to image 2. */
export interface Homography {
  /** Row-major 3×3 with the last entry 1, or null where none was found. */
  matrix: Float64Array | null;
  /** Indices into the matches that agree with it, ascending. */
  inliers: Uint32Array;
}

/** Throws a ShapeError that names the first array whose length does not fit. `where` names the source in the message. */
export function checkFeatures(where: string, features: Features): Features {
  const { count, dim, keypoints, scores, levels, descriptors } = features;
  const wanted: [string, ArrayLike<number> | undefined, number][] = [
    ["keypoints", keypoints, 2 * count],
    ["scores", scores, count],
    ["descriptors", descriptors, count * dim],
    ["levels", levels, count],
  ];
  for (const [name, array, length] of wanted) {
    if (array !== undefined && array.length !== length) {
      throw new ShapeError(
        `${where}: ${name} has ${array.length} values, expected ${length} (${count} keypoints, dim ${dim})`,
      );
    }
  }
  return features;
}

/** Features without a single keypoint. */
export function emptyFeatures(imageSize: [number, number], dim: number): Features {
  return {
    count: 0,
    dim,
    imageSize,
    keypoints: new Float32Array(0),
    scores: new Float32Array(0),
    descriptors: new Float32Array(0),
  };
}
