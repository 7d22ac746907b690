/**
 * `npm run bench gpu`: every model that ships on onnxruntime-node's WebGPU (by way of Vulkan, Metal or Direct3D) against the
 * CPU, and steps of a training. `--software` takes the SwiftShader that comes with Chromium, with smaller work: it shows
 * that the script runs, its times say nothing. What is measured runs in a child, for a driver may end the process.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { drawDemoPair } from "../demo/draw.js";
import { compareFeatures } from "../src/export/parity.js";
import type { Backend } from "../src/graph/session.js";
import { resizeImage } from "../src/image/resize.js";
import { type Image, nodeRuntime, openExtractor } from "../src/node/index.js";
import { detectorTask, readDetectorRecipe } from "../src/node/train/index.js";
import { hyperparameters } from "../src/train/optimizer.js";
import { TRAIN_DEFAULTS } from "../src/train/options.js";
import { Stepper } from "../src/train/step.js";
import { environment, SWIFTSHADER } from "../test/contract/webgpu-process.js";
import { type Timing, time } from "./harness.js";

/** Points this near count as the same; sums in another order move positions in the last digits. */
const SAME_PX = 0.01;
/** What has to hold: the share of points that are the same, and the largest relative difference of a loss. */
export const WANTED = { points: 0.99, loss: 1e-3 } as const;

interface ModelFigures {
  model: string;
  points: number;
  /** Share of the CPU's points that are on the GPU within 0.01 px, largest distance of those within half a pixel, least cosine. */
  same: number;
  distance: number;
  cosine: number;
  cpu: Timing;
  gpu: Timing;
}

interface TrainingFigures {
  recipe: string;
  pairs: number;
  cropSize: number;
  /** Largest |gpu − cpu| / cpu of the losses of the steps. */
  loss: number;
  updatesPerSecond: { cpu: number; gpu: number };
}

export interface GpuFigures {
  software: boolean;
  models: ModelFigures[];
  training: TrainingFigures;
  /** Everything is within what is wanted. */
  agrees: boolean;
}

/** In the child. Prints one line of JSON: the figures, or why there are none. */
export async function measureGpu(software: boolean): Promise<void> {
  const image = software ? resizeImage(drawDemoPair(7).a, 160, 120) : resizeImage(drawDemoPair(7).a, 640, 480);
  const models: ModelFigures[] = [];
  for (const model of shippedModels()) {
    const figures = await measureModel(model, image, software ? 1 : 10);
    if ("absent" in figures) return print(figures);
    models.push(figures);
  }
  const training = await measureTraining(
    software ? { pairs: 1, cropSize: 64, steps: 2 } : { pairs: 4, cropSize: 192, steps: 10 },
  );
  const agrees = models.every(({ same }) => same >= WANTED.points) && training.loss <= WANTED.loss;
  print({ software, models, training, agrees } satisfies GpuFigures);
}

const print = (what: object) => console.log(JSON.stringify(what));

/** Folders of models/ that hold weights. */
function shippedModels(): string[] {
  const folder = fileURLToPath(new URL("../models/", import.meta.url));
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.map(({ name }) => name).filter((name) => readdirSync(`${folder}${name}`).includes("config.json"));
}

async function measureModel(model: string, image: Image, repeats: number) {
  const on = async (backend: Backend) => {
    const extractor = await openExtractor({ model, backend });
    const features = await extractor.extract(image);
    const { fallback } = extractor.info.session ?? {};
    const timing = fallback ? null : await time(() => extractor.extract(image), { warmup: 1, repeats });
    await extractor.dispose();
    return { features, timing, fallback };
  };
  const gpu = await on("webgpu");
  if (!gpu.timing) return { absent: gpu.fallback as string };
  const cpu = await on("cpu");
  const { near, distance, cosine } = compareFeatures(cpu.features, gpu.features);
  const same = near === 0 ? 0 : sameShare(cpu.features.keypoints, gpu.features.keypoints);
  return { model, points: cpu.features.count, same, distance, cosine, cpu: cpu.timing as Timing, gpu: gpu.timing };
}

function sameShare(a: Float32Array, b: Float32Array): number {
  let found = 0;
  for (let i = 0; i < a.length; i += 2) {
    for (let j = 0; j < b.length; j += 2) {
      if (Math.hypot(a[i] - b[j], a[i + 1] - b[j + 1]) > SAME_PX) continue;
      found++;
      break;
    }
  }
  return (2 * found) / Math.max(a.length, b.length);
}

