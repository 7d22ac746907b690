/** Training of the encoders: what they keep can be decoded again, and corresponding descriptors are alike. */
import { lax } from "@jax-js/jax";
import type { Layers } from "../../model/layers/layers.js";
import { record } from "../../model/layers/record.js";
import { trainingLayers } from "../../model/layers/training.js";
import { decoders, enlarge, plainEncoders, type TapChannels } from "../../model/reference.js";
import { reconstructionLoss } from "../losses/index.js";
import type { EncoderRecipe } from "../recipes.js";
import { addCorrespondence, type Learnt, LossSum, tapsOf } from "./levels.js";

/** Reconstruction of the enlarged taps + weight · correspondence, summed over levels. */
export function encoderTraining({ dim, correspondenceWeight }: EncoderRecipe, channels: TapChannels): Learnt {
  const encodersOn = (layers: Layers) => plainEncoders(layers, channels, dim);
  const decodersOn = (layers: Layers) => decoders(layers, channels, dim, false);
  return {
    layers: [...record(encodersOn), ...record(decodersOn)],
    loss({ parameters, inputs, state }) {
      const { layers } = trainingLayers({ parameters, state, statistics: "batch" });
      const [encode, decode] = [encodersOn(layers), decodersOn(layers)];
      const taps = tapsOf(inputs);
      const sum = new LossSum();
      const maps = taps.map((tap, i) => encode(tap.ref, i));
      const decoded = maps.map((map, i) => decode(map.ref, i));
      for (const [i, back] of decoded.entries()) {
        const level = lax.stopGradient(enlarge(taps[i].ref, i));
        sum.add("reconstruction", reconstructionLoss(level, back, inputs.pairWeights.ref));
      }
      addCorrespondence(sum, maps, inputs, correspondenceWeight);
      return { ...sum.finish(), state };
    },
  };
}
