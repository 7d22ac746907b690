/**
 * Weights made elsewhere as weights of strata: whose they are, what every tensor becomes, what is left over, and the
 * configuration that goes beside them. Nothing here reads or writes a file.
 */
import { FormatError, OptionError, UnsupportedError } from "../errors.js";
import { familyOf } from "../families.js";
import type { NdArray } from "../formats/ndarray.js";
import {
  attentionKinds,
  BACKBONE_PREFIX,
  firstEncoder,
  hasBackbone,
  type Tensors,
  withHeads,
} from "../model/checkpoint.js";
import { record } from "../model/layers/record.js";
import { scaleOf, unpackTensors } from "../model/pack.js";
import { ENCODER_DIMS } from "../model/reference.js";
import { type Depth, depthUnder } from "../model/resnet.js";
import { delgPlaces, delgScope } from "./delg.js";
import { type ImportSource, kindOf, resnetPrefix } from "./detect.js";
import type { ImportKind } from "./kinds.js";
import { backboneLayout, layoutOf, referenceLayout } from "./layout.js";
import { type Fitted, fillPlaces, placesOf, type UnusedTensor } from "./places.js";
import { partsOfName } from "./reference-name.js";

export type { ImportSource } from "./detect.js";
export { IMPORT_KINDS, type ImportKind } from "./kinds.js";
export { ImportError, type Mismatch, type UnusedTensor } from "./places.js";

export interface ImportRequest {
  source: ImportSource;
  /** Where the backbone, and encoders that the source does not have, come from. */
  backbone?: ImportSource;
  /** Default: told by the tensors. */
  kind?: ImportKind;
  /** Default: the name in the configuration, or the file's. */
  name?: string;
  /** How pixels are prepared; default: as the configuration says, else "torch", and of DELG's weights not said. */
  preprocessing?: string;
}

export interface ImportedWeights {
  /** Whose they were. */
  kind: ImportKind;
  /** The family of what they are now (families.ts); a backbone finds no features by itself. */
  model: string;
  name: string;
  tensors: Map<string, NdArray>;
  /** config.json, without checksum and source. */
  config: Record<string, unknown>;
  /** Tensors that no place was found for; of a backbone's file too. */
  unused: (UnusedTensor & { of: "source" | "backbone" })[];
  /** Tensors that are not there and can be done without: decoders. */
  missing: string[];
  /** Tensors of 64-bit floats, which became float32. */
  converted: string[];
}

/**
 * Maps what was read to a model of strata. OptionErrors for requests that do not fit the source, an ImportError with all
 * tensors that are missing or of another shape, FormatErrors for what is no such model.
 */
export function importWeights(request: ImportRequest): ImportedWeights {
  const { source, backbone } = request;
  const kind = request.kind ?? kindOf(source);
  if (backbone && kind !== "reference") {
    throw new OptionError(`${source.where}: a backbone is only for heads of the reference, not for weights of ${kind}`);
  }
  if (kind === "strata") return importOwn(request);
  return kind === "reference" ? importReference(request) : importBackbone(request, kind);
}

/** The tensors of a ResNet, whoever's names they have, under the reference's. */
function fitBackbone({ where, tensors }: ImportSource, kind: ImportKind): { depth: Depth; fitted: Fitted } {
  if (kind === "delg") {
    const found = delgScope(where, tensors.keys());
    if (!found) throw new FormatError(`${where}: no tensor named resnet_v1_50/*, so not DELG's weights`);
    const places = delgPlaces(found.scope, backboneLayout(found.depth).required);
    return { depth: found.depth, fitted: fillPlaces(where, tensors, places) };
  }
  const prefix = resnetPrefix(where, tensors);
  if (prefix === null) throw new FormatError(`${where}: no tensor named layer1.0.conv1.weight, so no ResNet's weights`);
  const depth = depthUnder(where, tensors, prefix);
  const places = placesOf(backboneLayout(depth), (name) => prefix + name.slice(BACKBONE_PREFIX.length));
  return { depth, fitted: fillPlaces(where, tensors, places) };
}

function importBackbone(request: ImportRequest, kind: "delg" | "torchvision"): ImportedWeights {
  const { depth, fitted } = fitBackbone(request.source, kind);
  const { name = request.source.name, preprocessing = kind === "delg" ? undefined : "torch" } = request;
  const config = { kind: "backbone", name, backbone: `resnet${depth}`, ...(preprocessing && { preprocessing }) };
  return { kind, model: "backbone", name, config, ...told(fitted) };
}

function importReference(request: ImportRequest): ImportedWeights {
  const { source, name = source.name } = request;
  const where = request.backbone ? `${source.where} on ${request.backbone.where}` : source.where;
  const { tensors, unused } = wholeOf(request);
  const depth = depthUnder(where, tensors, BACKBONE_PREFIX);
  const parts = partsOfName(name);
  const attention = attentionOf(where, tensors, name);
  const encoder = firstEncoder(attention);
  const dim = tensors.get(encoder)?.shape[0];
  if (dim === undefined || !(ENCODER_DIMS as readonly number[]).includes(dim)) {
    throw new FormatError(
      `${where}: "${encoder}" must be there with ${ENCODER_DIMS.join(" or ")} channels, got ${dim ?? "no such tensor"}` +
        (dim === undefined ? "; the encoder may be in another checkpoint: give it as the backbone" : ""),
    );
  }
  if (parts && parts.dim !== null && parts.dim !== dim) {
    throw new FormatError(
      `${where}: by the name "${name}" the encoder has ${parts.dim} channels, by the tensors ${dim}; ${RENAMED}`,
    );
  }
  const fitted = fillPlaces(where, tensors, placesOf(referenceLayout(depth, attention, dim)));
  const { preprocessing = request.source.config?.preprocessing ?? "torch" } = request;
  const config = {
    kind: "reference",
    name,
    preprocessing,
    backbone: `resnet${depth}`,
    attention,
    descriptorDim: dim,
  };
  const of = (name: string) => (source.tensors.has(name) ? "source" : "backbone");
  const left = fitted.unused.map((tensor) => ({ ...tensor, of: of(tensor.name) }) as const);
  return { ...fitted, kind: "reference", model: "reference", name, config, unused: [...unused, ...left] };
}

