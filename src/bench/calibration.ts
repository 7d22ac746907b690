/** Fitting the verdict: logistic regression on pairs with a known answer, and how far its probabilities can be trusted. */

import { checkFlag, checkList, checkObject } from "../check.js";
import { OptionError } from "../errors.js";
import { EVIDENCE, type Evidence, parseVerdictModel, probabilityOf, type VerdictWeights } from "../geometry/verdict.js";
import { checkNumber } from "../options.js";

/** One pair: what spoke for its homography, and whether that was right. Evidence null: no homography was found. */
export interface JudgedPair {
  evidence: Evidence | null;
  right: boolean;
}

/** Penalty on squared weights, per pair's loss: keeps them finite where the classes can be told apart without error. */
const RIDGE = 1e-2;
const STEPS = 100;

/**
 * Weights and bias of greatest likelihood (with a small penalty), by Newton's method. OptionError where all pairs have
 * the same answer.
 */
export function fitVerdict(pairs: readonly JudgedPair[]): Pick<VerdictWeights, "weights" | "bias"> {
  checkJudged("fitVerdict", "pairs", pairs);
  const rows = pairs.flatMap(({ evidence, right }) => (evidence ? [{ x: rowOf(evidence), y: Number(right) }] : []));
  const positives = rows.filter(({ y }) => y === 1).length;
  if (positives === 0 || positives === rows.length) {
    throw new OptionError(
      `verdict: needs pairs with a right homography and pairs with a wrong one, got ${positives} of ${rows.length} right`,
    );
  }
  const size = EVIDENCE.length + 1;
  const weights = new Float64Array(size);
  for (let step = 0; step < STEPS; step++) {
    const gradient = new Float64Array(size);
    const hessian = Array.from({ length: size }, () => new Float64Array(size));
    for (const { x, y } of rows) {
      const p = 1 / (1 + Math.exp(-x.reduce((sum, value, i) => sum + value * weights[i], 0)));
      for (let i = 0; i < size; i++) {
        gradient[i] += (y - p) * x[i];
        for (let j = 0; j < size; j++) hessian[i][j] += p * (1 - p) * x[i] * x[j];
      }
    }
    for (let i = 0; i < size; i++) {
      gradient[i] -= RIDGE * weights[i];
      hessian[i][i] += RIDGE;
    }
    const move = solve(hessian, gradient);
    let largest = 0;
    for (let i = 0; i < size; i++) {
      // Far from the optimum a full step can overshoot.
      const limited = Math.min(Math.max(move[i], -1), 1);
      weights[i] += limited;
      largest = Math.max(largest, Math.abs(limited));
    }
    if (largest < 1e-9) break;
  }
  const named = Object.fromEntries(EVIDENCE.map((name, i) => [name, weights[i]])) as Evidence;
  return { weights: named, bias: weights[EVIDENCE.length] };
}

const rowOf = (evidence: Evidence): number[] => [...EVIDENCE.map((name) => evidence[name]), 1];

/** Gaussian elimination with pivots; the matrix is positive definite. */
function solve(matrix: readonly Float64Array[], right: Float64Array): Float64Array {
  const n = right.length;
  const rows = matrix.map((row, i) => [...row, right[i]]);
  for (let k = 0; k < n; k++) {
    const pivot = rows
      .slice(k)
      .reduce((best, row, i) => (Math.abs(row[k]) > Math.abs(rows[best][k]) ? k + i : best), k);
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let i = k + 1; i < n; i++) {
      const factor = rows[i][k] / rows[k][k];
      for (let j = k; j <= n; j++) rows[i][j] -= factor * rows[k][j];
    }
  }
  const result = new Float64Array(n);
  for (let k = n - 1; k >= 0; k--) {
    let sum = rows[k][n];
    for (let j = k + 1; j < n; j++) sum -= rows[k][j] * result[j];
    result[k] = sum / rows[k][k];
  }
  return result;
}

/** Probability of a pair; 0 where no homography was found. */
export function pairProbability(model: Pick<VerdictWeights, "weights" | "bias">, pair: JudgedPair): number {
  checkWeights("pairProbability", model);
  checkJudged("pairProbability", "the pair", [pair]);
  return pair.evidence ? probabilityOf(model, pair.evidence) : 0;
}

