/**
 * What training works on: pairs of images whose points are known to correspond, whether by depth (MegaDepth) or by
 * homographies (a folder of photographs). Every loss sees the same batch, so every loss works on both.
 */

import { checkList, checkNumbers, checkObject, checkText, wrong } from "../check.js";
import type { Image } from "../image/image.js";
import { checkChoice, checkNumber } from "../options.js";

/** Where points of image 1 are found in image 2. Pixel centres on integers. */
export type PairWarp = HomographyWarp | PlanesWarp | DepthWarp;

/** Two views of one photograph, by homographies. */
export interface HomographyWarp {
  kind: "homography";
  /** Row-major 3×3, pixels of image 1 to pixels of image 2. */
  matrix: Float64Array;
}

/** Two views of planes, one in front of the other. */
export interface PlanesWarp {
  kind: "planes";
  /** Row-major 3×3 per plane, the one behind all others first; pixels of image 1 to pixels of image 2. */
  matrices: Float64Array[];
  /** Per image: which plane each of its pixels shows, row-major. */
  labels: [Uint8Array, Uint8Array];
}

/** Two views of a scene with depth, cut to crops. reference.md §3. */
export interface DepthWarp {
  kind: "depth";
  /** Per image: depth of the crop's pixels (0: unknown), row-major size × size. */
  depths: [Float32Array, Float32Array];
  /** Row-major 3×3 camera matrices of the whole images. */
  intrinsics: [Float64Array, Float64Array];
  /** Row-major 4×4, world to camera. */
  poses: [Float64Array, Float64Array];
  /** Row and column of each crop's first pixel in its whole image. */
  boxes: [[number, number], [number, number]];
}

/** Two square crops of one size. */
export interface TrainingPair {
  /** Names the pair in messages: files, scene, draw. */
  id: string;
  images: [Image, Image];
  warp: PairWarp;
  /** The same views before their light was changed, where the source was asked for them. */
  before?: [Image, Image];
}

/** Positions of a map's cells in pixels: cell·scale + shift. Three steps of p ← 2p + 0.5 are scale 8, shift 3.5. */
export interface CellGrid {
  width: number;
  height: number;
  scale: number;
  shift: number;
}

/** For each cell of image 1's grid, row by row: where it lies in image 2's grid. */
export interface Correspondences {
  /** [height·width·2] x, y in cells of image 2; 0 where there is none. */
  targets: Float32Array;
  /** [height·width] 1 where the cell has a counterpart inside image 2. */
  valid: Uint8Array;
  count: number;
}

/** Pairs of a step with the correspondences on the grid that the losses work on. */
export interface PairBatch {
  pairs: TrainingPair[];
  grid: CellGrid;
  correspondences: Correspondences[];
}

/**
 * An endless, seeded source of pairs. The n-th pair of epoch e depends on the seed, e and n only, so that a resumed run
 * sees what an uninterrupted one would have seen.
 */
export interface PairSource {
  /** What was read, for checkpoints: resuming on other data is refused. */
  readonly digest: string;
  /** Pairs in one epoch. */
  readonly length: number;
  /** The n-th pair of an epoch, or null where it has too few correspondences to be used (with the reason). */
  pair(epoch: number, index: number): Promise<TrainingPair | { skipped: string }>;
  /** What of the data is not used, each with its reason: scenes without pairs, broken files. */
  leftOut?(): readonly string[];
  dispose(): Promise<void>;
}

/** An OptionError for what is no source of pairs. */
export function checkSource(where: string, name: string, source: PairSource): void {
  if (typeof source !== "object" || source === null || typeof source.pair !== "function") {
    throw wrong(where, name, "a source of pairs, as openSource() gives it", source);
  }
  checkText(where, `${name}.digest`, source.digest);
  checkNumber(where, `${name}.length`, source.length, { min: 0, integer: true });
}

/** An OptionError or ShapeError for what is no pair of images with what warps one to the other. */
export function checkPair(where: string, pair: TrainingPair): TrainingPair {
  checkObject(where, "pair", pair);
  const { id, images, warp } = pair;
  checkText(where, "pair.id", id);
  if (checkList(where, "pair.images", images).length !== 2) throw wrong(where, "pair.images", "two images", images);
  // Only their sizes count for where points go: pixels need not be there.
  for (const image of images) checkObject(where, "one of pair.images", image);
  checkObject(where, "pair.warp", warp);
  checkChoice(where, "pair.warp.kind", warp.kind, ["homography", "planes", "depth"]);
  if (warp.kind === "homography") checkNumbers(where, "pair.warp.matrix", warp.matrix);
  else if (warp.kind === "planes") {
    for (const [i, matrix] of checkList(where, "pair.warp.matrices", warp.matrices).entries()) {
      checkNumbers(where, `pair.warp.matrices[${i}]`, matrix);
    }
    checkList(where, "pair.warp.labels", warp.labels);
  } else
    for (const name of ["depths", "intrinsics", "poses", "boxes"] as const)
      checkList(where, `pair.warp.${name}`, warp[name]);
  return pair;
}
