/** Losses over all levels: both images of each level with the correspondences on its own grid. */
import { numpy as np } from "@jax-js/jax";
import type { Asked } from "../../model/layers/record.js";
import type { Tensors } from "../../model/layers/training.js";
import type { Arr } from "../../model/operators.js";
import { LEVELS } from "../../model/reference.js";
import type { Grid } from "../losses/cells.js";
import { ATTENTION_LOSSES, correspondenceLoss, type DescribedPairs } from "../losses/index.js";
import type { AttentionRecipe } from "../recipes.js";
import type { LossInputs, LossOutputs } from "../task.js";

/** A part of the reference's network that learns: its layers, in the order in which first values are drawn, and its loss. */
export interface Learnt {
  layers: Asked[];
  loss(given: LossInputs, training: boolean): LossOutputs;
}

/** Taps of a batch, or descriptors where the encoder is frozen, by level. */
export const tapsOf = (inputs: Tensors): Arr[] => LEVELS.map((level) => inputs[level]);

/** First and second images of [2N, …]. */
export function halves(both: Arr): [Arr, Arr] {
  const n = both.shape[0] / 2;
  const first = both.ref.slice([0, n]);
  return [first, both.slice([n, 2 * n])];
}

type Counterparts = Pick<DescribedPairs, "targets" | "valid" | "pairWeights">;

/**
 * Correspondences for maps that may be smaller than the grid they were found on (those of shared encoders lose their
 * last row and column): cells that the maps lack, on either side, do not count. References of one's own.
 */
export function counterpartsOn(inputs: Tensors, from: Grid, to: Grid): Counterparts {
  const { targets, valid, pairWeights } = inputs;
  if (from.width === to.width && from.height === to.height) {
    return { targets: targets.ref, valid: valid.ref, pairWeights: pairWeights.ref };
  }
  const [n] = pairWeights.shape;
  const rows: [number, number] = [0, to.height];
  const columns: [number, number] = [0, to.width];
  const cells = to.width * to.height;
  const kept = targets.ref.reshape([n, from.height, from.width, 2]).slice([], rows, columns).reshape([n, cells, 2]);
  const marked = valid.ref.reshape([n, from.height, from.width]).slice([], rows, columns).reshape([n, cells]);
  const beyond = (i: number, size: number) =>
    np.less(kept.ref.slice([], [], [i, i + 1]).reshape([n, cells]), size - 0.5).astype(np.float32);
  const inside = beyond(0, to.width).mul(beyond(1, to.height));
  return { targets: kept, valid: marked.mul(inside), pairWeights: pairWeights.ref };
}

export const gridOf = (map: Arr): Grid => ({ width: map.shape[3], height: map.shape[2] });

/** A sum of losses and what it is made of. */
export class LossSum {
  private readonly parts: Record<string, Arr> = {};
  private total: Arr | null = null;

  /** Adds a term under a name; terms of one name are added up. */
  add(name: string, value: Arr, weight = 1): void {
    const term = weight === 1 ? value.ref : value.ref.mul(weight);
    this.total = this.total ? this.total.add(term) : term;
    this.note(name, value);
  }

  /** Adds to a metric only. */
  note(name: string, value: Arr): void {
    this.parts[name] = this.parts[name] ? this.parts[name].add(value) : value;
  }

  finish(): { loss: Arr; metrics: Record<string, Arr> } {
    return { loss: this.total ?? np.zeros([]), metrics: this.parts };
  }
}

/** Correspondence loss of each level's descriptors [2N, dim, h, w], added to `sum`. */
export function addCorrespondence(sum: LossSum, maps: readonly Arr[], inputs: Tensors, weight: number): void {
  const full = gridOf(maps[0]);
  for (const map of maps) {
    const counterparts = counterpartsOn(inputs, full, gridOf(map));
    sum.add("correspondence", correspondenceLoss({ maps: halves(map), ...counterparts }), weight);
  }
}

/** The recipe's attention loss of each level, added to `sum`; by level too. */
export function addAttention(
  sum: LossSum,
  maps: readonly Arr[],
  scores: readonly Arr[],
  inputs: Tensors,
  recipe: AttentionRecipe,
): void {
  const full = gridOf(maps[0]);
  maps.forEach((map, i) => {
    const counterparts = counterpartsOn(inputs, full, gridOf(map));
    const pairs = { maps: halves(map), scores: halves(scores[i]), ...counterparts };
    const { loss, parts } = ATTENTION_LOSSES[recipe.loss].loss(pairs, recipe.options);
    sum.note(LEVELS[i], loss.ref);
    sum.add("attention", loss);
    for (const [name, value] of Object.entries(parts)) sum.note(name, value);
  });
}
