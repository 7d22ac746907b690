/**
 * The photograph of a print on a wall, drawn: a picture in a frame or without one, smaller than the view, seen at an angle,
 * turned, partly outside of it, behind glass that reflects a room, in other light, by a camera with its faults.
 */
import { compose, type Matrix3, projectPoints } from "../../geometry/matrix3.js";
import { type Image, newPixels } from "../../image/image.js";
import { resizeImage } from "../../image/resize.js";
import { warpImage } from "../../image/warp.js";
import type { Random } from "../../random.js";
import { changeLight, drawChange, photometricOptions } from "../../train/data/photometric.js";

/** How prints are seen. */
export interface PrintViewOptions {
  /** [width, height] of the view in pixels. Default [1280, 960]. */
  size?: readonly [number, number];
  /** Least and largest size of the picture, of the view's. Default [0.2, 0.8]. */
  share?: readonly [number, number];
  /** Largest angle between the wall and the view, in degrees. Default 50. */
  tilt?: number;
  /** Largest turn in the view, either way, in degrees. Default 30. */
  turn?: number;
  /** Largest part of the picture's width, and of its height, that is outside. Default 0.2. */
  outside?: number;
  /** Least and largest quality of JPEG. Default [50, 80]. */
  quality?: readonly [number, number];
}

/** A view of a print. */
export interface PrintView {
  image: Image;
  /** Pixels of the picture to pixels of the view. */
  matrix: Float64Array;
  /** Size of the picture, of the view's, where it were not tilted. */
  share: number;
  /** Degrees. */
  tilt: number;
  /** The quality of JPEG that belongs to the view, for whoever can encode it. */
  quality: number;
}

const LIGHT = photometricOptions({ exposure: 0.7, grey: 0, blur: 1.2, motion: 3, shadow: 0.5, jpegQuality: 100 });

/** The picture as a print in front of `wall`, with `room` in its glass. Same numbers from `random`, same view. */
export function drawPrintView(
  picture: Image,
  wall: Image,
  room: Image,
  random: Random,
  {
    size = [1280, 960],
    share = [0.2, 0.8],
    tilt = 50,
    turn = 30,
    outside = 0.2,
    quality = [50, 80],
  }: PrintViewOptions = {},
): PrintView {
  const [width, height] = size;
  const part = random.uniform(...share);
  const angle = random.uniform(0, tilt);
  const scale = part * Math.min(width / picture.width, height / picture.height);
  const [w, h] = [scale * picture.width, scale * picture.height];
  const reach = (edge: number, whole: number) => Math.max(0, (whole - edge) / 2 + outside * edge);
  const place = [width, height].map((whole, k) => {
    const edge = k === 0 ? w : h;
    return whole / 2 - 0.5 + random.uniform(-1, 1) * reach(edge, whole);
  });
  const matrix = compose(
    planeMap(
      scale,
      rotation(random.uniform(0, 2 * Math.PI), radians(angle), radians(random.uniform(-turn, turn))),
      width,
      place,
    ),
    Float64Array.of(1, 0, -(picture.width - 1) / 2, 0, 1, -(picture.height - 1) / 2, 0, 0, 1),
  );
  const view = drawWall(wall, width, height, random);
  layOver(view, framed(picture, random), matrix, picture);
  const print = { ...warpImage(picture, matrix, { width, height }), matrix };
  const glass = drawGlass(room, width, height, random);
  putPrint(view, print, glass, insideOf(picture, matrix, width, height));
  const change = drawChange(width, height, LIGHT, random);
  return {
    image: changeLight(view, change),
    matrix,
    share: part,
    tilt: angle,
    quality: Math.round(random.uniform(...quality)),
  };
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** A turn in the plane, then a tilt about an axis in it that lies at `axis`. */
function rotation(axis: number, tilt: number, turn: number): Float64Array {
  const about = (angle: number) => {
    const [s, c] = [Math.sin(angle), Math.cos(angle)];
    return Float64Array.of(c, -s, 0, s, c, 0, 0, 0, 1);
  };
  const [s, c] = [Math.sin(tilt), Math.cos(tilt)];
  const tilted = Float64Array.of(1, 0, 0, 0, c, -s, 0, s, c);
  return compose(about(axis), compose(tilted, compose(about(-axis), about(turn))));
}

/** Points of a plane, in pixels around the picture's centre, to the view: as far away as the focal length, which is the view's width. */
function planeMap(scale: number, [a, b, , c, d, , e, f]: Float64Array, focal: number, [x, y]: number[]): Float64Array {
  const projected = Float64Array.of(focal * a, focal * b, 0, focal * c, focal * d, 0, e, f, focal);
  const placed = Float64Array.of(1, 0, x, 0, 1, y, 0, 0, 1);
  return compose(placed, compose(projected, Float64Array.of(scale, 0, 0, 0, scale, 0, 0, 0, 1)));
}

/** A plain wall with a fall of light and a grain, or a photograph. */
function drawWall(photo: Image, width: number, height: number, random: Random): Image {
  if (random.uniform() < 0.5) return resizeImage(photo, width, height);
  const view: Image = { width, height, data: newPixels("drawPrintView", width, height) };
  const base = [0, 1, 2].map(() => random.uniform(90, 230));
  const [fallX, fallY, grain] = [random.uniform(-50, 50), random.uniform(-50, 50), random.uniform(2, 10)];
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      const light = fallX * (x / width - 0.5) + fallY * (y / height - 0.5) + random.uniform(-grain, grain);
      for (let k = 0; k < 3; k++) view.data[at + k] = Math.min(255, Math.max(0, base[k] + light));
    }
  }
  return view;
}

