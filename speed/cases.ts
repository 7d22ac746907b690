/** What is timed. Each case runs in a process of its own, so that its peak memory is its own. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawDemoPair } from "../demo/draw.js";
import { scorePair } from "../src/bench/score-pair.js";
import type { PairTruth } from "../src/bench/types.js";
import { DenseExtractor } from "../src/extract/dense.js";
import { extractOptions } from "../src/extract/options.js";
import { projectPoints } from "../src/geometry/matrix3.js";
import { compile } from "../src/graph/compile.js";
import { resizeImage } from "../src/image/resize.js";
import { foldedPass } from "../src/model/layers/folded.js";
import type { Layers } from "../src/model/layers/layers.js";
import type { Arr } from "../src/model/operators.js";
import {
  type Extractor,
  type Features,
  type Image,
  matchFeatures,
  nodeRuntime,
  openExtractor,
  openReference,
  Random,
  saveImage,
  setDefaultRuntime,
} from "../src/node/index.js";
import { timeFirstInChromium, timeInChromium } from "./chromium.js";
import { timeGraphStep } from "./graph-step.js";
import { summarize, type Timing, time } from "./harness.js";
import { plainBackbone, randomBackbone, randomReference } from "./random-model.js";
import { timeAttentionStep } from "./train-step.js";

export interface Outcome {
  timing: Timing;
  /** Resident memory at its peak beyond what the process had before the case's own work, in MB; null for whole processes. */
  peakMB: number | null;
  note?: string;
}

export interface BenchCase {
  name: string;
  what: string;
  /** The work is done in processes of its own, whose memory is not ours to see. */
  external?: true;
  run(): Promise<{ timing: Timing; note?: string }>;
}

const root = fileURLToPath(new URL("..", import.meta.url));

function drawn(width: number, height: number): Image {
  return resizeImage(drawDemoPair(7).a, width, height);
}

async function timeExtraction(extractor: Extractor, image: Image, options?: { warmup: number; repeats: number }) {
  let features: Features | undefined;
  const timing = await time(async () => {
    features = await extractor.extract(image);
  }, options);
  await extractor.dispose();
  return { timing, note: `${features?.count} keypoints` };
}

/** The shared checkpoint has no real accuracy either, but its scores are spread as a trained model's would be. */
function reference(): DenseExtractor {
  setDefaultRuntime(nodeRuntime);
  const { model, defaults } = openReference("random weights", "random", randomReference(1), {}, "0");
  return new DenseExtractor(model, extractOptions({ maxFeatures: 5000 }, defaults));
}

async function plainResnet(): Promise<{ timing: Timing }> {
  const params = randomBackbone(1);
  const deep = (layers: Layers) => {
    const taps = plainBackbone(layers);
    return (image: Arr) => taps(image)[2];
  };
  const compiled = await compile(
    foldedPass(deep),
    { image: { shape: [1, 3, 480, 640] }, params },
    {
      runtime: nodeRuntime,
    },
  );
  const random = new Random(3);
  const image = Float32Array.from({ length: 3 * 480 * 640 }, () => random.normal());
  const timing = await time(() => compiled.run({ image }));
  await compiled.dispose();
  return { timing };
}

function randomFeatures(count: number, dim: number, seed: number): Features {
  const random = new Random(seed);
  const descriptors = Float32Array.from({ length: count * dim }, () => random.normal() / Math.sqrt(dim));
  return {
    count,
    dim,
    imageSize: [1600, 1200],
    keypoints: Float32Array.from({ length: 2 * count }, () => random.uniform(0, 1200)),
    scores: new Float32Array(count).fill(1),
    descriptors,
  };
}

/**
 * Features of two views, `right` of them found again within a pixel or so with descriptors that are nearest neighbours
 * still, the others anywhere.
 */
function twoViews(count: number, right: number): { a: Features; b: Features; truth: PairTruth } {
  const [a, b] = [randomFeatures(count, 64, 1), randomFeatures(count, 64, 2)];
  const homography = Float64Array.of(0.9, -0.2, 120, 0.15, 1.05, -30, 6e-5, -3e-5, 1);
  const places = projectPoints(homography, a.keypoints);
  const random = new Random(3);
  for (let i = 0; i < 2 * right; i++) b.keypoints[i] = places[i] + 0.7 * random.normal();
  for (let k = 0; k < 64 * right; k++) b.descriptors[k] = a.descriptors[k] + 0.3 * b.descriptors[k];
  return { a, b, truth: { sequence: "v_made", kind: "viewpoint", images: [1, 2], homography } };
}

async function timeScoring(right: number): Promise<{ timing: Timing; note: string }> {
  setDefaultRuntime(nodeRuntime);
  const { a, b, truth } = twoViews(10_000, right);
  let note = "";
  const timing = await time(
    async () => {
      const { matches, correct } = (await scorePair(a, b, truth)).scores;
      note = `${matches} matches, ${correct[2]} right`;
    },
    { warmup: 1, repeats: 5 },
  );
  return { timing, note };
}

