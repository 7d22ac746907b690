/**
 * Networks of one score map as a task for the trainer. A batch is fed as it comes, images and the homographies between
 * them; with a teacher, what that says of the images too.
 */

import { checkFunction, checkMap, checkObject, checkText } from "../../check.js";
import { OptionError, ShapeError } from "../../errors.js";
import { fromUnit, imageToPlanes } from "../../extract/preprocess.js";
import { scoreFamilyOf } from "../../families.js";
import { type NdArray, ndarray } from "../../formats/ndarray.js";
import { inverse3x3 } from "../../geometry/matrix3.js";
import { type FedSpec, input } from "../../graph/compile.js";
import type { Image } from "../../image/image.js";
import { type Asked, record } from "../../model/layers/record.js";
import type { ScoreConfig } from "../../model/score-config.js";
import { checkNumber } from "../../options.js";
import { Random } from "../../random.js";
import { initialParameters, initialStatistics } from "../initial.js";
import type { Parameter } from "../parameters.js";
import type { Task } from "../task.js";
import type { PairBatch, TrainingPair } from "../types.js";
import { type Beginning, beginWith } from "./beginning.js";
import { detectorLoss, learnsDescriptors, PROJECTION, TEMPERATURE, TRAINING_ONLY } from "./loss.js";
import type { DetectorLosses, DetectorRecipe, DetectorTeacher } from "./recipe.js";
import { GRID, type Teacher } from "./teacher.js";

/** A task whose outcome is a model of one score map. */
export interface DetectorTask extends Task {
  /** The model's configuration, without its checksum. */
  readonly config: ScoreConfig;
  /** The model's tensors, of parameters and state. */
  checkpoint(parameters: readonly Parameter[], state: readonly Parameter[]): Map<string, NdArray>;
}

/** Pairs whose views share less than this of the first one's cells are skipped. */
const LEAST_SHARED = 1 / 16;

/** What a task is made of beside its recipe. */
export interface DetectorExtras {
  /** The recipe's teacher, which the task disposes of; a recipe that has one needs it. */
  teacher?: Teacher | null;
}

/** Throws an OptionError where `begin` is of another architecture, or a teacher is missing or too much. */
export function detectorTask(
  recipe: DetectorRecipe,
  begin: Beginning | null = null,
  extras: DetectorExtras = {},
): DetectorTask {
  const where = "detectorTask";
  const { teacher = null } = checkObject(where, "extras", extras) as DetectorExtras;
  if (teacher !== null) checkFunction(where, "extras.teacher.run", checkObject(where, "extras.teacher", teacher).run);
  checkObject(where, "recipe", recipe);
  const { name, network, data, losses } = recipe;
  checkText(where, "recipe.name", name);
  for (const [part, value] of Object.entries({ network, data, losses })) checkObject(where, `recipe.${part}`, value);
  checkNumber(where, "recipe.data.cropSize", data.cropSize, { min: 1, integer: true });
  checkNumber(where, "recipe.losses.cell", losses.cell, { min: 1, integer: true });
  if (begin !== null) checkMap(where, "begin.tensors", checkObject(where, "begin", begin).tensors);
  if ((recipe.teacher === undefined) !== (teacher === null)) {
    throw new OptionError(
      teacher ? `${where}: the recipe ${name} has no teacher` : `${where}: the recipe ${name} needs its teacher`,
    );
  }
  // Those that may stand in front, and the one behind.
  const planes = 1 + (data.planes?.most ?? 0);
  const side = data.cropSize / losses.cell;
  const family = scoreFamilyOf(name, network);
  const build = family.network(network);
  const layers = normedFirst(record(build));
  const initial = (seed: number) => initialParameters(layers, new Random(seed), "zero");
  const all = () => [...initial(0), ...initialStatistics(layers)];
  const given = begin && beginWith(name, begin, (tensors) => family.adapt(tensors, network), all());
  const start = (parameters: Parameter[]) =>
    parameters.map((own) => ({ ...own, data: given?.get(own.name)?.data.slice() ?? own.data }));
  const temperature: Parameter = { name: TEMPERATURE, shape: [1], data: Float32Array.of(Math.log(losses.temperature)) };
  const trainingOnly = [temperature, ...projectionOf(recipe)];
  const { sha256: _, parameters: __, ...config } = network;
  return {
    name,
    recipe: {
      ...{ network: config, losses: lossesIdentity(losses) },
      ...(begin ? { begin: begin.digest } : {}),
      ...(teacher ? { teacher: identityOf(teacher) } : {}),
    },
    config,
    grid: { width: side, height: side, scale: losses.cell, shift: (losses.cell - 1) / 2 },
    minCorrespondences: Math.ceil(LEAST_SHARED * side * side),
    parameters: (seed) => [...start(initial(seed)), ...trainingOnly],
    state: () => start(initialStatistics(layers)),
    inputs: (pairs) => ({
      images: input([2 * pairs, 3, data.cropSize, data.cropSize]),
      ...carryingInputs(pairs, planes, data.cropSize),
      ...(recipe.teacher && lessonInputs(pairs, recipe.teacher, data.cropSize)),
    }),
    async feeds(batch) {
      const feeds = feedsOf(batch, data.cropSize, network, planes);
      if (!teacher) return feeds;
      const { score, descriptors } = await teacher.run(
        teacher.recipe.clean ? cleanViews(batch, data.cropSize, network) : feeds.images,
      );
      return {
        ...feeds,
        ...(teacher.recipe.keypoints > 0 && { teacherScore: score }),
        ...(learnsDescriptors(teacher.recipe) && { teacherDescriptors: descriptors }),
      };
    },
    loss: (inputs, training) => detectorLoss(recipe, build, inputs, training),
    checkpoint(parameters, state) {
      const tensors = new Map<string, NdArray>();
      for (const { name: tensor, shape, data: values } of [...parameters, ...state]) {
        if (!TRAINING_ONLY.includes(tensor)) tensors.set(tensor, ndarray(values, [...shape]));
      }
      return tensors;
    },
    dispose: async () => teacher?.dispose(),
  };
}

