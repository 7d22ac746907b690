/** Small models with seeded random weights, made in memory, and images drawn for them: tests need no files. */
import { type NdArray, ndarray } from "../src/formats/ndarray.js";
import type { Image } from "../src/image/image.js";
import type { AttentionKind } from "../src/model/attention-kinds.js";
import type { StrataConfig } from "../src/model/config.js";
import { type Depth, tapChannels } from "../src/model/resnet.js";
import { Random } from "../src/random.js";
import { checkpoint, dict, raw, tensor } from "./unit/torch/pickles.js";

export type StateDict = Map<string, NdArray>;

/** Adds tensors the way layers do; weights keep the size of what passes through them (He et al. 2015). */
class Builder {
  readonly tensors: StateDict = new Map();
  private readonly random: Random;
  constructor(seed: number) {
    this.random = new Random(seed);
  }

  fill(name: string, shape: number[], low: number, high: number): void {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = new Float32Array(size);
    for (let i = 0; i < size; i++) data[i] = this.random.uniform(low, high);
    this.tensors.set(name, ndarray(data, shape));
  }

  conv(name: string, shape: [out: number, from: number, kh: number, kw: number], bias = true): void {
    const bound = Math.sqrt(6 / (shape[1] * shape[2] * shape[3]));
    this.fill(`${name}.weight`, shape, -bound, bound);
    if (bias) this.fill(`${name}.bias`, [shape[0]], -0.1, 0.1);
  }

  norm(name: string, channels: number, statistics = ["running_mean", "running_var"]): void {
    this.fill(`${name}.weight`, [channels], 0.5, 1.2);
    this.fill(`${name}.bias`, [channels], -0.1, 0.1);
    this.fill(`${name}.${statistics[0]}`, [channels], -0.1, 0.1);
    this.fill(`${name}.${statistics[1]}`, [channels], 0.5, 1.5);
    if (statistics[0] === "running_mean") {
      this.tensors.set(`${name}.num_batches_tracked`, ndarray(BigInt64Array.of(7n), []));
    }
  }
}

/** A configuration of the default family, small enough for an interpreter. */
export const TINY: StrataConfig = {
  name: "tiny",
  input: { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3], padMultiple: 16 },
  widths: [4, 4, 8, 8, 8],
  descriptorDim: 8,
  attentionWidth: 4,
  bnEps: 1e-3,
  detection: { nmsRadius: 2, border: 4, maxKeypoints: 500, threshold: 0 },
};

/** The same slimmer between its convolutions, its score at half resolution, its descriptors of some levels. */
export const SLIM: StrataConfig = {
  ...TINY,
  innerWidths: [4, 2, 4, 4, 2],
  stem: "half",
  descriptorLevels: [2, 4],
  join: "cascade",
};

/** Weights of the default family for a configuration. */
export function strataTensors(config: StrataConfig = TINY, seed = 1): StateDict {
  const made = new Builder(seed);
  const { widths, innerWidths = widths, stem, descriptorDim, attentionWidth } = config;
  const { descriptorLevels = [1, 2, 3, 4], scoreLevels = [0, 1, 2, 3, 4] } = config;
  const sideOf = (l: number, stemOf: string) => (l === 0 && stem === stemOf ? 4 : 3);
  const block = (name: string, out: number, from: number, side = 3) => {
    made.conv(`${name}.conv`, [out, from, side, side], false);
    made.norm(`${name}.bn`, out, ["mean", "var"]);
  };
  widths.forEach((out, l) => {
    block(`levels.${l}.a`, innerWidths[l], l ? widths[l - 1] : 3, sideOf(l, "early"));
    block(`levels.${l}.b`, out, innerWidths[l], sideOf(l, "half"));
    if (l) made.conv(`levels.${l}.skip`, [out, widths[l - 1], 1, 1]);
    if (descriptorLevels.includes(l)) made.conv(`encoders.${l}`, [descriptorDim, out, 1, 1]);
    if (scoreLevels.includes(l)) made.conv(`attention.taps.${l}`, [attentionWidth, out, 1, 1]);
  });
  block("attention.fuse", attentionWidth, attentionWidth);
  made.conv("attention.out", [stem && stem !== "full" ? 8 : 2, attentionWidth, 1, 1]);
  return made.tensors;
}

export interface ReferenceChoice {
  depth?: Depth;
  attention?: AttentionKind;
  dim?: number;
  seed?: number;
  /** Without the backbone, as in checkpoints of heads only. */
  headsOnly?: boolean;
}

const BLOCKS: Record<Depth, number[]> = { 18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3] };

