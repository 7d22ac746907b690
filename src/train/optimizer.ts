/**
 * Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019) inside the graph, on flat vectors, after clipping the
 * gradient by its norm. What changes from step to step arrives as five numbers, so one graph serves the whole training.
 */
import { numpy as np } from "@jax-js/jax";
import type { Arr } from "../model/operators.js";

export interface OptimizerOptions {
  optimizer: "adam" | "adamw";
  /** Decay rates of the two moments, and what keeps the quotient finite. */
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Added to the gradient (adam) or taken from the parameters beside it (adamw). */
  weightDecay: number;
}

/** Length of the vector that `hyperparameters` makes. */
export const HYPER = 5;

/** Learning rate, 1 − β₁ᵗ, 1 − β₂ᵗ, weight decay, largest norm (infinite: no clipping); t counts from 1. */
export function hyperparameters(
  rate: number,
  t: number,
  clip: number | null,
  { beta1, beta2, weightDecay }: OptimizerOptions,
): Float32Array {
  return Float32Array.of(rate, 1 - beta1 ** t, 1 - beta2 ** t, weightDecay, clip ?? Number.POSITIVE_INFINITY);
}

export interface Moments {
  flat: Arr;
  first: Arr;
  second: Arr;
}

/** One update. `norm` is the gradient's before clipping. */
export function update(
  { flat, first, second }: Moments,
  gradient: Arr,
  hyper: Arr,
  { optimizer, beta1, beta2, epsilon }: OptimizerOptions,
): Moments & { norm: Arr } {
  const number = (i: number): Arr => hyper.ref.slice(i);
  const norm = np.sqrt(np.sum(np.square(gradient.ref)));
  const scale = np.minimum(number(4).div(norm.ref.add(1e-6)), 1);
  const decayed = optimizer === "adam" ? flat.ref.mul(number(3)) : null;
  const clipped = gradient.mul(scale);
  const g = decayed ? clipped.add(decayed) : clipped;
  const m = first.mul(beta1).add(g.ref.mul(1 - beta1));
  const v = second.mul(beta2).add(np.square(g).mul(1 - beta2));
  const root = np.sqrt(v.ref.div(number(2))).add(epsilon);
  const move = m.ref.div(number(1)).div(root).mul(number(0));
  const kept = optimizer === "adamw" ? flat.mul(np.subtract(1, number(0).mul(number(3)))) : flat;
  hyper.dispose();
  return { flat: kept.sub(move), first: m, second: v, norm };
}
