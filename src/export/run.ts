/** An exported model at work: an image in, features out, as the graph's outputs say them. */

import { checkObject, wrong } from "../check.js";
import { emptyFeatures, type FloatFeatures, takeFeatures } from "../features.js";
import type { Session } from "../graph/session.js";
import type { Image } from "../image/image.js";
import { checkImage } from "../image/image.js";
import { padImage } from "../image/pad.js";
import { checkChoice, checkNumber } from "../options.js";
import type { PixelType } from "./choices.js";
import { PIXEL_TYPES } from "./choices.js";
import { COLMAP_MULTIPLE } from "./colmap.js";

export interface FedAs {
  /** Element type of the input `image`. */
  input: PixelType;
  /** Images at a time: a static batch is filled with copies. Default 1. */
  batch?: number;
}

/** Runs an exported model on one image; the features are those of the batch's last image. */
export async function runExported(session: Session, image: Image, fed: FedAs): Promise<FloatFeatures> {
  const where = "runExported";
  checkSession(where, session);
  const { input, batch = 1 } = checkObject(where, "how it is fed", fed) as unknown as FedAs;
  checkChoice(where, "input", input, PIXEL_TYPES);
  checkNumber(where, "batch", batch, { min: 1, max: 1024, integer: true });
  const { width, height, data } = checkImage(where, image);
  const pixels = input === "uint8" ? new Uint8Array(batch * data.length) : new Float32Array(batch * data.length);
  for (let i = 0; i < batch; i++) pixels.set(data, i * data.length);
  const outputs = await session.run({ image: { type: input, shape: [batch, height, width, 3], data: pixels } });
  const [, slots, dim] = outputs.descriptors.shape;
  const last = (name: string, each: number) =>
    (outputs[name].data as Float32Array).subarray((batch - 1) * slots * each);
  const scores = last("scores", 1);
  const none = scores.findIndex((score) => !(score > 0));
  const count = none < 0 ? slots : none;
  if (count === 0) return emptyFeatures([width, height], dim);
  return {
    count,
    dim,
    imageSize: [width, height],
    keypoints: last("keypoints", 2).slice(0, 2 * count),
    scores: scores.slice(0, count),
    descriptors: last("descriptors", dim).slice(0, dim * count),
  };
}

function checkSession(where: string, session: Session): void {
  if (typeof (session as Session | null | undefined)?.run === "function") return;
  throw wrong(where, "session", "an open session (await runtime.open(bytes))", session);
}

/** What COLMAP asks of a file for each image: `AlikedExtraction.max_num_features` and `min_score`. */
export interface ColmapAsks {
  maxKeypoints: number;
  /** Default 0. */
  minScore?: number;
}

/**
 * Runs a file of the format "colmap" as COLMAP does: the border is repeated up to whole multiples of 32, positions are
 * brought back to pixels (centres on integers), and what lies outside the image is left out.
 */
export async function runColmap(session: Session, image: Image, asks: ColmapAsks): Promise<FloatFeatures> {
  const where = "runColmap";
  checkSession(where, session);
  const { maxKeypoints, minScore = 0 } = checkObject(where, "what is asked", asks) as unknown as ColmapAsks;
  checkNumber(where, "maxKeypoints", maxKeypoints, { min: 1, integer: true });
  checkNumber(where, "minScore", minScore, { min: 0 });
  const { width, height, data } = padImage(checkImage(where, image), COLMAP_MULTIPLE);
  const plane = width * height;
  const planes = new Float32Array(3 * plane);
  for (let c = 0; c < 3; c++) for (let i = 0; i < plane; i++) planes[c * plane + i] = data[3 * i + c] / 255;
  const outputs = await session.run({
    image: { type: "float32", shape: [1, 3, height, width], data: planes },
    max_keypoints: { type: "int64", shape: [], data: BigInt64Array.of(BigInt(maxKeypoints)) },
    min_score: { type: "float32", shape: [], data: Float32Array.of(minScore) },
  });
  const [, count, dim] = outputs.descriptors.shape;
  const [places, scores, descriptors] = ["keypoints", "scores", "descriptors"].map(
    (name) => outputs[name].data as Float32Array,
  );
  const pixel = (place: number, size: number) => ((place + 1) / 2) * (size - 1);
  const keypoints = places.map((place, i) => pixel(place, i % 2 === 0 ? width : height));
  return insideOnly({ count, dim, imageSize: [image.width, image.height], keypoints, scores, descriptors });
}

/** The features that lie in the image, which covers half a pixel around the centres of its outermost pixels. */
export function insideOnly(features: FloatFeatures): FloatFeatures {
  const { count, keypoints, imageSize } = features;
  const inside = (i: number, axis: number) => keypoints[2 * i + axis] + 0.5 < imageSize[axis];
  const rows = Uint32Array.from({ length: count }, (_, i) => i).filter((i) => inside(i, 0) && inside(i, 1));
  return rows.length === count ? features : (takeFeatures(features, rows) as FloatFeatures);
}
