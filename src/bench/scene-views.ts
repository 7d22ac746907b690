/**
 * Two views of a drawn scene with depth: a photograph as backdrop, pieces of it on planes of their own in front, and one
 * motion of the camera, so that a single essential matrix holds for all of them. (The planes that training draws each move
 * by themselves: no camera sees them so.)
 */
import type { Intrinsics } from "../geometry/intrinsics.js";
import { compose, type Matrix3, projectPoints } from "../geometry/matrix3.js";
import type { Image } from "../image/image.js";
import { warpImage } from "../image/warp.js";
import type { Random } from "../random.js";
import { coverageOf, drawOutline, layOver, pieceOf } from "../train/data/planes.js";

/** Two views, their camera, and points of both that show the same. */
export interface SceneViews {
  images: [Image, Image];
  /** Of both views. */
  intrinsics: Intrinsics;
  /** Points of view 1 on a grid, x0, y0, x1, y1, …, as far as view 2 shows them, and where it does. */
  points: [Float64Array, Float64Array];
}

/** Most planes in front of the backdrop; how many is drawn evenly. */
const MOST_PLANES = 3;
/** Focal length in sizes of the view. */
const FOCAL = [0.8, 1.6] as const;
/** Way of the camera, in distances of the backdrop. */
const WAY = [0.04, 0.3] as const;
/** Largest turn about the optical axis, and of the middle away from where it was, in radians. */
const [ROLL, OFF_MIDDLE] = [0.6, 0.08];
/** Change of inverse depth across a plane, per unit of a ray's x and y. */
const TILT = 0.35;
/** Largest inverse depth of the nearest plane, of 1 at the backdrop. */
const NEAREST = 2.4;
/** The photograph is as much larger than the view, so that its edge shows little. */
const MARGIN = 1.25;
/** Pixels between the points that are told. */
const GRID = 16;

/** Draws a scene of a photograph, seen in two lights: square images of one size, which is the views'. */
export function drawSceneViews(photos: readonly [Image, Image], random: Random): SceneViews {
  const size = photos[0].width;
  const canvas = { width: size, height: size };
  const middle = (size - 1) / 2;
  const focal = random.uniform(...FOCAL) * size;
  const intrinsics = { fx: focal, fy: focal, cx: middle, cy: middle };
  const motion = drawMotion(random);
  const shift = middle * (1 - MARGIN);
  const placed = Float64Array.of(MARGIN, 0, shift, 0, MARGIN, shift, 0, 0, 1);
  const count = random.integer(MOST_PLANES + 1);
  const planes: { outline: Float64Array | null; piece: Float64Array; map: Float64Array }[] = [
    { outline: null, piece: placed, map: planeMap(motion, intrinsics, 1, random) },
  ];
  for (let k = 0; k < count; k++) {
    const nearness = 1 + ((NEAREST - 1) * (k + random.uniform(0.3, 1))) / count;
    const map = planeMap(motion, intrinsics, nearness, random);
    planes.push({ outline: drawOutline(size, random), piece: compose(placed, pieceOf([size, size], k)), map });
  }
  const labels = new Uint8Array(size * size);
  const images = photos.map((photo, side) => {
    const view: Image = { ...canvas, data: new Uint8Array(3 * size * size) };
    for (const [label, { outline, piece, map }] of planes.entries()) {
      const drawn = warpImage(photo, side === 0 ? piece : compose(map, piece), canvas);
      const seen = side === 0 ? labels : new Uint8Array(size * size);
      if (outline === null) view.data.set(drawn.data);
      else layOver(view, seen, drawn, coverageOf(side === 0 ? outline : projectPoints(map, outline), size), label);
    }
    return view;
  }) as [Image, Image];
  const points = told(
    size,
    labels,
    planes.map(({ map }) => map),
  );
  return { images, intrinsics, points };
}

interface Motion {
  rotation: Float64Array;
  translation: [number, number, number];
}

/** A camera that moves and keeps what was in the middle near it. */
function drawMotion(random: Random): Motion {
  const angle = random.uniform(0, 2 * Math.PI);
  const direction = [Math.cos(angle), Math.sin(angle), random.uniform(-0.5, 0.5)];
  const way = random.uniform(...WAY) / Math.hypot(...direction);
  const [x, y, z] = direction.map((value) => way * value);
  const off = () => random.uniform(-OFF_MIDDLE, OFF_MIDDLE);
  const [sinY, cosY] = sinCos(off() - x);
  const [sinX, cosX] = sinCos(y - off());
  const [sinZ, cosZ] = sinCos(random.uniform(-ROLL, ROLL));
  const rotation = compose(
    compose(
      Float64Array.of(cosY, 0, sinY, 0, 1, 0, -sinY, 0, cosY),
      Float64Array.of(1, 0, 0, 0, cosX, -sinX, 0, sinX, cosX),
    ),
    Float64Array.of(cosZ, -sinZ, 0, sinZ, cosZ, 0, 0, 0, 1),
  );
  return { rotation, translation: [x, y, z] };
}

const sinCos = (angle: number): [number, number] => [Math.sin(angle), Math.cos(angle)];

/** K (R + t nᵀ) K⁻¹ of a plane nᵀX = 1 with this inverse depth on the optical axis, tilted at random. */
function planeMap({ rotation, translation }: Motion, { fx, cx, cy }: Intrinsics, nearness: number, random: Random) {
  const normal = [random.uniform(-TILT, TILT), random.uniform(-TILT, TILT), 1].map((value) => value * nearness);
  const map = rotation.map((value, k) => value + translation[Math.floor(k / 3)] * normal[k % 3]);
  const toPixels = Float64Array.of(fx, 0, cx, 0, fx, cy, 0, 0, 1);
  const toRays = Float64Array.of(1 / fx, 0, -cx / fx, 0, 1 / fx, -cy / fx, 0, 0, 1);
  return compose(toPixels, compose(map, toRays));
}

/** Points on a grid of view 1, carried by the plane that is seen there, which stay in view 2. */
function told(size: number, labels: Uint8Array, maps: readonly Matrix3[]): [Float64Array, Float64Array] {
  const from: number[] = [];
  const to: number[] = [];
  for (let y = GRID / 2; y < size; y += GRID) {
    for (let x = GRID / 2; x < size; x += GRID) {
      const [u, v] = projectPoints(maps[labels[y * size + x]], [x, y]);
      if (!(u >= 0 && v >= 0 && u <= size - 1 && v <= size - 1)) continue;
      from.push(x, y);
      to.push(u, v);
    }
  }
  return [Float64Array.from(from), Float64Array.from(to)];
}
