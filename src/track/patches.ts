/**
 * Where small windows of a target's picture lie in a frame. Each is drawn as the frame would show it under the predicted
 * homography (an affine map at its place), looked for by normalised cross-correlation, which neither gain nor bias of the
 * light changes, and placed between pixels by the inverse compositional method of Lucas and Kanade (Baker and Matthews,
 * IJCV 2004) with gain and bias projected out. Nothing is allocated: the scratch arrays are the module's.
 */
import type { Grey, Pyramid } from "./pyramid.js";

/** A picture's levels and the places of its patches on each (x0, y0, …, in that level's pixels; corners.ts). */
export interface PatchSource {
  levels: readonly Grey[];
  places: readonly Float32Array[];
}

/** Most patches of one search. */
export const MOST_PATCHES = 100;
const MOST_HALF = 7;
const MOST_SIDE = 2 * MOST_HALF + 1;
/** Least standard deviation of a patch in levels: below it is flat. */
const LEAST_DEVIATION = 4;
/** A patch as the frame shows it has at most so many times (or as little of) the area that its level has. */
const MOST_ZOOM = 6;
/** Steps of Lucas and Kanade's, and a step in pixels that ends them. */
const STEPS = 5;
const SETTLED = 0.01;
/** Farthest a patch moves from its best whole pixel, in pixels. */
const FARTHEST = 1.5;

/** Patches that were looked for. */
export class Patches {
  count = 0;
  /** Places in the picture's level 0. */
  readonly source = new Float64Array(2 * MOST_PATCHES);
  /** Where the prediction has them, in pixels of the frame. */
  readonly predicted = new Float64Array(2 * MOST_PATCHES);
  /** Where they were found, in pixels of the frame. */
  readonly found = new Float64Array(2 * MOST_PATCHES);
  /** Normalised cross-correlation there. */
  readonly correlation = new Float64Array(MOST_PATCHES);
}

/** How patches are looked for on one level of the frame. */
export interface PatchSearch {
  /** Level of the frame and of the picture. */
  frameLevel: number;
  pictureLevel: number;
  /** Whole pixels of the level that are searched each way. */
  radius: number;
  /** Half the side of a patch. */
  half: number;
  /** Patches at most. */
  most: number;
}

const raw = new Float64Array((MOST_SIDE + 2) ** 2);
const template = new Float64Array(MOST_SIDE ** 2);
const gradientX = new Float64Array(MOST_SIDE ** 2);
const gradientY = new Float64Array(MOST_SIDE ** 2);
const seen = new Float64Array(MOST_SIDE ** 2);
const scores = new Float64Array(33 * 33);
const placed = new Float64Array(3);

/** Looks for patches near where `homography` (picture's level 0 to the frame, pixels) has them. */
export function searchPatches(
  source: PatchSource,
  frame: Pyramid,
  homography: Float64Array,
  { frameLevel, pictureLevel, radius, half, most }: PatchSearch,
  into: Patches,
): void {
  const picture = source.levels[pictureLevel];
  const places = source.places[pictureLevel];
  const level = frame.levels[frameLevel];
  const zoomOfPicture = 2 ** pictureLevel;
  const zoomOfFrame = 2 ** frameLevel;
  const h = homography;
  const margin = half + 1;
  into.count = 0;
  for (let k = 0; k < places.length && into.count < most; k += 2) {
    const x = (places[k] + 0.5) * zoomOfPicture - 0.5;
    const y = (places[k + 1] + 0.5) * zoomOfPicture - 0.5;
    const w = h[6] * x + h[7] * y + h[8];
    if (!(w > 0)) continue;
    const u = (h[0] * x + h[1] * y + h[2]) / w;
    const v = (h[3] * x + h[4] * y + h[5]) / w;
    const cu = (u + 0.5) / zoomOfFrame - 0.5;
    const cv = (v + 0.5) / zoomOfFrame - 0.5;
    if (cu < margin || cv < margin || cu > level.width - 1 - margin || cv > level.height - 1 - margin) continue;
    // The map's derivative, from pixels of the picture's level to those of the frame's, inverted.
    const unit = zoomOfPicture / (zoomOfFrame * w);
    const a = (h[0] - u * h[6]) * unit;
    const b = (h[1] - u * h[7]) * unit;
    const c = (h[3] - v * h[6]) * unit;
    const d = (h[4] - v * h[7]) * unit;
    const determinant = a * d - b * c;
    if (!(determinant < MOST_ZOOM && determinant > 1 / MOST_ZOOM)) continue;
    const column = Math.round(cu);
    const row = Math.round(cv);
    const inverse = 1 / determinant;
    const drawn = drawTemplate(
      picture,
      places[k],
      places[k + 1],
      column - cu,
      row - cv,
      d * inverse,
      -b * inverse,
      -c * inverse,
      a * inverse,
      half,
    );
    if (!drawn) continue;
    const n = into.count++;
    into.source[2 * n] = x;
    into.source[2 * n + 1] = y;
    into.predicted[2 * n] = u;
    into.predicted[2 * n + 1] = v;
    findBest(level, column, row, radius, half);
    if (placed[2] > 0) settle(level, half);
    into.correlation[n] = placed[2];
    // The window's middle is a whole pixel; the patch's place lies beside it.
    into.found[2 * n] = (placed[0] + cu - column + 0.5) * zoomOfFrame - 0.5;
    into.found[2 * n + 1] = (placed[1] + cv - row + 0.5) * zoomOfFrame - 0.5;
  }
}

