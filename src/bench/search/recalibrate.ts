/**
 * A verdict made to say how sure finds are: its own sum of evidence, stretched and shifted (Platt 1999) by what it said of
 * searches with a known answer. Two numbers, so that some dozen searches are enough and no evidence changes its sign.
 */
import type { VerdictWeights } from "../../geometry/verdict.js";
import { EVIDENCE } from "../../geometry/verdict.js";

/** What a verdict said of the first result of a search. */
export interface JudgedFind {
  probability: number;
  /** Whether it was the picture. */
  right: boolean;
}

/** Strength with which the stretch stays near 1: without it, finds that are told apart entirely would make it endless. */
const RIDGE = 1;
const STEPS = 100;

/** The verdict with other weights and bias; results without a geometry (probability 0) say nothing. */
export function recalibrated(verdict: VerdictWeights, finds: readonly JudgedFind[]): VerdictWeights {
  const told = finds.filter(({ probability }) => probability > 0);
  const rows = told.map(({ probability, right }) => {
    const p = Math.min(1 - 1e-9, Math.max(1e-9, probability));
    return { x: Math.log(p / (1 - p)), y: Number(right) };
  });
  let [stretch, shift] = [1, 0];
  for (let step = 0; step < STEPS; step++) {
    let [gs, gb, ss, sb, bb] = [RIDGE * (stretch - 1), 0, RIDGE, 0, 1e-6];
    for (const { x, y } of rows) {
      const p = 1 / (1 + Math.exp(-(stretch * x + shift)));
      const w = p * (1 - p);
      gs += (p - y) * x;
      gb += p - y;
      ss += w * x * x;
      sb += w * x;
      bb += w;
    }
    const determinant = ss * bb - sb * sb;
    stretch -= (gs * bb - gb * sb) / determinant;
    shift -= (ss * gb - sb * gs) / determinant;
  }
  const weights = { ...verdict.weights };
  for (const name of EVIDENCE) weights[name] *= stretch;
  return { ...verdict, weights, bias: stretch * verdict.bias + shift };
}
