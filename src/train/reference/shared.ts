/**
 * SHARED: one encoder and one head for all levels, behind a pre-encoding per level, learning reconstruction,
 * correspondence and attention together. The pre-encoding of middle and deep is a 2×2 convolution without padding, so
 * their maps are a row and a column smaller; correspondences are cut to them.
 */
import { conv2d } from "../../model/operators.js";
import type { Random } from "../../random.js";
import { reconstructionLoss } from "../losses/index.js";
import type { Parameter } from "../parameters.js";
import type { AttentionRecipe } from "../recipes.js";
import type { LossInputs, LossOutputs } from "../task.js";
import { enlarge, type TapChannels, tapsOf } from "./encoders.js";
import { headScores, initialHeads } from "./heads.js";
import { initialConv, initialDecoder } from "./initial.js";
import { convOf, decode } from "./layers.js";
import { addAttention, addCorrespondence, LossSum } from "./levels.js";

/** Channels of the pre-encoding. */
const PRE = 512;
const CORRESPONDENCE_WEIGHT = 1;

export function sharedParameters(recipe: AttentionRecipe, channels: TapChannels, random: Random): Parameter[] {
  const { dim } = recipe.encoder;
  const pre = channels.flatMap((from, i) => {
    const size = i === 0 ? 1 : 2;
    return [
      ...initialConv(`feature_encoder.p${i + 1}.0`, [PRE, from, 1, 1], random),
      ...initialConv(`feature_encoder.p${i + 1}.1`, [PRE, PRE, size, size], random),
    ];
  });
  return [
    ...pre,
    ...initialConv("feature_encoder.encoder.0", [dim, PRE, 1, 1], random),
    ...initialDecoder("feature_encoder.decoder.0", dim, PRE, random),
    ...initialHeads(recipe.attention, dim, random),
  ];
}

/** Reconstruction of the pre-encodings + correspondence + the recipe's attention loss, summed over levels. */
export function sharedLoss(
  recipe: AttentionRecipe,
  { parameters, inputs, state }: LossInputs,
  training: boolean,
): LossOutputs {
  const sum = new LossSum();
  const maps = tapsOf(inputs).map((tap, i) => {
    // A 1×1 convolution commutes with the enlargement: 512 channels are enlarged instead of 2048.
    const narrow = conv2d(tap.ref, convOf(parameters, `feature_encoder.p${i + 1}.0`));
    const pre = conv2d(enlarge(narrow, i), convOf(parameters, `feature_encoder.p${i + 1}.1`));
    const map = conv2d(pre.ref, convOf(parameters, "feature_encoder.encoder.0"));
    const decoded = decode(map.ref, convOf(parameters, "feature_encoder.decoder.0"));
    sum.add("reconstruction", reconstructionLoss(pre, decoded, inputs.pairWeights.ref));
    return map;
  });
  addCorrespondence(
    sum,
    maps.map((map) => map.ref),
    inputs,
    CORRESPONDENCE_WEIGHT,
  );
  const { attention, squash } = recipe;
  const own = maps.map((map) => map.ref);
  const scored = headScores(own, parameters, state, { attention, squash, training });
  addAttention(sum, maps, scored.scores, inputs, recipe);
  return { ...sum.finish(), state: scored.state };
}
