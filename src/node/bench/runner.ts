/**
 * The kinds of work of an evaluation, done one task at a time: an image's features to a file, the scores of a pair from
 * two such files, and those of a photograph against itself turned or zoomed. A task and its result are plain data, so that the same runner serves this process and a job
 * in another one.
 */
import { curvePhoto, scoreChange } from "../../bench/curves.js";
import { topFeatures } from "../../bench/features.js";
import { scorePair } from "../../bench/score-pair.js";
import type { Change, ChangeScores, ImageRecord, PairScores, PairTruth } from "../../bench/types.js";
import type { Features } from "../../features.js";
import { decodeRecord, encodeRecord, type Provenance } from "../../formats/record.js";
import type { Runtime } from "../../graph/session.js";
import type { Image } from "../../image/image.js";
import { disposeMatching } from "../../match/index.js";
import { readFileChecked, writeFileAtomic } from "../atomic.js";
import { loadImage } from "../images.js";
import { nodeRuntime } from "../runtime.js";
import { isSpread, type MethodSpec, type OpenExtractor, type OpenMethod, openMethod } from "./methods.js";
import type { SequenceImage } from "./sequences.js";

export interface ExtractTask {
  type: "extract";
  method: MethodSpec;
  image: SequenceImage;
  /** For `loadImage`. */
  loading: { pixelLimit: number; orientation: boolean };
  /** The npz to write, its folder being there, and what it says of itself beside the image's record. */
  path: string;
  provenance: Provenance;
}

export interface ScoreTask {
  type: "score";
  /** npz files of the pair's features, and how many of the best keypoints count. */
  paths: [string, string];
  limit: number | null;
  /** Whether those are spread over the image. */
  spread: boolean;
  truth: Omit<PairTruth, "homography"> & { homography: number[] };
  seed: number;
}

export interface ChangeTask {
  type: "change";
  method: MethodSpec;
  image: SequenceImage;
  loading: { pixelLimit: number; orientation: boolean };
  limit: number | null;
  change: Change;
  value: number;
  seed: number;
}

/** What is trained: parameters, and a loss of them. */
export type Task = ExtractTask | ScoreTask | ChangeTask;
export type ResultOf<T extends Task> = T extends ExtractTask
  ? ImageRecord
  : T extends ScoreTask
    ? PairScores
    : ChangeScores;

export interface Runner {
  run<T extends Task>(task: T): Promise<ResultOf<T>>;
  /** Settles once no file is being written. */
  settled(): Promise<void>;
  dispose(): Promise<void>;
}

/** Files of features that are kept: image 1 of a sequence is in each of its pairs. */
const KEPT_FILES = 2;

/** The runtime with so many threads, for matching, which does not say how many it wants. */
function runtimeOf(threads: number): Runtime {
  return { ...nodeRuntime, open: (model, options) => nodeRuntime.open(model, { threads, ...options }) };
}

export function openRunner(threads: number, openExtractor: OpenExtractor): Runner {
  const runtime = runtimeOf(threads);
  let method: { id: string; opened: Promise<OpenMethod>; warm: boolean } | undefined;
  let writing: Promise<void> = Promise.resolve();
  const files = new Map<string, Promise<Features>>();

  const open = async (spec: MethodSpec) => {
    const id = JSON.stringify(spec);
    if (method?.id !== id) {
      const before = method;
      method = { id, opened: openMethod(spec, threads, openExtractor), warm: false };
      await (await before?.opened.catch(() => undefined))?.dispose();
    }
    return method;
  };

  const extract = async ({ method: spec, image, loading, path, provenance }: ExtractTask): Promise<ImageRecord> => {
    const current = await open(spec);
    const opened = await current.opened;
    const load = () => loadImage(image.path, loading);
    const record: ImageRecord = {
      sequence: image.sequence,
      image: image.number,
      keypoints: 0,
      seconds: null,
      peakMB: null,
      threads: null,
    };
    let features: Features;
    if (opened.timed) {
      const pixels = await load();
      const given = async () => pixels;
      // The first image pays for opening the session; its time is that of a second go.
      if (!current.warm) await opened.features(image, given);
      current.warm = true;
      const started = performance.now();
      features = await opened.features(image, given);
      record.seconds = (performance.now() - started) / 1000;
      record.peakMB = process.resourceUsage().maxRSS / 1024;
      record.threads = threads;
      record.fallback = opened.fallback();
    } else {
      features = await opened.features(image, load);
    }
    record.keypoints = features.count;
    writing = writeFileAtomic(path, encodeRecord("npz", features, { ...provenance, image: image.name, record }));
    await writing;
    return record;
  };

  const read = (path: string): Promise<Features> => {
    let reading = files.get(path);
    if (!reading) {
      reading = readFileChecked(path).then((bytes) => decodeRecord("npz", bytes).features);
      files.set(path, reading);
      if (files.size > KEPT_FILES) files.delete(files.keys().next().value as string);
    } else {
      // Used last: kept longest.
      files.delete(path);
      files.set(path, reading);
    }
    return reading;
  };

  const score = async ({ paths, limit, spread, truth, seed }: ScoreTask): Promise<PairScores> => {
    const [a, b] = await Promise.all([read(paths[0]), read(paths[1])]);
    const homography = Float64Array.from(truth.homography);
    const pair = await scorePair(
      topFeatures(a, limit, spread),
      topFeatures(b, limit, spread),
      { ...truth, homography },
      { seed, runtime },
    );
    return pair.scores;
  };

  /** The photograph of the task before: its other changes follow. */
  let photo: { id: string; image: Image; features: Features } | undefined;

  const change = async ({ method: spec, image, loading, limit, change, value, seed }: ChangeTask) => {
    const opened = await (await open(spec)).opened;
    const extract = async (pixels: Image) =>
      topFeatures(await opened.features(image, async () => pixels), limit, isSpread(spec));
    const id = JSON.stringify([spec, image.path, loading, limit]);
    if (photo?.id !== id) {
      const pixels = curvePhoto(await loadImage(image.path, loading));
      photo = { id, image: pixels, features: await extract(pixels) };
    }
    const { image: pixels, features } = photo;
    return scoreChange({ name: image.name, photo: pixels, features, extract, change, value, seed, runtime });
  };

  const run = (task: Task): Promise<ImageRecord | PairScores | ChangeScores> => {
    switch (task.type) {
      case "extract":
        return extract(task);
      case "score":
        return score(task);
      case "change":
        return change(task);
    }
  };

  return {
    run: <T extends Task>(task: T) => run(task) as Promise<ResultOf<T>>,
    settled: () => writing.catch(() => {}),
    async dispose() {
      await (await method?.opened.catch(() => undefined))?.dispose();
      await disposeMatching();
    },
  };
}
