/** A shard of images: their features in one HDF5 file of hloc's layout, as `strata extract --format h5` writes it. */
import type { HlocPart } from "../../formats/hloc-merge.js";
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
  const { mergeHlocFeatures } = await import("../../formats/hloc-merge.js");
  async function* parts(): AsyncGenerator<HlocPart> {
    for await (const shard of work.shards) {
      // In the order of the slice, which is that of the images as they were named.
      const slice = (await shard.slice()) as SliceImage[];
      yield { bytes: await shard.read(), names: slice.map(({ name }) => name) };
    }
  }
  return writeMerged(work, () => mergeHlocFeatures(parts(), Math.ceil(1.05 * work.bytes + 2 ** 16)));
};
