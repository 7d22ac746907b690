/** A shard of images: their features in one HDF5 file of hloc's layout, as `strata extract --format h5` writes it. */
import type { HlocEntry } from "../../formats/hloc.js";
import type { Provenance } from "../../formats/record.js";
import { readFileChecked } from "../atomic.js";
import { hlocStore } from "../stores/hloc.js";
import { type ImageJobOptions, imageShards } from "./image-shards.js";
import type { ShardKind } from "./kinds.js";
import { writeMerged } from "./merged-file.js";
import type { SliceImage } from "./plan.js";

/** Options of an extraction job, with what is kept with features beside. */
export interface ExtractJobOptions extends ImageJobOptions {
  choices: Provenance;
}

export function extractKind(): ShardKind {
  const { extract, probe } = imageShards();
  return {
    async run(work) {
      const { output } = work;
      const { choices } = work.plan.options as unknown as ExtractJobOptions;
      const { result, setAside } = await extract(work, hlocStore({ file: output, existing: "resume" }), choices);
      const done = result.extracted + result.skipped;
      // Of images that an earlier process finished only their files tell.
      const found = result.skipped === 0 ? result.keypoints : await keypointsOf(output);
      return { done, found, setAside, isEmpty: done === 0 };
    },
    probe,
    merge: mergeFeatures,
  };
}

async function keypointsOf(output: string): Promise<number> {
  const { readHlocFeatures } = await import("../../formats/hloc.js");
  let count = 0;
  for (const features of (await readHlocFeatures(await readFileChecked(output))).values()) count += features.count;
  return count;
}

const mergeFeatures: ShardKind["merge"] = async (work) => {
  const { inspectHloc, readHlocFeatures, writeHlocFeatures } = await import("../../formats/hloc.js");
  async function* entries(): AsyncGenerator<HlocEntry> {
    for await (const shard of work.shards) {
      const bytes = await shard.read();
      const { images } = await inspectHloc(bytes);
      const features = await readHlocFeatures(bytes);
      // In the order of the slice, which is that of the images as they were named.
      for (const { name } of (await shard.slice()) as SliceImage[]) {
        const found = features.get(name);
        if (found) yield [name, found, images.get(name) as Provenance];
      }
    }
  }
  return writeMerged(work, () =>
    writeHlocFeatures(entries(), { expectedBytes: Math.ceil(1.05 * work.bytes + 2 ** 16) }),
  );
};
