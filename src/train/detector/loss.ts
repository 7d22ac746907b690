/** The loss of a batch: maps of both images, keypoints in them, and what each loss makes of them. */
import { lax, numpy as np } from "@jax-js/jax";
import "../../graph/jax-now.js";
import type { Network } from "../../model/layers/layers.js";
import { trainingLayers } from "../../model/layers/training.js";
import { type Arr, sigmoid } from "../../model/operators.js";
import { inside, pixelRows, sampleRows } from "../../model/sampling.js";
import type { ScoreNetwork } from "../../model/score-network.js";
import { peakyLoss } from "../losses/index.js";
import { halves, LossSum } from "../reference/levels.js";
import type { LossInputs, LossOutputs } from "../task.js";
import { type Contrast, contrastLoss, isDistinct, MAX_TEMPERATURE } from "./contrast.js";
import { keypointLoss, procrustesLoss, projectedLoss } from "./distillation.js";
import { matchingAccuracy } from "./matching.js";
import { bestPixels, matricesAt, project, samePlane, softPositions, squaredDistances, swapHalves } from "./points.js";
import { logScores, rankingLoss } from "./ranking.js";
import type { DetectorRecipe, DetectorTeacher } from "./recipe.js";
import { outcomeLoss, shareOf } from "./reliability.js";
import { reprojectionLoss } from "./reprojection.js";
import { similarityLoss } from "./similarity.js";
import { GRID } from "./teacher.js";

/** Logarithm of what cosines are multiplied by; it is learnt, but no part of the model. */
export const TEMPERATURE = "temperature";

/** From the student's descriptors to its teacher's; it is learnt, and no part of the model either. */
export const PROJECTION = "projection";

/** Parameters that are no tensors of the model. */
export const TRAINING_ONLY: readonly string[] = [TEMPERATURE, PROJECTION];

/** Pixels at which matches are said to be right in the log. */
const ACCURACY_AT = [1, 3];

/**
 * Inputs of a batch of N pairs: `images` [2N, 3, S, S], normalised, the first images before the second ones; `matrices`
 * [2N, 9], homographies from each image to the other of its pair, or [2N, L, 9] of L planes with `labels` [2N, 1, S, S],
 * which say what is seen of them; with a teacher, `teacherScore` and
 * `teacherDescriptors` (teacher.ts).
 */
export function detectorLoss(
  { network: config, losses, teacher }: DetectorRecipe,
  build: Network<ScoreNetwork>,
  { parameters, state, inputs }: LossInputs,
  training: boolean,
): LossOutputs {
  const { images, matrices, labels } = inputs as Record<"images" | "matrices", Arr> & { labels?: Arr };
  const [, , height, width] = images.shape;
  const statistics = training ? losses.statistics : "running";
  const { layers, state: next } = trainingLayers({ parameters, state, statistics });
  const network = build(layers);
  const maps = network.maps(images);
  const logits = network.atPixels(maps.logits);
  const [repeatability, reliability] = [0, 1].map((i) => sigmoid(logits.ref.slice([], [i, i + 1])));
  const score = repeatability.ref.mul(reliability);

  const sum = new LossSum();
  if (teacher && teacher.keypoints > 0) {
    sum.add("teacher-keypoints", keypointLoss(score.ref, inputs.teacherScore), teacher.keypoints);
  }
  const keypoints = bestPixels(score.ref, losses.cell);
  const carriers = matricesAt(keypoints.ref, { matrices: matrices.ref, labels: labels?.ref });
  const places = lax.stopGradient(project(keypoints.ref, carriers.ref));
  const within = inside(places.ref, width, height, losses.border);
  const valid = labels ? within.mul(samePlane(keypoints.ref, places.ref, labels.ref, swapHalves(labels.ref))) : within;
  const distances = lax.stopGradient(squaredDistances(places.ref, swapHalves(keypoints.ref)));

  // One reading of the maps for both: an image's keypoints, and the true places of the other image's.
  const asked = np.concatenate([keypoints.ref, swapHalves(places)], 1);
  const [own, carried] = np.split(describe(maps.levels, asked, network), 2, 1);
  if (teacher && learnsDescriptors(teacher)) {
    addDescriptors(sum, teacher, own.ref, keypoints.ref, inputs.teacherDescriptors, parameters);
  }
  const contrast: Contrast = {
    positive: np.sum(own.ref.mul(swapHalves(carried)), 2),
    others: np.matmul(own.ref, swapHalves(own).transpose([0, 2, 1])),
    wrong: np.greaterEqual(distances.ref, losses.near ** 2).astype(np.float32),
    valid: valid.ref,
  };
  const temperature = np.minimum(np.exp(parameters[TEMPERATURE].ref), MAX_TEMPERATURE);

  noteAccuracy(sum, contrast.others.ref, distances.ref, valid.ref);
  const distinct = isDistinct(referencesTo(contrast));
  sum.note("distinct", shareOf(distinct.ref, valid.ref));
  sum.note("temperature", lax.stopGradient(temperature.ref).reshape([]));
  sum.add("descriptors", contrastLoss(contrast, temperature));

  const judged = pixelRows(logits, keypoints.ref);
  const ranks = losses.ranking > 0 && { scores: logScores(judged.ref), distinct: distinct.ref.astype(np.float32) };
  sum.add("reliability", outcomeLoss(judged.slice([], [], 1), distinct, valid.ref), losses.reliability);

  const positions = softPositions(score, keypoints, config.detection.nmsRadius);
  const { loss, repeated } = reprojectionLoss(
    { positions: positions.ref, carried: project(positions, carriers), distances, valid: valid.ref },
    losses.reach,
  );
  sum.add("reprojection", loss, losses.reprojection);
  if (ranks) {
    sum.add("ranking", rankingLoss(ranks.scores, ranks.distinct.mul(repeated.ref), valid.ref), losses.ranking);
  }
  sum.note("repeated", shareOf(repeated, valid));

  const [first, second] = halves(repeatability.ref);
  const [there, back] = halves(matrices);
  back.dispose();
  const [seenFirst, seenSecond] = labels ? halves(labels) : [];
  const carrying = { matrices: there, labels: seenFirst };
  sum.add("similarity", similarityLoss(first, second, carrying, losses.patch, seenSecond), losses.similarity);
  sum.add("peaky", peakyLoss(repeatability, np.ones([images.shape[0]]), losses.peakWindow), losses.peaky);
  return { ...sum.finish(), state: next() };
}

