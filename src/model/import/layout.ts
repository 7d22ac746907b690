/**
 * The tensors that a network needs, with their shapes, and those that may lie beside them. They are what the code that
 * opens models asks for, noted down, so nothing is said twice.
 */
import type { NdArray } from "../../formats/ndarray.js";
import type { AttentionKind } from "../attention.js";
import { BACKBONE_PREFIX } from "../checkpoint.js";
import type { StrataConfig } from "../config.js";
import { readReferenceParams } from "../reference.js";
import { type Depth, readResnetParams, tapChannels } from "../resnet.js";
import { readStrataParams } from "../strata.js";
import { WeightReader } from "../weights.js";

/** Shapes by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

export interface Layout {
  /** Without them nothing can be computed. */
  required: Shapes;
  /** Decoders, which serve training only. */
  optional: Shapes;
  /** Taken where they are, missed by nobody: biases before batch norms, and what batch norms have counted. */
  extras: Shapes;
}

/** Reads from no file and remembers what it was asked for. */
class Recorder extends WeightReader {
  readonly required = new Map<string, readonly number[]>();
  readonly extras = new Map<string, readonly number[]>();
  private readonly asked = new Set<string>();

  constructor() {
    super("layout", new Map<string, NdArray>());
  }

  /** Says yes, so that what is only taken where it is gets asked for. */
  override has(name: string): boolean {
    this.asked.add(name);
    return true;
  }

  override take(name: string, shape: readonly number[]) {
    (this.asked.has(name) ? this.extras : this.required).set(name, [...shape]);
    return super.take(name, shape);
  }

  /** Everything is missing here, on purpose. */
  override finish(): void {}
}

function layoutOf(read: (reader: WeightReader) => void, decoders: Shapes = new Map()): Layout {
  const { required, extras } = record(read);
  for (const name of required.keys()) {
    if (name.endsWith(".running_var")) extras.set(name.replace(/running_var$/, "num_batches_tracked"), []);
  }
  return { required, optional: decoders, extras };
}

function record(read: (reader: WeightReader) => void): Recorder {
  const recorder = new Recorder();
  read(recorder);
  return recorder;
}

/** A ResNet alone, in the names that it has inside checkpoints of the reference. */
export const backboneLayout = (depth: Depth): Layout =>
  layoutOf((reader) => readResnetParams(reader, BACKBONE_PREFIX, depth));

/** A whole network of the reference. */
export function referenceLayout(depth: Depth, attention: AttentionKind, dim: number): Layout {
  return layoutOf((reader) => readReferenceParams(reader, depth, attention, dim), decodersOf(depth, attention, dim));
}

/** A model of the default family. */
export const strataLayout = (config: StrataConfig): Layout => layoutOf((reader) => readStrataParams(reader, config));

/** Channels that a shared decoder gives back: those of the pre-encodings. */
const PRE = 512;

/** Transposed 1×1 convolutions from descriptors back to what was encoded: [from, to, 1, 1] and [to]. */
function decodersOf(depth: Depth, attention: AttentionKind, dim: number): Shapes {
  const shared = attention === "shared_multi_attention_model2";
  const outputs: [string, number][] = shared
    ? [["decoder", PRE]]
    : tapChannels(depth).map((channels, i) => [`d${i + 1}`, channels]);
  return new Map(
    outputs.flatMap(([name, to]): [string, number[]][] => [
      [`feature_encoder.${name}.0.weight`, [dim, to, 1, 1]],
      [`feature_encoder.${name}.0.bias`, [to]],
    ]),
  );
}
