/**
 * The encoders of the reference's levels, in training: activations of the frozen backbone to descriptors, and back.
 * Taps are [2N, C, h, w], the first images of N pairs before the second ones, at the backbone's own sizes.
 */
import { type Arr, conv2d, upsample } from "../../model/operators.js";
import { LEVELS } from "../../model/reference.js";
import type { Random } from "../../random.js";
import type { Parameter } from "../parameters.js";
import { initialConv, initialDecoder } from "./initial.js";
import { convOf, decode, type Tensors } from "./layers.js";

/** Channels of the early, middle and deep tap. */
export type TapChannels = readonly [number, number, number];

/** Middle is enlarged twice, deep four times, corners aligned. */
export const enlarge = (map: Arr, level: number): Arr =>
  level === 0 ? map : upsample(map, 2 ** level, "align_corners");

/** Taps of a batch, by level. */
export const tapsOf = (inputs: Tensors): Arr[] => LEVELS.map((level) => inputs[level]);

export function initialEncoders(channels: TapChannels, dim: number, random: Random): Parameter[] {
  return channels.flatMap((from, i) => initialConv(`feature_encoder.e${i + 1}.0`, [dim, from, 1, 1], random));
}

export function initialDecoders(channels: TapChannels, dim: number, random: Random): Parameter[] {
  return channels.flatMap((to, i) => initialDecoder(`feature_encoder.d${i + 1}.0`, dim, to, random));
}

/** Descriptors [2N, dim, h, w] of each level; encoded first, then enlarged, which is the same. */
export function encodeTaps(taps: readonly Arr[], parameters: Tensors): Arr[] {
  return taps.map((tap, i) => enlarge(conv2d(tap, convOf(parameters, `feature_encoder.e${i + 1}.0`)), i));
}

/** What the decoders make of the descriptors: [2N, C, h, w] of each level. */
export function decodeMaps(maps: readonly Arr[], parameters: Tensors): Arr[] {
  return maps.map((map, i) => decode(map, convOf(parameters, `feature_encoder.d${i + 1}.0`)));
}
