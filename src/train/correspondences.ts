/**
 * Where the cells of image 1's grid are found in image 2: by a homography, or by depth as D2-Net does it (Dusmanu et al.
 * 2019; reference.md §3): a cell is given a depth, carried into the other camera, and kept when the depth found there agrees.
 */

import { checkObject, described } from "../check.js";
import { OptionError, ShapeError } from "../errors.js";
import { inverse3x3 } from "../geometry/matrix3.js";
import {
  type CellGrid,
  type Correspondences,
  checkPair,
  type DepthWarp,
  type HomographyWarp,
  type PlanesWarp,
  type TrainingPair,
} from "./types.js";

/** Pairs with fewer correspondences are skipped by the reference, and given weight 0 here. */
export const MIN_CORRESPONDENCES = 128;

/** Depths that differ by less than this are one surface, in units of the reconstruction. */
const DEPTH_TOLERANCE = 0.05;

/** Cells across a grid beyond which it is a mistake. */
const MOST_CELLS = 65_535;

/** Pixel of image 1 → pixel of image 2 in `out` (x, y); false where there is none. */
export type Carry = (x: number, y: number, out: Float64Array) => boolean;

/** Correspondences of all cells of `grid`, which lies on both images. */
export function correspond(pair: TrainingPair, grid: CellGrid): Correspondences {
  const { width, height, scale, shift } = checkGrid(grid);
  const carry = carryOf(pair);
  const targets = new Float32Array(2 * width * height);
  const valid = new Uint8Array(width * height);
  const found = new Float64Array(2);
  let count = 0;
  for (let cell = 0; cell < width * height; cell++) {
    const column = cell % width;
    const row = (cell - column) / width;
    if (!carry(column * scale + shift, row * scale + shift, found)) continue;
    const x = (found[0] - shift) / scale;
    const y = (found[1] - shift) / scale;
    // Losses round to the nearest cell, which the grid must have.
    if (x < -0.5 || y < -0.5 || x >= width - 0.5 || y >= height - 0.5) continue;
    targets[2 * cell] = x;
    targets[2 * cell + 1] = y;
    valid[cell] = 1;
    count++;
  }
  return { targets, valid, count };
}

/** Where any point of image 1 is found in image 2. */
export function carryOf(pair: TrainingPair): Carry {
  checkPair("carryOf", pair);
  const { warp } = pair;
  if (warp.kind === "depth") return byDepth(pair, warp);
  return warp.kind === "planes" ? byPlanes(pair, warp) : byHomography(pair, warp);
}

function checkGrid(grid: CellGrid): CellGrid {
  const { width, height, scale, shift } = checkObject("correspond", "grid", grid) as unknown as CellGrid;
  const whole = [width, height].every((size) => Number.isSafeInteger(size) && size > 0 && size <= MOST_CELLS);
  if (!whole || typeof scale !== "number" || !(scale > 0) || !Number.isFinite(scale) || !Number.isFinite(shift)) {
    throw new OptionError(
      `correspond: a grid has a width and height from 1 to ${MOST_CELLS} and a scale > 0, got ${[width, height].map(described).join("×")}, scale ${described(scale)}, shift ${described(shift)}`,
    );
  }
  return grid;
}

function byHomography({ id, images }: TrainingPair, { matrix: m }: HomographyWarp): Carry {
  if (m.length !== 9) throw new ShapeError(`pair "${id}": a homography has 9 numbers, got ${m.length}`);
  const [from, to] = images;
  const depthAt = (x: number, y: number) => m[6] * x + m[7] * y + m[8];
  // Points across the vanishing line from the image's centre are not seen.
  const side = Math.sign(depthAt((from.width - 1) / 2, (from.height - 1) / 2));
  return (x, y, out) => {
    const w = depthAt(x, y);
    if (!(w * side > 0)) return false;
    out[0] = (m[0] * x + m[1] * y + m[2]) / w;
    out[1] = (m[3] * x + m[4] * y + m[5]) / w;
    return out[0] >= 0 && out[1] >= 0 && out[0] <= to.width - 1 && out[1] <= to.height - 1;
  };
}