interface Border {
  /** Of the picture's longer edge. */
  wide: number;
  colour: [number, number, number];
}

/** What surrounds the picture, from outside to inside: a frame and a mat, a white edge, or nothing. */
function framed({ width, height }: Image, random: Random): Border[] {
  const longer = Math.max(width, height);
  const kind = random.integer(3);
  const dark = [0, 1, 2].map(() => random.uniform(10, 110)) as Border["colour"];
  const frame = random.uniform(0.02, 0.05) * longer;
  const mat = random.uniform(0.02, 0.1) * longer;
  const pale: Border["colour"] = [240, 238, 232];
  if (kind === 0) return [];
  if (kind === 1) return [{ wide: mat, colour: pale }];
  return [
    { wide: frame + mat, colour: dark },
    { wide: mat, colour: pale },
  ];
}

function layOver(view: Image, borders: readonly Border[], matrix: Matrix3, picture: Image): void {
  for (const { wide, colour } of borders) {
    const inside = insideOf(picture, matrix, view.width, view.height, wide);
    for (let i = 0; i < inside.length; i++) if (inside[i]) view.data.set(colour, 3 * i);
  }
}

/** 1 where the view shows the picture, or what is at most `margin` of its pixels beside it. */
function insideOf(picture: Image, matrix: Matrix3, width: number, height: number, margin = 0): Uint8Array {
  const [right, bottom] = [picture.width - 0.5 + margin, picture.height - 0.5 + margin];
  const edge = -0.5 - margin;
  const corners = projectPoints(matrix, [edge, edge, right, edge, right, bottom, edge, bottom]);
  const mask = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let inside = true;
      for (let k = 0; k < 8 && inside; k += 2) {
        const [ax, ay, bx, by] = [corners[k], corners[k + 1], corners[(k + 2) % 8], corners[(k + 3) % 8]];
        inside = (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0;
      }
      if (inside) mask[y * width + x] = 1;
    }
  }
  return mask;
}

interface Glass {
  room: Image;
  /** Largest share of the room's light, and in which direction it grows. */
  strength: number;
  direction: number;
  /** Lamps: x, y, radius in pixels, strength. */
  lamps: [number, number, number, number][];
}

function drawGlass(room: Image, width: number, height: number, random: Random): Glass {
  // Out of focus: a room is not where the print is.
  const small = resizeImage(room, Math.max(1, width >> 4), Math.max(1, height >> 4));
  return {
    room: resizeImage(small, width, height),
    strength: random.uniform() < 0.3 ? 0 : random.uniform(0.05, 0.45),
    direction: random.uniform(0, 2 * Math.PI),
    lamps: Array.from({ length: random.integer(3) }, () => [
      random.uniform(0, width),
      random.uniform(0, height),
      random.uniform(0.02, 0.12) * width,
      random.uniform(0.3, 1),
    ]),
  };
}

/** The print where it is, behind its glass. */
function putPrint(view: Image, print: Image, { room, strength, direction, lamps }: Glass, inside: Uint8Array): void {
  const { width, height, data } = view;
  const [dx, dy] = [Math.cos(direction) / width, Math.sin(direction) / height];
  for (let i = 0; i < inside.length; i++) {
    if (!inside[i]) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    const grows = 0.5 + (x - width / 2) * dx + (y - height / 2) * dy;
    const share = strength * Math.min(1, Math.max(0, grows));
    let lamp = 0;
    for (const [lx, ly, radius, bright] of lamps) {
      lamp += 255 * bright * Math.exp(-((x - lx) ** 2 + (y - ly) ** 2) / (2 * radius ** 2));
    }
    for (let k = 3 * i; k < 3 * i + 3; k++) {
      data[k] = Math.min(255, (1 - 0.6 * share) * print.data[k] + share * room.data[k] + lamp);
    }
  }
}
