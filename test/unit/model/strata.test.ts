import { describe, expect, it } from "vitest";
import { denseMaps } from "../../../src/extract/score-graph.js";
import { ndarray } from "../../../src/formats/ndarray.js";
import { compile } from "../../../src/graph/compile.js";
import type { StrataConfig } from "../../../src/model/config.js";
import { fold } from "../../../src/model/layers/folded.js";
import type { Layers } from "../../../src/model/layers/layers.js";
import { strataNetwork } from "../../../src/model/strata.js";
import { WeightReader } from "../../../src/model/weights.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { SLIM, type StateDict, strataTensors, TINY } from "../../models.js";
import { interpret, randomValues, worstDifference } from "../../networks.js";

const network = (config: StrataConfig) => (layers: Layers) => strataNetwork(layers, config);

/** The dense pass of a configuration, to be compiled or interpreted. */
const pass = (config: StrataConfig) => denseMaps(network(config)) as never;

function read(tensors: StateDict, config: StrataConfig = TINY) {
  const reader = new WeightReader("w", tensors);
  const params = fold(network(config), reader);
  reader.finish();
  return params;
}

describe("strataNetwork", () => {
  it("a cascade of taps is one graph too, and its sum is that of the taps but for where they are blended", async () => {
    const params = read(strataTensors());
    const image = { shape: [1, 3, 32, 48], data: randomValues(3 * 32 * 48, 5) };
    const inputs = { image: { shape: ["N", 3, "H", "W"] }, params };
    const dims = { N: [2, 3], H: [128, 160], W: [160, 192] } as const;
    const compiled = await compile(pass({ ...TINY, join: "cascade" }), inputs, {
      runtime: nodeRuntime,
      dims,
    });
    const { attention } = await compiled.run({ image });
    await compiled.dispose();
    const own = await interpret(pass({ ...TINY, join: "cascade" }), {
      image,
      params,
    });
    const direct = await interpret(pass(TINY), { image, params });
    const actual = { shape: [...attention.shape], data: attention.data as Float32Array };
    expect(worstDifference(actual, own.attention)).toBeLessThan(2e-6);
    const apart = worstDifference(own.attention, direct.attention);
    expect(apart).toBeGreaterThan(1e-5);
    expect(apart).toBeLessThan(0.1);
  });

  it("one graph serves all sizes and batches, and is what jax-js's interpreter says", async () => {
    const params = read(strataTensors());
    const compiled = await compile(
      pass(TINY),
      { image: { shape: ["N", 3, "H", "W"] }, params },
      { runtime: nodeRuntime, dims: { N: [2, 3], H: [128, 160], W: [160, 192] } },
    );
    try {
      for (const [n, h, w] of [
        [1, 16, 16],
        [1, 32, 48],
        [3, 16, 32],
      ]) {
        const image = { shape: [n, 3, h, w], data: randomValues(3 * n * h * w, h + w) };
        const expected = await interpret(pass(TINY), { image, params });
        const actual = await compiled.run({ image });
        expect(Object.keys(actual).sort()).toEqual(["attention", "map1", "map2", "map3", "map4", "score"]);
        for (const [name, value] of Object.entries(expected)) {
          const { shape, data } = actual[name];
          const difference = worstDifference({ shape: [...shape], data: data as Float32Array }, value);
          expect(difference, `${name} at ${n}×${h}×${w}`).toBeLessThan(2e-6);
        }
        expect(expected.attention.shape).toEqual([n, 2, h, w]);
        expect(expected.map1.shape).toEqual([n, 8, h / 2, w / 2]);
        expect(expected.map4.shape).toEqual([n, 8, h / 16, w / 16]);
        const [a, s] = [expected.attention.data, expected.score.data];
        expect(a.every((v) => v > 0 && v < 1)).toBe(true);
        // Of the first image: the score is repeatability times reliability.
        for (let i = 0; i < h * w; i++) expect(s[i]).toBeCloseTo(a[i] * a[h * w + i], 6);
      }
      expect(compiled.stats.operators.Resize).toBe(4);
    } finally {
      await compiled.dispose();
    }
  });

  it.each<[string, StrataConfig]>([
    ["a slim one whose score is at half resolution", SLIM],
    ["the same joined at once", { ...SLIM, join: "direct" }],
    ["a score of one deep level", { ...TINY, scoreLevels: [2], descriptorLevels: [3] }],
    ["a score of two levels, at half resolution", { ...SLIM, scoreLevels: [1, 3] }],
  ])("%s is one graph for all sizes too", async (_, config) => {
    const dense = pass(config);
    const params = read(strataTensors(config), config);
    const compiled = await compile(
      dense,
      { image: { shape: ["N", 3, "H", "W"] }, params },
      {
        runtime: nodeRuntime,
        dims: { N: [2, 3], H: [128, 160], W: [160, 192] },
      },
    );
    for (const [n, h, w] of [
      [1, 16, 32],
      [2, 48, 16],
    ]) {
      const image = { shape: [n, 3, h, w], data: randomValues(3 * n * h * w, h + w) };
      const expected = await interpret(dense, { image, params });
      const actual = await compiled.run({ image });
      const levels = config.descriptorLevels as number[];
      expect(Object.keys(actual).sort()).toEqual(["attention", ...levels.map((l) => `map${l}`), "score"]);
      for (const [name, value] of Object.entries(expected)) {
        const { shape, data } = actual[name];
        expect([...shape]).toEqual(value.shape);
        expect(worstDifference({ shape: [...shape], data: data as Float32Array }, value), name).toBeLessThan(2e-6);
      }
      const [a, s] = [expected.attention, expected.score];
      expect(a.shape).toEqual([n, 2, h, w]);
      expect(s.shape).toEqual([n, 1, h, w]);
      for (let i = 0; i < h * w; i++) expect(s.data[i]).toBeCloseTo(a.data[i] * a.data[h * w + i], 6);
    }
    await compiled.dispose();
  });

  it("at half resolution, a cell further is a cell further", async () => {
    // Deep levels would see the image's edge.
    const config = { ...SLIM, scoreLevels: [0] };
    const params = read(strataTensors(config), config);
    const at = async (shift: number) => {
      const image = { shape: [1, 3, 64, 64], data: new Float32Array(3 * 64 * 64) };
      for (let c = 0; c < 3; c++) image.data[c * 4096 + 32 * 64 + 24 + shift] = 1;
      const { score } = await interpret(pass(config), { image, params });
      return score.data;
    };
    const [first, second] = [await at(0), await at(2)];
    expect(Math.max(...first) - Math.min(...first)).toBeGreaterThan(0.01);
    for (let y = 8; y < 56; y++) {
      for (let x = 8; x < 54; x++) expect(second[64 * y + x + 2]).toBeCloseTo(first[64 * y + x], 5);
    }
  });

  it("is refused with weights of other widths, missing or strange tensors", () => {
    const tensors = strataTensors();
    expect(() => read(tensors, { ...TINY, widths: [4, 4, 8, 8, 16] })).toThrow(/levels\.4\.a\.conv\.weight" has shape/);
    expect(() => read(tensors, { ...TINY, attentionWidth: 8 })).toThrow(/attention\.taps\.0\.weight/);
    expect(() => read(tensors, { ...TINY, descriptorDim: 64 })).toThrow(/encoders\.1\.weight/);
    const missing = strataTensors();
    missing.delete("levels.1.skip.bias");
    missing.delete("attention.out.weight");
    expect(() => read(missing)).toThrow("w: missing tensors: levels.1.skip.bias, attention.out.weight");
    const extra = strataTensors().set("levels.5.a.conv.weight", ndarray(new Float32Array(1)));
    expect(() => read(extra)).toThrow("does not have: levels.5.a.conv.weight");
  });
});
