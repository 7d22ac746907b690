/**
 * Random pairs of views of one photograph. Both views are warped, so that neither is told from the other by being
 * sharper, and both lie wholly inside the photograph, so that no pixel is made up: given the warps, the photograph is
 * scaled and placed so that both fit.
 *
 * Rotation and zoom are drawn once per pair, and so are spread exactly as stated; perspective, shear and shift are drawn
 * again, weaker each time, until the views overlap enough.
 */
import { OptionError } from "../../errors.js";
import { convexArea, cutToSquare } from "../../geometry/convex-polygon.js";
import { compose, imageCorners, inverse3x3, type Matrix3, projectPoints } from "../../geometry/matrix3.js";
import { checkNumber, withDefaults } from "../../options.js";
import type { Random } from "../../random.js";

/** How a homography is estimated. */
export interface HomographyOptions {
  /** Largest turn of view 2 against view 1 in either sense, degrees, drawn evenly. Default 180. */
  rotation: number;
  /** Largest enlargement of view 2 against view 1, and inverse of the largest reduction, drawn log-evenly. Default 2. */
  zoom: number;
  /** Largest change of depth from the middle of a view to the middle of an edge, of 1. Default 0.2. */
  perspective: number;
  /** Logarithm of the largest stretch along a direction, drawn evenly; it is squeezed as much across it. Default 0.2. */
  shear: number;
  /** Largest offset of the middles along x and along y, in the size of the view that shows less. Default 0.25. */
  shift: number;
  /** Share of rotation, perspective and shear that view 1 gets against the photograph. Default 0.25. */
  first: number;
  /** Largest reduction of the photograph in the sharper view, drawn log-evenly, as far as it is large enough. Default 2. */
  reduce: number;
  /** Least share of either view that the other shows; at most 0.8 / zoom². Default 0.2. */
  minOverlap: number;
}

export const HOMOGRAPHY_DEFAULTS: HomographyOptions = {
  rotation: 180,
  zoom: 2,
  perspective: 0.2,
  shear: 0.2,
  shift: 0.25,
  first: 0.25,
  reduce: 2,
  minOverlap: 0.2,
};

/** Draws of perspective, shear and shift, from full strength to none. */
const ATTEMPTS = 12;
/** Least by largest depth in a view: what is foreshortened more is drawn again. */
export const LEAST_DEPTH = 1 / 8;
/** What overlap is left of 1 / zoom² when a square is turned over a square (least at zoom 1 and 45°: 0.83). */
const TURNED = 0.8;

/** Two views: row-major 3×3 maps of pixels, pixel centres on integers. */
export interface DrawnViews {
  /** Photograph to view 1, photograph to view 2. */
  views: [Float64Array, Float64Array];
  /** View 1 to view 2. */
  matrix: Float64Array;
  /** Share of view 1 that view 2 shows, and of view 2 that view 1 shows. */
  overlap: [number, number];
}

/** Defaults overlaid by `given`; an OptionError for anything that is not offered. */
export function homographyOptions(given: Partial<HomographyOptions> = {}): HomographyOptions {
  const where = "homographies";
  const options = withDefaults(where, HOMOGRAPHY_DEFAULTS, given);
  checkNumber(where, "rotation", options.rotation, { min: 0, max: 180 });
  checkNumber(where, "zoom", options.zoom, { min: 1, max: 8 });
  // Two of them add up at a corner, where the depth must stay well above 0.
  checkNumber(where, "perspective", options.perspective, { min: 0, max: 0.4 });
  checkNumber(where, "shear", options.shear, { min: 0, max: 1 });
  checkNumber(where, "shift", options.shift, { min: 0, max: 1 });
  checkNumber(where, "first", options.first, { min: 0, max: 1 });
  checkNumber(where, "reduce", options.reduce, { min: 1, max: 16 });
  checkNumber(where, "minOverlap", options.minOverlap, { min: 0, max: 1 });
  const most = TURNED / options.zoom ** 2;
  // 0.8 / 2² is 0.2 but for rounding.
  if (options.minOverlap > most + 1e-9) {
    throw new OptionError(
      `${where}: "minOverlap" is ${options.minOverlap}, but views at zoom ${options.zoom} share at most ` +
        `${most.toPrecision(3)} of the wider one; lower it or "zoom"`,
    );
  }
  return options;
}

