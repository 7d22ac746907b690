/** The benchmark's report: pictures gathered from the images and the kept features, then one page. */
import { topFeatures } from "../../bench/features.js";
import { benchReportHtml, type ReportInput } from "../../bench/report/index.js";
import type { MethodRun } from "../../bench/types.js";
import type { Extractor } from "../../extract/extractor.js";
import { decodeRecord } from "../../formats/record.js";
import { setDefaultRuntime } from "../../graph/session.js";
import { readFileChecked, writeFileAtomic } from "../../node/atomic.js";
import type { MethodPlan } from "../../node/bench/methods.js";
import { benchGallery, type PictureSource } from "../../node/bench/pictures.js";
import { publishedCurves } from "../../node/bench/published.js";
import { type Bench, featurePath, type Stage, type Watch } from "../../node/bench/run.js";
import { loadImage } from "../../node/images.js";
import { nodeRuntime } from "../../node/runtime.js";
import type { Engine } from "../engine.js";

export interface Pictured {
  bench: Bench;
  plans: readonly MethodPlan[];
  engine: Engine;
}

export async function writeReport(path: string, input: ReportInput, pictured: Pictured): Promise<void> {
  const { bench } = pictured;
  // Pictures match features again, on the runtime's product instead of a loop.
  setDefaultRuntime(nodeRuntime);
  const { source, dispose } = pictureSource(pictured);
  try {
    const gallery = await showing(bench.watch, (onProgress) => benchGallery(input.runs, source, {}, onProgress));
    const published = await publishedCurves();
    await writeFileAtomic(path, await benchReportHtml({ ...input, gallery, published }));
  } finally {
    await dispose();
  }
}

/** Runs `work`, which says itself how many pictures there are, with its progress shown. */
async function showing<T>(watch: Watch, work: (onProgress: (done: number, total: number) => void) => Promise<T>) {
  let stage: Promise<Stage> | undefined;
  try {
    return await work((done, total) => {
      stage ??= watch.stage("report: ", ["picture", "pictures"], total);
      void stage.then((shown) => shown.update(done, done));
    });
  } finally {
    (await stage)?.stop();
  }
}

/** Where the pictures' parts are: images in the data, features in the run's files, models by their plans. */
function pictureSource({ bench, plans, engine }: Pictured): { source: PictureSource; dispose(): Promise<void> } {
  const opened = new Map<string, Promise<Extractor>>();
  const planOf = ({ info }: MethodRun) => plans.find(({ key }) => key === info.key);
  const imageOf = (sequence: string, number: number) => {
    const image = bench.data.sequences.find(({ name }) => name === sequence)?.images[number - 1];
    if (!image) throw new Error(`the data have no image ${number} of ${sequence}`);
    return image;
  };
  const source: PictureSource = {
    image: (sequence, number) => loadImage(imageOf(sequence, number).path, bench.loading),
    async features(run, sequence, number) {
      const path = featurePath(bench.out, run.info.key, imageOf(sequence, number));
      const { features } = decodeRecord("npz", await readFileChecked(path));
      const limit = planOf(run)?.protocols.find(({ name }) => name === run.info.protocol)?.limit ?? null;
      return topFeatures(features, limit);
    },
    homography(sequence, images) {
      const pairs = bench.data.sequences.find(({ name }) => name === sequence)?.pairs ?? [];
      const pair = pairs.find((each) => each.images[1] === images[1]);
      if (!pair) throw new Error(`the data have no pair ${images.join("-")} of ${sequence}`);
      return pair.homography;
    },
    async extractor(run) {
      const plan = planOf(run);
      if (plan?.spec.kind !== "model") return null;
      const extractor = opened.get(plan.key) ?? engine.openExtractor(plan.spec.options);
      opened.set(plan.key, extractor);
      return extractor;
    },
  };
  return {
    source,
    async dispose() {
      for (const extractor of await Promise.allSettled(opened.values())) {
        if (extractor.status === "fulfilled") await extractor.value.dispose();
      }
    },
  };
}
