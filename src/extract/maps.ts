/** Maps of a network, and what there is to look at in them: single channels without padding, each with the value drawn brightest. */

import type { Tensor } from "../graph/session.js";

/** One image's share of an output tensor. */
export interface DenseMap {
  data: Float32Array;
  channels: number;
  height: number;
  width: number;
}

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

/** What there is to see in the outputs of a network, and what to say of it. */
export interface MapViews {
  maps: NamedMap[];
  note: string;
}

/** Share of a map across and down that is the image, not its padding. */
export type Covered = readonly [number, number];

/** Share of cells below the brightest colour: a few extreme ones must not leave the others black. */
const QUANTILE = 0.995;

/** A map drawn from 0 to nearly its own highest. */
export function withTop(name: string, map: ValueMap): NamedMap {
  const sorted = Float32Array.from(map.data.filter(Number.isFinite)).sort();
  return { name, map, top: sorted[Math.floor(QUANTILE * (sorted.length - 1))] ?? 0 };
}

/** One channel. */
export function channelOf({ data, width, height }: DenseMap, channel: number, covered: Covered): ValueMap {
  return crop(
    { data: data.subarray(channel * width * height, (channel + 1) * width * height), width, height },
    covered,
  );
}

/** L2 norm over channels. */
export function normsOf({ data, channels, width, height }: DenseMap, covered: Covered): ValueMap {
  const cells = width * height;
  const norms = new Float32Array(cells);
  for (let c = 0; c < channels; c++) {
    for (let i = 0, from = c * cells; i < cells; i++, from++) norms[i] += data[from] * data[from];
  }
  for (let i = 0; i < cells; i++) norms[i] = Math.sqrt(norms[i]);
  return crop({ data: norms, width, height }, covered);
}

function crop({ data, width, height }: ValueMap, covered: Covered): ValueMap {
  const across = Math.min(width, Math.max(1, Math.round(width * covered[0])));
  const down = Math.min(height, Math.max(1, Math.round(height * covered[1])));
  if (across === width && down === height) return { data, width, height };
  const kept = new Float32Array(across * down);
  for (let y = 0; y < down; y++) kept.set(data.subarray(y * width, y * width + across), y * across);
  return { data: kept, width: across, height: down };
}

/** Maps of the i-th image of a batch. */
export function mapsOfImage(outputs: Record<string, Tensor>, i: number): Record<string, DenseMap> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { shape, data }]) => {
      const [, channels, height, width] = shape;
      const each = channels * height * width;
      return [name, { data: (data as Float32Array).subarray(i * each, (i + 1) * each), channels, height, width }];
    }),
  );
}
