/** Distillation: its losses against plain loops and slopes, what a teacher says against extraction, and what is refused. */
import type { numpy as np } from "@jax-js/jax";
import { afterEach, describe, expect, it } from "vitest";
import { FormatError, OptionError } from "../../../src/errors.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { extractOptions } from "../../../src/extract/options.js";
import { openStrata } from "../../../src/families.js";
import type { Image } from "../../../src/image/image.js";
import { shrinkImage } from "../../../src/image/shrink.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import {
  keypointLoss,
  nearestOrthogonal,
  procrustesLoss,
  projectedLoss,
} from "../../../src/train/detector/distillation.js";
import { type DetectorTeacher, parseDetectorRecipe } from "../../../src/train/detector/recipe.js";
import { detectorTask } from "../../../src/train/detector/task.js";
import { Teacher, type TeacherModel, viewAt } from "../../../src/train/detector/teacher.js";
import type { PairBatch, TrainingPair } from "../../../src/train/types.js";
import { checkGradients } from "../../gradients.js";
import { noiseImage, SLIM, strataTensors, TINY } from "../../models.js";
import { interpret, uniform, type Values, values } from "../../networks.js";

const SIZE = 64;
const { name: _, ...network } = TINY;
const runtime = { runtime: nodeRuntime, threads: 1 };

/** Rows of unit length. */
function unitRows(rows: number, dim: number, seed: number): Values {
  const { data } = uniform([rows, dim], seed, -1, 1);
  for (let r = 0; r < rows; r++) {
    const row = data.subarray(r * dim, (r + 1) * dim);
    const norm = Math.hypot(...row);
    row.forEach((v, i) => {
      row[i] = v / norm;
    });
  }
  return { shape: [rows, dim], data };
}

/** The rows with two coordinates turned. */
function turned({ shape, data }: Values, angle: number): Values {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const [rows, dim] = shape;
  const out = data.slice();
  for (let r = 0; r < rows; r++) {
    const [a, b] = [data[r * dim], data[r * dim + 2]];
    out[r * dim] = c * a - s * b;
    out[r * dim + 2] = s * a + c * b;
  }
  return { shape, data: out };
}

const interpreted = async (fn: (x: Record<string, np.Array>) => np.Array, given: Record<string, Values>) =>
  ((await interpret(((x: never) => ({ out: fn(x) })) as never, given as never)) as { out: Values }).out.data;

