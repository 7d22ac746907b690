/**
 * A recipe of the reference as a task for the trainer: first values and loss of the trained part, batches as its feeds,
 * and what was learnt as tensors in the reference's layout. The frozen part is a network of its own.
 */
import { checkMap, checkObject, checkText } from "../../check.js";
import { OptionError } from "../../errors.js";
import { PREPROCESSINGS, type PreprocessingName } from "../../extract/preprocess.js";
import { toFloat32 } from "../../formats/ndarray.js";
import type { CompileOptions, Feed } from "../../graph/compile.js";
import { firstEncoder, type Tensors } from "../../model/checkpoint.js";
import { ORDINARY } from "../../model/resnet.js";
import { checkChoice, checkNumber } from "../../options.js";
import { MIN_CORRESPONDENCES } from "../../train/correspondences.js";
import type { Parameter } from "../../train/parameters.js";
import type { Recipe } from "../../train/recipes.js";
import { assembleCheckpoint, REFERENCE_GRID, referenceTraining } from "../../train/reference/index.js";
import type { PairBatch } from "../../train/types.js";
import type { FrozenCache } from "./frozen-cache.js";
import { channelsOf, FrozenNetwork } from "./frozen-network.js";
import type { ModelTask } from "./model-task.js";
import { backboneOf, digestOf, encodersOf } from "./weights.js";

/** How a task of the reference is opened. */
export interface ReferenceTaskOptions {
  recipe: Recipe;
  /** A whole checkpoint, or a backbone and, where the recipe has them frozen, encoders. */
  weights: Tensors;
  /** Names the weights in errors; default "training". */
  where?: string;
  /** How pixels are prepared; default "none": the reference trains on raw values. */
  preprocessing?: PreprocessingName;
  /** Pixels of the square crops, a multiple of 32; default 256. */
  cropSize?: number;
  /** Where outputs of the frozen part are kept; default nowhere. */
  cache?: FrozenCache | null;
  runtime?: Pick<CompileOptions, "runtime" | "backend" | "threads">;
}

/** Its checkpoint is a whole one in the reference's layout: what was frozen, with what was learnt. */
export interface ReferenceTask extends ModelTask {
  readonly preprocessing: PreprocessingName;
}

/** Pixels that a cell of the deepest tap covers. */
const STRIDE = 32;

/** Throws an OptionError for what is not offered, and where a recipe's frozen encoders are missing. */
export function referenceTask(options: ReferenceTaskOptions): ReferenceTask {
  checkObject("referenceTask", "options", options);
  const { recipe, weights, where = "training", preprocessing = "none", cropSize = 256, cache = null } = options;
  checkText("referenceTask", "where", where);
  checkObject(where, "recipe", recipe);
  checkMap(where, "weights", weights);
  checkChoice(where, "preprocessing", preprocessing, PREPROCESSINGS);
  checkNumber(where, "cropSize", cropSize, { min: STRIDE, max: 4096, integer: true });
  if (cropSize % STRIDE !== 0) {
    const near = Math.max(STRIDE, Math.round(cropSize / STRIDE) * STRIDE);
    throw new OptionError(`${where}: "cropSize" must be a multiple of ${STRIDE}, got ${cropSize}; try ${near}`);
  }
  const side = cropSize / REFERENCE_GRID.scale;
  const backbone = backboneOf(weights);
  const learnt = referenceTraining(recipe, channelsOf(where, backbone), { width: side, height: side });
  const needs = recipe.kind === "attention" && !recipe.shared ? recipe.encoder.dim : null;
  const encoders = needs === null ? null : checkEncoders(where, recipe.name, encodersOf(weights), needs);
  const frozenEncoders = learnt.maps === "descriptors" ? encoders : null;
  const digests = { backbone: digestOf(backbone), ...(encoders ? { encoders: digestOf(encoders) } : {}) };
  const network = new FrozenNetwork({
    where,
    backbone,
    encoders: frozenEncoders && needs !== null ? { tensors: frozenEncoders, dim: needs } : null,
    preprocessing,
    cropSize,
    runtime: options.runtime ?? {},
    cache,
    digest: JSON.stringify([digests.backbone, frozenEncoders ? digests.encoders : null, preprocessing, cropSize]),
  });
  return {
    name: recipe.name,
    preprocessing,
    config: { kind: "reference", name: recipe.name, preprocessing },
    choices: { firstStride: ORDINARY.firstStride },
    recipe: { ...recipe, preprocessing, cropSize, ...digests },
    grid: { ...REFERENCE_GRID, width: side, height: side },
    // The reference asks for an eighth of its 32×32 cells.
    minCorrespondences: Math.ceil((MIN_CORRESPONDENCES * side * side) / (REFERENCE_GRID.width * REFERENCE_GRID.height)),
    parameters: (seed) => learnt.parameters(seed).map((parameter) => startFrom(encoders, parameter)),
    state: learnt.state,
    inputs: learnt.inputs,
    loss: learnt.loss,
    async feeds(batch) {
      // The first images of all pairs before the second ones.
      const images = [0, 1].flatMap((side) => batch.pairs.map(({ images: both }) => both[side]));
      return { ...(await network.run(images)), ...counterparts(batch) };
    },
    checkpoint(parameters, state, steps) {
      return assembleCheckpoint(new Map([...backbone, ...(encoders ?? [])]), parameters, state, steps);
    },
    dispose: () => network.dispose(),
  };
}

/** Heads on an encoder per level. */
const PER_LEVEL = "multi_attention_model2";

/** Encoders of all three levels with `dim` channels. */
function checkEncoders(where: string, recipe: string, encoders: Tensors, dim: number): Tensors {
  const found = encoders.get(firstEncoder(PER_LEVEL))?.shape[0];
  if (encoders.size === 6 && found === dim) return encoders;
  const what = encoders.size === 0 ? "no encoder" : found === dim ? "a part of one" : `one of ${found} channels`;
  throw new OptionError(
    `${where}: the recipe ${recipe} trains attention on a frozen encoder of ${dim} channels, the weights have ${what}; ` +
      `give one (--encoder), as \`strata train encoder --recipe cfe${dim}\` makes it`,
  );
}

/** Where an encoder goes on learning, it begins with its trained values. */
function startFrom(encoders: Tensors | null, parameter: Parameter): Parameter {
  const trained = encoders?.get(parameter.name);
  return trained ? { ...parameter, data: toFloat32(trained).slice() } : parameter;
}

function counterparts({ pairs, grid, correspondences }: PairBatch): Record<string, Feed> {
  const cells = grid.width * grid.height;
  const targets = new Float32Array(2 * cells * pairs.length);
  const valid = new Float32Array(cells * pairs.length);
  for (const [i, found] of correspondences.entries()) {
    targets.set(found.targets, 2 * cells * i);
    valid.set(found.valid, cells * i);
  }
  return { targets, valid, pairWeights: new Float32Array(pairs.length).fill(1) };
}