/** An OptionError for weights that are none. */
function checkWeights(where: string, model: Pick<VerdictWeights, "weights" | "bias">): void {
  checkObject(where, "model", model);
  checkNumber(where, "model.bias", model.bias);
  checkObject(where, "model.weights", model.weights);
  for (const name of EVIDENCE) checkNumber(where, `model.weights.${name}`, model.weights[name]);
}

/** An OptionError for what is no list of judged pairs. */
function checkJudged(where: string, name: string, pairs: readonly JudgedPair[]): void {
  for (const pair of checkList(where, name, pairs)) {
    const { evidence, right } = checkObject(where, `one of ${name}`, pair);
    checkFlag(where, `right of one of ${name}`, right);
    if (evidence === null) continue;
    const found = checkObject(where, `evidence of one of ${name}`, evidence);
    for (const one of EVIDENCE) checkNumber(where, `evidence.${one}`, found[one]);
  }
}

/** Pairs whose probability lies in [low, high): their number, mean probability and share of right homographies. */
export interface ReliabilityBin {
  low: number;
  high: number;
  count: number;
  predicted: number;
  observed: number;
}

/** The reliability curve (DeGroot and Fienberg 1983) in `bins` equal bins; empty ones are left out. */
export function reliabilityCurve(
  model: Pick<VerdictWeights, "weights" | "bias">,
  pairs: readonly JudgedPair[],
  bins = 10,
): ReliabilityBin[] {
  checkNumber("reliabilityCurve", "bins", bins, { min: 1, max: 1e6, integer: true });
  checkJudged("reliabilityCurve", "pairs", pairs);
  checkWeights("reliabilityCurve", model);
  const found = Array.from({ length: bins }, () => ({ count: 0, predicted: 0, right: 0 }));
  for (const pair of pairs) {
    const p = pairProbability(model, pair);
    const bin = found[Math.min(bins - 1, Math.floor(p * bins))];
    bin.count++;
    bin.predicted += p;
    bin.right += Number(pair.right);
  }
  return found.flatMap(({ count, predicted, right }, i) =>
    count === 0
      ? []
      : [{ low: i / bins, high: (i + 1) / bins, count, predicted: predicted / count, observed: right / count }],
  );
}

/** Expected calibration error: mean distance of predicted and observed, weighted by the bins' pairs. */
export function calibrationError(curve: readonly ReliabilityBin[]): number {
  for (const bin of checkList("calibrationError", "curve", curve)) {
    const { count, predicted, observed } = checkObject("calibrationError", "a bin", bin);
    for (const [name, value] of Object.entries({ count, predicted, observed }))
      checkNumber("calibrationError", name, value);
  }
  const total = curve.reduce((sum, { count }) => sum + count, 0);
  return curve.reduce((sum, { count, predicted, observed }) => sum + count * Math.abs(predicted - observed), 0) / total;
}

/** What the verdict does to pairs that it was not fitted on. */
export interface VerdictFigures {
  pairs: number;
  right: number;
  sameOfRight: number;
  differentOfRight: number;
  /** Pairs of different photographs, and how many of them are called same. */
  unrelated: number;
  sameOfUnrelated: number;
  calibrationError: number;
  curve: ReliabilityBin[];
}

/** Figures of a verdict on views of one photograph (`same`) and of different ones. */
export function verdictFigures(
  model: VerdictWeights,
  same: readonly JudgedPair[],
  different: readonly JudgedPair[],
): VerdictFigures {
  parseVerdictModel("verdictFigures", model);
  checkJudged("verdictFigures", "same", same);
  checkJudged("verdictFigures", "different", different);
  const right = same.filter((pair) => pair.right).map((pair) => pairProbability(model, pair));
  const unrelated = different.map((pair) => pairProbability(model, pair));
  const curve = reliabilityCurve(model, [...same, ...different]);
  const above = (values: readonly number[]) => values.filter((p) => p >= model.same).length;
  return {
    pairs: same.length,
    right: right.length,
    sameOfRight: above(right),
    differentOfRight: right.filter((p) => p < model.different).length,
    unrelated: unrelated.length,
    sameOfUnrelated: above(unrelated),
    calibrationError: calibrationError(curve),
    curve,
  };
}

/** Six digits are more than the pairs know. */
export function roundVerdict({ weights, bias, same, different }: VerdictWeights): VerdictWeights {
  const short = (value: number) => Number(value.toPrecision(6));
  const named = Object.fromEntries(EVIDENCE.map((name) => [name, short(weights[name])]));
  return { weights: named as VerdictWeights["weights"], bias: short(bias), same, different };
}
