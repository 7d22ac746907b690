/** Samples for the functions of the train and the bench doors. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { numpy as np } from "@jax-js/jax";
import { nodeRuntime } from "../../../src/node/runtime.js";
import * as train from "../../../src/node/train/index.js";
import { referenceTensors, TINY } from "../../models.js";
import { runOf, scored } from "../bench/made.js";
import { shiftedPair, shiftedPairs } from "../train/shifted.js";
import { toyTask } from "../train/toy.js";
import { features, IDENTITY, matches } from "./core.js";
import type { Table } from "./probe.js";

export const folder = mkdtempSync(join(tmpdir(), "strata-misuse-train-"));
const pair = () => shiftedPair(1);
const grid = { width: 4, height: 4, scale: 8, shift: 3.5 };
const zeros = (...shape: number[]) => np.zeros(shape);
const pairs = () => ({
  maps: [zeros(1, 4, 4, 4), zeros(1, 4, 4, 4)],
  targets: zeros(1, 16, 2),
  valid: zeros(1, 16),
  pairWeights: zeros(1),
});
/** No pairs: refused once all arguments have been looked at. */
const training = () => ({ task: toyTask(), train: shiftedPairs(0), validation: null, options: {} });
const layout = { length: 0, entries: [] };
const identity = { task: "x", recipe: {}, options: {}, data: { train: "x", validation: null } };
const checkpoint = () => ({
  identity,
  versions: {},
  step: 0,
  cursor: { epoch: 0, index: 0 },
  best: null,
  stale: 0,
  tensors: new Map(),
});
const weights = () => ({ path: "x", tensors: referenceTensors(), preprocessing: null });
const truth = { sequence: "i_a", kind: "illumination", images: [1, 2], homography: IDENTITY };
const of = (at: string) => ({ [`${at}.levels`]: "undefined", [`${at}.kind`]: "undefined" });

const json = () => ({ name: "x", network: { ...TINY } });
const recipe = () => train.parseDetectorRecipe("x", json());
const judged = () => [
  { evidence: { inliers: 3, share: 1, spread: 0, tightness: 0.1, form: 1 }, right: true },
  { evidence: { inliers: 1, share: -1, spread: -3, tightness: 0.9, form: 0 }, right: false },
];
const verdict = () => ({
  weights: { inliers: 1, share: 1, spread: 1, tightness: -1, form: 1 },
  bias: 0,
  same: 0.9,
  different: 0.1,
});
const run = () => runOf([scored("i_a", 2)]);
const sequences = () => ({ name: "x", folder, digest: "x", sequences: [], bad: [] });
const result = () => ({ data: sequences(), runs: [], changes: [], plans: [], failures: [], notes: [] });

