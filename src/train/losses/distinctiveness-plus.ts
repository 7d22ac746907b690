/** Distinctiveness with peaky score maps: the loss of the reference's final model. */
import { distinctivenessLoss } from "./distinctiveness.js";
import { checkLossPairs, type LossValue, referencesOf, type ScoredPairs } from "./pairs.js";
import { peakyLoss } from "./peaky.js";

export interface DistinctivenessPlusOptions {
  /** Windows of the peaky part are n + 1 wide. */
  n: number;
  /** Weight of the peaky part. */
  lambda: number;
  margin: number;
}

/** distinctiveness + λ·(peaky₁ + peaky₂)/2. */
export function distinctivenessPlusLoss(
  pairs: ScoredPairs,
  { n, lambda, margin }: DistinctivenessPlusOptions,
): LossValue {
  checkLossPairs("distinctivenessPlusLoss", pairs, true);
  const { scores, pairWeights } = referencesOf(pairs);
  const [first, second] = scores.map((map) => peakyLoss(map, pairWeights.ref, n));
  pairWeights.dispose();
  const distinctiveness = distinctivenessLoss(pairs, { margin }).loss;
  const peaky = first.add(second).mul(0.5);
  return { loss: distinctiveness.ref.add(peaky.ref.mul(lambda)), parts: { distinctiveness, peaky } };
}