/** Runs the command line as whole processes; `figure` picks the milliseconds that count. */
function timeProcess(args: readonly string[], figure: (wall: number, stdout: string) => number): Timing {
  const times: number[] = [];
  for (let i = 0; i < 8; i++) {
    const started = performance.now();
    const done = spawnSync(process.execPath, [join(root, "bin/strata.js"), ...args], { encoding: "utf8" });
    const wall = performance.now() - started;
    if (done.status !== 0) throw new Error(`strata ${args.join(" ")}: ${done.stderr}`);
    if (i > 0) times.push(figure(wall, done.stdout));
  }
  return summarize(times);
}

/** `strata match --json` of two drawn images. */
async function timeMatch(figure: (wall: number, stdout: string) => number): Promise<{ timing: Timing }> {
  const folder = mkdtempSync(join(tmpdir(), "strata-bench-"));
  try {
    const pair = drawDemoPair(7);
    const paths = [join(folder, "a.png"), join(folder, "b.png")];
    await saveImage(paths[0], pair.a);
    await saveImage(paths[1], pair.b);
    return { timing: timeProcess(["match", ...paths, "--json"], figure) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const CASES: BenchCase[] = [
  { name: "resnet50", what: "plain ResNet-50, 640×480 (the yardstick)", run: plainResnet },
  {
    name: "reference-dense",
    what: "reference network, dense pass, 640×480, firstStride 1",
    run: async () => {
      const extractor = reference();
      const image = drawn(640, 480);
      const timing = await time(() => extractor.dense([image]), { warmup: 1, repeats: 5 });
      await extractor.dispose();
      return { timing };
    },
  },
  {
    name: "reference-extract",
    what: "reference network, whole extraction, 640×480, firstStride 1, best 5000",
    run: () => timeExtraction(reference(), drawn(640, 480), { warmup: 1, repeats: 5 }),
  },
  {
    name: "default-dense",
    what: "default model, dense pass, 640×480",
    run: async () => {
      const extractor = (await openExtractor()) as DenseExtractor;
      const image = drawn(640, 480);
      const timing = await time(() => extractor.dense([image]));
      await extractor.dispose();
      return { timing };
    },
  },
  {
    name: "default-640",
    what: "default model, whole extraction, 640×480, 2000 keypoints",
    run: async () => timeExtraction(await openExtractor(), drawn(640, 480)),
  },
  {
    name: "default-1600",
    what: "default model, whole extraction, 1600×1200, 2000 keypoints",
    run: async () => timeExtraction(await openExtractor(), drawn(1600, 1200), { warmup: 1, repeats: 5 }),
  },
  {
    name: "xs-640",
    what: "strata-xs, whole extraction, 640×480, 2000 keypoints",
    run: async () => timeExtraction(await openExtractor({ model: "strata-xs" }), drawn(640, 480)),
  },
  {
    name: "default-640-chromium",
    external: true,
    what: "default model in Chromium (WASM), whole extraction, 640×480, 2000 keypoints",
    run: () => timeInChromium("/models/strata-s/"),
  },
  {
    name: "xs-640-chromium",
    external: true,
    what: "strata-xs in Chromium (WASM), whole extraction, 640×480, 2000 keypoints",
    run: () => timeInChromium("/models/strata-xs/"),
  },
  {
    name: "first-640-chromium",
    external: true,
    what: "default model in a fresh page (WASM): opening and first extraction, 640×480",
    run: () => timeFirstInChromium("/models/strata-s/"),
  },
  {
    name: "match-10k",
    what: "mutual nearest neighbours, 10 000 × 10 000 × 64",
    run: async () => {
      const [a, b] = [randomFeatures(10_000, 64, 1), randomFeatures(10_000, 64, 2)];
      let count = 0;
      const timing = await time(
        async () => {
          count = (await matchFeatures(a, b)).count;
        },
        { warmup: 1, repeats: 5 },
      );
      return { timing, note: `${count} matches` };
    },
  },
  {
    name: "score-10k",
    what: "all scores of a pair, 10 000 × 10 000 × 64, two fifths of the keypoints found again",
    run: () => timeScoring(4000),
  },
  {
    name: "score-10k-random",
    what: "all scores of a pair, 10 000 × 10 000 × 64, nothing in common",
    run: () => timeScoring(0),
  },
  {
    name: "train-attention",
    what: "step of the reference's attention training, 4 pairs of 256×256",
    run: () => timeAttentionStep(4),
  },
  {
    name: "train-scratch",
    what: "step of a 7-layer network from scratch, batch norm, 2 pairs of 192×192",
    run: async () => {
      const { timing, losses } = await timeGraphStep();
      const rate = (4 * 1000) / timing.median;
      return { timing, note: `${rate.toFixed(0)} images/s; loss ${losses.map((l) => l.toPrecision(4)).join(" to ")}` };
    },
  },
  {
    name: "cli-help",
    external: true,
    what: "strata --help, whole process",
    run: async () => ({ timing: timeProcess(["--help"], (wall) => wall) }),
  },
  {
    name: "cli-start",
    external: true,
    what: "strata match: start of the process to first work, and its end",
    run: () =>
      timeMatch((wall, stdout) => wall - 1000 * (JSON.parse(stdout) as { seconds: { total: number } }).seconds.total),
  },
  {
    name: "cli-match",
    external: true,
    what: "strata match of two drawn 640×480 images, whole process",
    run: () => timeMatch((wall) => wall),
  },
];

export const built = (): boolean => existsSync(join(root, "dist/bundle/strata.js"));