export const TRAIN: Table = {
  assembleCheckpoint: () => ({
    args: [referenceTensors(), [{ name: "x", shape: [1], data: new Float32Array(1) }], [], 3],
  }),
  bestCheckpoint: () => ({ args: [folder] }),
  carryOf: () => ({ args: [pair()] }),
  correspond: () => ({ args: [pair(), grid] }),
  correspondenceLoss: () => ({ args: [pairs()], opaque: ["0.maps"] }),
  detectorSources: () => ({
    args: [recipe(), { photos: folder, validation: true, seed: 0 }],
    opaque: ["0"],
    also: { "1.validation": "string undefined", "1.seed": "any" },
  }),
  detectorTask: () => ({
    args: [recipe(), null, { teacher: null }],
    opaque: ["0"],
    also: { "1": "undefined", "2": "undefined", "2.teacher": "undefined" },
  }),
  groupsOf: () => ({
    args: [shiftedPairs(2), { grid, minCorrespondences: 1 }, { epoch: 0, index: 0 }, { batch: 1, accumulate: 1 }],
    opaque: ["0"],
  }),
  joinWeights: () => ({
    args: [weights(), null],
    also: { "0": "null", "0.path": "any", "0.preprocessing": "any", "1": "undefined" },
  }),
  latestCheckpoint: () => ({ args: [folder] }),
  matchErrors: () => ({ args: [pair(), features, features, matches], also: { ...of("1"), ...of("2") } }),
  openCheckpoints: () => ({
    args: [join(folder, "checkpoints"), { identity, layout, stateLayout: layout, versions: {}, keep: 2 }],
    opaque: ["1.identity", "1.layout", "1.stateLayout"],
    also: { "1.keep": "undefined" },
  }),
  openPairWorkers: () => ({
    args: [{ kind: "photos", options: { photos: folder } }, { workers: 0 }],
    refused: true,
    optional: 1,
    opaque: ["0.options"],
  }),
  openSource: () => ({ args: [{ kind: "photos", options: {} }], refused: true }),
  parseAttentionRecipe: () => ({ args: ["d2net"] }),
  parseDetectorRecipe: () => ({
    args: ["x", json()],
    depth: 2,
    also: {
      "0": "any",
      "1.network.name": "any",
      ...Object.fromEntries(["network", "data", "losses", "training"].map((part) => [`1.${part}`, "undefined"])),
    },
  }),
  parseEncoderRecipe: () => ({ args: ["cfe64"] }),
  parseRecipe: () => ({ args: ["d2net"] }),
  peakyLoss: () => ({ args: [zeros(1, 1, 8, 8), zeros(1), 4] }),
  plannedSteps: () => ({ args: [train.TRAIN_DEFAULTS, 10], opaque: ["0"], also: { "0": "undefined object" } }),
  prepareMegadepth: () => ({ args: [{ base: join(folder, "none"), jobs: 1 }], refused: true }),
  readBeginning: () => ({ args: [join(folder, "none")], refused: true }),
  readDetectorRecipe: () => ({ args: ["strata-s"] }),
  readRuns: () => ({ args: [[join(folder, "none")], "x"], optional: 1, refused: true }),
  readTeacher: () => ({ args: [recipe(), {}], opaque: ["0"], also: { "1": "undefined" } }),
  readTrainingWeights: () => ({ args: [{ backbone: join(folder, "none"), preprocessing: "torch" }], refused: true }),
  readCheckpoint: () => ({ args: [folder], refused: true }),
  readWeights: () => ({ args: [folder], refused: true }),
  reconstructionLoss: () => ({ args: [zeros(2, 4, 4, 4), zeros(2, 4, 4, 4), zeros(1)] }),
  referenceTask: () => ({
    args: [{ recipe: train.parseRecipe("cfe64"), weights: referenceTensors(), cropSize: 64 }],
    opaque: ["0.recipe"],
    also: { "0.cropSize": "undefined" },
  }),
  referenceTraining: () => ({
    args: [train.parseRecipe("cfe64"), [8, 8, 8], { width: 8, height: 8 }],
    optional: 2,
    opaque: ["0"],
  }),
  referencesOf: () => ({ args: [pairs()], opaque: ["0.maps"] }),
  resumeFrom: () => ({ args: [checkpoint(), identity, layout, layout], opaque: ["0"] }),
  runTraining: () => ({
    args: [
      { ...training(), out: join(folder, "run"), versions: {}, task: { ...toyTask(), checkpoint: () => new Map() } },
    ],
    refused: true,
    opaque: ["0.task", "0.train"],
  }),
  splitSources: () => ({
    args: [{ kind: "photos", options: { folder } }, true],
    opaque: ["0.options"],
    also: { "1": "string" },
  }),
  train: () => ({
    args: [{ ...training(), runtime: { runtime: nodeRuntime, threads: 1 } }],
    refused: true,
    opaque: ["0.task", "0.train", "0.runtime"],
  }),
  trainInFolder: () => ({
    args: [
      {
        out: join(folder, "in"),
        task: toyTask(),
        sources: { train: { kind: "photos", options: {} }, validation: null },
      },
    ],
    refused: true,
    opaque: ["0.task", "0.sources"],
  }),
  trainOptions: () => ({ args: [{ batch: 2, optimizer: "adam" }], optional: 0, also: {} }),
  watchTraining: () => ({
    args: [
      {
        directory: join(folder, "watch"),
        resumeAt: null,
        name: "x",
        task: "x",
        recipe: {},
        options: {},
        data: {},
        versions: {},
        total: 3,
      },
    ],
    depth: 0,
  }),
};

// Nothing is ever fetched here, also where a sample's address is left out.
process.env.STRATA_HPATCHES_URL = "ftp://nowhere";

