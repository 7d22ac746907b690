/**
 * The tensors that a network needs, with their shapes, and those that may lie beside them. They are what the code that
 * opens models asks for, noted down, so nothing is said twice.
 */
import { type AttentionKind, isShared } from "../model/attention-kinds.js";
import { BACKBONE_PREFIX } from "../model/checkpoint.js";
import { type Asked, type AskedTensor, record, tensorsOf } from "../model/layers/record.js";
import { decoders, referenceNetwork } from "../model/reference.js";
import { type Depth, resnet, tapChannels } from "../model/resnet.js";

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

/** What a network of these layers needs. */
export function layoutOf(layers: readonly Asked[], decoders: readonly Asked[] = []): Layout {
  const tensors = layers.flatMap(tensorsOf);
  const shapes = (list: readonly AskedTensor[]): Shapes => new Map(list.map(({ name, shape }) => [name, shape]));
  const counters = tensors
    .filter(({ name }) => name.endsWith(".running_var"))
    .map(({ name }): [string, number[]] => [name.replace(/running_var$/, "num_batches_tracked"), []]);
  return {
    required: shapes(tensors.filter(({ role }) => role !== "inner bias")),
    optional: shapes(decoders.flatMap(tensorsOf)),
    extras: new Map([...shapes(tensors.filter(({ role }) => role === "inner bias")), ...counters]),
  };
}

/** Layers are the same whatever a network is run with. */
const ANY = { firstStride: 1, replaceStrideWithDilation: false, squash: false } as const;

/** A ResNet alone, in the names that it has inside checkpoints of the reference. */
export const backboneLayout = (depth: Depth): Layout =>
  layoutOf(record((layers) => resnet(layers, BACKBONE_PREFIX, depth, ANY)));

/** A whole network of the reference. */
export function referenceLayout(depth: Depth, attention: AttentionKind, dim: number): Layout {
  return layoutOf(
    record((layers) => referenceNetwork(layers, { depth, attention, dim }, ANY)),
    record((layers) => decoders(layers, tapChannels(depth), dim, isShared(attention))),
  );
}
