/** What an encoder may not lose: mean squared error between a level's activations and their decoding. */
import { numpy as np } from "@jax-js/jax";
import type { Arr } from "../../model/operators.js";
import { checkArr, meanOverPairs } from "./pairs.js";

/** Level and decoding [M, C, h, w] with M = N or, both images of each pair, 2N; pairWeights [N]. A scalar. */
export function reconstructionLoss(level: Arr, decoded: Arr, pairWeights: Arr): Arr {
  for (const [name, array] of Object.entries({ level, decoded, pairWeights }))
    checkArr("reconstructionLoss", name, array);
  const [m] = level.shape;
  const [n] = pairWeights.shape;
  const perImage = np.mean(np.square(level.sub(decoded)), [1, 2, 3]);
  return meanOverPairs(np.mean(perImage.reshape([m / n, n]), 0), pairWeights);
}
