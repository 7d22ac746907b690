/** A wall of posters, drawn by code: flat, so that two views of it are joined by a homography, and rich in detail. */
import type { Random } from "../src/random.js";
import { type Canvas, type Colour, circle, fill, newCanvas, polygon, smoothNoise, stroke } from "./canvas.js";

type Point = readonly [number, number];

/** Paper and inks of a poster: ground, its lower end, and three colours to draw with. */
const PALETTES: readonly (readonly Colour[])[] = [
  [
    [242, 232, 210],
    [224, 204, 170],
    [180, 52, 44],
    [34, 62, 92],
    [222, 158, 54],
  ],
  [
    [32, 58, 84],
    [18, 34, 58],
    [240, 206, 120],
    [226, 98, 74],
    [216, 226, 230],
  ],
  [
    [206, 84, 60],
    [168, 52, 44],
    [250, 234, 200],
    [40, 36, 44],
    [246, 184, 86],
  ],
  [
    [214, 226, 214],
    [170, 198, 186],
    [44, 94, 86],
    [206, 110, 70],
    [28, 40, 44],
  ],
  [
    [246, 204, 96],
    [232, 170, 60],
    [52, 44, 88],
    [196, 62, 72],
    [250, 244, 226],
  ],
  [
    [60, 54, 92],
    [38, 32, 66],
    [244, 138, 116],
    [134, 196, 190],
    [248, 226, 176],
  ],
];

/** Places of the posters in units of the wall's size: centre x, y, width, height, turn in degrees. */
const PLACES = [
  [0.15, 0.22, 0.2, 0.34, -3],
  [0.39, 0.19, 0.22, 0.27, 2],
  [0.63, 0.23, 0.19, 0.35, -1.5],
  [0.86, 0.2, 0.2, 0.3, 4],
  [0.14, 0.66, 0.22, 0.4, 2.5],
  [0.38, 0.57, 0.21, 0.38, -2],
  [0.62, 0.66, 0.2, 0.36, 3],
  [0.85, 0.62, 0.19, 0.4, -2.5],
  [0.4, 0.9, 0.26, 0.17, 1],
] as const;

/** The wall, `width`×`height` pixels. */
export function drawScene(random: Random, width: number, height: number): Canvas {
  const wall = newCanvas(width, height);
  drawBricks(wall, random);
  for (const [i, [x, y, w, h, turn]] of PLACES.entries()) {
    const frame = new Poster(wall, [x * width, y * height], [w * width, h * height], (turn * Math.PI) / 180);
    frame.draw(random, PALETTES[i % PALETTES.length], i);
  }
  drawWear(wall, random);
  return wall;
}

function drawBricks(wall: Canvas, random: Random): void {
  const { width, height } = wall;
  const [w, h] = [width / 17, width / 45];
  const stains = smoothNoise(() => random.uniform(), 160, 4);
  const grain = smoothNoise(() => random.uniform(), 7, 2);
  fill(
    wall,
    [0, 0, width, height],
    () => -1,
    (x, y) => {
      const v = 118 + 26 * stains(x, y) + 30 * grain(x, y);
      return [v, v * 0.97, v * 0.92];
    },
  );
  for (let row = 0; row * h < height + h; row++) {
    for (let column = -1; column * w < width + w; column++) {
      const x = (column + (row % 2) / 2) * w + random.uniform(-1.5, 1.5);
      const y = row * h + random.uniform(-1, 1);
      const tone = random.uniform(0.72, 1.12);
      const m = w / 26;
      const [x0, y0, x1, y1] = [x + m, y + m, x + w - m, y + h - m];
      const corners: Point[] = [
        [x0, y0 + random.uniform(0, 3)],
        [x1, y0],
        [x1 - random.uniform(0, 3), y1],
        [x0, y1],
      ];
      polygon(wall, corners, (px, py) => {
        const shade = tone * (1 + 0.25 * stains(px, py) + 0.35 * grain(px, py));
        return [158 * shade, 96 * shade, 76 * shade];
      });
    }
  }
}

/** One sheet of paper: `at` maps its own coordinates, −1 to 1 across and down, to the wall. */
class Poster {
  private readonly unit: number;

  constructor(
    private readonly wall: Canvas,
    private readonly centre: Point,
    private readonly size: Point,
    private readonly turn: number,
  ) {
    this.unit = Math.min(...size) / 2;
  }

  private at(u: number, v: number): Point {
    const [x, y] = [(u * this.size[0]) / 2, (v * this.size[1]) / 2];
    const [c, s] = [Math.cos(this.turn), Math.sin(this.turn)];
    return [this.centre[0] + c * x - s * y, this.centre[1] + s * x + c * y];
  }

  private sheet(u0: number, v0: number, u1: number, v1: number): Point[] {
    return [this.at(u0, v0), this.at(u1, v0), this.at(u1, v1), this.at(u0, v1)];
  }

  draw(random: Random, [ground, low, ...inks]: readonly Colour[], kind: number): void {
    const shadow = this.sheet(-0.96, -0.97, 1.05, 1.04);
    polygon(this.wall, shadow, [30, 22, 20], 0.55);
    const paper = smoothNoise(() => random.uniform(), 90, 4);
    const [, top] = this.at(0, -1);
    const [, bottom] = this.at(0, 1);
    polygon(this.wall, this.sheet(-1, -1, 1, 1), (x, y) => {
      const t = Math.min(1, Math.max(0, (y - top) / (bottom - top)));
      const shade = 1 + 0.1 * paper(x, y);
      const [r, g, b] = ground;
      return [shade * (r + t * (low[0] - r)), shade * (g + t * (low[1] - g)), shade * (b + t * (low[2] - b))];
    });
    const figures = [this.rings, this.hills, this.blocks, this.rays, this.dots];
    figures[kind % figures.length].call(this, random, inks);
    this.text(random, inks[kind % 2 ? 2 : 1], -0.86, -0.62, 2, 0.075);
    this.text(random, inks[0], 0.62, 0.9, 4, 0.03);
  }