describe("losses", () => {
  const [student, teacher] = [unitRows(12, 4, 1), unitRows(12, 4, 2)];

  it("projected: one less the mean cosine; 0 for the teacher's own by the identity", async () => {
    const eye = values([4, 4], (i) => (i % 5 === 0 ? 3 : 0));
    const loss = (s: Values) =>
      interpreted((x) => projectedLoss(x.s, x.p, x.t).reshape([1]), { s, p: eye, t: teacher });
    const cosines = Array.from({ length: 12 }, (_, r) =>
      [0, 1, 2, 3].reduce((sum, i) => sum + student.data[4 * r + i] * teacher.data[4 * r + i], 0),
    );
    expect((await loss(student))[0]).toBeCloseTo(1 - cosines.reduce((a, b) => a + b, 0) / 12, 5);
    expect((await loss(teacher))[0]).toBeCloseTo(0, 5);
  });

  it("projected: gradients of rows and projection are slopes", async () => {
    const projection = uniform([4, 3], 3, -1, 1);
    const target = unitRows(12, 3, 4);
    await checkGradients((v, c) => projectedLoss(v.s, v.p, c.t), { s: student, p: projection }, { t: target });
  });

  it("procrustes: no rotation counts, everything else does", async () => {
    const loss = (s: Values, t: Values) =>
      interpreted((x) => procrustesLoss(x.s, x.t).reshape([1]), { s, t }).then(([value]) => value);
    expect(await loss(teacher, teacher)).toBeCloseTo(0, 4);
    expect(await loss(turned(teacher, 2), teacher)).toBeCloseTo(0, 4);
    const apart = await loss(student, teacher);
    expect(apart).toBeGreaterThan(0.1);
    expect(await loss(turned(student, 1), teacher)).toBeCloseTo(apart, 4);
  });

  it.each([4, 6])("procrustes: gradients are slopes, for a teacher of %d", async (dim) => {
    await checkGradients((v, c) => procrustesLoss(v.s, c.t), { s: student }, { t: unitRows(12, dim, 5) });
  });

  it("the nearest orthogonal matrix is one, and a small direction is not blown up", async () => {
    const given = uniform([3, 5], 6, -1, 1);
    const q = await interpreted((x) => nearestOrthogonal(x.m), { m: given });
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        const dot = [0, 1, 2, 3, 4].reduce((sum, k) => sum + q[5 * i + k] * q[5 * j + k], 0);
        expect(dot).toBeCloseTo(i === j ? 1 : 0, 4);
      }
    }
    const flat = await interpreted((x) => nearestOrthogonal(x.m), { m: values([2, 2], (i) => (i === 0 ? 1 : 0)) });
    expect([...flat].map((v) => Math.round(1e4 * v) / 1e4)).toEqual([1, 0, 0, 0]);
    const none = await interpreted((x) => nearestOrthogonal(x.m), { m: values([2, 2], () => 0) });
    expect([...none]).toEqual([0, 0, 0, 0]);
  });

  it("keypoints: 0 for equal maps, the divergence otherwise, finite at 0 and 1", async () => {
    const [own, other] = [uniform([2, 1, 4, 4], 7), uniform([2, 1, 4, 4], 8)];
    const loss = (s: Values, t: Values) =>
      interpreted((x) => keypointLoss(x.s, x.t).reshape([1]), { s, t }).then(([value]) => value);
    expect(await loss(own, own)).toBeCloseTo(0, 5);
    const expected = own.data.reduce((sum, s, i) => {
      const t = other.data[i];
      return sum + t * Math.log(t / s) + (1 - t) * Math.log((1 - t) / (1 - s));
    }, 0);
    expect(await loss(own, other)).toBeCloseTo(expected / 32, 3);
    const extreme = values([2, 1, 4, 4], (i) => i % 2);
    expect(
      Number.isFinite(
        await loss(
          extreme,
          values([2, 1, 4, 4], (i) => (i + 1) % 2),
        ),
      ),
    ).toBe(true);
    await checkGradients(
      (v, c) => keypointLoss(v.s, c.t),
      { s: uniform([1, 1, 4, 4], 9, 0.1, 0.9) },
      { t: uniform([1, 1, 4, 4], 8) },
    );
  });
});

const model = (config = TINY, seed = 1): TeacherModel => ({
  where: "models/tiny",
  tensors: strataTensors(config, seed),
  json: JSON.parse(JSON.stringify(config)),
  digest: `digest ${seed}`,
});

const recipe = (teacher: Record<string, unknown> = {}, more: Record<string, unknown> = {}) =>
  parseDetectorRecipe("file.json", {
    ...{ name: "student", network: SLIM, data: { cropSize: SIZE }, losses: { patch: 8, peakWindow: 8, border: 1 } },
    teacher: { model: "tiny", ...teacher },
    ...more,
  });
const views = { size: SIZE, input: SLIM.input };
const opened: Teacher[] = [];
function teacherOf(given: Record<string, unknown> = {}, own = model(), seen = views): Teacher {
  const teacher = new Teacher(own, recipe(given).teacher as DetectorTeacher, seen, runtime);
  opened.push(teacher);
  return teacher;
}
afterEach(async () => {
  for (const teacher of opened.splice(0)) await teacher.dispose();
});

const planes = (image: ReturnType<typeof noiseImage>, { mean, std } = SLIM.input): Float32Array => {
  const area = image.width * image.height;
  return Float32Array.from({ length: 3 * area }, (_, i) => {
    const c = Math.floor(i / area);
    return (image.data[3 * (i % area) + c] / 255 - mean[c]) / std[c];
  });
};

