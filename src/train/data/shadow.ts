/** A shadow with straight, soft edges, as a roof or a wall throws it: less light inside a convex polygon, or outside. */
import type { Random } from "../../random.js";

export interface Shadow {
  /** Per edge: normal x, y (outwards, of length 1) and distance from the origin, in pixels. */
  edges: Float64Array;
  /** Width of the edge, from lit to dark, in pixels. */
  softness: number;
  /** Share of the light that is taken, 0..1. */
  strength: number;
  /** The polygon is what is lit. */
  inverted: boolean;
}

/** A shadow across an image of width × height that takes up to `most` of the light, and at least a quarter of that. */
export function drawShadow(width: number, height: number, most: number, random: Random): Shadow {
  const size = Math.max(width, height);
  const [x, y] = [random.uniform(0, width), random.uniform(0, height)];
  const count = 3 + random.integer(4);
  const turn = random.uniform(0, 2 * Math.PI);
  const edges = new Float64Array(3 * count);
  for (let k = 0; k < count; k++) {
    // Directions all around, each moved by less than half a step: the polygon is closed.
    const angle = turn + (2 * Math.PI * (k + random.uniform(-0.3, 0.3))) / count;
    const [nx, ny] = [Math.cos(angle), Math.sin(angle)];
    edges.set([nx, ny, nx * x + ny * y + size * random.uniform(0.1, 0.5)], 3 * k);
  }
  return {
    edges,
    softness: size * 2 ** random.uniform(-7, -3),
    strength: most * random.uniform(0.25, 1),
    inverted: random.uniform() < 0.5,
  };
}

/** Takes the light away from interleaved RGB floats, in place. */
export function castShadow(data: Float32Array, width: number, height: number, shadow: Shadow): void {
  const { edges, softness, strength, inverted } = shadow;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      let distance = -Infinity;
      for (let k = 0; k < edges.length; k += 3) {
        const d = edges[k] * x + edges[k + 1] * y - edges[k + 2];
        if (d > distance) distance = d;
      }
      const t = 0.5 - distance / softness;
      const inside = t <= 0 ? 0 : t >= 1 ? 1 : t * t * (3 - 2 * t);
      const light = 1 - strength * (inverted ? 1 - inside : inside);
      data[at] *= light;
      data[at + 1] *= light;
      data[at + 2] *= light;
    }
  }
}
