/** Samples for the functions of the jobs door. No server is asked: a job in a folder, and addresses at which nobody listens. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as jobs from "../../../src/node/jobs/index.js";
import { commitShard } from "../../../src/node/jobs/records.js";
import { drawnFeatures, MODEL, smallVocabulary, VERDICT } from "../search/samples.js";
import type { Table } from "./probe.js";

export const jobsFolder = mkdtempSync(join(tmpdir(), "strata-misuse-jobs-"));
const at = (name: string) => join(jobsFolder, name);
const nobody = "redis://127.0.0.1:1";
const extractor = {
  info: { model: MODEL.name, sha256: MODEL.sha256, dim: 64, verdict: VERDICT as object },
  options: {},
  extract: async () => drawnFeatures(1),
  dispose: async () => {},
};
const file = { path: at("none.h5"), sha256: "00" };
const pairs = {
  features: new Map([
    ["a", file],
    ["b", file],
  ]),
  pairs: [["a", "b"]] as const,
  options: { mutual: true },
  size: 3,
};

/** A job of one pair that is done, and came to nothing. */
let made: Promise<string> | undefined;
const job = () => {
  made ??= (async () => {
    const plan = await jobs.makeMatchJob(at("job"), pairs);
    await commitShard(at("job"), plan, 0, { bytes: null, done: 1, found: 0, setAside: [] });
    return at("job");
  })();
  return made;
};
const image = { pixelLimit: 100, orientation: true };

export const JOBS: Table = {
  cancelJob: async () => ({ args: [await job(), nobody], refused: true }),
  jobStatus: async () => ({ args: [await job(), nobody], optional: 1, refused: true }),
  locateFeatures: () => ({ args: [[at("none.h5")]], refused: true }),
  makeExtractJob: () => ({
    args: [
      at("extract"),
      { root: jobsFolder, images: [{ path: at("none.png"), name: "none.png" }], extractor, open: {}, image, size: 3 },
    ],
    refused: true,
    depth: 1,
    also: { "1.size": "undefined" },
  }),
  makeIndexJob: async () => ({
    args: [
      at("index"),
      {
        paths: [at("none.png")],
        vocabulary: await smallVocabulary(),
        image,
        size: 3,
        openExtractor: async () => extractor,
      },
    ],
    refused: true,
    depth: 1,
    also: { "1.size": "undefined", "1.vocabulary": "undefined", "1.openExtractor": "undefined" },
  }),
  makeMatchJob: () => ({
    args: [at("match"), pairs],
    depth: 1,
    also: { "1.pairs": "Map", "1.options": "undefined", "1.size": "undefined" },
  }),
  mergeJob: async () => ({ args: [await job()] }),
  readPlan: async () => ({ args: [await job()] }),
  runShards: async () => ({
    args: [await job(), { index: 0, count: 1, threads: 1, root: jobsFolder }],
    optional: 1,
  }),
  runWorker: () => ({ args: [nobody, { untilEmpty: true, lockSeconds: 5, threads: 1 }], optional: 1, refused: true }),
  startService: () => ({ args: [at("none.index"), { port: 0, readers: 1 }], optional: 1, refused: true }),
  statusPage: async () => ({ args: [await jobs.jobStatus(await job()), 5], optional: 1, depth: 0 }),
  submitJob: async () => ({ args: [await job(), nobody, { window: 1, attempts: 1 }], optional: 2, refused: true }),
  tokensOf: () => ({
    args: [{ STRATA_TOKENS: "0123456789abcdef", STRATA_READ_TOKENS: "" }],
    also: { "0.STRATA_TOKENS": "undefined", "0.STRATA_READ_TOKENS": "undefined" },
  }),
};