export const BENCH: Table = {
  areaUnderShare: () => ({ args: [[1, 2, null], 5], also: { "0.0": "null", "0.1": "null", "0.2": "number" } }),
  benchmarkReport: () => ({ args: [result(), { command: "x" }], opaque: ["0.data"], also: { "0.plans": "any" } }),
  calibrateVerdict: () => ({
    args: [
      {
        photos: join(folder, "none"),
        pairs: 1,
        different: 1,
        openExtractor: async () => ({ dispose: async () => {} }),
      },
    ],
    refused: true,
  }),
  calibrationError: () => ({ args: [[{ count: 1, predicted: 0.5, observed: 1 }]] }),
  compareResults: () => ({ args: [join(folder, "none"), join(folder, "none"), { out: folder }], refused: true }),
  downloadHpatches: () => ({ args: [{ out: join(folder, "none"), url: "ftp://x" }], refused: true }),
  findRuns: () => ({ args: [join(folder, "none"), folder], refused: true }),
  fitVerdict: () => ({ args: [judged()], depth: 3, also: { "0.0.evidence": "null", "0.1.evidence": "null" } }),
  isFullHpatches: () => ({ args: [[], []] }),
  loadCachedCurve: () => ({ args: [join(folder, "none.npy")], refused: true }),
  measurePose: () => ({ args: [{ data: join(folder, "none"), method: "orb", steps: 3 }], refused: true }),
  searchPrints: () => ({
    args: [{ photos: [join(folder, "none")], others: [join(folder, "none")], extractor: { colour: "red" }, seed: 3 }],
    refused: true,
  }),
  trackVideos: () => ({
    args: [{ photos: join(folder, "none"), extractor: { colour: "red" }, seed: 3 }],
    refused: true,
  }),
  openScenes: () => ({ args: [join(folder, "none")], refused: true }),
  openSequences: () => ({ args: [join(folder, "none"), { skipBad: false, only: null }], refused: true }),
  pairProbability: () => ({
    args: [verdict(), judged()[0]],
    also: { "1.evidence": "null", "0.same": "any", "0.different": "any" },
  }),
  parseMethod: () => ({ args: ["orb", {}] }),
  publishedCurves: () => ({ args: [] }),
  reliabilityCurve: () => ({
    args: [verdict(), judged(), 4],
    also: { "0.same": "any", "0.different": "any", "1.0.evidence": "null", "1.1.evidence": "null" },
    optional: 2,
  }),
  resultsName: () => ({ args: [run().info], depth: 1, opaque: ["0"] }),
  runBenchmark: () => ({
    args: [{ data: join(folder, "none"), out: folder, methods: ["orb"], jobs: 1 }],
    refused: true,
  }),
  saveBenchmarkReport: () => ({
    // The run is of images that the data do not have.
    refused: true,
    args: [
      join(folder, "r.json"),
      { title: "x", date: "x", command: "x", full: false, runs: [run()] },
      result(),
      { data: folder, out: folder, methods: [] },
    ],
    opaque: ["1", "2"],
  }),
  saveCaches: () => ({ args: [join(folder, "caches"), []] }),
  savePublishedReport: () => ({ args: [join(folder, "p.html"), "x"] }),
  sequenceKind: () => ({ args: ["i_a"] }),
  verdictFigures: () => ({ args: [verdict(), judged(), judged()], opaque: ["1", "2"] }),
  compareRuns: () => {
    return {
      args: [run(), run(), { resamples: 10 }],
      optional: 2,
      opaque: ["0.info", "1.info", "0.records", "1.records"],
      also: { "0.images": "any", "1.images": "any" },
    };
  },
  countWithin: () => ({
    args: [Float64Array.of(1, 2), [1, 2]],
    optional: 1,
    also: { "0": "array Float32Array Uint8Array Uint32Array" },
  }),
  matchingAccuracy: () => ({ args: [{ matches: 3, correct: [1, 2] }] }),
  matchingScore: () => ({ args: [{ covisible: [1, 2], correct: [1, 2, 3] }] }),
  openBaseline: () => ({ args: ["orb", { maxFeatures: 10 }], optional: 1, also: { "1.maxFeatures": "null" } }),
  projectionErrors: () => ({
    args: [features, features, matches, IDENTITY],
    also: { ...of("0"), ...of("1"), "3": "array Float32Array" },
  }),
  repeatability: () => ({ args: [{ covisible: [1, 2], repeated: [1, 2] }] }),
  repeatedKeypoints: () => ({
    args: [features, features, IDENTITY, 3],
    optional: 3,
    also: { ...of("0"), ...of("1"), "2": "array Float32Array" },
  }),
  scorePair: () => ({
    args: [features, features, truth, { seed: 0 }],
    optional: 3,
    also: {
      ...of("0"),
      ...of("1"),
      "2.sequence": "any",
      "2.kind": "any",
      "2.images": "any",
      "2.images.0": "any",
      "2.images.1": "any",
      "2.homography": "array Float32Array",
    },
  }),
  scoringOf: () => ({ args: [{ seed: 0 }], optional: 0 }),
  shareWithin: () => ({ args: [[1, 2, null], 5], also: { "0.0": "null", "0.1": "null", "0.2": "number" } }),
  summarize: () => ({ args: [[scored("i_a", 2)]], depth: 1 }),
  summarizeByKind: () => ({ args: [[scored("i_a", 2)]], depth: 1 }),
  topFeatures: () => ({ args: [features, 2], also: { ...of("0"), "1": "null" } }),
};
