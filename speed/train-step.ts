/**
 * A step of the reference's attention training at its own sizes: crops of 256 pixels, heads on the 64-d descriptors of a
 * frozen ResNet-50 with random weights. Timed is the trained part (forward, backward, Adam); the frozen part is told
 * beside it, for its outputs may come from a cache.
 */
import { type Image, nodeRuntime, Random } from "../src/node/index.js";
import { correspond, parseRecipe, referenceTask, type TrainingPair } from "../src/node/train/index.js";
import { hyperparameters } from "../src/train/optimizer.js";
import { TRAIN_DEFAULTS } from "../src/train/options.js";
import { Stepper } from "../src/train/step.js";
import { type Timing, time } from "./harness.js";
import { randomReference } from "./random-model.js";

const SIZE = 256;
const RECIPE = "cfe64_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm";

/** Noise and the same noise a cell further: all but a column of cells correspond. */
function pairOf(seed: number): TrainingPair {
  const random = new Random(seed);
  const image = (): Image => ({
    width: SIZE,
    height: SIZE,
    data: Uint8Array.from({ length: 3 * SIZE * SIZE }, () => random.integer(256)),
  });
  const matrix = Float64Array.of(1, 0, -8, 0, 1, 0, 0, 0, 1);
  return { id: String(seed), images: [image(), image()], warp: { kind: "homography", matrix } };
}

export async function timeAttentionStep(batch: number): Promise<{ timing: Timing; note: string }> {
  const runtime = { runtime: nodeRuntime };
  const task = referenceTask({ recipe: parseRecipe(RECIPE), weights: randomReference(1), runtime });
  const pairs = Array.from({ length: batch }, (_, i) => pairOf(i));
  const { grid } = task;
  const inputs = { pairs, grid, correspondences: pairs.map((pair) => correspond(pair, grid)) };
  const frozen = await time(() => task.feeds(inputs), { warmup: 1, repeats: 3 });
  const feeds = await task.feeds(inputs);
  const stepper = new Stepper(task, 0, TRAIN_DEFAULTS, runtime);
  let [t, loss] = [0, Number.NaN];
  const timing = await time(async () => {
    ({ loss } = await stepper.step(batch, feeds, hyperparameters(1e-4, ++t, null, TRAIN_DEFAULTS)));
    stepper.commit();
  });
  await stepper.dispose();
  await task.dispose();
  const rate = (milliseconds: number) => ((2 * batch * 1000) / milliseconds).toFixed(0);
  const both = rate(timing.median + frozen.median);
  return {
    timing,
    note: `${rate(timing.median)} images/s; ${both} with the frozen part, ${frozen.median.toFixed(0)} ms; loss ${loss.toPrecision(4)}`,
  };
}
