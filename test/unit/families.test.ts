/** The table of families: a configuration finds its row, and a new row is all that a new network needs to work everywhere. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, OptionError, UnsupportedError } from "../../src/errors.js";
import { exportFeatures } from "../../src/export/features.js";
import { DenseExtractor } from "../../src/extract/dense.js";
import { extractOptions } from "../../src/extract/options.js";
import { FAMILIES, type Family, familyOf, openModel, scoreFamily, scoreFamilyOf } from "../../src/families.js";
import { setDefaultRuntime } from "../../src/graph/session.js";
import { warpImage } from "../../src/image/warp.js";
import { importWeights } from "../../src/import/index.js";
import type { Layers } from "../../src/model/layers/layers.js";
import { averagePool2, relu, upsample } from "../../src/model/operators.js";
import { parseScoreConfig, type ScoreConfig } from "../../src/model/score-config.js";
import type { ScoreNetwork } from "../../src/model/score-network.js";
import { nodeRuntime } from "../../src/node/runtime.js";
import { parseDetectorRecipe } from "../../src/train/detector/recipe.js";
import { detectorTask } from "../../src/train/detector/task.js";
import { hyperparameters } from "../../src/train/optimizer.js";
import { TRAIN_DEFAULTS } from "../../src/train/options.js";
import { Stepper } from "../../src/train/step.js";
import type { PairBatch, TrainingPair } from "../../src/train/types.js";
import { noiseImage, referenceTensors, SLIM, strataTensors, TINY } from "../models.js";

interface TwoConfig extends ScoreConfig {
  width: number;
}

/** Two convolutions: a network as it would stand in a file of its own. */
function twoConvolutions(layers: Layers, { width, descriptorDim }: TwoConfig): ScoreNetwork {
  const style = { eps: 1e-5, statistics: ["mean", "var"], momentum: 0.1, bias: false } as const;
  const fine = layers.convNorm("fine", "fine.norm", [width, 3, 3, 3], style, { padding: 1 });
  const coarse = layers.conv("coarse", [width, width, 3, 3], { padding: 1 });
  const score = layers.conv("score", [2, width, 1, 1]);
  return {
    levels: [1],
    encoders: [layers.conv("encoder", [descriptorDim, width, 1, 1])],
    atPixels: (values) => values,
    maps(image) {
      const first = relu(fine(image));
      const second = relu(coarse(averagePool2(first.ref)));
      return { levels: [second.ref], logits: score(first.add(upsample(second, 2, "half_pixel"))) };
    },
  };
}

const two = scoreFamily<TwoConfig>({
  kind: "two",
  mark: "fine.weight",
  parse: (where, json) =>
    parseScoreConfig(where, json, ["width", "descriptorDim"], (fields) => ({
      width: fields.count("width"),
      descriptorDim: fields.count("descriptorDim"),
    })),
  network: (config) => (layers) => twoConvolutions(layers, config),
});

const { input, detection } = TINY;
const CONFIG = { kind: "two", name: "two", input, width: 4, descriptorDim: 8, detection };

