/**
 * Trains the reference network on the small rendered data set in MegaDepth's layout: encoders from fresh values, then
 * attention heads on them, each validated on a scene that training does not see. Prints by how much the validation loss
 * falls, and how many matches are right within 3 pixels with the heads before and after.
 *
 *   npx tsx examples/train-reference.ts --reference ../shared/reference [--out runs] [--tiny]
 *
 * The last line is the result as JSON. Some minutes on two cores; --tiny takes less than one.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import {
  DenseExtractor,
  extractOptions,
  type FloatFeatures,
  matchFeatures,
  nodeRuntime,
  openExtractor,
  openReference,
} from "../src/node/index.js";
import {
  MegaDepthSource,
  matchErrors,
  type PairSource,
  parseAttentionRecipe,
  parseEncoderRecipe,
  type ReferenceTask,
  readWeights,
  referenceTask,
  runTraining,
  train,
} from "../src/node/train/index.js";

/**
 * Everything that was chosen. Crops of 128 pixels have 256 cells: a step takes an eighth of one at 256 pixels. In crops of
 * 64 hardly a cell is far enough from another to be mistaken for it: a quick beginning, on which less can be built.
 */
const SETTINGS = {
  full: {
    crop: 128,
    pairs: 160,
    validation: 40,
    encoder: { epochs: 12, rate: 2e-3 },
    heads: { epochs: 8, rate: 1e-3 },
    judged: 24,
  },
  tiny: {
    crop: 64,
    pairs: 40,
    validation: 8,
    encoder: { epochs: 4, rate: 3e-3 },
    heads: { epochs: 4, rate: 3e-3 },
    judged: 6,
  },
};
const BATCH = 4;
/**
 * This backbone's weights are invented; on raw pixels its activations are in the hundreds, and their reconstruction
 * error in the millions. With weight 1 the correspondence term, at most 2 per level, would not be heard.
 */
const CORRESPONDENCE_WEIGHT = 1e6;
/** Keypoints of each level, the best by score. */
const KEYPOINTS = 500;
const CHECKPOINT = "checkpoints/cfe64_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm.ckpt";

const { values: flags } = parseArgs({
  options: { reference: { type: "string" }, out: { type: "string" }, tiny: { type: "boolean" } },
});
const reference = resolve(flags.reference ?? process.env.STRATA_REFERENCE ?? "../shared/reference");
const data = join(reference, "megadepth");
const settings = flags.tiny ? SETTINGS.tiny : SETTINGS.full;
const started = performance.now();

if (existsSync(data)) await main(flags.out ?? mkdtempSync(join(tmpdir(), "strata-example-")));
else console.log(`skipped: no data set in ${data}; say where it is with --reference FOLDER`);