/** Views of size × size pixels of a photograph of [width, height]. `options` as `homographyOptions` gives them. */
export function drawViews(
  photo: readonly [number, number],
  size: number,
  options: HomographyOptions,
  random: Random,
): DrawnViews {
  const turn = radians(random.uniform(-options.rotation, options.rotation));
  const tilt = radians(random.uniform(-options.rotation, options.rotation)) * options.first;
  const zoom = options.zoom ** random.uniform(-1, 1);
  const reduction = options.reduce ** random.uniform();
  const { base, matrix, overlap, around } = drawWarps(tilt, turn, zoom, size, options, random);
  const view1 = compose(base, placeOn(photo, around, Math.max(1, zoom) * reduction, random));
  return { views: [view1, compose(matrix, view1)], matrix, overlap };
}

interface Warps extends Omit<DrawnViews, "views"> {
  /** A frame of the photograph, scaled and placed anyhow, to view 1. */
  base: Float64Array;
  /** What both views show of that frame: least x and y, largest x and y. */
  around: [number, number, number, number];
}

/** The views' warps for rotations and a zoom, with as much of the rest as leaves enough overlap. */
function drawWarps(
  tilt: number,
  turn: number,
  zoom: number,
  size: number,
  options: HomographyOptions,
  random: Random,
): Warps {
  const corners = imageCorners([size, size]);
  for (let attempt = 0; ; attempt++) {
    const strength = 1 - attempt / (ATTEMPTS - 1);
    const base = drawWarp(tilt, 1, size, scaled(options, strength * options.first, 0), random);
    const matrix = drawPair(turn, zoom, size, scaled(options, strength, strength), random);
    const overlap = overlapOf(matrix, size);
    const back = [inverseOf(base), inverseOf(compose(matrix, base))];
    const isMild = [base, matrix, inverseOf(matrix), ...back].every((map) => depthRatio(map, corners) >= LEAST_DEPTH);
    if (attempt === ATTEMPTS - 1 || (isMild && Math.min(...overlap) >= options.minOverlap)) {
      return { base, matrix, overlap, around: bounds(back.map((map) => projectPoints(map, corners))) };
    }
  }
}

type Strengths = Pick<HomographyOptions, "perspective" | "shear" | "shift">;

function scaled({ perspective, shear, shift }: Strengths, by: number, shiftBy: number): Strengths {
  return { perspective: perspective * by, shear: shear * by, shift: shift * shiftBy };
}

/** View 1 to view 2. A reduction is the inverse of an enlargement, so that neither is more distorted. */
function drawPair(turn: number, zoom: number, size: number, strengths: Strengths, random: Random): Float64Array {
  return zoom >= 1
    ? drawWarp(turn, zoom, size, strengths, random)
    : inverseOf(drawWarp(-turn, 1 / zoom, size, strengths, random));
}

