/** State dicts of ResNets as torchvision names them, and the same weights as TensorFlow's slim does. */
import { type NdArray, ndarray } from "../src/formats/ndarray.js";
import type { Depth } from "../src/model/resnet.js";
import { referenceTensors, type StateDict } from "./models.js";

const PREFIX = "feature_encoder.resnet.";

/** With classifier and batch norms' counters. */
export function torchvisionTensors(depth: Depth): StateDict {
  const own = [...referenceTensors({ depth })].filter(([name]) => name.startsWith(PREFIX));
  return new Map(own.map(([name, tensor]) => [name.slice(PREFIX.length), tensor]));
}

/** Units of slim's blocks. */
const UNITS = { 50: [3, 4, 6, 3], 101: [3, 4, 23, 3] };

/**
 * A ResNet-50 or 101 in slim's names, written down unit by unit, with what else DELG's checkpoint holds. Kernels are
 * [kh, kw, in, out].
 */
export function slimTensors(torchvision: StateDict, depth: keyof typeof UNITS = 50): StateDict {
  const slim: StateDict = new Map();
  const get = (name: string) => torchvision.get(name) as NdArray;
  const layer = (scope: string, conv: string, norm: string) => {
    slim.set(`${scope}/weights`, inputsFirst(get(`${conv}.weight`)));
    slim.set(`${scope}/BatchNorm/gamma`, get(`${norm}.weight`));
    slim.set(`${scope}/BatchNorm/beta`, get(`${norm}.bias`));
    slim.set(`${scope}/BatchNorm/moving_mean`, get(`${norm}.running_mean`));
    slim.set(`${scope}/BatchNorm/moving_variance`, get(`${norm}.running_var`));
  };
  layer(`resnet_v1_${depth}/conv1`, "conv1", "bn1");
  UNITS[depth].forEach((units, b) => {
    for (let unit = 1; unit <= units; unit++) {
      const scope = `resnet_v1_${depth}/block${b + 1}/unit_${unit}/bottleneck_v1`;
      const block = `layer${b + 1}.${unit - 1}`;
      for (const k of [1, 2, 3]) layer(`${scope}/conv${k}`, `${block}.conv${k}`, `${block}.bn${k}`);
      if (unit === 1) layer(`${scope}/shortcut`, `${block}.downsample.0`, `${block}.downsample.1`);
    }
  });
  slim.set("global_step", ndarray(BigInt64Array.of(500_000n), []));
  slim.set("attention_block/conv1/biases", ndarray(new Float32Array(512)));
  return slim;
}

/** [out, in, kh, kw] → [kh, kw, in, out], value by value. */
function inputsFirst({ shape: [out, from, kh, kw], data }: NdArray): NdArray {
  const turned = new Float32Array(data.length);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < from; i++) {
      for (let y = 0; y < kh; y++) {
        for (let x = 0; x < kw; x++) {
          turned[((y * kw + x) * from + i) * out + o] = data[((o * from + i) * kh + y) * kw + x] as number;
        }
      }
    }
  }
  return ndarray(turned, [kh, kw, from, out]);
}
