/**
 * A model's maps as pictures. Large maps are made smaller by taking the highest value of each block, so that peaks one
 * pixel wide are still seen; small ones keep a pixel for each cell.
 */
import type { DenseMap } from "../../extract/dense.js";
import type { Image } from "../../image/image.js";
import { LEVELS } from "../../model/reference.js";

/** One channel of values. */
export interface ValueMap {
  data: Float32Array;
  width: number;
  height: number;
}

export interface NamedMap {
  name: string;
  map: ValueMap;
  /** The value that is drawn brightest. */
  top: number;
}

/** Share of cells below the brightest colour: a few extreme ones must not leave the others black. */
const QUANTILE = 0.995;

/**
 * What there is to see in the outputs of a network, without the padding: scores per level of the reference (early, middle,
 * deep); repeatability, reliability, their product and each level's share of the descriptor of the default family. Null
 * for networks that are neither.
 */
export function namedMaps(
  maps: Readonly<Record<string, DenseMap>>,
  covered: readonly [number, number],
): { maps: NamedMap[]; note: string } | null {
  const cut = (map: DenseMap, channel = 0) => crop(channelOf(map, channel), covered);
  if (maps.score0 && maps.score1 && maps.score2) {
    const scores = LEVELS.map((name, i) => withTop(`${name}: score`, cut(maps[`score${i}`])));
    return { maps: scores, note: "score of every position, level by level; each map from 0 to its own highest." };
  }
  if (!maps.attention || !maps.score) return null;
  const heads = [
    { name: "repeatability", map: cut(maps.attention, 0), top: 1 },
    { name: "reliability", map: cut(maps.attention, 1), top: 1 },
    withTop("score: their product", cut(maps.score)),
  ];
  const norms = [1, 2, 3, 4].flatMap((level) => {
    const map = maps[`map${level}`];
    return map ? [withTop(`level ${level}: added length`, crop(normsOf(map), covered))] : [];
  });
  // The levels are summed, so that one scale for all of them shows which one speaks.
  const top = norms.reduce((most, one) => Math.max(most, one.top), 0);
  return {
    maps: [...heads, ...norms.map((one) => ({ ...one, top }))],
    note: "scores at full resolution, and the length of what each level, early to deep, adds to the descriptor (one scale for all levels).",
  };
}

function withTop(name: string, map: ValueMap): NamedMap {
  const sorted = Float32Array.from(map.data.filter(Number.isFinite)).sort();
  return { name, map, top: sorted[Math.floor(QUANTILE * (sorted.length - 1))] ?? 0 };
}

function channelOf({ data, width, height }: DenseMap, channel: number): ValueMap {
  return { data: data.subarray(channel * width * height, (channel + 1) * width * height), width, height };
}

/** L2 norm over channels. */
function normsOf({ data, channels, width, height }: DenseMap): ValueMap {
  const cells = width * height;
  const norms = new Float32Array(cells);
  for (let c = 0; c < channels; c++) {
    for (let i = 0, from = c * cells; i < cells; i++, from++) norms[i] += data[from] * data[from];
  }
  for (let i = 0; i < cells; i++) norms[i] = Math.sqrt(norms[i]);
  return { data: norms, width, height };
}

function crop({ data, width, height }: ValueMap, covered: readonly [number, number]): ValueMap {
  const across = Math.min(width, Math.max(1, Math.round(width * covered[0])));
  const down = Math.min(height, Math.max(1, Math.round(height * covered[1])));
  if (across === width && down === height) return { data, width, height };
  const kept = new Float32Array(across * down);
  for (let y = 0; y < down; y++) kept.set(data.subarray(y * width, y * width + across), y * across);
  return { data: kept, width: across, height: down };
}

/** The map at most `most` cells wide, each the highest of its block. */
export function shrinkByMaximum({ data, width, height }: ValueMap, most: number): ValueMap {
  if (width <= most) return { data, width, height };
  const down = Math.max(1, Math.round((height * most) / width));
  const small = new Float32Array(most * down).fill(Number.NEGATIVE_INFINITY);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * down) / height) * most;
    for (let x = 0; x < width; x++) {
      const to = row + Math.floor((x * most) / width);
      const value = data[y * width + x];
      if (value > small[to]) small[to] = value;
    }
  }
  return { data: small, width: most, height: down };
}

/** Colours from dark to light whose lightness rises evenly (magma, Smith and van der Walt 2015), every eighth of the way. */
const RAMP = [
  [0, 0, 4],
  [29, 17, 71],
  [81, 18, 124],
  [130, 38, 129],
  [183, 55, 121],
  [230, 81, 100],
  [251, 135, 97],
  [254, 194, 135],
  [252, 253, 191],
] as const;

/** The map in colours, 0 to `top`; what is no number is black. */
export function paintMap({ data, width, height }: ValueMap, top: number): Image {
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) {
    const share = top > 0 ? Math.min(1, Math.max(0, data[i] / top)) : 0;
    const place = Number.isFinite(share) ? share * (RAMP.length - 1) : 0;
    const step = Math.min(RAMP.length - 2, Math.floor(place));
    for (let c = 0; c < 3; c++) {
      pixels[3 * i + c] = Math.round(RAMP[step][c] + (place - step) * (RAMP[step + 1][c] - RAMP[step][c]));
    }
  }
  return { width, height, data: pixels };
}
