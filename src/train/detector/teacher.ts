/**
 * What a trained model says of the views: a score map that merges all its scales, and descriptors on a grid. It runs as a
 * frozen session beside the training, view by view, so that no bit depends on what else is in a batch.
 */
import { numpy as np } from "@jax-js/jax";
import "../../graph/jax-now.js";
import { FormatError, OptionError } from "../../errors.js";
import { scoreFamilyOf } from "../../families.js";
import { type Compiled, type CompileOptions, compile, input } from "../../graph/compile.js";
import type { Tensors } from "../../model/checkpoint.js";
import { fold, foldedLayers } from "../../model/layers/folded.js";
import { type Arr, type Conv, normalizeChannels } from "../../model/operators.js";
import { unpackTensors } from "../../model/pack.js";
import type { ScoreConfig } from "../../model/score-config.js";
import { scoresOf } from "../../model/score-network.js";
import { WeightReader } from "../../model/weights.js";
import { checkNumber } from "../../options.js";
import type { DetectorTeacher } from "./recipe.js";

/** A model's tensors and configuration, as they were read, and what tells them from others. */
export interface TeacherModel {
  /** Names the model in errors. */
  where: string;
  tensors: Tensors;
  json: unknown;
  digest: string;
}

/** What a student is told of M views of S × S pixels. */
export interface Lessons {
  /** [M, 1, S, S] in 0..1: the largest of all scales' scores. */
  score: Float32Array;
  /** [M, dim, S / GRID, S / GRID], unit length: the mean over the scales of descriptors. */
  descriptors: Float32Array;
}

/** Pixels of a view per cell of its descriptors, across and down. */
export const GRID = 4;

/** Pixels of a cell of the deepest level: a view that is smaller shows it nothing. */
const LEAST_SIDE = 16;

/** A trained model that a network learns from, as a frozen session. */
export class Teacher {
  readonly digest: string;
  private readonly side: number;
  private readonly open: () => Promise<Compiled>;
  private compiled: Promise<Compiled> | undefined;

  /** `student` says how the views are normalised. OptionError for a model that is not the recipe's. */
  constructor(
    model: TeacherModel,
    readonly recipe: DetectorTeacher,
    views: { size: number; input: ScoreConfig["input"] },
    runtime: Pick<CompileOptions, "runtime" | "backend" | "threads"> = {},
  ) {
    const { where, tensors, json, digest } = model;
    const config = teacherConfig(where, json, recipe);
    const build = scoreFamilyOf(where, json).network(config);
    const reader = new WeightReader(where, unpackTensors(where, tensors));
    const params = fold(build, reader);
    reader.finish();
    const { scales, descriptorScales } = recipe;
    const { size } = views;
    checkNumber(where, "views.size", size, { min: LEAST_SIDE, max: 4096, integer: true });
    const small = scales.find((scale) => Math.round(size * scale) < LEAST_SIDE);
    if (small !== undefined) {
      throw new OptionError(
        `the teacher ${recipe.model} sees views of ${size} pixels as ${Math.round(size * small)} at scale ${small}, ` +
          `and needs ${LEAST_SIDE}; raise "cropSize" or leave that scale out of "teacher.scales"`,
      );
    }
    this.digest = digest;
    this.side = size;
    const fn = ({ image, params: weights }: { image: Arr; params: Record<string, Conv> }) => {
      const network = build(foldedLayers(weights));
      const seen = renormalised(image, views.input, config.input);
      let merged: Arr | undefined;
      let sum: Arr | undefined;
      for (const scale of scales) {
        const { reduce, back } = viewAt(size, scale, config.input.padMultiple);
        const { levels, logits } = network.maps(both(seen.ref, reduce));
        const { attention, score } = scoresOf(network, logits);
        attention.dispose();
        const large = both(score, back(size, 1));
        merged = merged ? np.maximum(merged, large) : large;
        if (!descriptorScales.includes(scale)) {
          for (const map of levels) map.dispose();
          continue;
        }
        const encoded = levels.map((map, i) =>
          both(network.encoders[i](map), back(size / GRID, 2 ** network.levels[i])),
        );
        const own = normalizeChannels(encoded.reduce((a, b) => a.add(b)));
        sum = sum ? sum.add(own) : own;
      }
      seen.dispose();
      return { score: merged as Arr, descriptors: normalizeChannels(sum as Arr) };
    };
    this.open = () =>
      compile(fn as never, { image: input([1, 3, size, size]), params } as never, { ...runtime, name: "teacher" });
  }

  /** What it says of normalised views [M, 3, S, S]. */
  async run(images: Float32Array): Promise<Lessons> {
    this.compiled ??= this.open();
    const compiled = await this.compiled;
    const { side } = this;
    const each = 3 * side * side;
    const count = images.length / each;
    const [pixels, values] = [side * side, this.recipe.descriptorDim * (side / GRID) ** 2];
    const score = new Float32Array(count * pixels);
    const descriptors = new Float32Array(count * values);
    for (let m = 0; m < count; m++) {
      const out = await compiled.run({ image: images.subarray(m * each, (m + 1) * each) });
      score.set(out.score.data as Float32Array, m * pixels);
      descriptors.set(out.descriptors.data as Float32Array, m * values);
    }
    return { score, descriptors };
  }

