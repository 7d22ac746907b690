/** First values of layers as PyTorch gives them, and the names that the reference's checkpoints give to layers. */
import type { Random } from "../../random.js";
import type { Parameter } from "../parameters.js";

type Shape4 = readonly [number, number, number, number];

/**
 * Kernel and bias of a convolution, uniform in ±1/√fan_in: PyTorch's kaiming_uniform with a = √5. PyTorch takes the
 * second axis for the inputs of transposed convolutions too, so one rule serves encoders and decoders; `outputs` is
 * the length of the bias.
 */
export function initialConv(name: string, shape: Shape4, random: Random, outputs = shape[0]): Parameter[] {
  const bound = 1 / Math.sqrt(shape[1] * shape[2] * shape[3]);
  const uniform = (length: number) => Float32Array.from({ length }, () => random.uniform(-bound, bound));
  return [
    { name: `${name}.weight`, shape, data: uniform(shape.reduce((a, b) => a * b, 1)) },
    { name: `${name}.bias`, shape: [outputs], data: uniform(outputs) },
  ];
}

/** A 1×1 transposed convolution from → to, whose kernel is [from, to, 1, 1]. */
export const initialDecoder = (name: string, from: number, to: number, random: Random): Parameter[] =>
  initialConv(name, [from, to, 1, 1], random, to);

/** Gain and shift of batch norm. */
export function initialNorm(name: string, channels: number): Parameter[] {
  return [
    { name: `${name}.weight`, shape: [channels], data: new Float32Array(channels).fill(1) },
    { name: `${name}.bias`, shape: [channels], data: new Float32Array(channels) },
  ];
}

/** Running statistics of batch norm. */
export function initialStatistics(name: string, channels: number): Parameter[] {
  return [
    { name: `${name}.running_mean`, shape: [channels], data: new Float32Array(channels) },
    { name: `${name}.running_var`, shape: [channels], data: new Float32Array(channels).fill(1) },
  ];
}
