/** D2-Net's triplet margin loss without scores: mean hinge over the correspondences of a pair, mean over pairs. */
import type { Arr } from "../../model/operators.js";
import { checkLossPairs, type DescribedPairs, meanOverCells, meanOverPairs } from "./pairs.js";
import { tripletHinges } from "./triplet.js";

/** A scalar. */
export function correspondenceLoss(pairs: DescribedPairs): Arr {
  checkLossPairs("correspondenceLoss", pairs);
  const { maps, targets, valid, pairWeights } = pairs;
  const { hinges, index } = tripletHinges({ maps, targets });
  index.dispose();
  return meanOverPairs(meanOverCells(hinges, valid), pairWeights);
}
