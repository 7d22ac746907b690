/**
 * The reference's networks as they are trained: first values, what a batch is fed as, and the loss. Pure functions of
 * named arrays; tensors carry the names that the reference's checkpoints give them.
 *
 * Inputs of a batch of N pairs: `early`, `middle`, `deep` [2N, C, h, w], the first images before the second ones;
 * `targets` [N, h·w, 2], `valid` [N, h·w], `pairWeights` [N] on the grid of `early`. The maps are taps of the frozen
 * backbone, or, where the encoder is frozen as well, its descriptors (see frozen.ts).
 */
import { OptionError } from "../../errors.js";
import { type InputSpec, input } from "../../graph/compile.js";
import { Random } from "../../random.js";
import type { Parameter } from "../parameters.js";
import type { AttentionRecipe, EncoderRecipe, Recipe } from "../recipes.js";
import type { LossInputs, LossOutputs } from "../task.js";
import type { CellGrid } from "../types.js";
import { attentionLoss, attentionParameters } from "./attention.js";
import { encoderLoss, encoderParameters } from "./encoder.js";
import type { TapChannels } from "./encoders.js";
import { initialHeadState } from "./heads.js";
import { sharedLoss, sharedParameters } from "./shared.js";

export { attentionLoss } from "./attention.js";
export { assembleCheckpoint } from "./checkpoint.js";
export { encoderLoss } from "./encoder.js";
export type { TapChannels } from "./encoders.js";
export { frozenEncodings, frozenTaps } from "./frozen.js";
export { sharedLoss } from "./shared.js";

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
  if (![grid.width, grid.height].every((size) => Number.isInteger(size) && size > 0 && size % 4 === 0)) {
    throw new OptionError(
      `referenceTraining: the grid's sides must be multiples of 4, got ${grid.width}×${grid.height}; crops are multiples of 32 pixels`,
    );
  }
  const maps = recipe.kind === "attention" && !recipe.backprop ? "descriptors" : "taps";
  return {
    maps,
    parameters: (seed) => parametersOf(recipe, channels, new Random(seed)),
    state: () => (recipe.kind === "encoder" ? [] : initialHeadState(recipe.attention)),
    inputs: (pairs) => inputsOf(pairs, grid, maps === "taps" ? channels : recipe),
    loss: (given, training) => lossOf(recipe, given, training),
  };
}

function parametersOf(recipe: Recipe, channels: TapChannels, random: Random): Parameter[] {
  if (recipe.kind === "encoder") return encoderParameters(recipe, channels, random);
  if (recipe.shared) return sharedParameters(recipe, channels, random);
  return attentionParameters(recipe, channels, random);
}

function lossOf(recipe: Recipe, given: LossInputs, training: boolean): LossOutputs {
  if (recipe.kind === "encoder") return encoderLoss(recipe, given);
  return (recipe.shared ? sharedLoss : attentionLoss)(recipe, given, training);
}

function inputsOf(
  pairs: number,
  { width, height }: Pick<CellGrid, "width" | "height">,
  maps: TapChannels | AttentionRecipe | EncoderRecipe,
): Record<string, InputSpec> {
  const cells = width * height;
  const levels = ["early", "middle", "deep"].map((level, i): [string, InputSpec] => {
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
