/** What does not learn, as networks for sessions of their own: images to taps, or to descriptors where encoders are frozen. */
import { type Arr, type Conv, conv2d } from "../../model/operators.js";
import { LEVELS } from "../../model/reference.js";
import { type ResnetParams, resnetTaps } from "../../model/resnet.js";
import { enlarge } from "./encoders.js";

/** Training uses the ordinary ResNet: stride 2 in the stem, strides kept. */
const ORDINARY = { firstStride: 2, replaceStrideWithDilation: false } as const;

const byLevel = (maps: readonly Arr[]): Record<string, Arr> =>
  Object.fromEntries(maps.map((map, i) => [LEVELS[i], map]));

/** Images [M, 3, H, W], preprocessed → early [M, C, H/8, W/8], middle, deep, each half as large. */
export function frozenTaps({ image, resnet }: { image: Arr; resnet: ResnetParams<Conv> }): Record<string, Arr> {
  return byLevel(resnetTaps(image, resnet, ORDINARY));
}

/** Images → descriptors [M, dim, H/8, W/8] of each level. */
export function frozenEncodings(given: {
  image: Arr;
  resnet: ResnetParams<Conv>;
  encoders: Conv[];
}): Record<string, Arr> {
  const taps = resnetTaps(given.image, given.resnet, ORDINARY);
  return byLevel(taps.map((tap, i) => enlarge(conv2d(tap, given.encoders[i]), i)));
}
