/** Layers whose numbers are learnt: named parameters, and running statistics that are carried along. */
import { lax, numpy as np } from "@jax-js/jax";
import "../../graph/jax-now.js";
import { type Arr, type Conv, type ConvOptions, conv2d, convolve, decode1x1 } from "../operators.js";
import type { Kernel, Layers, Norm } from "./layers.js";

export type Tensors = Record<string, Arr>;

/** Whose mean and variance normalise: the batch's, or those kept so far, which then stay as they are. */
export const STATISTICS = ["batch", "running"] as const;
export type Statistics = (typeof STATISTICS)[number];

export interface Trained {
  /** By the names of the model's file. Not consumed. */
  parameters: Tensors;
  /** Running statistics. Not consumed. */
  state: Tensors;
  statistics: Statistics;
}

/**
 * The layers of `parameters`. `state` says the running statistics after what has passed so far; a norm that meets several
 * maps (a head of all levels) takes them one after the other, each with statistics of its own, as in PyTorch.
 */
export function trainingLayers({ parameters, state, statistics }: Trained): { layers: Layers; state(): Tensors } {
  const next = { ...state };
  const of = (name: string): Conv => ({
    weight: parameters[`${name}.weight`].ref,
    bias: parameters[`${name}.bias`].ref,
  });
  const layers: Layers = {
    conv: (name, _, options) => Object.assign((x: Arr) => conv2d(x, of(name), options), { weights: () => of(name) }),
    convNorm: (conv, norm, kernel, style, options) => (x) => {
      const [mean, variance] = style.statistics.map((part) => `${norm}.${part}`);
      const weight = parameters[`${conv}.weight`].ref;
      const bias = style.bias ? parameters[`${conv}.bias`].ref : null;
      const own: Normed = { weight, bias, norm: of(norm), style, options };
      if (statistics === "running") return byRunning(x, own, { mean: next[mean].ref, variance: next[variance].ref });
      const { out, batch, count } = (isNarrow(kernel, options) ? narrowByBatch : byBatch)(x, own);
      const kept = (old: Arr, now: Arr, factor: number) =>
        old.ref.mul(1 - style.momentum).add(lax.stopGradient(now).mul(style.momentum * factor));
      next[mean] = kept(next[mean], batch.mean, 1);
      // The biased variance normalises, the unbiased one is kept, as in PyTorch.
      next[variance] = kept(next[variance], batch.variance, count / Math.max(count - 1, 1));
      return out;
    },
    decoder: (name) => (x) => decode1x1(x, of(name)),
  };
  return { layers, state: () => next };
}

interface Normed {
  weight: Arr;
  bias: Arr | null;
  /** Gain and shift. */
  norm: Conv;
  style: Norm;
  options?: ConvOptions;
}

/** Per channel. */
interface Moments {
  mean: Arr;
  variance: Arr;
}

interface ByBatch {
  out: Arr;
  /** Of what the convolution gave. */
  batch: Moments;
  /** Values per channel. */
  count: number;
}

/** Convolution and norm as one convolution, whose norm still learns. */
function byRunning(x: Arr, { weight, bias, norm, style, options }: Normed, { mean, variance }: Moments): Arr {
  const scale = norm.weight.div(np.sqrt(variance.add(style.eps)));
  const folded = bias ? bias.sub(mean).mul(scale.ref).add(norm.bias) : norm.bias.sub(mean.mul(scale.ref));
  return conv2d(x, { weight: weight.mul(scale.reshape([-1, 1, 1, 1])), bias: folded }, options);
}

/** The convolution, then the norm by what came out of it. */
function byBatch(x: Arr, { weight, bias, norm, style, options }: Normed): ByBatch {
  const out = bias ? conv2d(x, { weight, bias }, options) : convolve(x, weight, options);
  const [m, , h, w] = out.shape;
  const mean = np.mean(out.ref, [0, 2, 3], { keepdims: true });
  const centred = out.sub(mean.ref);
  const variance = np.mean(np.square(centred.ref), [0, 2, 3]);
  const scale = norm.weight.div(np.sqrt(variance.ref.add(style.eps)));
  const normed = centred.mul(scale.reshape([1, -1, 1, 1])).add(norm.bias.reshape([1, -1, 1, 1]));
  return { out: normed, batch: { mean: mean.reshape([-1]), variance }, count: m * h * w };
}

/** 1×1 convolutions to more channels. */
const isNarrow = ([out, from, height, width]: Kernel, { stride = 1 }: ConvOptions = {}): boolean =>
  height * width === 1 && stride === 1 && from < out;

/**
 * A 1×1 convolution to more channels and its norm, [M, C, h, w] → [M, K, h, w], without ever normalising the K channels:
 * mean and variance of W·x + b are W·mean(x) + b and the diagonal of W·cov(x)·Wᵀ, so the norm folds into the kernel while
 * statistics are still those of the batch. C is an eighth of K in the reference's heads, and the wide map is written
 * once, not ten times.
 */
function narrowByBatch(x: Arr, { weight, bias, norm, style }: Normed): ByBatch {
  const [k, c] = weight.shape;
  const [m, , h, w] = x.shape;
  const count = m * h * w;
  const kernel = weight.reshape([k, c]);
  const flat = x.ref.reshape([m, c, h * w]);
  const average = np.mean(flat.ref, [0, 2], { keepdims: true });
  const centred = flat.sub(average.ref);
  const covariance = np.sum(np.matmul(centred.ref, centred.transpose([0, 2, 1])), 0).div(count);
  const product = np.matmul(kernel.ref, average.reshape([c, 1])).reshape([k]);
  const mean = bias ? product.add(bias.ref) : product;
  const variance = np.maximum(np.sum(np.matmul(kernel.ref, covariance).mul(kernel.ref), 1), 0);
  const scale = norm.weight.div(np.sqrt(variance.ref.add(style.eps)));
  const folded = kernel.mul(scale.ref.reshape([k, 1])).reshape([k, c, 1, 1]);
  const shift = (bias ? bias.sub(mean.ref) : mean.ref.neg()).mul(scale).add(norm.bias);
  return { out: conv2d(x, { weight: folded, bias: shift }), batch: { mean, variance }, count };
}
