/**
 * DELG's backbone (TensorFlow, slim's `resnet_v1_50`; Cao et al. 2020) in torchvision's names. Kernels turn from
 * [kh, kw, in, out] to [out, in, kh, kw]. slim puts the stride of a layer into its last block and pads differently from
 * ResNet v1.5; the reference takes the weights as they are, and so do we.
 */
import { FormatError } from "../errors.js";
import { type NdArray, zerosOf } from "../formats/ndarray.js";
import { BACKBONE_PREFIX } from "../model/checkpoint.js";
import type { Depth } from "../model/resnet.js";
import type { Shapes } from "./layout.js";
import type { Place } from "./places.js";

const SCOPE = /^(.*?)resnet_v1_(50|101)\//;

const NORM: Record<string, string> = {
  weight: "gamma",
  bias: "beta",
  running_mean: "moving_mean",
  running_var: "moving_variance",
};

/** Whether a tensor has one of slim's names of a ResNet. */
export const isDelgName = (name: string): boolean => SCOPE.test(name);

/** The scope of the network in the file, such as "resnet_v1_50/", and its depth; a FormatError where there are two. */
export function delgScope(where: string, names: Iterable<string>): { scope: string; depth: Depth } | null {
  const scopes = new Set([...names].map((name) => SCOPE.exec(name)?.[0]).filter((scope) => scope !== undefined));
  const [scope, other] = scopes;
  if (scope === undefined) return null;
  if (other !== undefined) throw new FormatError(`${where}: two networks in one file, "${scope}" and "${other}"`);
  return { scope, depth: scope.endsWith("101/") ? 101 : 50 };
}

/** Places of a ResNet's tensors, by their names inside the reference's checkpoints, in slim's names and shapes. */
export function delgPlaces(scope: string, required: Shapes): Place[] {
  return [...required].map(([as, shape]) => {
    const name = scope + slimName(as.slice(BACKBONE_PREFIX.length));
    if (shape.length !== 4) return { name, shape, as, need: "required" };
    const [out, from, kh, kw] = shape;
    return { name, shape: [kh, kw, from, out], as, convert: toOutputsFirst, need: "required" };
  });
}

/** "layer2.0.conv3.weight" → "block2/unit_1/bottleneck_v1/conv3/weights", "bn3.bias" → "conv3/BatchNorm/beta". */
export function slimName(name: string): string {
  const [, layer, block, rest] = /^(?:layer(\d)\.(\d+)\.)?(.+)$/.exec(name) as unknown as string[];
  const at = layer === undefined ? "" : `block${layer}/unit_${Number(block) + 1}/bottleneck_v1/`;
  const [, part, value] = /^(.+)\.(\w+)$/.exec(rest) as unknown as string[];
  if (part === "downsample.0") return `${at}shortcut/weights`;
  if (part === "downsample.1") return `${at}shortcut/BatchNorm/${NORM[value]}`;
  return part.startsWith("bn") ? `${at}conv${part.slice(2)}/BatchNorm/${NORM[value]}` : `${at}${part}/weights`;
}

/** [kh, kw, in, out] → [out, in, kh, kw]. */
export function toOutputsFirst({ dtype, shape, data }: NdArray): NdArray {
  const [kh, kw, from, out] = shape;
  const turned = zerosOf(dtype, data.length);
  const size = kh * kw;
  for (let k = 0, at = 0; k < size; k++) {
    for (let i = 0; i < from; i++) {
      for (let o = 0; o < out; o++, at++) turned[(o * from + i) * size + k] = data[at];
    }
  }
  return { dtype, shape: [out, from, kh, kw], data: turned };
}