  async dispose(): Promise<void> {
    await (await this.compiled?.catch(() => undefined))?.dispose();
    this.compiled = undefined;
  }
}

/** The configuration of a teacher that is what the recipe says. */
function teacherConfig(where: string, json: unknown, { model, kind, descriptorDim }: DetectorTeacher): ScoreConfig {
  const found = (json as { kind?: unknown }).kind ?? "strata";
  if (found !== kind) {
    throw new OptionError(`the teacher ${model} is of kind "${found}", the recipe's "teacher.kind" is "${kind}"`);
  }
  let config: ScoreConfig;
  try {
    config = scoreFamilyOf(where, json).parse(where, json);
  } catch (error) {
    if (error instanceof FormatError) throw new FormatError(`the teacher ${model}: ${error.message}`, { cause: error });
    throw error;
  }
  if (config.descriptorDim !== descriptorDim) {
    throw new OptionError(
      `the teacher ${model} has descriptors of ${config.descriptorDim}, the recipe's "teacher.descriptorDim" is ${descriptorDim}`,
    );
  }
  return config;
}

type Input = ScoreConfig["input"];

/** Views normalised by one model's mean and deviation as another one wants them. Consumes its input. */
function renormalised(image: Arr, from: Input, to: Input): Arr {
  const factor = from.std.map((std, c) => std / to.std[c]);
  const offset = from.mean.map((mean, c) => (mean - to.mean[c]) / to.std[c]);
  if (factor.every((f) => f === 1) && offset.every((o) => o === 0)) return image;
  const perChannel = (values: number[]) => np.array(values).reshape([1, 3, 1, 1]);
  return image.mul(perChannel(factor)).add(perChannel(offset));
}

/** [N, C, h, w] by one matrix [to, h = w] down and across; null changes nothing. */
function both(map: Arr, matrix: Matrix | null): Arr {
  if (!matrix) return map;
  const { values, to, from } = matrix;
  const across = () => np.array(values).reshape([to, from]).transpose([1, 0]);
  const wide = np.matmul(map, across()).transpose([0, 1, 3, 2]);
  return np.matmul(wide, across()).transpose([0, 1, 3, 2]);
}

interface Matrix {
  /** Row-major [to, from]. */
  values: Float32Array<ArrayBuffer>;
  to: number;
  from: number;
}

/**
 * A view of `size` pixels at a scale as extraction makes it (image/shrink.ts, without rounding to bytes, then padded by
 * replication), and the way back: maps of it, with cells of `cell` pixels, on a grid of the whole view.
 */
export function viewAt(size: number, scale: number, padMultiple: number) {
  let halvings = 0;
  while (scale * 2 ** halvings <= 0.5) halvings++;
  const halved = Math.ceil(size / 2 ** halvings);
  const side = Math.max(1, Math.floor(halved * scale * 2 ** halvings + 0.5));
  const padded = Math.ceil(side / padMultiple) * padMultiple;
  let reduce = linear(padded, halved, (i) => ((Math.min(i, side - 1) + 0.5) * halved) / side - 0.5);
  for (let h = halvings - 1; h >= 0; h--) {
    const from = Math.ceil(size / 2 ** h);
    reduce = product(
      reduce,
      linear(Math.ceil(from / 2), from, (i) => 2 * i + 0.5),
    );
  }
  const back = (to: number, cell: number): Matrix | null =>
    orNull(linear(to, padded / cell, (i) => ((i + 0.5) * side) / to / cell - 0.5));
  return { side, padded, reduce: orNull(reduce), back };
}

/** Null for a matrix that changes nothing. */
const orNull = (matrix: Matrix): Matrix | null =>
  matrix.to === matrix.from && matrix.values.every((v, i) => v === (i % (matrix.to + 1) === 0 ? 1 : 0)) ? null : matrix;

/** Linear interpolation at places of a row of `from` values; beyond its ends the last one goes on. */
function linear(to: number, from: number, placeOf: (i: number) => number): Matrix {
  const values = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const place = Math.min(Math.max(placeOf(i), 0), from - 1);
    const low = Math.floor(place);
    values[i * from + low] += 1 - (place - low);
    values[i * from + Math.min(low + 1, from - 1)] += place - low;
  }
  return { values, to, from };
}

function product(a: Matrix, b: Matrix): Matrix {
  const values = new Float32Array(a.to * b.from);
  for (let i = 0; i < a.to; i++) {
    for (let k = 0; k < a.from; k++) {
      const factor = a.values[i * a.from + k];
      if (factor === 0) continue;
      for (let j = 0; j < b.from; j++) values[i * b.from + j] += factor * b.values[k * b.from + j];
    }
  }
  return { values, to: a.to, from: b.from };
}
