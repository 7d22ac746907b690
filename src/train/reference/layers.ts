/** Layers by the name of their tensors, in the form that training needs. Parameters are not consumed, maps are. */
import { numpy as np } from "@jax-js/jax";
import { type Arr, type Conv, conv2d, relu } from "../../model/operators.js";

export type Tensors = Record<string, Arr>;

/** The convolution of that name. */
export const convOf = (tensors: Tensors, name: string): Conv => ({
  weight: tensors[`${name}.weight`].ref,
  bias: tensors[`${name}.bias`].ref,
});

/** relu of a 1×1 transposed convolution: [M, dim, h, w] → [M, C, h, w]; its kernel is [dim, C, 1, 1]. */
export function decode(encoded: Arr, { weight, bias }: Conv): Arr {
  return relu(conv2d(encoded, { weight: weight.transpose([1, 0, 2, 3]), bias }));
}

/** What batch norm counts in running statistics: new = 0.9·old + 0.1·batch, as PyTorch's default. */
const MOMENTUM = 0.1;
const EPSILON = 1e-5;

export interface Normed {
  out: Arr;
  /** Running mean and variance after this batch. */
  mean: Arr;
  variance: Arr;
}

/**
 * A 1×1 convolution followed by batch norm, [M, C, h, w] → [M, K, h, w], without ever normalising the K channels: mean
 * and variance of W·x + b are W·mean(x) + b and the diagonal of W·cov(x)·Wᵀ, so the norm folds into the kernel while
 * statistics are still those of the batch. C is an eighth of K here, and the wide map is written once, not ten times.
 * `training` false: by the running statistics, which come back unchanged.
 */
export function convNorm(
  x: Arr,
  conv: Conv,
  norm: Conv,
  running: { mean: Arr; variance: Arr },
  training: boolean,
): Normed {
  const [k, c] = conv.weight.shape;
  const kernel = conv.weight.reshape([k, c]);
  const [m, , h, w] = x.shape;
  let [mean, variance] = [running.mean, running.variance];
  let centre: Arr = mean.ref;
  let spread: Arr = variance.ref;
  if (training) {
    const count = m * h * w;
    const flat = x.ref.reshape([m, c, h * w]);
    const average = np.mean(flat.ref, [0, 2], { keepdims: true });
    const centred = flat.sub(average.ref);
    const covariance = np.sum(np.matmul(centred.ref, centred.transpose([0, 2, 1])), 0).div(count);
    centre.dispose();
    spread.dispose();
    centre = np
      .matmul(kernel.ref, average.reshape([c, 1]))
      .reshape([k])
      .add(conv.bias.ref);
    spread = np.maximum(np.sum(np.matmul(kernel.ref, covariance).mul(kernel.ref), 1), 0);
    // PyTorch normalises by the biased variance and keeps the unbiased one.
    mean = mean.mul(1 - MOMENTUM).add(centre.ref.mul(MOMENTUM));
    variance = variance.mul(1 - MOMENTUM).add(spread.ref.mul((MOMENTUM * count) / Math.max(count - 1, 1)));
  }
  const scale = norm.weight.div(np.sqrt(spread.add(EPSILON)));
  const weight = kernel.mul(scale.ref.reshape([k, 1])).reshape([k, c, 1, 1]);
  const bias = conv.bias.sub(centre).mul(scale).add(norm.bias);
  return { out: conv2d(x, { weight, bias }), mean, variance };
}