describe("a new family of one score map", () => {
  const rows = FAMILIES as Family[];
  beforeAll(() => {
    setDefaultRuntime(nodeRuntime);
    rows.push(two);
  });
  afterAll(() => {
    rows.splice(rows.indexOf(two), 1);
  });

  const { kind: _, name: __, ...network } = CONFIG;
  const SIZE = 32;
  const recipe = () =>
    parseDetectorRecipe("test", {
      name: "two",
      network: { kind: "two", ...network },
      data: { cropSize: SIZE },
      losses: { patch: 8, peakWindow: 8, border: 1 },
    });
  const trained = () => {
    const task = detectorTask(recipe());
    return { task, tensors: task.checkpoint(task.parameters(1), task.state()) };
  };

  it("is opened and extracts, in the graph as from its maps, and says what its maps are", async () => {
    const { task, tensors } = trained();
    expect(task.config).toEqual(CONFIG);
    const { kind, model, defaults } = openModel("two", tensors, { ...task.config }, {}, "");
    expect(kind).toBe("two");
    const image = noiseImage(48, 40, 3);
    const fast = new DenseExtractor(model, extractOptions({ maxFeatures: 30 }, defaults));
    const dense = new DenseExtractor({ ...model, reading: undefined }, extractOptions({ maxFeatures: 30 }, defaults));
    const [a, b] = [await fast.extract(image), await dense.extract(image)];
    const views = await dense.views(image);
    await fast.dispose();
    await dense.dispose();
    expect([a.count, a.dim]).toEqual([30, 8]);
    expect(a.keypoints.length).toBe(b.keypoints.length);
    for (const [i, x] of a.keypoints.entries()) expect(x).toBeCloseTo(b.keypoints[i], 3);
    expect(views?.maps.map(({ name }) => name)).toEqual([
      "repeatability",
      "reliability",
      "score: their product",
      "level 1: added length",
    ]);
  });

  it("is trained", async () => {
    const { task } = trained();
    const image = noiseImage(SIZE, SIZE, 1);
    const matrix = Float64Array.of(1, 0, 3, 0, 1, -2, 0, 0, 1);
    const second = warpImage(image, matrix, { width: SIZE, height: SIZE });
    const pair: TrainingPair = { id: "a", images: [image, second], warp: { kind: "homography", matrix } };
    const feeds = await task.feeds({ pairs: [pair], grid: task.grid, correspondences: [] } as PairBatch);
    const stepper = new Stepper(task, 1, TRAIN_DEFAULTS, { runtime: nodeRuntime, threads: 1 });
    const before = stepper.parameters.slice();
    const { loss } = await stepper.step(1, feeds, hyperparameters(1e-2, 1, null, TRAIN_DEFAULTS));
    stepper.commit();
    expect(Number.isFinite(loss)).toBe(true);
    expect(stepper.parameters.filter((value, i) => value !== before[i]).length).toBeGreaterThan(before.length / 2);
    await stepper.dispose();
  });

  it("is imported and exported", async () => {
    const { tensors } = trained();
    const source = { where: "two.safetensors", name: "two", tensors };
    const imported = importWeights({ source: { ...source, config: { ...CONFIG } } });
    expect(imported).toMatchObject({ kind: "strata", model: "two", config: CONFIG, unused: [], missing: [] });
    expect([...imported.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    expect(() => importWeights({ source })).toThrow("a model of strata needs its configuration beside it");
    const { model, defaults } = openModel("two", tensors, { ...CONFIG }, {}, "");
    const { dim, slots } = await exportFeatures(model, extractOptions({ maxFeatures: 20 }, defaults));
    expect([dim, slots]).toEqual([8, 20]);
  });

  it("is refused by its own fields", () => {
    const { tensors } = trained();
    expect(() => openModel("t", tensors, { ...CONFIG, width: 0 }, {}, "")).toThrow(
      /"width" must be a whole number ≥ 1/,
    );
    expect(() => openModel("t", tensors, { ...CONFIG, widths: [1] }, {}, "")).toThrow(
      /unknown key "widths"; known: .*width/,
    );
    expect(() => openModel("t", tensors, { ...CONFIG }, { firstStride: 2 }, "")).toThrow(OptionError);
    expect(() => openModel("t", strataTensors(), { ...CONFIG }, {}, "")).toThrow(/missing tensors: fine\.weight/);
  });
});

describe("familyOf", () => {
  it("tells by the kind; without one it is the default family", () => {
    const kinds = [TINY, { kind: "strata" }, { kind: "reference" }, { kind: "backbone" }, null, [], 3].map(
      (json) => familyOf("c", json).kind,
    );
    expect(kinds).toEqual(["strata", "strata", "reference", "backbone", "strata", "strata", "strata"]);
    for (const kind of ["two", "", null, 7, ["strata"]]) {
      expect(() => familyOf("m", { kind })).toThrow(FormatError);
      expect(() => familyOf("m", { kind })).toThrow(/"kind" must be one of "strata", "reference", "backbone", got /);
    }
  });

  it("a configuration may say that it is the default family's", () => {
    const said = { ...JSON.parse(JSON.stringify(SLIM)), kind: "strata" };
    const opened = openModel("slim", strataTensors(SLIM), said, {}, "");
    expect(opened.kind).toBe("strata");
    expect(opened.config).toMatchObject({ kind: "strata", name: "tiny" });
  });
});

describe("what a family does not offer", () => {
  it("a backbone finds no features, a network of the reference is not trained as a detector", () => {
    expect(() => openModel("b", new Map(), { kind: "backbone" }, {}, "")).toThrow(/b is a backbone alone/);
    expect(() => scoreFamilyOf("r", { kind: "reference" })).toThrow(OptionError);
    expect(() => scoreFamilyOf("r", { kind: "reference" })).toThrow(/only those of "strata" can do this/);
    const network = { kind: "reference" };
    expect(() => parseDetectorRecipe("file.json", { name: "x", network })).toThrow(/^file\.json, network: /);
  });

  it("a model of a family that nobody knows is not exported", async () => {
    const { model, defaults } = openModel("t", strataTensors(), { ...TINY }, {}, "");
    const strange = { ...model, family: { kind: "strange" } };
    const exported = exportFeatures(strange, extractOptions({ maxFeatures: 5 }, defaults));
    await expect(exported).rejects.toThrow(UnsupportedError);
  });

  it("only the reference has choices", () => {
    const tensors = referenceTensors();
    const config = { kind: "reference", name: "r", preprocessing: "none" };
    const opened = openModel("r", tensors, config, { firstStride: 2 }, "");
    expect(opened.config).toMatchObject({ firstStride: 2, preprocessing: "none" });
    expect(() => openModel("t", strataTensors(), { ...TINY }, { firstStride: 2 }, "")).toThrow(
      /"firstStride" is for checkpoints of the reference/,
    );
  });
});