const RENAMED = "where the file was renamed, give the right name (--name)";

/** Heads on the backbone that was named for them, or the source, where it is whole. */
function wholeOf({ source, backbone }: ImportRequest): Pick<ImportedWeights, "unused"> & { tensors: Tensors } {
  if (hasBackbone(source.tensors)) {
    if (backbone) {
      throw new OptionError(`${source.where} is a whole checkpoint, with a backbone of its own; leave out --backbone`);
    }
    return { tensors: source.tensors, unused: [] };
  }
  if (!backbone) {
    throw new OptionError(
      `${source.where} has no backbone (${BACKBONE_PREFIX}*); name the checkpoint or weights of it with --backbone`,
    );
  }
  const kind = kindOf({ ...backbone, config: undefined });
  const replaced = (tensors: Tensors, kept: Tensors): ImportedWeights["unused"] =>
    [...tensors]
      .filter(([name, tensor]) => kept.get(name) !== tensor)
      .map(([name, { shape, dtype }]) => ({ name, shape: [...shape], dtype, of: "backbone" }));
  if (kind === "reference") {
    if (!hasBackbone(backbone.tensors)) {
      throw new OptionError(`${backbone.where}, given as the backbone, has none (${BACKBONE_PREFIX}*)`);
    }
    const tensors = withHeads(backbone.tensors, source.tensors);
    return { tensors, unused: replaced(backbone.tensors, tensors) };
  }
  const { fitted } = fitBackbone(backbone, kind);
  return { tensors: withHeads(fitted.tensors, source.tensors), unused: told(fitted).unused.map(ofBackbone) };
}

const ofBackbone = (tensor: UnusedTensor) => ({ ...tensor, of: "backbone" }) as const;

/** The kind of heads by the tensors, which the name has to agree with; where they leave a choice, the name makes it. */
function attentionOf(where: string, tensors: Tensors, name: string) {
  const kinds = attentionKinds(tensors);
  const named = partsOfName(name)?.attention;
  if (kinds.length === 0) {
    throw new FormatError(
      `${where}: no attention head among its ${tensors.size} tensors (early_attentions.*, attention.*); ` +
        `a backbone alone is imported with --kind torchvision`,
    );
  }
  if (named === undefined) return kinds[0];
  if (kinds.includes(named)) return named;
  throw new FormatError(
    `${where}: by the name "${name}" the heads are ${named}, by the tensors ${kinds.join(" or ")}; ${RENAMED}`,
  );
}

/** A model folder of strata: checked like any other, written anew. */
function importOwn(request: ImportRequest): ImportedWeights {
  const { source, preprocessing } = request;
  const { where, tensors, config } = source;
  if (!config) throw new OptionError(`${where}: a model of strata needs its configuration beside it, config.json`);
  const name = request.name ?? (typeof config.name === "string" && config.name ? config.name : source.name);
  const { sha256: _, parameters: __, ...kept } = config;
  if (config.kind === "reference") {
    const { kind: _kind, ...imported } = importReference({ ...request, name });
    return { kind: "strata", ...imported, config: { ...kept, ...imported.config } };
  }
  if (config.kind === "backbone") {
    const { fitted } = fitBackbone(source, "torchvision");
    const own = { ...kept, name, ...(preprocessing && { preprocessing }) };
    return { kind: "strata", model: "backbone", name, config: own, ...told(fitted) };
  }
  if (preprocessing !== undefined) {
    throw new OptionError(`${where}: --preprocessing is for networks of the reference; this model has its own`);
  }
  const { kind, score } = familyOf(where, config);
  if (!score) throw new UnsupportedError(`${where}: models of the family "${kind}" are not imported`);
  const layers = record(score.network(score.parse(`${where}, its configuration`, config)));
  const fitted = fillPlaces(where, unpackTensors(where, tensors), placesOf(layoutOf(layers)));
  return { kind: "strata", model: kind, name, config: { ...kept, name }, ...told(packedAs(tensors, fitted)) };
}

/** Kernels of 8 bits were checked as the numbers they stand for, and stay as they are stored. */
function packedAs(stored: Tensors, fitted: Fitted): Fitted {
  const tensors = new Map<string, NdArray>();
  for (const [name, tensor] of fitted.tensors) {
    const own = stored.get(name);
    const scale = stored.get(scaleOf(name));
    if (own?.dtype === "int8" && scale) tensors.set(name, own).set(scaleOf(name), scale);
    else tensors.set(name, tensor);
  }
  return { ...fitted, tensors };
}

/** What was fitted, with everything left over told to be the source's. */
function told({ unused, ...fitted }: Fitted): Omit<Fitted, "unused"> & Pick<ImportedWeights, "unused"> {
  return { ...fitted, unused: unused.map((tensor) => ({ ...tensor, of: "source" })) };
}