describe("teacher", () => {
  it("at one scale says what the model's maps hold", async () => {
    const image = noiseImage(SIZE, SIZE, 4);
    const lessons = await teacherOf().run(planes(image));
    const { model: dense, defaults } = openStrata("tiny", strataTensors(), TINY, "");
    const extractor = new DenseExtractor(dense, extractOptions({}, defaults), runtime);
    const maps = await extractor.dense([image]);
    await extractor.dispose();
    (maps.score.data as Float32Array).forEach((s, i) => {
      expect(lessons.score[i]).toBeCloseTo(s, 4);
    });
    // Grid and level 2 have the same cells; the other levels are finer or coarser, so only the length is told here.
    const cells = (SIZE / 4) ** 2;
    for (const cell of [0, 17, cells - 1]) {
      const squares = Array.from({ length: 8 }, (_, d) => lessons.descriptors[d * cells + cell] ** 2);
      expect(squares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 4);
    }
  });

  it("descriptors of a level as fine as the grid are the model's own", async () => {
    const only = { ...TINY, descriptorLevels: [2] };
    const image = noiseImage(SIZE, SIZE, 4);
    const own = { ...model(), tensors: strataTensors(only), json: JSON.parse(JSON.stringify(only)) };
    const lessons = await teacherOf({}, own).run(planes(image));
    const { model: dense, defaults } = openStrata("tiny", strataTensors(only), only, "");
    const extractor = new DenseExtractor(dense, extractOptions({}, defaults), runtime);
    const { map2 } = await extractor.dense([image]);
    await extractor.dispose();
    const cells = (SIZE / 4) ** 2;
    for (const cell of [3, 100, 255]) {
      const values = Array.from({ length: 8 }, (_, d) => (map2.data as Float32Array)[d * cells + cell]);
      const norm = Math.hypot(...values);
      values.forEach((v, d) => {
        expect(lessons.descriptors[d * cells + cell]).toBeCloseTo(v / norm, 3);
      });
    }
  });

  it("merges scales by their largest score, and sees each view by itself", async () => {
    const images = [noiseImage(SIZE, SIZE, 4), noiseImage(SIZE, SIZE, 5)].map((image) => planes(image));
    const [one, half, all] = [
      teacherOf(),
      teacherOf({ scales: [0.5] }),
      teacherOf({ scales: [1, 0.5], descriptorScales: [0.5] }),
    ];
    const [a, b, both] = [await one.run(images[0]), await half.run(images[0]), await all.run(images[0])];
    both.score.forEach((s, i) => {
      expect(s).toBe(Math.max(a.score[i], b.score[i]));
    });
    expect([...both.descriptors]).toEqual([...b.descriptors]);
    const together = await all.run(Float32Array.of(...images[1], ...images[0]));
    expect([...together.score.subarray(SIZE * SIZE)]).toEqual([...both.score]);
    expect([...together.descriptors.subarray(both.descriptors.length)]).toEqual([...both.descriptors]);
  });

  it("undoes the student's normalisation", async () => {
    const image = noiseImage(SIZE, SIZE, 4);
    const other = { mean: [0.1, 0.2, 0.3], std: [0.5, 0.4, 0.3], padMultiple: 16 };
    const plain = await teacherOf().run(planes(image));
    const same = await teacherOf({}, model(), { size: SIZE, input: other }).run(planes(image, other));
    same.score.forEach((s, i) => {
      expect(s).toBeCloseTo(plain.score[i], 4);
    });
  });

  it.each([0.75, 0.55, 0.5, 0.4, 0.3])("a view at scale %d is what extraction makes of it", (scale) => {
    const size = 96;
    const image = noiseImage(size, size, 3);
    const { image: shrunk } = shrinkImage(image, scale);
    const { side, padded, reduce } = viewAt(size, scale, 16);
    expect(side).toBe(shrunk.width);
    expect(padded % 16).toBe(0);
    if (!reduce) throw new Error("this scale changes something");
    const row = (y: number, x: number) =>
      Array.from({ length: size }, (_, i) => reduce.values[y * size + i]).reduce(
        (sum, wy, i) =>
          wy === 0
            ? sum
            : sum +
              wy *
                Array.from(
                  { length: size },
                  (_, j) => reduce.values[x * size + j] * image.data[3 * (i * size + j)],
                ).reduce((a, b) => a + b, 0),
        0,
      );
    // Bytes are rounded at each halving.
    for (const [y, x] of [
      [0, 0],
      [5, 9],
      [side - 1, side - 2],
    ] as const) {
      expect(Math.abs(row(y, x) - shrunk.data[3 * (y * side + x)])).toBeLessThan(1.6);
    }
    // What is added on the right goes on as the last pixel.
    if (padded > side) expect(row(0, padded - 1)).toBeCloseTo(row(0, side - 1), 4);
  });

  it.each<[string, TeacherModel, Record<string, unknown>, RegExp]>([
    ["of another family", { ...model(), json: { ...TINY, kind: "reference" } }, {}, /is of kind "reference".*"strata"/],
    [
      "whose descriptors have another length",
      model(),
      { descriptorDim: 64 },
      /descriptors of 8.*"teacher.descriptorDim" is 64/,
    ],
  ])("refuses one %s", (_what, own, given, message) => {
    expect(() => teacherOf(given, own)).toThrow(OptionError);
    expect(() => teacherOf(given, own)).toThrow(message);
  });

  it("refuses views that are too small for one of its scales, and weights that are damaged", () => {
    const [{ teacher }, small] = [recipe({ scales: [1, 0.25] }), { size: 32, input: SLIM.input }];
    expect(() => new Teacher(model(), teacher as DetectorTeacher, small, runtime)).toThrow(
      /32 pixels as 8 at scale 0.25, and needs 16/,
    );
    const tensors = new Map(strataTensors());
    tensors.delete("encoders.2.bias");
    expect(() => teacherOf({}, { ...model(), tensors })).toThrow(FormatError);
  });
});

