/** Training of the encoders: what they keep can be decoded again, and corresponding descriptors are alike. */
import { lax } from "@jax-js/jax";
import type { Random } from "../../random.js";
import { reconstructionLoss } from "../losses/index.js";
import type { Parameter } from "../parameters.js";
import type { EncoderRecipe } from "../recipes.js";
import type { LossInputs, LossOutputs } from "../task.js";
import {
  decodeMaps,
  encodeTaps,
  enlarge,
  initialDecoders,
  initialEncoders,
  type TapChannels,
  tapsOf,
} from "./encoders.js";
import { addCorrespondence, LossSum } from "./levels.js";

export function encoderParameters({ dim }: EncoderRecipe, channels: TapChannels, random: Random): Parameter[] {
  return [...initialEncoders(channels, dim, random), ...initialDecoders(channels, dim, random)];
}

/** Reconstruction of the enlarged taps + weight · correspondence, summed over levels. */
export function encoderLoss(recipe: EncoderRecipe, { parameters, inputs, state }: LossInputs): LossOutputs {
  const taps = tapsOf(inputs);
  const sum = new LossSum();
  const maps = encodeTaps(
    taps.map((tap) => tap.ref),
    parameters,
  );
  decodeMaps(
    maps.map((map) => map.ref),
    parameters,
  ).forEach((decoded, i) => {
    const level = lax.stopGradient(enlarge(taps[i].ref, i));
    sum.add("reconstruction", reconstructionLoss(level, decoded, inputs.pairWeights.ref));
  });
  addCorrespondence(sum, maps, inputs, recipe.correspondenceWeight);
  return { ...sum.finish(), state };
}
