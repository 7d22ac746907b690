/** Two views of one wall with the homography between them known: for the demo, and for tests that need a truth. */
import { compose, inverse3x3, projectPoints } from "../src/geometry/matrix3.js";
import type { Image } from "../src/image/image.js";
import { Random } from "../src/random.js";
import type { Canvas } from "./canvas.js";
import { drawScene } from "./scene.js";

export interface DemoPair {
  a: Image;
  b: Image;
  /** Row-major 3×3, pixels of a to pixels of b. */
  truth: Float64Array;
}

const [WIDTH, HEIGHT] = [640, 480];
/** Pixels of the wall's drawing for one of image a: enough that both views are sampled down. */
const DETAIL = 1.6;
/** The wall is larger than what a shows of it, so that b, which shows more, does not look past its end. */
const WALL = [1180, 960] as const;

interface Light {
  gain: readonly [number, number, number];
  gamma: number;
  /** How much darker than the middle the corners are, 0 to 1. */
  vignette: number;
  /** Standard deviation of the noise, of 255. */
  noise: number;
}

/** The pair for a seed: b is turned by about 20°, smaller by about 0.8, seen from the side, in other light. */
export function drawDemoPair(seed: number): DemoPair {
  const random = new Random(seed);
  const wall = drawScene(random, WALL[0] * DETAIL, WALL[1] * DETAIL);

  // Wall to a: its middle, at 1 : DETAIL.
  const [left, top] = [(WALL[0] - WIDTH) / 2, (WALL[1] - HEIGHT) / 2];
  const toA = Float64Array.of(1 / DETAIL, 0, -left, 0, 1 / DETAIL, -top, 0, 0, 1);
  const sign = random.uniform() < 0.5 ? -1 : 1;
  const angle = (sign * random.uniform(18, 22) * Math.PI) / 180;
  const zoom = random.uniform(0.78, 0.83);
  const [c, s] = [zoom * Math.cos(angle), zoom * Math.sin(angle)];
  const tilt = [random.uniform(2.2e-4, 3e-4), random.uniform(-1.6e-4, 1.6e-4)];
  const centred = Float64Array.of(1, 0, -WIDTH / 2, 0, 1, -HEIGHT / 2, 0, 0, 1);
  const moved = Float64Array.of(c, -s, 0, s, c, 0, tilt[0], tilt[1], 1);
  const back = Float64Array.of(
    1,
    0,
    WIDTH / 2 + random.uniform(-12, 12),
    0,
    1,
    HEIGHT / 2 + random.uniform(-12, 12),
    0,
    0,
    1,
  );
  const product = compose(back, compose(moved, centred));
  const truth = product.map((value) => value / product[8]);

  const daylight: Light = { gain: [1.04, 1.02, 0.98], gamma: 0.95, vignette: 0.05, noise: 2 };
  const evening: Light = { gain: [1.02, 0.88, 0.74], gamma: 1.18, vignette: 0.3, noise: 3.5 };
  return { a: view(wall, toA, daylight, random), b: view(wall, compose(truth, toA), evening, random), truth };
}

/** The wall through `homography` (wall to image), each pixel the mean of 3×3 points. */
function view(wall: Canvas, homography: Float64Array, light: Light, random: Random): Image {
  const inverse = inverse3x3(homography);
  if (!inverse) throw new Error("the view's homography is singular");
  const image: Image = { width: WIDTH, height: HEIGHT, data: new Uint8Array(3 * WIDTH * HEIGHT) };
  const row = new Float64Array(2 * 9 * WIDTH);
  const sum = [0, 0, 0];
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      for (let k = 0; k < 9; k++) {
        row[18 * x + 2 * k] = x + ((k % 3) - 1) / 3;
        row[18 * x + 2 * k + 1] = y + (Math.floor(k / 3) - 1) / 3;
      }
    }
    const points = projectPoints(inverse, row);
    for (let x = 0; x < WIDTH; x++) {
      sum.fill(0);
      for (let k = 0; k < 9; k++) addSample(wall, points[18 * x + 2 * k], points[18 * x + 2 * k + 1], sum);
      const radius = Math.hypot(x / WIDTH - 0.5, y / HEIGHT - 0.5) / Math.SQRT1_2;
      const shade = 1 - light.vignette * radius * radius;
      for (let channel = 0; channel < 3; channel++) {
        const value = light.gain[channel] * shade * 255 * Math.max(0, sum[channel] / (9 * 255)) ** light.gamma;
        image.data[3 * (y * WIDTH + x) + channel] = Math.min(
          255,
          Math.max(0, value + light.noise * random.normal() + 0.5),
        );
      }
    }
  }
  return image;
}

/** Adds the bilinear sample at (x, y); beyond the wall's edge its last pixel goes on. */
function addSample({ width, height, data }: Canvas, x: number, y: number, sum: number[]): void {
  const px = Math.min(width - 1.001, Math.max(0, x));
  const py = Math.min(height - 1.001, Math.max(0, y));
  const i = Math.floor(px);
  const j = Math.floor(py);
  const u = px - i;
  const v = py - j;
  const at = 3 * (j * width + i);
  const below = at + 3 * width;
  for (let c = 0; c < 3; c++) {
    const upper = data[at + c] + u * (data[at + 3 + c] - data[at + c]);
    const lower = data[below + c] + u * (data[below + 3 + c] - data[below + c]);
    sum[c] += upper + v * (lower - upper);
  }
}
