/** The reference's cases of extraction and the options that stand for them here. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { OpenOptions } from "../../src/node/extractor.js";

/** As `extract/cases.json` has them. */
export interface ReferenceCase {
  name: string;
  image: string;
  npz: string;
  count: number;
  preprocessing?: "torch" | "caffe";
  first_stride?: 1 | 2;
  replace_strides?: boolean;
  thresh: number;
  nms: boolean;
  max_features?: number;
  d2net_localization?: boolean;
  sum_descriptors?: boolean;
  heads?: string;
  attention?: OpenOptions["attentionModel"];
}

/** The whole checkpoint, in the reference's folder. */
export const WHOLE = "checkpoints/cfe64_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm.ckpt";

export const referenceCases = (folder: string): ReferenceCase[] =>
  JSON.parse(readFileSync(join(folder, "extract/cases.json"), "utf8")) as ReferenceCase[];

/** All but the model. */
export const optionsOf = (c: ReferenceCase): OpenOptions => ({
  attentionModel: c.attention,
  firstStride: c.first_stride,
  replaceStrides: c.replace_strides,
  preprocessing: c.preprocessing,
  threshold: c.thresh,
  nms: c.nms,
  // The reference's suppression overwrites the map that it localizes on, so its keypoints sit on the grid.
  refine: c.nms ? "grid" : "subpixel",
  detection: c.d2net_localization ? "d2net" : "attention",
  sumDescriptors: c.sum_descriptors,
  maxFeatures: c.max_features,
});