/** Steps of strata-s's training from fresh weights, on pairs of shifted views, the same on both. */
async function measureTraining({ pairs, cropSize, steps }: { pairs: number; cropSize: number; steps: number }) {
  const recipe = await readDetectorRecipe("strata-s");
  const task = detectorTask({ ...recipe, data: { ...recipe.data, cropSize } });
  const views = Array.from({ length: pairs }, (_, i) => {
    const { a } = drawDemoPair(i + 1);
    const [x, y] = [7, 3];
    const view = (left: number, top: number): Image => crop(a, left, top, cropSize);
    const matrix = Float64Array.of(1, 0, -x, 0, 1, -y, 0, 0, 1);
    return {
      id: String(i),
      images: [view(20, 20), view(20 + x, 20 + y)] as [Image, Image],
      warp: { kind: "homography" as const, matrix },
    };
  });
  const feeds = await task.feeds({ pairs: views, grid: task.grid, correspondences: [] });
  const on = async (backend: Backend) => {
    const stepper = new Stepper(task, 0, TRAIN_DEFAULTS, { runtime: nodeRuntime, backend });
    const losses: number[] = [];
    let t = 0;
    const step = async () => {
      losses.push((await stepper.step(pairs, feeds, hyperparameters(1e-4, ++t, null, TRAIN_DEFAULTS))).loss);
      stepper.commit();
    };
    const { median } = await time(step, { warmup: 1, repeats: steps });
    await stepper.dispose();
    return { losses, perSecond: 1000 / median };
  };
  const [gpu, cpu] = [await on("webgpu"), await on("cpu")];
  await task.dispose();
  const loss = Math.max(...cpu.losses.map((own, i) => Math.abs(gpu.losses[i] - own) / Math.abs(own)));
  return { recipe: recipe.name, pairs, cropSize, loss, updatesPerSecond: { cpu: cpu.perSecond, gpu: gpu.perSecond } };
}

function crop({ width, data }: Image, left: number, top: number, side: number): Image {
  const out = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    const from = 3 * ((top + y) * width + left);
    out.set(data.subarray(from, from + 3 * side), 3 * side * y);
  }
  return { width: side, height: side, data: out };
}

/** Runs the child; an Error that says why where there is no GPU or its driver ends the process. */
export function runGpu(software: boolean): GpuFigures & { driver: string } {
  const own = environment(software);
  const args = ["--import", "tsx", fileURLToPath(new URL("./run.ts", import.meta.url)), "--gpu-child"];
  const child = spawnSync(process.execPath, [...args, ...(software ? ["--software"] : [])], {
    env: own,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const line = child.stdout.split("\n").findLast((text) => text.startsWith("{"));
  if (line === undefined)
    throw new Error(
      `bench gpu: the driver ended the process (${child.signal ?? child.status}):\n${child.stderr.slice(-2000)}`,
    );
  const result = JSON.parse(line) as GpuFigures | { absent: string };
  if ("absent" in result) throw new Error(`bench gpu: ${result.absent}; --software takes Chromium's SwiftShader`);
  return { driver: software ? `SwiftShader (${SWIFTSHADER})` : gpuName(), ...result };
}

/** What the machine says of its GPU, where a tool is there that knows. */
function gpuName(): string {
  for (const [command, ...args] of [
    ["nvidia-smi", "-L"],
    ["vulkaninfo", "--summary"],
  ]) {
    const { stdout, status } = spawnSync(command, args, { encoding: "utf8" });
    const name = status === 0 ? /GPU \d+: ([^(]+)|deviceName\s*=\s*(.+)/.exec(stdout) : null;
    if (name) return (name[1] ?? name[2]).trim();
  }
  return "unknown";
}

export function gpuTable({ driver, models, training, agrees }: GpuFigures & { driver: string }): string {
  const rows = models.map(({ model, points, same, distance, cosine, cpu, gpu }) =>
    [
      model.padEnd(12),
      `${points} points, ${(100 * same).toFixed(2)} % within ${SAME_PX} px (largest distance ${distance.toExponential(1)} px, least cosine ${cosine.toFixed(5)})`,
      `${gpu.median.toFixed(1)} ms on WebGPU, ${cpu.median.toFixed(1)} ms on the CPU`,
    ].join("  "),
  );
  const { recipe, pairs, cropSize, loss, updatesPerSecond } = training;
  return [
    driver,
    ...rows,
    `training ${recipe}, ${pairs} pairs of ${cropSize}x${cropSize}: ${updatesPerSecond.gpu.toFixed(2)} updates/s on WebGPU, ` +
      `${updatesPerSecond.cpu.toFixed(2)} on the CPU; losses within ${loss.toExponential(1)}`,
    agrees
      ? "agrees with the CPU"
      : `does NOT agree with the CPU: wanted are ${100 * WANTED.points} % of the points and losses within ${WANTED.loss}`,
  ].join("\n");
}
