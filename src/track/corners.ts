/**
 * Places in a grey picture that a patch can be told from its surroundings: Shi and Tomasi's corners (CVPR 1994), in an
 * order whose every beginning is spread over the picture (adaptive non-maximal suppression; Brown, Szeliski, Winder 2005).
 */
import type { Grey } from "./pyramid.js";

/** Half the window over which gradients are summed. */
const WINDOW = 2;
/** A weaker neighbour within this share of strength still suppresses. */
const ROBUST = 0.9;
/** Corners that are ordered at most: the order takes their square. */
const MOST_ORDERED = 500;
/** Least eigenvalue per pixel (square levels): a step of 4 levels both ways. */
const LEAST_STRENGTH = 12;

/** Corners x0, y0, x1, y1, … at least `margin` pixels from the edge, at most `most`, and how strong they are. */
export interface Corners {
  places: Float32Array;
  strengths: Float32Array;
}

export function findCorners(picture: Grey, margin: number, most: number): Corners {
  const { width, height } = picture;
  const strength = cornerStrength(picture);
  const found: number[] = [];
  for (let y = margin; y < height - margin; y++) {
    for (let x = margin; x < width - margin; x++) {
      const at = y * width + x;
      const value = strength[at];
      if (value < LEAST_STRENGTH) continue;
      let isPeak = true;
      for (let dy = -1; dy <= 1 && isPeak; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          const other = strength[at + dy * width + dx];
          // Of equal ones the first stays.
          if (other > value || (other === value && (dy < 0 || (dy === 0 && dx < 0)))) isPeak = false;
        }
      }
      if (isPeak) found.push(at);
    }
  }
  found.sort((a, b) => strength[b] - strength[a] || a - b);
  const ordered = spread(found.slice(0, MOST_ORDERED), strength, width).slice(0, most);
  const places = new Float32Array(2 * ordered.length);
  for (const [k, at] of ordered.entries()) {
    places[2 * k] = at % width;
    places[2 * k + 1] = Math.floor(at / width);
  }
  return { places, strengths: Float32Array.from(ordered, (at) => strength[at]) };
}

/** Those with the widest space around them to a stronger one first. */
function spread(found: readonly number[], strength: Float32Array, width: number): number[] {
  const radius = new Map<number, number>();
  for (const [i, at] of found.entries()) {
    const x = at % width;
    const y = (at - x) / width;
    let nearest = Number.POSITIVE_INFINITY;
    for (let j = 0; j < i; j++) {
      const other = found[j];
      if (ROBUST * strength[other] < strength[at]) continue;
      const dx = (other % width) - x;
      const dy = Math.floor(other / width) - y;
      nearest = Math.min(nearest, dx * dx + dy * dy);
    }
    radius.set(at, nearest);
  }
  const space = (at: number) => radius.get(at) as number;
  return [...found].sort((a, b) => (space(b) === space(a) ? strength[b] - strength[a] || a - b : space(b) - space(a)));
}

/** The smaller eigenvalue of the mean of gradients' products over a window, in square levels; 0 at the edge. */
function cornerStrength({ width, height, data }: Grey): Float32Array {
  const [xx, xy, yy] = [0, 1, 2].map(() => new Float32Array(width * height));
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const gx = (data[at + 1] - data[at - 1]) / 2;
      const gy = (data[at + width] - data[at - width]) / 2;
      xx[at] = gx * gx;
      xy[at] = gx * gy;
      yy[at] = gy * gy;
    }
  }
  const strength = new Float32Array(width * height);
  const [sxx, sxy, syy] = [xx, xy, yy].map((values) => windowSums(values, width, height));
  const share = 1 / (2 * WINDOW + 1) ** 2;
  for (let i = 0; i < strength.length; i++) {
    const [a, b, c] = [sxx[i] * share, sxy[i] * share, syy[i] * share];
    strength[i] = (a + c - Math.sqrt((a - c) * (a - c) + 4 * b * b)) / 2;
  }
  return strength;
}

/** Sums over (2·WINDOW + 1)² pixels, 0 where the window leaves the picture. */
function windowSums(values: Float32Array, width: number, height: number): Float32Array {
  const rows = new Float32Array(values.length);
  const sums = new Float32Array(values.length);
  for (let y = 0; y < height; y++) {
    for (let x = WINDOW; x < width - WINDOW; x++) {
      let sum = 0;
      for (let k = -WINDOW; k <= WINDOW; k++) sum += values[y * width + x + k];
      rows[y * width + x] = sum;
    }
  }
  for (let y = WINDOW; y < height - WINDOW; y++) {
    for (let x = WINDOW; x < width - WINDOW; x++) {
      let sum = 0;
      for (let k = -WINDOW; k <= WINDOW; k++) sum += rows[(y + k) * width + x];
      sums[y * width + x] = sum;
    }
  }
  return sums;
}
