/**
 * Views that are not one plane: pieces of a photograph stand in front of it, each a plane with a homography of its own,
 * so that the nearer one hides what is behind it and moves further when the camera does. Viewpoint and edges of depth
 * without data of depth, and what corresponds is known to a fraction of a pixel still.
 */
import { compose, type Matrix3, projectPoints } from "../../geometry/matrix3.js";
import type { Image } from "../../image/image.js";
import { checkNumber, withDefaults } from "../../options.js";
import type { Random } from "../../random.js";
import { depthRatio, LEAST_DEPTH, linear } from "./homographies.js";

export interface PlanesOptions {
  /** Most planes in front of the photograph, 0 to 3; how many is drawn evenly. Default 0. */
  most: number;
  /** Farthest that the nearest plane moves against the photograph, in sizes of the view. Default 0.15. */
  parallax: number;
  /** Largest change of depth across a plane against the photograph's, from its middle over half a view. Default 0.15. */
  tilt: number;
  /** Logarithm of the largest stretch of a plane against the photograph. Default 0.15. */
  shear: number;
}

export const PLANES_DEFAULTS: PlanesOptions = { most: 0, parallax: 0.15, tilt: 0.15, shear: 0.15 };

/** More would be pieces of the photograph that are there already. */
const MOST_PLANES = 3;

/** Defaults overlaid by `given`; an OptionError for anything that is not offered. */
export function planesOptions(given: Partial<PlanesOptions> = {}): PlanesOptions {
  const where = "planes";
  const options = withDefaults(where, PLANES_DEFAULTS, given);
  checkNumber(where, "most", options.most, { min: 0, max: MOST_PLANES, integer: true });
  checkNumber(where, "parallax", options.parallax, { min: 0, max: 1 });
  checkNumber(where, "tilt", options.tilt, { min: 0, max: 0.4 });
  checkNumber(where, "shear", options.shear, { min: 0, max: 1 });
  return options;
}

/** A piece of the photograph in front of it. */
export interface Plane {
  /** Corners of its convex outline in view 1, x0, y0, x1, … */
  outline: Float64Array;
  /** View 1 to view 2. */
  matrix: Float64Array;
}

/** Ways in which a plane is drawn, tried until one does not tip over. */
const ATTEMPTS = 8;

/** Planes in front of views of size × size pixels whose photograph goes by `matrix` from view 1 to view 2, farthest first. */
export function drawPlanes(size: number, matrix: Matrix3, options: PlanesOptions, random: Random): Plane[] {
  const count = random.integer(options.most + 1);
  const direction = random.uniform(0, 2 * Math.PI);
  return Array.from({ length: count }, (_, k) => {
    const outline = drawOutline(size, random);
    // The nearer, the farther it moves.
    const way = options.parallax * size * ((k + random.uniform(0.3, 1)) / count);
    const [x, y] = projectPoints(matrix, middleOf(outline));
    const to = [x + way * Math.cos(direction), y + way * Math.sin(direction)] as const;
    for (let attempt = 1; ; attempt++) {
      const strength = 1 - attempt / ATTEMPTS;
      const own = compose(drawTilt([x, y], to, size, options, strength, random), matrix);
      if (strength === 0 || depthRatio(own, outline) >= LEAST_DEPTH) {
        return { outline, matrix: own.map((value) => value / own[8]) };
      }
    }
  });
}

/** Corners on an ellipse: a convex outline. */
export function drawOutline(size: number, random: Random): Float64Array {
  const [x, y] = [random.uniform(0.15, 0.85) * size, random.uniform(0.15, 0.85) * size];
  const [a, b] = [random.uniform(0.12, 0.3) * size, random.uniform(0.12, 0.3) * size];
  const turn = random.uniform(0, Math.PI);
  const count = 4 + random.integer(4);
  const outline = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const angle = (2 * Math.PI * (i + random.uniform(-0.3, 0.3))) / count;
    const [u, v] = [a * Math.cos(angle), b * Math.sin(angle)];
    outline[2 * i] = x + u * Math.cos(turn) - v * Math.sin(turn);
    outline[2 * i + 1] = y + u * Math.sin(turn) + v * Math.cos(turn);
  }
  return outline;
}

function middleOf(outline: Float64Array): Float64Array {
  const sum = [0, 0];
  outline.forEach((value, i) => {
    sum[i % 2] += value;
  });
  return Float64Array.from(sum, (value) => (2 * value) / outline.length);
}

/** A change of depth and a stretch about a point of view 2, which then lies elsewhere. */
function drawTilt(
  [x, y]: readonly [number, number],
  to: readonly [number, number],
  size: number,
  { tilt, shear }: PlanesOptions,
  strength: number,
  random: Random,
): Float64Array {
  const slope = () => (strength * random.uniform(-tilt, tilt)) / (size / 2);
  const stretch = Math.exp(strength * random.uniform(-shear, shear));
  const [a, b, c, d] = linear(0, 1, random.uniform(0, Math.PI), stretch);
  const fromPoint = Float64Array.of(1, 0, -x, 0, 1, -y, 0, 0, 1);
  const tilted = Float64Array.of(a, b, 0, c, d, 0, slope(), slope(), 1);
  return compose(Float64Array.of(1, 0, to[0], 0, 1, to[1], 0, 0, 1), compose(tilted, fromPoint));
}

/**
 * The photograph onto itself, so that a plane shows another part of it than what is behind: mirrored or turned about its
 * middle, and enlarged there, which leaves no place without pixels.
 */
export function pieceOf([width, height]: readonly [number, number], plane: number): Float64Array {
  const [sx, sy, zoom] = [
    [-1, 1, 1],
    [1, -1, 1.4],
    [-1, -1, 1.8],
  ][plane % MOST_PLANES];
  const [cx, cy] = [(width - 1) / 2, (height - 1) / 2];
  return Float64Array.of(sx * zoom, 0, cx - sx * zoom * cx, 0, sy * zoom, cy - sy * zoom * cy, 0, 0, 1);
}

/** How much of each pixel of a view of size × size lies in a convex outline, 0..1: edges are a pixel wide. */
export function coverageOf(outline: ArrayLike<number>, size: number): Float32Array {
  const edges: [nx: number, ny: number, from: number][] = [];
  let twice = 0;
  for (let i = 0; i < outline.length; i += 2) {
    const next = (i + 2) % outline.length;
    const [dx, dy] = [outline[next] - outline[i], outline[next + 1] - outline[i + 1]];
    twice += outline[i] * outline[next + 1] - outline[next] * outline[i + 1];
    const length = Math.hypot(dx, dy);
    if (length > 0) edges.push([dy / length, -dx / length, (outline[i] * dy - outline[i + 1] * dx) / length]);
  }
  // Outwards for corners that go round either way.
  const side = Math.sign(twice);
  const coverage = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let outside = Number.NEGATIVE_INFINITY;
      for (const [nx, ny, from] of edges) outside = Math.max(outside, side * (nx * x + ny * y - from));
      coverage[y * size + x] = Math.min(1, Math.max(0, 0.5 - outside));
    }
  }
  return coverage;
}

/** Lays a plane of the same size over a view, where it covers it, and notes it as `label`. In place. */
export function layOver(view: Image, labels: Uint8Array, plane: Image, coverage: Float32Array, label: number): void {
  for (let i = 0; i < coverage.length; i++) {
    const share = coverage[i];
    if (share === 0) continue;
    if (share >= 0.5) labels[i] = label;
    for (let c = 3 * i; c < 3 * i + 3; c++) view.data[c] += share * (plane.data[c] - view.data[c]) + 0.5;
  }
}