/** The patch as whole pixels of the frame show it, less its mean; false where it is flat or leaves the picture. */
function drawTemplate(
  { width, height, data }: Grey,
  x: number,
  y: number,
  du: number,
  dv: number,
  a: number,
  b: number,
  c: number,
  d: number,
  half: number,
): boolean {
  const reach = half + 1;
  const spanX = (Math.abs(a) + Math.abs(b)) * reach;
  const spanY = (Math.abs(c) + Math.abs(d)) * reach;
  const x0 = x + a * du + b * dv;
  const y0 = y + c * du + d * dv;
  if (x0 - spanX < -0.5 || y0 - spanY < -0.5 || x0 + spanX > width - 0.5 || y0 + spanY > height - 0.5) return false;
  const side = 2 * reach + 1;
  const [lastX, lastY] = [width - 1.001, height - 1.001];
  for (let j = -reach, at = 0; j <= reach; j++) {
    for (let i = -reach; i <= reach; i++, at++) {
      const sx = Math.min(Math.max(x0 + a * i + b * j, 0), lastX);
      const sy = Math.min(Math.max(y0 + c * i + d * j, 0), lastY);
      const px = sx | 0;
      const py = sy | 0;
      const fx = sx - px;
      const p = py * width + px;
      const upper = data[p] + fx * (data[p + 1] - data[p]);
      const lower = data[p + width] + fx * (data[p + width + 1] - data[p + width]);
      raw[at] = upper + (sy - py) * (lower - upper);
    }
  }
  const inner = 2 * half + 1;
  const count = inner * inner;
  let mean = 0;
  for (let j = 0, at = 0; j < inner; j++) {
    for (let i = 0, from = (j + 1) * side + 1; i < inner; i++, at++, from++) {
      template[at] = raw[from];
      gradientX[at] = (raw[from + 1] - raw[from - 1]) / 2;
      gradientY[at] = (raw[from + side] - raw[from - side]) / 2;
      mean += raw[from];
    }
  }
  mean /= count;
  let square = 0;
  for (let at = 0; at < count; at++) {
    template[at] -= mean;
    square += template[at] * template[at];
  }
  return square > LEAST_DEVIATION ** 2 * count;
}

