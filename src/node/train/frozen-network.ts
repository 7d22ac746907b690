/**
 * What does not learn, as a session of its own: crops to the taps of a ResNet in inference mode (batch norm folded), or
 * to descriptors where the encoders are frozen too. What it makes of a crop may be kept in a cache.
 */
import { FormatError, ShapeError } from "../../errors.js";
import { imageToPlanes, type PreprocessingName, preprocessings } from "../../extract/preprocess.js";
import { type Compiled, type CompileOptions, compile, type InputSpec } from "../../graph/compile.js";
import type { Tree } from "../../graph/trace.js";
import type { Image } from "../../image/image.js";
import { BACKBONE_PREFIX, type Tensors } from "../../model/checkpoint.js";
import { type FoldedWeights, fold, foldedPass } from "../../model/layers/folded.js";
import type { Network } from "../../model/layers/layers.js";
import type { Arr } from "../../model/operators.js";
import { LEVELS, plainEncoders, type TapChannels } from "../../model/reference.js";
import { ORDINARY, resnet, resnetDepth, tapChannels } from "../../model/resnet.js";
import { WeightReader } from "../../model/weights.js";
import { FrozenCache, type FrozenOutputs } from "./frozen-cache.js";

/** Channels of the taps of the ResNet among `tensors`; a FormatError where there is none. */
export function channelsOf(where: string, tensors: Tensors): TapChannels {
  return tapChannels(depthOf(where, tensors));
}

function depthOf(where: string, tensors: Tensors) {
  const depth = resnetDepth(new WeightReader(where, tensors), BACKBONE_PREFIX);
  if (depth === null) throw new FormatError(`${where}: its backbone is no ResNet-18, 34, 50 or 101`);
  return depth;
}

export interface FrozenNetworkOptions {
  /** Names the weights in errors. */
  where: string;
  /** The backbone's tensors, without anything else under its prefix. */
  backbone: Tensors;
  /** Encoders that do not learn; null: the outputs are taps. */
  encoders: { tensors: Tensors; dim: number } | null;
  preprocessing: PreprocessingName;
  /** Pixels of the square crops, a multiple of 32. */
  cropSize: number;
  runtime: Pick<CompileOptions, "runtime" | "backend" | "threads">;
  cache: FrozenCache | null;
  /** What all outputs depend on beside the crop: the key of the cache. */
  digest: string;
}

/** Crops in one pass where that is faster. */
const BATCH = 8;

export class FrozenNetwork {
  /** Values of one crop, by level. */
  readonly lengths: Readonly<Record<string, number>>;
  private readonly network: Network<(image: Arr) => Record<string, Arr>>;
  private readonly params: FoldedWeights;
  /** Shape of one crop's output, by level. */
  private readonly shapes: Readonly<Record<string, readonly [number, number, number]>>;
  private compiled: Promise<Compiled> | undefined;
  private readonly planes: Float32Array;
  /**
   * On a processor crops go one by one, which is as fast there, and no bit of the result depends on which crops are in
   * a batch or which were found in the cache.
   */
  private readonly batch: number;

  constructor(private readonly options: FrozenNetworkOptions) {
    const { where, backbone, encoders, cropSize, runtime } = options;
    const depth = depthOf(where, backbone);
    const channels = tapChannels(depth);
    const reader = new WeightReader(where, new Map([...backbone, ...(encoders?.tensors ?? [])]));
    this.network = (layers) => {
      const trunk = resnet(layers, BACKBONE_PREFIX, depth, ORDINARY);
      const encode = encoders ? plainEncoders(layers, channels, encoders.dim) : (tap: Arr) => tap;
      return (image) => Object.fromEntries(trunk(image).map((tap, i) => [LEVELS[i], encode(tap, i)]));
    };
    this.params = fold(this.network, reader);
    reader.ignore(/\.num_batches_tracked$/);
    reader.finish();
    const side = cropSize / 8;
    this.shapes = Object.fromEntries(
      LEVELS.map((level, i) => [
        level,
        encoders ? [encoders.dim, side, side] : [channels[i], side / 2 ** i, side / 2 ** i],
      ]),
    );
    this.lengths = Object.fromEntries(LEVELS.map((level) => [level, sizeOf(this.shapes[level])]));
    this.batch = (runtime.backend ?? "cpu") === "cpu" ? 1 : BATCH;
    this.planes = new Float32Array(this.batch * 3 * cropSize * cropSize);
  }

  /** Outputs of all images in a row, by level. */
  async run(images: readonly Image[]): Promise<FrozenOutputs> {
    const { cropSize, cache, digest } = this.options;
    for (const { width, height } of images) {
      if (width !== cropSize || height !== cropSize) {
        throw new ShapeError(
          `training: a crop has ${width}×${height} pixels, the network takes ${cropSize}×${cropSize}`,
        );
      }
    }
    const all = Object.fromEntries(
      Object.entries(this.lengths).map(([level, length]) => [level, new Float32Array(images.length * length)]),
    );
    const missing: number[] = [];
    const keys = cache ? images.map((image) => FrozenCache.key(digest, image)) : [];
    for (const i of images.keys()) {
      const kept = await cache?.get(keys[i], this.lengths);
      if (!kept) missing.push(i);
      else for (const [level, values] of Object.entries(kept)) all[level].set(values, i * this.lengths[level]);
    }
    for (let at = 0; at < missing.length; at += this.batch) {
      const chosen = missing.slice(at, at + this.batch);
      await this.pass(images, chosen, all);
      for (const i of chosen) await cache?.put(keys[i], this.share(all, i));
    }
    return all;
  }

  async dispose(): Promise<void> {
    await (await this.compiled?.catch(() => undefined))?.dispose();
    this.compiled = undefined;
  }

  /** The chosen images through the network; their outputs go to their places in `all`. */
  private async pass(images: readonly Image[], chosen: readonly number[], all: FrozenOutputs): Promise<void> {
    const { cropSize, preprocessing } = this.options;
    const each = 3 * cropSize * cropSize;
    chosen.forEach((i, k) => {
      imageToPlanes(images[i], preprocessings[preprocessing], this.planes.subarray(k * each, (k + 1) * each));
    });
    this.compiled ??= this.open();
    const compiled = await this.compiled;
    const n = chosen.length;
    const image = { data: this.planes.subarray(0, n * each), shape: [n, 3, cropSize, cropSize] };
    if (n === 1) {
      const into = Object.entries(this.share(all, chosen[0])).map(([level, data]) => [
        level,
        { data, shape: [1, ...this.shapes[level]] },
      ]);
      await compiled.run({ image }, Object.fromEntries(into));
      return;
    }
    const outputs = await compiled.run({ image });
    for (const [level, length] of Object.entries(this.lengths)) {
      const data = outputs[level].data as Float32Array;
      chosen.forEach((i, k) => {
        all[level].set(data.subarray(k * length, (k + 1) * length), i * length);
      });
    }
  }

  private share(all: FrozenOutputs, i: number): FrozenOutputs {
    return Object.fromEntries(
      Object.entries(this.lengths).map(([level, length]) => [level, all[level].subarray(i * length, (i + 1) * length)]),
    );
  }

  private open(): Promise<Compiled> {
    const { cropSize, runtime } = this.options;
    const named = this.batch > 1;
    const image = { shape: [named ? "N" : 1, 3, cropSize, cropSize] };
    const options = { ...runtime, name: "frozen", ...(named ? { dims: { N: [2, 3] as const } } : {}) };
    const inputs: Record<string, Tree<InputSpec>> = { image, params: this.params };
    return compile(foldedPass(this.network) as never, inputs, options);
  }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