/** Losses that are asked for: runs from before there was an order of keypoints go on. */
function lossesIdentity({ ranking, ...losses }: DetectorLosses): Record<string, unknown> {
  return { ...losses, ...(ranking > 0 && { ranking }) };
}

/** A teacher by what it is, not by where it lies. */
function identityOf({ recipe: { clean, ...recipe }, digest }: Teacher): Record<string, unknown> {
  return { ...recipe, model: digest, ...(clean && { clean }) };
}

/** What the similarity to a teacher learns beside the model: at first descriptors are compared as they are. */
function projectionOf({ network: { descriptorDim: dim }, teacher }: DetectorRecipe): Parameter[] {
  if (!teacher || teacher.similarity === 0) return [];
  const { descriptorDim: to } = teacher;
  const data = Float32Array.from({ length: dim * to }, (_, i) => (Math.floor(i / to) === i % to ? 1 : 0));
  return [{ name: PROJECTION, shape: [dim, to], data }];
}

/** What the losses of a teacher read: a graph has no inputs that nothing uses. */
const lessonInputs = (pairs: number, teacher: DetectorTeacher, size: number) => ({
  ...(teacher.keypoints > 0 && { teacherScore: input([2 * pairs, 1, size, size]) }),
  ...(learnsDescriptors(teacher) && {
    teacherDescriptors: input([2 * pairs, teacher.descriptorDim, size / GRID, size / GRID]),
  }),
});

/** The order in which parameters lie and first values are drawn: a seed gives what it has always given. */
const normedFirst = (layers: readonly Asked[]): Asked[] => [
  ...layers.filter(({ kind }) => kind === "convNorm"),
  ...layers.filter(({ kind }) => kind !== "convNorm"),
];

/** Homographies and, of several planes, what is seen of them. */
const carryingInputs = (pairs: number, planes: number, size: number): Record<string, FedSpec> =>
  planes === 1
    ? { matrices: input([2 * pairs, 9]) }
    : { matrices: input([2 * pairs, planes, 9]), labels: input([2 * pairs, 1, size, size]) };

/** Views of M pairs of images, normalised, the first images before the second ones: [2M, 3, size, size]. */
function planesOfViews(
  views: readonly { id: string; images: readonly [Image, Image] }[],
  size: number,
  { input: { mean, std } }: ScoreConfig,
): Float32Array {
  const preprocessing = fromUnit(mean, std);
  const each = 3 * size * size;
  const planes = new Float32Array(2 * views.length * each);
  for (const [i, { id, images }] of views.entries()) {
    for (const [k, image] of images.entries()) {
      const { width, height } = image;
      if (width !== size || height !== size) {
        throw new ShapeError(`pair "${id}": a view has ${width}×${height} pixels, the training wants ${size}×${size}`);
      }
      const m = k * views.length + i;
      imageToPlanes(image, preprocessing, planes.subarray(m * each, (m + 1) * each));
    }
  }
  return planes;
}

/** The views before their light was changed, which the source has to give. */
function cleanViews({ pairs }: PairBatch, size: number, network: ScoreConfig): Float32Array {
  const views = pairs.map(({ id, before }) => {
    if (before) return { id, images: before };
    throw new OptionError(
      `pair "${id}" has no views from before its change of light, which "teacher.clean" asks for; open the source with "before"`,
    );
  });
  return planesOfViews(views, size, network);
}

function feedsOf({ pairs }: PairBatch, size: number, network: ScoreConfig, planes: number) {
  const images = planesOfViews(pairs, size, network);
  const count = pairs.length;
  const area = size * size;
  const matrices = new Float32Array(2 * count * planes * 9);
  const labels = new Float32Array(planes === 1 ? 0 : 2 * count * area);
  for (const [i, pair] of pairs.entries()) {
    const own = planesOf(pair, planes);
    for (const k of [0, 1]) {
      const m = k * count + i;
      for (let l = 0; l < planes; l++) {
        // No pixel shows the planes that a pair does not have.
        const map = (own[l] ?? own[0])[k];
        matrices.set(
          map.map((value) => value / map[8]),
          9 * (m * planes + l),
        );
      }
      if (planes > 1 && pair.warp.kind === "planes") labels.set(pair.warp.labels[k], m * area);
    }
  }
  return { images, matrices, ...(planes > 1 && { labels }) };
}

/** Both ways by each plane of a pair, at most `most`. */
function planesOf({ id, images, warp }: TrainingPair, most: number): [Float64Array, Float64Array][] {
  if (warp.kind === "depth") {
    throw new OptionError(
      `pair "${id}": the detector learns from homographies (--photos), not from depth: it carries any point, with a fraction of a pixel`,
    );
  }
  const matrices = warp.kind === "planes" ? warp.matrices : [warp.matrix];
  if (matrices.length > most) {
    throw new OptionError(`pair "${id}" has ${matrices.length} planes, the recipe's "data.planes" allows ${most}`);
  }
  if (warp.kind === "planes") {
    for (const [k, { width, height }] of images.entries()) {
      if (warp.labels[k].length === width * height) continue;
      throw new ShapeError(`pair "${id}": ${warp.labels[k].length} labels for a view of ${width}×${height} pixels`);
    }
  }
  return matrices.map((matrix) => {
    const back = inverse3x3(matrix);
    if (!back) throw new OptionError(`pair "${id}": the homography has no inverse`);
    return [matrix, back];
  });
}