/** A state dict in the layout of the reference's checkpoints, with all that training leaves in one. */
export function referenceTensors({
  depth = 18,
  attention = "multi_attention_model2",
  dim = 16,
  seed = 1,
  headsOnly = false,
}: ReferenceChoice = {}): StateDict {
  const made = new Builder(seed);
  if (!headsOnly) for (const [name, values] of resnetTensors(depth)) made.tensors.set(name, values);
  const channels = tapChannels(depth);
  const shared = attention === "shared_multi_attention_model2";
  channels.forEach((from, i) => {
    if (shared) {
      made.conv(`feature_encoder.p${i + 1}.0`, [512, from, 1, 1]);
      made.conv(`feature_encoder.p${i + 1}.1`, [512, 512, i ? 2 : 1, i ? 2 : 1]);
    } else if (!headsOnly) {
      made.conv(`feature_encoder.e${i + 1}.0`, [dim, from, 1, 1]);
      made.fill(`feature_encoder.d${i + 1}.0.weight`, [dim, from, 1, 1], -1, 1);
    }
  });
  if (shared) made.conv("feature_encoder.encoder.0", [dim, 512, 1, 1]);
  if (shared) made.fill("feature_encoder.decoder.0.weight", [dim, 512, 1, 1], -1, 1);
  const heads =
    attention === "attention_model" || shared
      ? ["attention"]
      : ["early", "middle", "deep"].map((l) => `${l}_attentions`);
  for (const head of heads) {
    if (attention === "multi_attention_model") {
      made.conv(head, [2, dim, 1, 1]);
      continue;
    }
    made.conv(`${head}.0`, [512, dim, 1, 1]);
    made.norm(`${head}.1`, 512);
    made.conv(`${head}.3`, [1, 512, 1, 1]);
  }
  return made.tensors;
}

const backbones = new Map<Depth, StateDict>();

/** The backbone of a depth, made once: even ResNet-18 has eleven million weights. */
function resnetTensors(depth: Depth): StateDict {
  const made = new Builder(depth);
  const known = backbones.get(depth);
  if (!known) addResnet(made, "feature_encoder.resnet.", depth);
  const tensors = known ?? made.tensors;
  backbones.set(depth, tensors);
  return tensors;
}

function addResnet(made: Builder, prefix: string, depth: Depth): void {
  const expansion = depth >= 50 ? 4 : 1;
  made.conv(`${prefix}conv1`, [64, 3, 7, 7], false);
  made.norm(`${prefix}bn1`, 64);
  let from = 64;
  BLOCKS[depth].forEach((count, l) => {
    const width = 64 * 2 ** l;
    const out = width * expansion;
    for (let b = 0; b < count; b++) {
      const at = `${prefix}layer${l + 1}.${b}`;
      const shapes: [number, number, number][] =
        depth >= 50
          ? [
              [width, from, 1],
              [width, width, 3],
              [out, width, 1],
            ]
          : [
              [width, from, 3],
              [width, width, 3],
            ];
      shapes.forEach(([o, i, size], k) => {
        made.conv(`${at}.conv${k + 1}`, [o, i, size, size], false);
        made.norm(`${at}.bn${k + 1}`, o);
      });
      if (b === 0 && (l > 0 || from !== out)) {
        made.conv(`${at}.downsample.0`, [out, from, 1, 1], false);
        made.norm(`${at}.downsample.1`, out);
      }
      from = out;
    }
  });
  made.fill(`${prefix}fc.weight`, [10, from], -1, 1);
  made.fill(`${prefix}fc.bias`, [10], -1, 1);
}

/** The bytes of a Lightning checkpoint that holds these tensors, each in a storage of its own. */
export function checkpointBytes(tensors: StateDict): Uint8Array {
  const storages: Record<string, Uint8Array> = {};
  const entries: Record<string, string> = {};
  for (const [name, { dtype, shape, data }] of tensors) {
    const key = String(Object.keys(entries).length);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const storage = dtype === "int64" ? "LongStorage" : "FloatStorage";
    entries[name] = tensor({ storage, key, count: data.length, shape, strides });
    storages[key] = raw(data);
  }
  return checkpoint(dict({ state_dict: dict(entries) }), storages);
}

/** An image from a function of the pixel, 0…255, the same in all channels unless it gives three. */
export function drawImage(
  width: number,
  height: number,
  paint: (x: number, y: number) => number | readonly [number, number, number],
): Image {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = paint(x, y);
      data.set(typeof value === "number" ? [value, value, value] : value, 3 * (y * width + x));
    }
  }
  return { width, height, data };
}

/** Grey blocks and noise: something to find everywhere. */
export function noiseImage(width: number, height: number, seed = 1): Image {
  const random = new Random(seed);
  return drawImage(width, height, () => [random.integer(256), random.integer(256), random.integer(256)]);
}