/** Writes the whole pixel of the highest correlation, moved by a parabola each way, and the correlation, to `placed`. */
function findBest({ width, height, data }: Grey, column: number, row: number, radius: number, half: number): void {
  const side = 2 * half + 1;
  const count = side * side;
  let norm = 0;
  for (let at = 0; at < count; at++) norm += template[at] * template[at];
  const left = Math.max(-radius, half - column);
  const right = Math.min(radius, width - 1 - half - column);
  const top = Math.max(-radius, half - row);
  const bottom = Math.min(radius, height - 1 - half - row);
  let best = -1;
  let [bestX, bestY] = [0, 0];
  for (let dy = top; dy <= bottom; dy++) {
    for (let dx = left; dx <= right; dx++) {
      let sum = 0;
      let square = 0;
      let product = 0;
      let from = (row + dy - half) * width + column + dx - half;
      for (let j = 0, at = 0; j < side; j++, from += width - side) {
        for (let i = 0; i < side; i++, at++, from++) {
          const value = data[from];
          sum += value;
          square += value * value;
          product += value * template[at];
        }
      }
      const spread = square - (sum * sum) / count;
      const score = spread > count ? product / Math.sqrt(spread * norm) : 0;
      scores[(dy + radius) * (2 * radius + 1) + dx + radius] = score;
      if (score > best) {
        best = score;
        bestX = dx;
        bestY = dy;
      }
    }
  }
  const at = (bestY + radius) * (2 * radius + 1) + bestX + radius;
  const acrossX = bestX > left && bestX < right ? vertex(scores[at - 1], best, scores[at + 1]) : 0;
  const acrossY =
    bestY > top && bestY < bottom ? vertex(scores[at - 2 * radius - 1], best, scores[at + 2 * radius + 1]) : 0;
  placed[0] = column + bestX + acrossX;
  placed[1] = row + bestY + acrossY;
  placed[2] = best;
}

/** Where a parabola through three values one apart has its top, from the middle one. */
function vertex(before: number, middle: number, after: number): number {
  const bend = before - 2 * middle + after;
  return bend < 0 ? Math.min(0.5, Math.max(-0.5, (before - after) / (2 * bend))) : 0;
}

/** Moves `placed` between pixels; left as it is where that does not raise the correlation. */
function settle({ width, height, data }: Grey, half: number): void {
  const side = 2 * half + 1;
  const count = side * side;
  // Gradients less their mean and their share of the template: what gain and bias explain does not move the patch.
  let [norm, meanX, meanY, alongX, alongY] = [0, 0, 0, 0, 0];
  for (let at = 0; at < count; at++) {
    norm += template[at] * template[at];
    meanX += gradientX[at];
    meanY += gradientY[at];
    alongX += gradientX[at] * template[at];
    alongY += gradientY[at] * template[at];
  }
  meanX /= count;
  meanY /= count;
  alongX /= norm;
  alongY /= norm;
  let [xx, xy, yy] = [0, 0, 0];
  for (let at = 0; at < count; at++) {
    const gx = gradientX[at] - meanX - alongX * template[at];
    const gy = gradientY[at] - meanY - alongY * template[at];
    gradientX[at] = gx;
    gradientY[at] = gy;
    xx += gx * gx;
    xy += gx * gy;
    yy += gy * gy;
  }
  const determinant = xx * yy - xy * xy;
  if (!(determinant > 1e-3 * xx * yy)) return;
  const [startX, startY] = [placed[0], placed[1]];
  let [x, y] = [startX, startY];
  for (let step = 0; step < STEPS; step++) {
    const left = x - half;
    const top = y - half;
    if (left < 0 || top < 0 || left + side >= width || top + side >= height) return;
    const [column, row] = [Math.floor(left), Math.floor(top)];
    const [fx, fy] = [left - column, top - row];
    const [w00, w01, w10, w11] = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy];
    let [sum, square, product] = [0, 0, 0];
    for (let j = 0, at = 0; j < side; j++) {
      for (let i = 0, from = (row + j) * width + column; i < side; i++, at++, from++) {
        const value = w00 * data[from] + w01 * data[from + 1] + w10 * data[from + width] + w11 * data[from + width + 1];
        seen[at] = value;
        sum += value;
        square += value * value;
        product += value * template[at];
      }
    }
    const gain = product / norm;
    const spread = square - (sum * sum) / count;
    if (!(gain > 0 && spread > 0)) return;
    const correlation = product / Math.sqrt(spread * norm);
    if (correlation >= placed[2]) {
      placed[0] = x;
      placed[1] = y;
      placed[2] = correlation;
    }
    let [bx, by] = [0, 0];
    for (let at = 0; at < count; at++) {
      bx += gradientX[at] * seen[at];
      by += gradientY[at] * seen[at];
    }
    const moveX = (yy * bx - xy * by) / (determinant * gain);
    const moveY = (xx * by - xy * bx) / (determinant * gain);
    x -= moveX;
    y -= moveY;
    if (Math.abs(x - startX) > FARTHEST || Math.abs(y - startY) > FARTHEST) return;
    if (Math.abs(moveX) < SETTLED && Math.abs(moveY) < SETTLED) {
      placed[0] = x;
      placed[1] = y;
      return;
    }
  }
}
