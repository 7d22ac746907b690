/** Training of attention heads on descriptors that are frozen, or (`backprop`) learn through the same loss. */
import { attentionHeads } from "../../model/attention.js";
import type { Layers } from "../../model/layers/layers.js";
import { record } from "../../model/layers/record.js";
import { trainingLayers } from "../../model/layers/training.js";
import { LEVELS, plainEncoders, type TapChannels } from "../../model/reference.js";
import type { AttentionRecipe } from "../recipes.js";
import { addAttention, type Learnt, LossSum, tapsOf } from "./levels.js";

/** The recipe's loss, summed over levels. */
export function attentionTraining(recipe: AttentionRecipe, channels: TapChannels): Learnt {
  const { dim } = recipe.encoder;
  const headsOn = (layers: Layers) => attentionHeads(layers, recipe.attention, dim, LEVELS, recipe);
  const encodersOn = (layers: Layers) => plainEncoders(layers, channels, dim);
  return {
    // The encoders' first values are replaced by trained ones where there are any.
    layers: [...record(headsOn), ...(recipe.backprop ? record(encodersOn) : [])],
    loss({ parameters, inputs, state }, training) {
      const own = trainingLayers({ parameters, state, statistics: training ? "batch" : "running" });
      const given = tapsOf(inputs).map((map) => map.ref);
      const encode = encodersOn(own.layers);
      const maps = recipe.backprop ? given.map((tap, i) => encode(tap, i)) : given;
      const scores = headsOn(own.layers)(maps.map((map) => map.ref));
      const sum = new LossSum();
      addAttention(sum, maps, scores, inputs, recipe);
      return { ...sum.finish(), state: own.state() };
    },
  };
}