describe("recipe", () => {
  it("fills in what a teacher is", () => {
    expect(recipe().teacher).toEqual({
      ...{ model: "tiny", kind: "strata", descriptorDim: 8, scales: [1], descriptorScales: [1] },
      ...{ clean: false, similarity: 1, procrustes: 1, keypoints: 1 },
    });
    expect(parseDetectorRecipe("f", { name: "a", network, data: { cropSize: SIZE } })).not.toHaveProperty("teacher");
  });

  it.each<[string, unknown, RegExp]>([
    ["no object", 3, /teacher must be an object, got 3/],
    ["no model", {}, /teacher: "model" must be a text, got ""/],
    ["an unknown option", { model: "a", weight: 1 }, /unknown option "weight"/],
    ["a scale above 1", { model: "a", scales: [2] }, /"scales" must be a list/],
    ["no scale", { model: "a", scales: [] }, /"scales" must be a list/],
    ["a scale twice", { model: "a", scales: [1, 1] }, /"scales" must be a list of .* different/],
    ["a scale that leaves nothing of a view", { model: "a", scales: [0.2] }, /from 0.25 \(a view needs 16 pixels/],
    [
      "scales of descriptors that are none",
      { model: "a", scales: [1], descriptorScales: [0.5] },
      /has 0.5, which is none of "scales" \(1\)/,
    ],
    ["a negative weight", { model: "a", procrustes: -1 }, /"procrustes" must be a number ≥ 0/],
    ["clean as a word", { model: "a", clean: "yes" }, /"clean" must be true or false/],
    ["a length that is none", { model: "a", descriptorDim: 0 }, /"descriptorDim"/],
  ])("refuses %s", (_what, teacher, message) => {
    const parse = () => recipe({}, { teacher });
    expect(parse).toThrow(OptionError);
    expect(parse).toThrow(message);
    expect(parse).toThrow(/^file\.json/);
  });
});

describe("task", () => {
  const batch = (task: { grid: PairBatch["grid"] }): PairBatch => {
    const image = noiseImage(SIZE, SIZE, 1);
    const matrix = Float64Array.of(1, 0, 3, 0, 1, -2, 0, 0, 1);
    const pair: TrainingPair = {
      id: "p",
      images: [image, noiseImage(SIZE, SIZE, 2)],
      warp: { kind: "homography", matrix },
    };
    return { pairs: [pair], grid: task.grid, correspondences: [] };
  };

  it("feeds what the teacher says of the views, by the names that the loss asks for", async () => {
    const teacher = teacherOf();
    const task = detectorTask(recipe(), null, { teacher });
    const given = batch(task);
    const feeds = (await task.feeds(given)) as Record<string, Float32Array>;
    const lessons = await teacher.run(feeds.images);
    expect([...feeds.teacherScore]).toEqual([...lessons.score]);
    for (const [name, { shape }] of Object.entries(task.inputs(1))) {
      expect(feeds[name].length, name).toBe(shape.reduce<number>((a, b) => a * Number(b), 1));
    }
  });

  it("shows the teacher the views before their light where it is to see clean ones", async () => {
    const teacher = teacherOf({ clean: true });
    const task = detectorTask(recipe({ clean: true }), null, { teacher });
    const given = batch(task);
    await expect(task.feeds(given)).rejects.toThrow(/pair "p" has no views from before .*"teacher.clean"/);
    const before: [Image, Image] = [noiseImage(SIZE, SIZE, 8), noiseImage(SIZE, SIZE, 9)];
    const feeds = (await task.feeds({ ...given, pairs: [{ ...given.pairs[0], before }] })) as Record<
      string,
      Float32Array
    >;
    const lessons = await teacher.run(Float32Array.of(...planes(before[0]), ...planes(before[1])));
    expect([...feeds.teacherScore]).toEqual([...lessons.score]);
    expect([...feeds.images.subarray(0, 9)]).toEqual([...planes(given.pairs[0].images[0]).subarray(0, 9)]);
    const small: [Image, Image] = [noiseImage(32, 32, 8), before[1]];
    await expect(task.feeds({ ...given, pairs: [{ ...given.pairs[0], before: small }] })).rejects.toThrow(/32×32/);
  });

  it("is told apart by the teacher's digest, and its projection is no part of the model", () => {
    const task = detectorTask(recipe(), null, { teacher: teacherOf() });
    expect(task.recipe.teacher).toMatchObject({ model: "digest 1", scales: [1] });
    // What no teacher was before there were clean views: runs from then go on.
    expect(task.recipe.teacher).not.toHaveProperty("clean");
    const clean = detectorTask(recipe({ clean: true }), null, { teacher: teacherOf({ clean: true }) });
    expect(clean.recipe.teacher).toMatchObject({ clean: true });
    const parameters = task.parameters(1);
    expect(parameters.find(({ name }) => name === "projection")?.data.slice(0, 10)).toEqual(
      Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    );
    const tensors = task.checkpoint(parameters, task.state());
    expect([...tensors.keys()].sort()).toEqual([...strataTensors(SLIM).keys()].sort());
    const without = detectorTask(recipe({ similarity: 0 }), null, { teacher: teacherOf({ similarity: 0 }) });
    expect(without.parameters(1).some(({ name }) => name === "projection")).toBe(false);
  });

  it.each([
    ["keypoints", { similarity: 0, procrustes: 0 }, ["teacherScore"]],
    ["descriptors", { keypoints: 0 }, ["teacherDescriptors"]],
    ["nothing", { similarity: 0, procrustes: 0, keypoints: 0 }, []],
  ] as const)("asks the teacher for %s alone where only that has a weight", async (_what, weights, names) => {
    const task = detectorTask(recipe(weights), null, { teacher: teacherOf(weights) });
    const feeds = await task.feeds(batch(task));
    for (const all of [Object.keys(feeds), Object.keys(task.inputs(1))]) {
      expect(all.filter((name) => name.startsWith("teacher"))).toEqual(names);
    }
  });

  it("refuses a recipe without its teacher, and a teacher without its recipe", () => {
    expect(() => detectorTask(recipe())).toThrow(/the recipe student needs its teacher/);
    const alone = parseDetectorRecipe("f", { name: "student", network: SLIM, data: { cropSize: SIZE } });
    expect(() => detectorTask(alone, null, { teacher: teacherOf() })).toThrow(/the recipe student has no teacher/);
  });
});
