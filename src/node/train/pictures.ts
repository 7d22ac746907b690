/**
 * Pictures of a training for TensorBoard: what the network of a checkpoint makes of a few pairs, its score maps and its
 * matches, right ones (within 3 px of where depth or homography wants them) told from wrong ones.
 */
import { FormatError } from "../../errors.js";
import { DenseExtractor } from "../../extract/dense.js";
import { extractOptions } from "../../extract/options.js";
import { openModel } from "../../families.js";
import type { CompileOptions } from "../../graph/compile.js";
import type { Image } from "../../image/image.js";
import { matchFeatures } from "../../match/index.js";
import { paintMap } from "../../picture/score-maps.js";
import { matchesSvg } from "../../picture/svg.js";
import { matchErrors } from "../../train/accuracy.js";
import { type Layout, type Parameter, unflatten } from "../../train/parameters.js";
import type { Snapshot } from "../../train/trainer.js";
import type { PairSource, TrainingPair } from "../../train/types.js";
import { encodeJpeg, loadImage, renderSvg } from "../images.js";
import type { ModelTask } from "./model-task.js";
import type { NamedImage, WatchOptions } from "./watch.js";

/** Keypoints of each image; more only hide each other. */
const KEYPOINTS = 300;
/** A match within so many pixels is right. */
const RIGHT = 3;

export interface PicturesRequest {
  task: ModelTask;
  layout: Layout;
  stateLayout: Layout;
  /** Where the pairs come from: the first usable ones of epoch 0. */
  source: PairSource;
  pairs: number;
  runtime?: Pick<CompileOptions, "runtime" | "backend" | "threads">;
  /** Told once when there is nothing to draw: an encoder alone has no scores. */
  note(message: string): void;
}

/** What `watchTraining` draws at the end of each epoch. */
export function trainingPictures(request: PicturesRequest): NonNullable<WatchOptions["images"]> {
  const { task, layout, stateLayout, note } = request;
  let pairs: Promise<TrainingPair[]> | undefined;
  let hasNothing = false;
  return {
    every: "epoch",
    async draw({ state, step }: Snapshot) {
      if (hasNothing) return [];
      const parameters = unflatten(layout, state.flat);
      const carried: Parameter[] = stateLayout.length ? unflatten(stateLayout, state.state) : [];
      let extractor: DenseExtractor;
      try {
        extractor = openNetwork(request, task.checkpoint(parameters, carried, step));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        hasNothing = true;
        note(`no pictures in TensorBoard: what ${task.name} trains finds no keypoints by itself`);
        return [];
      }
      try {
        pairs ??= firstPairs(request.source, request.pairs);
        const drawn: NamedImage[] = [];
        for (const [i, pair] of (await pairs).entries()) drawn.push(...(await drawPair(extractor, pair, i)));
        return drawn;
      } finally {
        await extractor.dispose();
      }
    },
  };
}

/** The network as extraction opens it. FormatError where it has no scores. */
function openNetwork({ task, runtime }: PicturesRequest, tensors: ReturnType<ModelTask["checkpoint"]>): DenseExtractor {
  const { config, choices, name } = task;
  const { model, defaults } = openModel(name, tensors, config, choices ?? {}, "");
  return new DenseExtractor(model, extractOptions({ threshold: 0, maxFeatures: KEYPOINTS }, defaults), runtime);
}

async function firstPairs(source: PairSource, count: number): Promise<TrainingPair[]> {
  const found: TrainingPair[] = [];
  for (let index = 0; index < source.length && found.length < count; index++) {
    const pair = await source.pair(0, index);
    if (!("skipped" in pair)) found.push(pair);
  }
  return found;
}

async function drawPair(extractor: DenseExtractor, pair: TrainingPair, i: number): Promise<NamedImage[]> {
  const drawn = ((await extractor.views(pair.images[0]))?.maps ?? []).map(
    ({ name, map, top }): NamedImage => ({ name: `pair ${i}/${name}`, image: paintMap(map, top) }),
  );
  const [a, b] = await extractor.extractBatch(pair.images);
  const matches = await matchFeatures(a, b);
  const errors = matchErrors(pair, a, b, matches);
  const right = Uint32Array.from(errors.keys()).filter((m) => errors[m] <= RIGHT);
  const svg = matchesSvg({
    imageA: await asPicture(pair.images[0], "image 1"),
    imageB: await asPicture(pair.images[1], "image 2"),
    featuresA: a,
    featuresB: b,
    matches,
    // Drawn as inliers: the truth takes the place of an estimate.
    homography: { matrix: pair.warp.kind === "homography" ? pair.warp.matrix : IDENTITY, inliers: right },
    options: { outline: pair.warp.kind === "homography", keypoints: false },
  });
  return [...drawn, { name: `pair ${i}/matches`, image: await loadImage(await renderSvg(svg), { name: pair.id }) }];
}

/** A picture colours matches only beside a homography; between views of a scene there is none, and none is drawn. */
const IDENTITY = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);

async function asPicture(image: Image, name: string) {
  const jpeg = Buffer.from(await encodeJpeg(image)).toString("base64");
  return { href: `data:image/jpeg;base64,${jpeg}`, width: image.width, height: image.height, name };
}