/** A change of depth, a stretch, a turn and a zoom about the middle of a view, then an offset; in pixels. */
function drawWarp(turn: number, zoom: number, size: number, strengths: Strengths, random: Random): Float64Array {
  const { perspective, shear, shift } = strengths;
  const middle = (size - 1) / 2;
  const half = size / 2;
  const [tiltX, tiltY] = [random.uniform(-perspective, perspective), random.uniform(-perspective, perspective)];
  const [a, b, c, d] = linear(turn, zoom, random.uniform(0, Math.PI), Math.exp(random.uniform(-shear, shear)));
  const [x, y] = [random.uniform(-shift, shift) * size, random.uniform(-shift, shift) * size];
  const toMiddle = Float64Array.of(1, 0, -middle, 0, 1, -middle, 0, 0, 1);
  const depth = Float64Array.of(1, 0, 0, 0, 1, 0, tiltX / half, tiltY / half, 1);
  const turned = Float64Array.of(a, b, 0, c, d, 0, 0, 0, 1);
  const back = Float64Array.of(1, 0, middle + x, 0, 1, middle + y, 0, 0, 1);
  const matrix = compose(back, compose(turned, compose(depth, toMiddle)));
  return matrix.map((value) => value / matrix[8]);
}

/** A stretch along a direction, squeezing as much across it, then a rotation and a zoom: row-major 2×2. */
export function linear(turn: number, zoom: number, along: number, stretch: number): [number, number, number, number] {
  const [c, s] = [Math.cos(along), Math.sin(along)];
  // Written so that no stretch is exactly none.
  const across = 1 / stretch;
  const xx = across + c * c * (stretch - across);
  const xy = c * s * (stretch - across);
  const yy = across + s * s * (stretch - across);
  const [C, S] = [zoom * Math.cos(turn), zoom * Math.sin(turn)];
  return [C * xx - S * xy, C * xy - S * yy, S * xx + C * xy, S * xy + C * yy];
}

/** Least by largest depth at the corners; not above 0 where the map's horizon crosses the view. */
export function depthRatio(map: Matrix3, corners: Float64Array): number {
  const side = Math.sign(map[6] * corners[0] + map[7] * corners[1] + map[8]);
  const depths: number[] = [];
  for (let i = 0; i < corners.length; i += 2) {
    depths.push(side * (map[6] * corners[i] + map[7] * corners[i + 1] + map[8]));
  }
  return Math.min(...depths) / Math.max(...depths);
}

/**
 * Share of view 1 that view 2 shows, and of view 2 that view 1 shows, of two views of size × size pixels (whose area
 * reaches half a pixel beyond the centres of those at the border).
 */
export function overlapOf(matrix: Matrix3, size: number): [number, number] {
  const share = (map: Matrix3) => {
    const [low, high] = [-0.5, size - 0.5];
    const square = Float64Array.of(low, low, high, low, high, high, low, high);
    return convexArea(cutToSquare(projectPoints(map, square), low, high)) / size ** 2;
  };
  return [share(inverseOf(matrix)), share(matrix)];
}

/**
 * The photograph to a frame in which `around` must be seen: reduced by `reduction` where the photograph is large enough,
 * else as little enlarged as it takes; anywhere it fits.
 */
function placeOn(
  [width, height]: readonly [number, number],
  [left, top, right, bottom]: readonly number[],
  reduction: number,
  random: Random,
): Float64Array {
  // Beyond the centres of the pixels at the border there is nothing to interpolate.
  const fits = Math.max((right - left) / Math.max(width - 1, 1), (bottom - top) / Math.max(height - 1, 1));
  const scale = Math.max(1 / reduction, fits);
  const x = left - random.uniform() * (scale * (width - 1) - (right - left));
  const y = top - random.uniform() * (scale * (height - 1) - (bottom - top));
  return Float64Array.of(scale, 0, x, 0, scale, y, 0, 0, 1);
}

/** Least x and y, largest x and y of points x, y, … */
function bounds(points: readonly Float64Array[]): [number, number, number, number] {
  const all = points.flatMap((flat) => [...flat]);
  const xs = all.filter((_, i) => i % 2 === 0);
  const ys = all.filter((_, i) => i % 2 === 1);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

function inverseOf(matrix: Matrix3): Float64Array {
  const inverse = inverse3x3(matrix);
  if (!inverse) throw new OptionError(`homographies: the map has no inverse: ${Array.from(matrix).join(", ")}`);
  return inverse;
}