async function main(out: string): Promise<void> {
  const weights = await readWeights(join(reference, CHECKPOINT));
  const cropSize = settings.crop;
  const source = await MegaDepthSource.open({ data, split: "train", pairsPerScene: settings.pairs, cropSize });
  const validation = await MegaDepthSource.open({
    data,
    split: "validation",
    pairsPerScene: settings.validation,
    cropSize,
  });
  const shared = { cropSize, runtime: { runtime: nodeRuntime } };
  try {
    const encoderRecipe = { ...parseEncoderRecipe("cfe64"), correspondenceWeight: CORRESPONDENCE_WEIGHT };
    const encoder = referenceTask({ ...shared, recipe: encoderRecipe, weights: weights.tensors });
    const before = await validationLoss(encoder, source, validation);
    say(`encoder: validation loss ${before.toPrecision(4)} with fresh values`);
    const encoderRun = await learn(encoder, source, validation, settings.encoder, join(out, "encoder"));
    const after = encoderRun.best?.loss ?? Number.NaN;
    say(`encoder: validation loss ${after.toPrecision(4)}, ${percent(1 - after / before)} less`);

    const trained = await readWeights(join(out, "encoder"));
    const heads = referenceTask({ ...shared, recipe: parseAttentionRecipe("d2net"), weights: trained.tensors });
    const fresh = heads.checkpoint(heads.parameters(0), heads.state(), 0);
    const untaught = await validationLoss(heads, source, validation);
    const headsRun = await learn(heads, source, validation, settings.heads, join(out, "heads"));

    const options = { threshold: 0, maxFeatures: null };
    const { model, defaults } = openReference("untrained heads", "untrained", fresh, { preprocessing: "none" }, "");
    const judged = await MegaDepthSource.open({ data, split: "validation", pairsPerScene: settings.judged });
    const untrained = await accuracy(new DenseExtractor(model, extractOptions(options, defaults)), judged);
    const own = await accuracy(await openExtractor({ ...options, model: headsRun.model as string }), judged);
    say(
      `attention: MMA@3 on ${judged.length} validation pairs ${percent(untrained)} with untrained heads, ${percent(own)} with trained ones`,
    );
    const seconds = Math.round((performance.now() - started) / 1000);
    const attention = { before: untaught, after: headsRun.best?.loss };
    console.log(JSON.stringify({ encoder: { before, after }, attention, mma3: { untrained, trained: own }, seconds }));
  } finally {
    if (flags.out === undefined) rmSync(out, { recursive: true });
  }
}

async function learn(
  task: ReferenceTask,
  source: PairSource,
  validation: PairSource,
  { epochs, rate }: { epochs: number; rate: number },
  out: string,
) {
  const result = await runTraining({
    out,
    task,
    train: source,
    validation,
    options: { batch: BATCH, epochs, rate, schedule: "cosine" },
    existing: "resume",
    versions: {},
    hooks: {
      onValidation: ({ epoch, loss }) =>
        say(`  ${task.name}, epoch ${epoch + 1}: validation loss ${loss.toPrecision(4)}`),
    },
  });
  await task.dispose();
  return result;
}

/** Of the values that a training begins with: one step at a rate of 0. */
async function validationLoss(task: ReferenceTask, source: PairSource, validation: PairSource): Promise<number> {
  let first = Number.NaN;
  const onValidation = ({ loss }: { loss: number }) => {
    first = loss;
  };
  await train({
    task,
    train: source,
    validation,
    options: { batch: BATCH, rate: 0, steps: 1 },
    hooks: { onValidation },
  });
  return first;
}

/** Share of the mutual matches that are right within 3 pixels, mean over pairs; what image 2 does not show is wrong. */
async function accuracy(extractor: Awaited<ReturnType<typeof openExtractor>>, pairs: PairSource): Promise<number> {
  let [sum, count] = [0, 0];
  for (let i = 0; i < pairs.length; i++) {
    const pair = await pairs.pair(0, i);
    if ("skipped" in pair) continue;
    const [a, b] = (await extractor.extractBatch(pair.images)).map(bestOfEachLevel);
    const errors = matchErrors(pair, a, b, await matchFeatures(a, b));
    if (errors.length > 0) sum += errors.filter((error) => error <= 3).length / errors.length;
    count++;
  }
  await extractor.dispose();
  return sum / count;
}

/** Scores of different levels need not compare before they are trained, so each level gives as many. */
function bestOfEachLevel(features: FloatFeatures): FloatFeatures {
  const { dim, keypoints, scores, descriptors, levels = new Uint8Array(features.count) } = features;
  const taken = [0, 0, 0];
  const kept = [...levels.keys()].filter((i) => taken[levels[i]]++ < KEYPOINTS);
  const pick = (values: Float32Array, each: number) =>
    Float32Array.from({ length: kept.length * each }, (_, k) => values[kept[Math.floor(k / each)] * each + (k % each)]);
  return {
    ...features,
    count: kept.length,
    keypoints: pick(keypoints, 2),
    scores: pick(scores, 1),
    levels: Uint8Array.from(kept, (i) => levels[i]),
    descriptors: pick(descriptors, dim),
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function say(line: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}`);
}