  private rings(random: Random, inks: readonly Colour[]): void {
    const [x, y] = this.at(random.uniform(-0.15, 0.15), -0.02);
    for (let k = 6; k > 0; k--) circle(this.wall, x, y, this.unit * 0.115 * k, inks[k % inks.length]);
    for (let k = 0; k < 5; k++) {
      const [u, v] = [random.uniform(-0.8, 0.8), random.uniform(-0.4, 0.5)];
      circle(this.wall, ...this.at(u, v), this.unit * random.uniform(0.03, 0.1), inks[k % inks.length]);
    }
  }

  private hills(random: Random, inks: readonly Colour[]): void {
    circle(this.wall, ...this.at(random.uniform(-0.5, 0.5), -0.25), this.unit * 0.28, inks[2]);
    for (let k = 0; k < 7; k++) {
      const u = random.uniform(-0.75, 0.75);
      const half = random.uniform(0.15, 0.4);
      const peak: Point[] = [this.at(Math.max(-0.95, u - half), 0.52), this.at(u, random.uniform(-0.25, 0.25))];
      polygon(this.wall, [...peak, this.at(Math.min(0.95, u + half), 0.52)], inks[k % inks.length]);
    }
  }

  private blocks(random: Random, inks: readonly Colour[]): void {
    for (let row = 0; row < 6; row++) {
      for (let column = 0; column < 6; column++) {
        if (random.uniform() < 0.3) continue;
        const [u, v] = [-0.8 + column * 0.27, -0.5 + row * 0.175];
        const [w, h] = [random.uniform(0.1, 0.24), random.uniform(0.07, 0.15)];
        polygon(this.wall, this.sheet(u, v, u + w, v + h), inks[random.integer(inks.length)]);
      }
    }
  }

  private rays(random: Random, inks: readonly Colour[]): void {
    const turn = random.uniform(0, Math.PI);
    for (let k = 0; k < 14; k++) {
      const tip = (angle: number): Point => this.at(0.86 * Math.cos(angle), 0.52 * Math.sin(angle));
      const angle = turn + (k * Math.PI) / 7;
      polygon(this.wall, [this.at(0, 0), tip(angle), tip(angle + random.uniform(0.12, 0.3))], inks[k % inks.length]);
    }
    circle(this.wall, ...this.at(0, 0), this.unit * 0.2, inks[0]);
    circle(this.wall, ...this.at(0, 0), this.unit * 0.1, inks[2]);
  }

  private dots(random: Random, inks: readonly Colour[]): void {
    for (let k = 0; k < 40; k++) {
      const [x, y] = this.at(random.uniform(-0.84, 0.84), random.uniform(-0.5, 0.5));
      const radius = this.unit * random.uniform(0.02, 0.16);
      circle(this.wall, x, y, radius, inks[random.integer(inks.length)]);
      if (k % 3 === 0) circle(this.wall, x, y, radius * 0.5, inks[random.integer(inks.length)]);
    }
  }

  /** Lines of something like letters between the heights v0 and v1: each of two to four strokes. */
  private text(random: Random, ink: Colour, v0: number, v1: number, lines: number, size: number): void {
    const step = (v1 - v0) / lines;
    const wide = Math.min(size, step * 0.7 * (this.size[1] / this.size[0]));
    for (let line = 0; line < lines; line++) {
      const v = v0 + line * step;
      const end = random.uniform(0.4, 0.86);
      for (let u = -0.84; u < end; u += wide * 1.5) {
        if (random.uniform() < 0.14) continue; // A space between words.
        const nodes: Point[] = [0, 1, 2, 3, 4, 5].map((n) =>
          this.at(u + (n % 2) * wide, v + (Math.floor(n / 2) / 2) * step * 0.66),
        );
        let node = random.integer(6);
        for (let k = 2 + random.integer(3); k > 0; k--) {
          const next = (node + 1 + random.integer(5)) % 6;
          stroke(this.wall, nodes[node], nodes[next], this.unit * wide * 0.13 + 0.6, ink);
          node = next;
        }
      }
    }
  }
}

/** Scratches, splashes and the grain of everything. */
function drawWear(wall: Canvas, random: Random): void {
  const { width, height, data } = wall;
  for (let k = 0; k < 70; k++) {
    const [x, y] = [random.uniform(0, width), random.uniform(0, height)];
    const [angle, length] = [random.uniform(0, Math.PI), random.uniform(6, 40)];
    const tone = random.uniform(40, 220);
    stroke(wall, [x, y], [x + length * Math.cos(angle), y + length * Math.sin(angle)], 0.8, [tone, tone, tone]);
  }
  for (let k = 0; k < 160; k++) {
    const tone = random.uniform(20, 235);
    circle(wall, random.uniform(0, width), random.uniform(0, height), random.uniform(1, 4), [
      tone,
      tone * 0.95,
      tone * 0.9,
    ]);
  }
  const grain = smoothNoise(() => random.uniform(), 5, 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      const g = 10 * grain(x, y);
      for (let c = 0; c < 3; c++) data[at + c] += g;
    }
  }
}
