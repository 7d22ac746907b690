/**
 * The default family's network in training: batch norm by the statistics of the batch, or by running ones. Tensors have
 * the names of the model's file, so what is trained opens like any other model. model/strata.ts has the same network
 * with norms folded into convolutions.
 */
import { lax, numpy as np } from "@jax-js/jax";
import type { StrataConfig } from "../../model/config.js";
import { type Arr, averagePool2, conv2d, relu } from "../../model/operators.js";
import { atPixels, joinTaps } from "../../model/strata.js";
import { attentionOutputs, levelConvs, type NormedConv, strataForm } from "../../model/strata-form.js";
import type { Random } from "../../random.js";
import type { Parameter } from "../parameters.js";
import { initialConv, initialNorm } from "../reference/initial.js";
import { convOf, type Tensors } from "../reference/layers.js";

/** Whose mean and variance normalise: the batch's, or those kept so far, which then stay as they are. */
export type Statistics = "batch" | "running";

/** What of a configuration is the network. */
export type NetworkShape = Pick<
  StrataConfig,
  | "widths"
  | "innerWidths"
  | "stem"
  | "descriptorDim"
  | "descriptorLevels"
  | "attentionWidth"
  | "scoreLevels"
  | "join"
  | "bnEps"
>;

/** What a batch counts in running statistics. Batches are small: a tenth, as is usual, leaves the noise of eight views. */
const MOMENTUM = 0.02;

/** Convolutions with a norm behind them. */
function normed(shape: NetworkShape): Pick<NormedConv, "name" | "kernel">[] {
  const { widths, attentionWidth: width } = shape;
  const levels = widths.flatMap((_, l) => Object.values(levelConvs(l, shape)));
  return [...levels, { name: "attention.fuse", kernel: [width, width, 3, 3] }];
}

/** 1×1 convolutions with a bias: name, outputs, inputs. */
function plain(shape: NetworkShape): [name: string, out: number, from: number][] {
  const { widths, attentionWidth, descriptorDim } = shape;
  const { descriptorLevels, scoreLevels } = strataForm(shape);
  return [
    ...widths.slice(1).map((out, i): [string, number, number] => [`levels.${i + 1}.skip`, out, widths[i]]),
    ...descriptorLevels.map((l): [string, number, number] => [`encoders.${l}`, descriptorDim, widths[l]]),
    ...scoreLevels.map((l): [string, number, number] => [`attention.taps.${l}`, attentionWidth, widths[l]]),
    ["attention.out", attentionOutputs(shape), attentionWidth],
  ];
}

/** First values; biases begin at 0, for what they are added to is normalised. */
export function initialNetwork(shape: NetworkShape, random: Random): Parameter[] {
  const convNorms = normed(shape).flatMap(({ name, kernel }) => {
    const [weight] = initialConv(`${name}.conv`, kernel, random);
    return [weight, ...initialNorm(`${name}.bn`, kernel[0])];
  });
  const convs = plain(shape).flatMap(([name, out, from]) => {
    const [kernel, bias] = initialConv(name, [out, from, 1, 1], random);
    return [kernel, { ...bias, data: new Float32Array(out) }];
  });
  return [...convNorms, ...convs];
}

/** Running statistics before any batch. */
export function initialStatistics(shape: NetworkShape): Parameter[] {
  return normed(shape).flatMap(({ name, kernel: [out] }) => [
    { name: `${name}.bn.mean`, shape: [out], data: new Float32Array(out) },
    { name: `${name}.bn.var`, shape: [out], data: new Float32Array(out).fill(1) },
  ]);
}

export interface NetworkMaps {
  /** Activations of the descriptor's levels, [M, C, H/2ˡ, W/2ˡ]. */
  levels: Arr[];
  /** Repeatability and reliability before the sigmoid, [M, 2, H, W]. */
  attention: Arr;
  /** Running statistics after this batch. */
  state: Tensors;
}

/** Images [M, 3, H, W], normalised, H and W multiples of 16. Parameters and state are not consumed. */
export function networkMaps(
  images: Arr,
  parameters: Tensors,
  state: Tensors,
  shape: NetworkShape,
  statistics: Statistics,
): NetworkMaps {
  const { join, half, descriptorLevels, scoreLevels } = strataForm(shape);
  const next = { ...state };
  const norm = (x: Arr, name: string, stride: 1 | 2 = 1) =>
    convNorm(x, name, stride, { parameters, state, next, statistics, eps: shape.bnEps });
  const maps: Arr[] = [];
  let x = images;
  for (const [l] of shape.widths.entries()) {
    if (l === 0) {
      x = relu(norm(relu(norm(x, "levels.0.a")), "levels.0.b", half ? 2 : 1));
    } else {
      const pooled = half && l === 1 ? x : averagePool2(x);
      const inner = norm(relu(norm(pooled.ref, `levels.${l}.a`)), `levels.${l}.b`);
      x = relu(inner.add(conv2d(pooled, convOf(parameters, `levels.${l}.skip`))));
    }
    maps.push(x.ref);
  }
  x.dispose();
  const taps = maps.map((map, l) =>
    scoreLevels.includes(l) ? conv2d(map.ref, convOf(parameters, `attention.taps.${l}`)) : undefined,
  );
  const levels = descriptorLevels.map((l) => maps[l].ref);
  for (const map of maps) map.dispose();
  const joined = relu(joinTaps(taps, join, half));
  const fused = relu(norm(joined, "attention.fuse"));
  const attention = atPixels(conv2d(fused, convOf(parameters, "attention.out")), half);
  return { levels, attention, state: next };
}

interface NormContext {
  parameters: Tensors;
  state: Tensors;
  /** Running statistics after this batch are put here. */
  next: Tensors;
  statistics: Statistics;
  eps: number;
}

/** A convolution with one row of zeros around it, and batch norm. By running statistics both are one convolution, whose norm still learns. */
function convNorm(x: Arr, name: string, stride: 1 | 2, { parameters, state, next, statistics, eps }: NormContext): Arr {
  const kernel = parameters[`${name}.conv.weight`].ref;
  const { weight: gain, bias: shift } = convOf(parameters, `${name}.bn`);
  const running = { mean: state[`${name}.bn.mean`], variance: state[`${name}.bn.var`] };
  if (statistics === "running") {
    const scale = gain.div(np.sqrt(running.variance.ref.add(eps)));
    const bias = shift.sub(running.mean.ref.mul(scale.ref));
    return conv2d(x, { weight: kernel.mul(scale.reshape([-1, 1, 1, 1])), bias }, { padding: 1, stride });
  }
  const pad: [number, number] = [1, 1];
  const out = lax.convGeneralDilated(x, kernel, [stride, stride], [pad, pad]);
  const [m, , h, w] = out.shape;
  const mean = np.mean(out.ref, [0, 2, 3], { keepdims: true });
  const centred = out.sub(mean.ref);
  const variance = np.mean(np.square(centred.ref), [0, 2, 3]);
  const count = m * h * w;
  const kept = (old: Arr, batch: Arr, factor: number) =>
    old.ref.mul(1 - MOMENTUM).add(lax.stopGradient(batch).mul(MOMENTUM * factor));
  next[`${name}.bn.mean`] = kept(running.mean, mean.reshape([-1]), 1);
  // The biased variance normalises, the unbiased one is kept, as in PyTorch.
  next[`${name}.bn.var`] = kept(running.variance, variance.ref, count / Math.max(count - 1, 1));
  const scale = gain.div(np.sqrt(variance.add(eps)));
  return centred.mul(scale.reshape([1, -1, 1, 1])).add(shift.reshape([1, -1, 1, 1]));
}