/** By the plane that is seen at the point, where image 2 shows the same one. */
function byPlanes(pair: TrainingPair, { matrices, labels }: PlanesWarp): Carry {
  const { id, images } = pair;
  for (const [i, { width, height }] of images.entries()) {
    if (!(labels[i]?.length === width * height) || labels[i].some((label) => label >= matrices.length)) {
      throw new ShapeError(
        `pair "${id}": image ${i + 1} needs a label below ${matrices.length} for each of its ${width}×${height} pixels`,
      );
    }
  }
  const carries = matrices.map((matrix) => byHomography(pair, { kind: "homography", matrix }));
  const labelAt = (i: 0 | 1, x: number, y: number) => labels[i][Math.round(y) * images[i].width + Math.round(x)];
  return (x, y, out) => {
    const label = labelAt(0, x, y);
    return label !== undefined && carries[label](x, y, out) && labelAt(1, out[0], out[1]) === label;
  };
}

function byDepth({ id, images }: TrainingPair, warp: DepthWarp): Carry {
  checkDepthWarp(id, images, warp);
  const [depth1, depth2] = warp.depths;
  const [k1, k2] = warp.intrinsics;
  const [[top1, left1], [top2, left2]] = warp.boxes;
  const motion = relativePose(id, warp.poses);
  const [from, to] = images;
  return (x, y, out) => {
    const z = depthAt(depth1, from.width, from.height, x, y);
    if (z === 0) return false;
    // COLMAP's pixels: the centre of the first one is (0.5, 0.5).
    const u = x + left1 + 0.5;
    const v = y + top1 + 0.5;
    const px = (u - k1[2]) * (z / k1[0]);
    const py = (v - k1[5]) * (z / k1[4]);
    const qx = motion[0] * px + motion[1] * py + motion[2] * z + motion[3];
    const qy = motion[4] * px + motion[5] * py + motion[6] * z + motion[7];
    const qz = motion[8] * px + motion[9] * py + motion[10] * z + motion[11];
    const w = k2[6] * qx + k2[7] * qy + k2[8] * qz;
    out[0] = (k2[0] * qx + k2[1] * qy + k2[2] * qz) / w - left2 - 0.5;
    out[1] = (k2[3] * qx + k2[4] * qy + k2[5] * qz) / w - top2 - 0.5;
    const there = depthAt(depth2, to.width, to.height, out[0], out[1]);
    return there !== 0 && Math.abs(qz - there) < DEPTH_TOLERANCE;
  };
}

function checkDepthWarp(id: string, images: TrainingPair["images"], warp: DepthWarp): void {
  images.forEach(({ width, height }, i) => {
    const { length } = warp.depths[i];
    if (length !== width * height) {
      throw new ShapeError(
        `pair "${id}": image ${i + 1} has ${width}×${height} pixels, its depth ${length} values instead of ${width * height}`,
      );
    }
    if (warp.intrinsics[i].length !== 9 || warp.poses[i].length !== 16) {
      throw new ShapeError(
        `pair "${id}": camera ${i + 1} needs 9 intrinsics and a pose of 16 numbers, got ${warp.intrinsics[i].length} and ${warp.poses[i].length}`,
      );
    }
  });
}

/** Bilinear depth; 0 where a corner lies outside or has none. On whole positions the two corners are one. */
function depthAt(depth: Float32Array, width: number, height: number, x: number, y: number): number {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const right = Math.ceil(x);
  const bottom = Math.ceil(y);
  // Written so that NaN is outside.
  if (!(left >= 0 && top >= 0 && right < width && bottom < height)) return 0;
  const a = depth[top * width + left];
  const b = depth[top * width + right];
  const c = depth[bottom * width + left];
  const d = depth[bottom * width + right];
  if (!(a > 0 && b > 0 && c > 0 && d > 0)) return 0;
  const fx = x - left;
  const fy = y - top;
  return (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * c + fx * d);
}

/** pose2·pose1⁻¹, its first three rows; poses are [A t; 0 1]. */
function relativePose(id: string, [first, second]: [Float64Array, Float64Array]): Float64Array {
  const linear = Float64Array.of(...[0, 1, 2, 4, 5, 6, 8, 9, 10].map((i) => first[i]));
  const back = inverse3x3(linear);
  if (!back) throw new OptionError(`pair "${id}": the first camera's pose has no inverse`);
  // inverse3x3 scales its result; a pose needs the true inverse.
  const trace = linear[0] * back[0] + linear[1] * back[3] + linear[2] * back[6];
  const motion = new Float64Array(12);
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) {
      for (let k = 0; k < 3; k++) motion[4 * row + column] += (second[4 * row + k] * back[3 * k + column]) / trace;
    }
    motion[4 * row + 3] = second[4 * row + 3];
    for (let k = 0; k < 3; k++) motion[4 * row + 3] -= motion[4 * row + k] * first[4 * k + 3];
  }
  return motion;
}
