/**
 * `npm run bench threads`: how many threads, and whether they spin while they wait for work, beside 0, 1 and 2 processes
 * that keep a core busy. Extraction of a photograph-sized picture, and a training step of strata-s's recipe. All settings
 * of one kind of work are open at once and take turns, so that whatever else the machine does is spread over all of them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { loadavg } from "node:os";
import * as ort from "onnxruntime-node";
import { drawDemoPair } from "../demo/draw.js";
import { type OrtModule, openOrtSession } from "../src/graph/ort.js";
import type { Runtime } from "../src/graph/session.js";
import { resizeImage } from "../src/image/resize.js";
import { type Image, openExtractor, Random } from "../src/node/index.js";
import { nativeOptions } from "../src/node/runtime.js";
import { correspond, detectorTask, readDetectorRecipe, type TrainingPair } from "../src/node/train/index.js";
import { hyperparameters } from "../src/train/optimizer.js";
import { TRAIN_DEFAULTS } from "../src/train/options.js";
import { Stepper } from "../src/train/step.js";
import { summarize, type Timing } from "./harness.js";

const BUSY = [0, 1, 2];
const REPEATS = 7;
const SETTINGS = [
  { threads: 1, spins: false },
  { threads: 2, spins: false },
  { threads: 2, spins: true },
] as const;

export interface ThreadsRow {
  work: string;
  /** Processes beside it that keep a core busy. */
  busy: number;
  threads: number;
  spins: boolean;
  /** Wall time. */
  timing: Timing;
  /** Milliseconds of processor time for one run, mean. */
  processor: number;
  /** The machine's load average at the end, this work and the busy processes included. */
  load: number;
}

/** The native library as nodeRuntime opens it, but for the threads. */
function runtimeWith({ threads, spins }: (typeof SETTINGS)[number]): Runtime {
  ort.env.logLevel = "fatal";
  return {
    name: "onnxruntime-node",
    open: (model) =>
      openOrtSession(ort as unknown as OrtModule, {
        runtime: "onnxruntime-node",
        model,
        wanted: "cpu",
        fallback: "cpu",
        threads,
        writesInto: true,
        options: nativeOptions(threads, spins),
      }),
  };
}

interface Work {
  name: string;
  /** One run under each setting. */
  runs: (() => Promise<unknown>)[];
  close(): Promise<void>;
}

async function extraction(model: string): Promise<Work> {
  const image = resizeImage(drawDemoPair(7).a, 800, 640);
  const open = SETTINGS.map((setting) => openExtractor({ model, runtime: runtimeWith(setting) }));
  const extractors = await Promise.all(open);
  return {
    name: `extraction, ${model}, 800×640`,
    runs: extractors.map((extractor) => () => extractor.extract(image)),
    close: async () => {
      for (const extractor of extractors) await extractor.dispose();
    },
  };
}

async function training(): Promise<Work> {
  const recipe = await readDetectorRecipe("strata-s");
  const random = new Random(1);
  const size = recipe.data.cropSize;
  const noise = (): Image => ({
    width: size,
    height: size,
    data: Uint8Array.from({ length: 3 * size * size }, () => random.integer(256)),
  });
  const matrix = Float64Array.of(1, 0, -8, 0, 1, 0, 0, 0, 1);
  const warp = { kind: "homography", matrix } as const;
  const pairs = ["a", "b"].map((id): TrainingPair => ({ id, images: [noise(), noise()], warp }));
  const tasks = SETTINGS.map(() => detectorTask(recipe));
  const runs = SETTINGS.map((setting, i) => {
    const task = tasks[i];
    const stepper = new Stepper(task, 0, TRAIN_DEFAULTS, { runtime: runtimeWith(setting) });
    let t = 0;
    return {
      stepper,
      async run() {
        const correspondences = pairs.map((pair) => correspond(pair, task.grid));
        const feeds = await task.feeds({ pairs, grid: task.grid, correspondences });
        await stepper.step(pairs.length, feeds, hyperparameters(1e-4, ++t, null, TRAIN_DEFAULTS));
        stepper.commit();
      },
    };
  });
  return {
    name: `training step, strata-s, ${pairs.length} pairs of ${size}×${size}`,
    runs: runs.map(({ run }) => run),
    close: async () => {
      for (const { stepper } of runs) await stepper.dispose();
      for (const task of tasks) await task.dispose();
    },
  };
}

/** Processes that keep a core busy until they are ended. */
function keepBusy(count: number): ChildProcess[] {
  return Array.from({ length: count }, () => spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
}

export async function compareThreads(): Promise<ThreadsRow[]> {
  const rows: ThreadsRow[] = [];
  for (const open of [() => extraction("strata-s"), () => extraction("strata-xs"), training]) {
    const work = await open();
    for (const run of work.runs) await run();
    for (const busy of BUSY) {
      const busyOnes = keepBusy(busy);
      try {
        rows.push(...(await measure(work, busy)));
      } finally {
        for (const process of busyOnes) process.kill();
      }
    }
    await work.close();
  }
  return rows;
}

async function measure({ name, runs }: Work, busy: number): Promise<ThreadsRow[]> {
  const walls: number[][] = runs.map(() => []);
  const processor = runs.map(() => 0);
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const [i, run] of runs.entries()) {
      const [started, before] = [performance.now(), process.cpuUsage()];
      await run();
      walls[i].push(performance.now() - started);
      const { user, system } = process.cpuUsage(before);
      processor[i] += (user + system) / 1000 / REPEATS;
    }
  }
  const [load] = loadavg();
  return SETTINGS.map((setting, i) => ({
    ...{ work: name, busy, ...setting },
    ...{ timing: summarize(walls[i]), processor: processor[i], load },
  }));
}

/** The rows as a table of Markdown: medians of wall time with the fastest run, and processor time. */
export function threadsTable(rows: readonly ThreadsRow[]): string {
  const head = SETTINGS.map(({ threads, spins }) => `${threads}${threads > 1 ? (spins ? ", spinning" : ", not") : ""}`);
  const lines = [`| work | busy processes | ${head.join(" | ")} |`, `|---|---|${head.map(() => "---|").join("")}`];
  for (let i = 0; i < rows.length; i += SETTINGS.length) {
    const cells = rows.slice(i, i + SETTINGS.length).map(({ timing, processor }) => {
      return `${timing.median.toFixed(0)} (${timing.min.toFixed(0)}; ${processor.toFixed(0)})`;
    });
    lines.push(`| ${rows[i].work} | ${rows[i].busy} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}
