/** Training of attention heads on descriptors that are frozen, or (`backprop`) learn through the same loss. */
import type { Random } from "../../random.js";
import type { Parameter } from "../parameters.js";
import type { AttentionRecipe } from "../recipes.js";
import type { LossInputs, LossOutputs } from "../task.js";
import { encodeTaps, initialEncoders, type TapChannels, tapsOf } from "./encoders.js";
import { headScores, initialHeads } from "./heads.js";
import { addAttention, LossSum } from "./levels.js";

/** Heads; with `backprop` the encoders too, whose first values are replaced by trained ones where there are any. */
export function attentionParameters(recipe: AttentionRecipe, channels: TapChannels, random: Random): Parameter[] {
  const { dim } = recipe.encoder;
  const heads = initialHeads(recipe.attention, dim, random);
  return recipe.backprop ? [...heads, ...initialEncoders(channels, dim, random)] : heads;
}

/** The recipe's loss, summed over levels. */
export function attentionLoss(
  recipe: AttentionRecipe,
  { parameters, inputs, state }: LossInputs,
  training: boolean,
): LossOutputs {
  const given = tapsOf(inputs).map((map) => map.ref);
  const maps = recipe.backprop ? encodeTaps(given, parameters) : given;
  const { attention, squash } = recipe;
  const own = maps.map((map) => map.ref);
  const scored = headScores(own, parameters, state, { attention, squash, training });
  const sum = new LossSum();
  addAttention(sum, maps, scored.scores, inputs, recipe);
  return { ...sum.finish(), state: scored.state };
}
