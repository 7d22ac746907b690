/** The benchmark's report: pictures gathered from the images and the kept features, then one page. */

import { topFeatures } from "../../bench/features.js";
import { benchReportHtml, type ReportInput } from "../../bench/report/index.js";
import type { MethodRun } from "../../bench/types.js";
import { OptionError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import { decodeRecord } from "../../formats/record.js";
import { readFileChecked, writeFileAtomic } from "../atomic.js";
import { loadImage } from "../images.js";
import type { Stage } from "../stage.js";
import { isSpread, type MethodPlan, type OpenExtractor } from "./methods.js";
import { benchGallery, type PictureSource } from "./pictures.js";
import { publishedCurves } from "./published.js";
import { type Bench, featurePath, type Watch } from "./run.js";

/** What the pictures are made of: the run as `runBenchmark` made it, and how models are opened. */
export interface Pictured extends Pick<Bench, "data" | "out" | "loading" | "watch"> {
  plans: readonly MethodPlan[];
  openExtractor: OpenExtractor;
}

/** The page `path` with figures, tables, pictures and, beside the full HPatches, published curves. */
export async function writeBenchReport(path: string, input: ReportInput, pictured: Pictured): Promise<void> {
  const { source, dispose } = pictureSource(pictured);
  try {
    const gallery = await showing(pictured.watch, (onProgress) => benchGallery(input.runs, source, {}, onProgress));
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
function pictureSource({ data, out, loading, plans, openExtractor }: Pictured): {
  source: PictureSource;
  dispose(): Promise<void>;
} {
  const opened = new Map<string, Promise<Extractor>>();
  const planOf = ({ info }: MethodRun) => plans.find(({ key }) => key === info.key);
  const imageOf = (sequence: string, number: number) => {
    const image = data.sequences.find(({ name }) => name === sequence)?.images[number - 1];
    if (!image) throw new OptionError(`the data have no image ${number} of ${sequence}`);
    return image;
  };
  const source: PictureSource = {
    image: (sequence, number) => loadImage(imageOf(sequence, number).path, loading),
    async features(run, sequence, number) {
      const path = featurePath(out, run.info.key, imageOf(sequence, number));
      const { features } = decodeRecord("npz", await readFileChecked(path));
      const plan = planOf(run);
      const limit = plan?.protocols.find(({ name }) => name === run.info.protocol)?.limit ?? null;
      return topFeatures(features, limit, plan && isSpread(plan.spec));
    },
    homography(sequence, images) {
      const pairs = data.sequences.find(({ name }) => name === sequence)?.pairs ?? [];
      const pair = pairs.find((each) => each.images[1] === images[1]);
      if (!pair) throw new Error(`the data have no pair ${images.join("-")} of ${sequence}`);
      return pair.homography;
    },
    async extractor(run) {
      const plan = planOf(run);
      if (plan?.spec.kind !== "model") return null;
      const extractor = opened.get(plan.key) ?? openExtractor(plan.spec.options);
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
