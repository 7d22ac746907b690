/** From maps to features, on maps drawn by hand: what each kind of model reads off what its network says. */
import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import type { DenseMap } from "../../../src/extract/maps.js";
import { type ExtractOptions, extractOptions } from "../../../src/extract/options.js";
import { REFERENCE_DEFAULTS, type ReferenceModelOptions, referenceModel } from "../../../src/extract/reference.js";
import { scoreDefaults, scoreModel } from "../../../src/extract/score.js";
import { checkFeatures } from "../../../src/features.js";
import type { AttentionKind } from "../../../src/model/attention-kinds.js";
import type { Network } from "../../../src/model/layers/layers.js";
import type { ScoreNetwork } from "../../../src/model/score-network.js";
import { strataNetwork } from "../../../src/model/strata.js";
import { WeightReader } from "../../../src/model/weights.js";
import { noiseImage, referenceTensors, strataTensors, TINY } from "../../models.js";
import { randomValues } from "../../networks.js";

type Point = [x: number, y: number, value: number];

/** A map of `channels` planes with single values set. */
function dots(width: number, height: number, points: Point[], channels = 1): DenseMap {
  const data = new Float32Array(channels * width * height);
  for (const [x, y, value] of points) data[y * width + x] = value;
  return { data, channels, width, height };
}

const noise = (width: number, height: number, channels: number, seed: number): DenseMap => ({
  data: randomValues(width * height * channels, seed),
  channels,
  width,
  height,
});

const pairs = ({ keypoints }: { keypoints: Float32Array }): [number, number][] =>
  Array.from({ length: keypoints.length / 2 }, (_, k) => [keypoints[2 * k], keypoints[2 * k + 1]]);

describe("the default family", () => {
  const build: Network<ScoreNetwork> = (layers) => strataNetwork(layers, TINY);
  const model = scoreModel("strata", TINY, build, new WeightReader("tiny", strataTensors(TINY)), "");
  const dim = TINY.descriptorDim;

  function read(score: DenseMap, size: { width: number; height: number }, given: Partial<ExtractOptions> = {}) {
    const { width, height } = score;
    const maps: Record<string, DenseMap> = { score };
    for (let l = 1; l <= 4; l++) maps[`map${l}`] = noise(width / 2 ** l, height / 2 ** l, dim, l);
    const features = model.read(maps, size, extractOptions(given, scoreDefaults(TINY)));
    checkFeatures("read", features);
    expect(features).toMatchObject({ dim, imageSize: [size.width, size.height] });
    for (let k = 0; k < features.count; k++) {
      expect(Math.hypot(...features.descriptors.subarray(k * dim, (k + 1) * dim))).toBeCloseTo(1, 5);
    }
    return features;
  }

  const two: Point[] = [
    [10, 6, 0.5],
    [20, 9, 0.8],
  ];

  it("gives maxima where they are, best first", () => {
    const features = read(dots(32, 16, two), { width: 32, height: 16 });
    expect(pairs(features)).toEqual([
      [20, 9],
      [10, 6],
    ]);
    expect(features.scores).toEqual(Float32Array.of(0.8, 0.5));
    expect(features.levels).toBeUndefined();
  });

  it("sees nothing beyond the image's own edge, where it was padded", () => {
    const score = dots(32, 16, [...two, [21, 10, 0.9], [30, 9, 0.9]]);
    // The border (4) counts from the image's edge, not from the padding's.
    expect(pairs(read(score, { width: 25, height: 14 }))).toEqual([[10, 6]]);
    expect(pairs(read(score, { width: 25, height: 15 }))).not.toContainEqual([20, 9]);
    expect(read(score, { width: 3, height: 2 }).count).toBe(0);
    expect(read(score, { width: 3, height: 2 }, { nms: false }).count).toBe(0);
    expect(read(score, { width: 1, height: 16 }, { nms: false }).count).toBe(0);
  });

  it("cuts at threshold and number, and gives nothing as empty arrays", () => {
    const score = dots(32, 16, two);
    expect(read(score, { width: 32, height: 16 }, { maxFeatures: 1 }).scores).toEqual(Float32Array.of(0.8));
    expect(read(score, { width: 32, height: 16 }, { threshold: 0.6 }).count).toBe(1);
    const none = read(score, { width: 32, height: 16 }, { threshold: 0.81 });
    expect(none).toEqual({
      count: 0,
      dim,
      imageSize: [32, 16],
      keypoints: new Float32Array(0),
      scores: new Float32Array(0),
      descriptors: new Float32Array(0),
    });
  });

  it("moves a keypoint towards its second best neighbour, and not on the grid", () => {
    const score = dots(32, 16, [
      [10, 6, 0.5],
      [11, 6, 0.49],
    ]);
    const [[x, y]] = pairs(read(score, { width: 32, height: 16 }));
    expect(x).toBeGreaterThan(10.3);
    expect(x).toBeLessThan(10.5);
    expect(y).toBeCloseTo(6, 6);
    expect(pairs(read(score, { width: 32, height: 16 }, { refine: "grid" }))).toEqual([[10, 6]]);
  });

  it("describes a keypoint with all four levels, each at its own place: (p + 0.5)·s − 0.5", () => {
    for (const level of [1, 2, 3, 4]) {
      const maps: Record<string, DenseMap> = { score: dots(64, 48, [[27, 21, 0.5]]) };
      for (let l = 1; l <= 4; l++) maps[`map${l}`] = dots(64 / 2 ** l, 48 / 2 ** l, [], dim);
      // Channel 0 is the cell's x, channel 1 its y, channel 2 one.
      const { data, width, height } = maps[`map${level}`];
      const n = width * height;
      for (let i = 0; i < n; i++) data.set([i % width], i);
      for (let i = 0; i < n; i++) data.set([Math.floor(i / width)], n + i);
      data.fill(1, 2 * n, 3 * n);
      const { count, descriptors } = model.read(
        maps,
        { width: 64, height: 48 },
        extractOptions({ refine: "grid" }, scoreDefaults(TINY)),
      );
      expect(count).toBe(1);
      expect(descriptors[0] / descriptors[2]).toBeCloseTo(27.5 / 2 ** level - 0.5, 5);
      expect(descriptors[1] / descriptors[2]).toBeCloseTo(21.5 / 2 ** level - 0.5, 5);
    }
  });

  it("keeps every cell without suppression, but for the border", () => {
    const score = noise(32, 16, 1, 5);
    score.data.forEach((v, i) => {
      score.data[i] = Math.abs(v) + 0.01;
    });
    const features = read(score, { width: 30, height: 16 }, { nms: false, maxFeatures: null, refine: "grid" });
    expect(features.count).toBe((30 - 8) * (16 - 8));
    for (const [x, y] of pairs(features)) expect(x >= 4 && x < 26 && y >= 4 && y < 12).toBe(true);
    features.scores.forEach((score0, k) => {
      const [x, y] = pairs(features)[k];
      expect(score.data[y * 32 + x]).toBe(score0);
      if (k) expect(features.scores[k - 1]).toBeGreaterThanOrEqual(score0);
    });
  });

  it("refuses before any image what only the reference has", () => {
    const make = (given: Partial<ExtractOptions>) => new DenseExtractor(model, extractOptions(given));
    expect(() => make({ detection: "d2net" })).toThrow(OptionError);
    expect(() => make({ detection: "d2net" })).toThrow(/tiny detects by its score map/);
    expect(() => make({ sumDescriptors: true })).toThrow(/"sumDescriptors" is for the reference network/);
    make({});
  });
});

