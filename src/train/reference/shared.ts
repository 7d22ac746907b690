/**
 * SHARED: one encoder and one head for all levels, behind a pre-encoding per level, learning reconstruction,
 * correspondence and attention together. Maps of middle and deep are a row and a column smaller; correspondences are cut
 * to them.
 */
import { attentionHeads } from "../../model/attention.js";
import type { Layers } from "../../model/layers/layers.js";
import { record } from "../../model/layers/record.js";
import { trainingLayers } from "../../model/layers/training.js";
import { decoders, LEVELS, sharedEncoder, type TapChannels } from "../../model/reference.js";
import { reconstructionLoss } from "../losses/index.js";
import type { AttentionRecipe } from "../recipes.js";
import { addAttention, addCorrespondence, type Learnt, LossSum, tapsOf } from "./levels.js";

const CORRESPONDENCE_WEIGHT = 1;

/** Reconstruction of the pre-encodings + correspondence + the recipe's attention loss, summed over levels. */
export function sharedTraining(recipe: AttentionRecipe, channels: TapChannels): Learnt {
  const { dim } = recipe.encoder;
  const network = (layers: Layers) => ({
    encode: sharedEncoder(layers, channels, dim),
    decode: decoders(layers, channels, dim, true),
    heads: attentionHeads(layers, recipe.attention, dim, LEVELS, recipe),
  });
  return {
    layers: record(network),
    loss({ parameters, inputs, state }, training) {
      const own = trainingLayers({ parameters, state, statistics: training ? "batch" : "running" });
      const { encode, decode, heads } = network(own.layers);
      const sum = new LossSum();
      const maps = tapsOf(inputs).map((tap, i) => {
        const { pre, map } = encode(tap.ref, i);
        sum.add("reconstruction", reconstructionLoss(pre, decode(map.ref, i), inputs.pairWeights.ref));
        return map;
      });
      addCorrespondence(
        sum,
        maps.map((map) => map.ref),
        inputs,
        CORRESPONDENCE_WEIGHT,
      );
      const scores = heads(maps.map((map) => map.ref));
      addAttention(sum, maps, scores, inputs, recipe);
      return { ...sum.finish(), state: own.state() };
    },
  };
}
