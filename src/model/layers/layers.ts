/**
 * What networks are written in: layers, asked for by name. A network is a function of a `Layers` object; it says which
 * layers it has and what it does with them, and nothing of where their numbers come from. That is up to the object:
 *
 * - record.ts: nowhere. It notes names and shapes: what a file has to hold, what a training begins with.
 * - folded.ts: a file; batch norms are folded into convolutions. Extraction, export, and what is frozen in a training.
 * - training.ts: parameters that learn, batch norms by the statistics of the batch or by running ones.
 *
 * A network asks for all its layers first and gives back a function of maps, so recording one computes nothing.
 */
import type { Arr, Conv, ConvOptions } from "../operators.js";

export type Kernel = readonly [out: number, from: number, height: number, width: number];

/** From one map to the next; consumes it, as operators do. */
export type Layer = (x: Arr) => Arr;

/** A convolution, whose numbers can be had too. */
export interface ConvLayer extends Layer {
  /** References of one's own. */
  weights(): Conv;
}

/** How a batch norm is computed, and what it is called. */
export interface Norm {
  /** Added to the variance. */
  eps: number;
  /** Names of running mean and variance, after the norm's own. */
  statistics: readonly [mean: string, variance: string];
  /** What a batch counts in running statistics: new = (1 − momentum)·old + momentum·batch. */
  momentum: number;
  /** Whether the convolution in front has a bias that learns. Files may hold one in any case. */
  bias: boolean;
}

/** PyTorch's batch norm, behind a convolution without a bias. */
export const TORCH_NORM: Norm = {
  eps: 1e-5,
  statistics: ["running_mean", "running_var"],
  momentum: 0.1,
  bias: false,
};

export interface Layers {
  /** A convolution: NAME.weight, NAME.bias. */
  conv(name: string, kernel: Kernel, options?: ConvOptions): ConvLayer;
  /** A convolution CONV.weight and a batch norm after it: NORM.weight, NORM.bias, and its statistics. */
  convNorm(conv: string, norm: string, kernel: Kernel, style: Norm, options?: ConvOptions): Layer;
  /** A 1×1 transposed convolution: NAME.weight [from, to, 1, 1], NAME.bias [to]. */
  decoder(name: string, from: number, to: number): Layer;
}

/** A network or a part of one. */
export type Network<N> = (layers: Layers) => N;