describe("the reference", () => {
  const dim = 16;
  const options = (more: Partial<ReferenceModelOptions> = {}): ReferenceModelOptions => ({
    squash: false,
    firstStride: 1,
    replaceStrideWithDilation: false,
    preprocessing: "torch",
    ...more,
  });

  /** Maps of 20×12 cells with the given scores; descriptors are noise, the same for each call. */
  function maps(...levels: Point[][]): Record<string, DenseMap> {
    const all: Record<string, DenseMap> = {};
    for (let l = 0; l < 3; l++) {
      all[`map${l}`] = noise(20, 12, dim, l + 1);
      all[`score${l}`] = dots(20, 12, levels[l] ?? []);
    }
    return all;
  }

  function opened(own: ReferenceModelOptions, attention: AttentionKind = "multi_attention_model2") {
    const reader = new WeightReader("r", referenceTensors({ attention, dim }));
    return referenceModel("r", reader, "", { depth: 18, attention, dim }, own);
  }

  function read(
    all: Record<string, DenseMap>,
    given: Partial<ExtractOptions> = {},
    more: Partial<ReferenceModelOptions> = {},
    size = { width: 400, height: 400 },
  ) {
    const model = opened(options(more));
    const features = model.read(all, size, extractOptions(given, REFERENCE_DEFAULTS));
    return checkFeatures("read", features);
  }

  const three: Point[][] = [[[5, 4, 0.6]], [[6, 7, 0.9]], [[2, 3, 0.4]]];

  it("joins the levels by score and says which level each came from", () => {
    const features = read(maps(...three));
    expect(features.scores).toEqual(Float32Array.of(0.9, 0.6, 0.4));
    expect(features.levels).toEqual(Uint8Array.of(1, 0, 2));
    // p ← 2p + 0.5, twice.
    expect(pairs(features)).toEqual([
      [25.5, 29.5],
      [21.5, 17.5],
      [9.5, 13.5],
    ]);
  });

  it.each<[1 | 2, boolean, number]>([
    [1, false, 2],
    [2, false, 3],
    [2, true, 2],
    [1, true, 1],
  ])("first stride %i, replaced strides %s: %i halvings", (firstStride, replaceStrideWithDilation, n) => {
    const features = read(maps([[5, 4, 0.6]]), {}, { firstStride, replaceStrideWithDilation });
    const up = (p: number) => 2 ** n * p + (2 ** n - 1) / 2;
    expect(pairs(features)).toEqual([[up(5), up(4)]]);
  });

  it("describes a keypoint with its own level's map, of unit length", () => {
    const all = maps(...three);
    const features = read(all);
    const raw = Array.from({ length: dim }, (_, c) => all.map1.data[c * 240 + 7 * 20 + 6]);
    const norm = Math.hypot(...raw);
    for (let c = 0; c < dim; c++) expect(features.descriptors[c]).toBeCloseTo(raw[c] / norm, 5);
    // Weights by score cancel where the neighbours have none.
    const summed = read(all, { sumDescriptors: true });
    for (let c = 0; c < dim; c++) expect(summed.descriptors[c]).toBeCloseTo(raw[c] / norm, 5);
  });

  it("keeps what reaches the threshold; at 0 all that is not 0; at most maxFeatures", () => {
    expect(read(maps(...three), { threshold: 0.6 }).count).toBe(2);
    expect(read(maps([[5, 4, 1e-6]]), { threshold: 0 }).count).toBe(1);
    expect(read(maps(...three), { maxFeatures: 2 }).scores).toEqual(Float32Array.of(0.9, 0.6));
    const none = read(maps(), { threshold: 0 });
    expect(none).toMatchObject({ count: 0, dim, imageSize: [400, 400] });
    expect([none.levels, none.keypoints, none.scores, none.descriptors].map((a) => a?.length)).toEqual([0, 0, 0, 0]);
  });

  it("steps to the top of a hill, drops what would leave its cell, and leaves the grid alone", () => {
    const hill: Point[] = [
      [5, 4, 1],
      [4, 4, 0.6],
      [6, 4, 0.8],
      [5, 3, 0.7],
      [5, 5, 0.7],
    ];
    const features = read(maps(hill), { threshold: 0.9 });
    // Along x: gradient 0.1, second difference −0.6.
    expect(features.count).toBe(1);
    expect(features.keypoints[0]).toBeCloseTo(4 * (5 + 1 / 6) + 1.5, 5);
    expect(features.keypoints[1]).toBeCloseTo(4 * 4 + 1.5, 5);
    expect(read(maps(hill), { threshold: 0.5 }).count).toBe(1);
    expect(read(maps(hill), { threshold: 0.5, refine: "grid" }).count).toBe(5);
    expect(pairs(read(maps(hill), { threshold: 0.5, nms: true, refine: "grid" }))).toEqual([[21.5, 17.5]]);
  });

  it("drops positions outside the image, and those without four corners", () => {
    const size = { width: 22, height: 18 };
    expect(read(maps(three[0]), {}, {}, size).count).toBe(1);
    expect(read(maps(three[0]), {}, {}, { ...size, width: 21 }).count).toBe(0);
    expect(read(maps(three[0]), {}, {}, { ...size, height: 17 }).count).toBe(0);
    // On the last column a step to the right leaves the map; on the grid the cell itself is enough.
    const edge: Point[] = [
      [19, 4, 1],
      [18, 4, 0.2],
      [18, 3, 0.2],
      [18, 5, 0.2],
    ];
    expect(read(maps(edge), { threshold: 0.9, refine: "grid" }).count).toBe(1);
    for (const [x] of pairs(read(maps(edge), { threshold: 0.9 }))) expect(x).toBeLessThanOrEqual(4 * 19 + 1.5);
  });

  it("D2-Net's detection works on the descriptor maps, and ignores the scores", () => {
    const all = maps();
    for (const l of [0, 1, 2]) all[`map${l}`] = dots(20, 12, [], dim);
    // A round hill in channel 3 of the middle level.
    const plane = all.map1.data.subarray(3 * 240, 4 * 240);
    for (let v = -1; v <= 1; v++) {
      for (let u = -1; u <= 1; u++) plane[(6 + v) * 20 + 9 + u] = 8 / 2 ** (Math.abs(u) + Math.abs(v));
    }
    const features = read(all, { detection: "d2net" });
    expect(pairs(features)).toEqual([[4 * 9 + 1.5, 4 * 6 + 1.5]]);
    expect([...features.scores, ...features.levels!]).toEqual([8, 1]);
    expect(features.descriptors).toEqual(Float32Array.from({ length: dim }, (_, c) => (c === 3 ? 1 : 0)));
  });

  it("pads images that are smaller than its stride, and for averaged levels to sizes that agree", () => {
    const fitted = (width: number, height: number, attention?: AttentionKind, firstStride: 1 | 2 = 1) => {
      const { fit: grow } = opened(options({ firstStride }), attention);
      const grown = grow(noiseImage(width, height));
      return [grown.width, grown.height];
    };
    expect(fitted(1, 1)).toEqual([32, 32]);
    expect(fitted(33, 17)).toEqual([33, 32]);
    const averaged = "attention_model";
    // The stem with stride 1 loses 6 pixels.
    expect(fitted(1, 23, averaged)).toEqual([22, 38]);
    expect(fitted(38, 39, averaged)).toEqual([38, 54]);
    expect(fitted(1, 33, averaged, 2)).toEqual([32, 64]);
  });
});