const referencesTo = ({ positive, others, wrong, valid }: Contrast): Contrast => ({
  positive: positive.ref,
  others: others.ref,
  wrong: wrong.ref,
  valid: valid.ref,
});

/** Whether a loss asks for the teacher's descriptors. */
export const learnsDescriptors = ({ similarity, procrustes }: DetectorTeacher): boolean => similarity + procrustes > 0;

/** Descriptors [M, P, dim] at keypoints [M, P, 2] against what the teacher's maps [M, d, h, w] hold there. */
function addDescriptors(
  sum: LossSum,
  { similarity, procrustes }: DetectorTeacher,
  own: Arr,
  keypoints: Arr,
  lesson: Arr,
  parameters: Record<string, Arr>,
): void {
  const [m, p, dim] = own.shape;
  const [, d] = lesson.shape;
  const { rows, coverage } = sampleRows(lesson, keypoints.add(0.5).div(GRID).sub(0.5));
  coverage.dispose();
  const square = np.sum(np.square(rows.ref), 2, { keepdims: true });
  const taught = rows.div(np.sqrt(np.maximum(square, 1e-24))).reshape([m * p, d]);
  const learnt = own.reshape([m * p, dim]);
  if (similarity > 0) {
    sum.add("teacher-similarity", projectedLoss(learnt.ref, parameters[PROJECTION].ref, taught.ref), similarity);
  }
  if (procrustes > 0) sum.add("teacher-procrustes", procrustesLoss(learnt.ref, taught.ref), procrustes);
  learnt.dispose();
  taught.dispose();
}

/** Matching accuracy of the first images' keypoints. */
function noteAccuracy(sum: LossSum, cosines: Arr, distances: Arr, valid: Arr): void {
  const [[alike, unused], [apart, back], [counts, others]] = [halves(cosines), halves(distances), halves(valid)];
  for (const half of [unused, back, others]) half.dispose();
  const accuracy = matchingAccuracy(alike, apart, counts, ACCURACY_AT);
  for (const [i, threshold] of ACCURACY_AT.entries()) sum.note(`mma${threshold}`, accuracy[i]);
}

/**
 * Descriptors [M, Q, dim] of unit length at points [M, Q, 2]: what the encoders see there on each level, summed. A 1×1
 * convolution commutes with sampling, so only what is sampled is encoded.
 */
function describe(maps: readonly Arr[], points: Arr, { levels, encoders }: ScoreNetwork): Arr {
  const encoded = maps.map((map, i) => {
    const scale = 0.5 ** levels[i];
    const { weight, bias } = encoders[i].weights();
    const [dim, from] = weight.shape;
    const { rows, coverage } = sampleRows(map, points.ref.add(0.5).mul(scale).sub(0.5));
    const [m, q] = coverage.shape;
    // As one product of matrices: a batch of them would have its kernel's gradient laid out per image.
    const seen = np.matmul(rows.reshape([m * q, from]), weight.reshape([dim, from]).transpose([1, 0]));
    // Outside the map the encoder sees nothing, not even its bias.
    return seen.reshape([m, q, dim]).add(coverage.reshape([m, q, 1]).mul(bias));
  });
  points.dispose();
  const sum = encoded.reduce((a, b) => a.add(b));
  const square = np.sum(np.square(sum.ref), 2, { keepdims: true });
  return sum.div(np.sqrt(np.maximum(square, 1e-24)));
}
