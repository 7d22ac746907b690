/** An exported model at work: an image in, features out, as the graph's outputs say them. */

import { checkObject, wrong } from "../check.js";
import { emptyFeatures, type FloatFeatures } from "../features.js";
import type { Session } from "../graph/session.js";
import type { Image } from "../image/image.js";
import { checkImage } from "../image/image.js";
import { checkChoice, checkNumber } from "../options.js";
import type { PixelType } from "./choices.js";
import { PIXEL_TYPES } from "./choices.js";

export interface FedAs {
  /** Element type of the input `image`. */
  input: PixelType;
  /** Images at a time: a static batch is filled with copies. Default 1. */
  batch?: number;
}

/** Runs an exported model on one image; the features are those of the batch's last image. */
export async function runExported(session: Session, image: Image, fed: FedAs): Promise<FloatFeatures> {
  const where = "runExported";
  if (typeof (session as Session | null | undefined)?.run !== "function") {
    throw wrong(where, "session", "an open session (await runtime.open(bytes))", session);
  }
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
