/**
 * The reference's networks as they are trained: first values, what a batch is fed as, and the loss. Pure functions of
 * named arrays; tensors carry the names that the reference's checkpoints give them.
 *
 * Inputs of a batch of N pairs: `early`, `middle`, `deep` [2N, C, h, w], the first images before the second ones;
 * `targets` [N, h·w, 2], `valid` [N, h·w], `pairWeights` [N] on the grid of `early`. The maps are taps of the frozen
 * backbone, or, where the encoder is frozen as well, its descriptors.
 */

import { checkObject, described, wrong } from "../../check.js";
import { OptionError } from "../../errors.js";
import { type InputSpec, input } from "../../graph/compile.js";
import { LEVELS, type TapChannels } from "../../model/reference.js";
import { checkChoice, checkNumber } from "../../options.js";
import { Random } from "../../random.js";
import { initialParameters, initialStatistics } from "../initial.js";
import type { Parameter } from "../parameters.js";
import type { AttentionRecipe, EncoderRecipe, Recipe } from "../recipes.js";
import type { LossInputs, LossOutputs } from "../task.js";
import type { CellGrid } from "../types.js";
import { attentionTraining } from "./attention.js";
import { encoderTraining } from "./encoder.js";
import type { Learnt } from "./levels.js";
import { sharedTraining } from "./shared.js";

export { assembleCheckpoint } from "./checkpoint.js";

/** The parts of a reference training. */
export interface ReferenceTraining {
  /** What the maps of a batch are. */
  readonly maps: "taps" | "descriptors";
  parameters(seed: number): Parameter[];
  state(): Parameter[];
  inputs(pairs: number): Record<string, InputSpec>;
  loss(given: LossInputs, training: boolean): LossOutputs;
}

/** Crops of 256×256 at the backbone's ordinary stride: three steps of p ← 2p + 0.5. */
export const REFERENCE_GRID: CellGrid = { width: 32, height: 32, scale: 8, shift: 3.5 };

/**
 * Training by a recipe on a backbone with these channels. The grid is that of the early tap, its sides multiples of 4.
 */
export function referenceTraining(
  recipe: Recipe,
  channels: TapChannels,
  grid: Pick<CellGrid, "width" | "height"> = REFERENCE_GRID,
): ReferenceTraining {
  const where = "referenceTraining";
  const { kind } = checkObject(where, "recipe", recipe);
  checkChoice(where, "recipe.kind", kind, ["encoder", "attention"]);
  if (!Array.isArray(channels) || channels.length !== 3) throw wrong(where, "channels", "three numbers", channels);
  for (const count of channels) checkNumber(where, "channels", count, { min: 1, integer: true });
  checkObject(where, "grid", grid);
  if (![grid.width, grid.height].every((size) => Number.isInteger(size) && size > 0 && size % 4 === 0)) {
    throw new OptionError(
      `referenceTraining: the grid's sides must be multiples of 4, got ${[grid.width, grid.height].map(described).join("×")}; crops are multiples of 32 pixels`,
    );
  }
  const learnt = learntBy(recipe, channels);
  const maps = recipe.kind === "attention" && !recipe.backprop ? "descriptors" : "taps";
  return {
    maps,
    parameters: (seed) => initialParameters(learnt.layers, new Random(seed), "uniform"),
    state: () => initialStatistics(learnt.layers),
    inputs: (pairs) => inputsOf(pairs, grid, maps === "taps" ? channels : recipe),
    loss: learnt.loss,
  };
}

function learntBy(recipe: Recipe, channels: TapChannels): Learnt {
  if (recipe.kind === "encoder") return encoderTraining(recipe, channels);
  return recipe.shared ? sharedTraining(recipe, channels) : attentionTraining(recipe, channels);
}

function inputsOf(
  pairs: number,
  { width, height }: Pick<CellGrid, "width" | "height">,
  maps: TapChannels | AttentionRecipe | EncoderRecipe,
): Record<string, InputSpec> {
  const cells = width * height;
  const levels = LEVELS.map((level, i): [string, InputSpec] => {
    // Taps come at the backbone's sizes, descriptors enlarged to one.
    if ("kind" in maps) {
      const dim = maps.kind === "encoder" ? maps.dim : maps.encoder.dim;
      return [level, input([2 * pairs, dim, height, width])];
    }
    return [level, input([2 * pairs, maps[i], height / 2 ** i, width / 2 ** i])];
  });
  return {
    ...Object.fromEntries(levels),
    targets: input([pairs, cells, 2]),
    valid: input([pairs, cells]),
    pairWeights: input([pairs]),
  };
}
