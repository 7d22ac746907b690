/** Exported graphs against the library: small random models of both families, at sizes that no graph was traced with. */
import { fromBinary } from "@bufbuild/protobuf";
import { numpy as np } from "@jax-js/jax";
import { ModelProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { OptionError, UnsupportedError } from "../../../src/errors.js";
import { type ExportOptions, exportFeatures } from "../../../src/export/features.js";
import { compareFeatures } from "../../../src/export/parity.js";
import { runExported } from "../../../src/export/run.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import type { GraphReading } from "../../../src/extract/dense-model.js";
import { type OpenedModel, openReference, type ReferenceChoices } from "../../../src/extract/models.js";
import { type ExtractOptions, extractOptions } from "../../../src/extract/options.js";
import { openStrata } from "../../../src/families.js";
import type { StrataConfig } from "../../../src/model/config.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { noiseImage, type ReferenceChoice, referenceTensors, SLIM, strataTensors, TINY } from "../../models.js";

const strata = (config: Partial<StrataConfig> = {}) => {
  const whole = { ...TINY, ...config };
  return openStrata("tiny", strataTensors(whole), whole, "");
};

const reference = (choice: ReferenceChoice = {}, choices: ReferenceChoices = {}) =>
  openReference("random", "random", referenceTensors(choice), choices, "");

const CASES: [number, number][] = [
  [64, 48],
  [17, 16],
  [1, 1],
  [33, 47],
  [5, 90],
  [121, 75],
];

interface Case {
  extract?: Partial<ExtractOptions>;
  options?: Partial<ExportOptions>;
  sizes?: [number, number][];
}

/** Points of the exported model and of the library at each size; both must agree. Returns how many points there were. */
async function agree({ model, defaults }: OpenedModel, { extract = {}, options = {}, sizes = CASES }: Case = {}) {
  const reading = extractOptions(extract, { ...defaults, maxFeatures: defaults.maxFeatures ?? 300 });
  const { bytes, slots, dim } = await exportFeatures(model, reading, options);
  const session = await nodeRuntime.open(bytes, { threads: 1 });
  // An exported graph knows nothing of the rule for flat places: it works on the pixels beside the graph.
  const library = new DenseExtractor({ ...model, leavesFlatOut: false }, reading, { runtime: nodeRuntime, threads: 1 });
  let points = 0;
  for (const [width, height] of sizes) {
    const image = noiseImage(width, height, width);
    const fed = { input: options.input ?? "uint8", batch: options.batch ?? 1 };
    const exported = await runExported(session, image, fed);
    const own = await library.extract(image);
    const parity = compareFeatures(own, exported);
    expect(parity, `${width}×${height}`).toMatchObject({ exported: own.count, same: own.count });
    expect(parity.score, `${width}×${height}`).toBeLessThan(1e-5);
    expect(parity.cosine, `${width}×${height}`).toBeGreaterThan(0.99999);
    points += own.count;
    expect(dim).toBe(own.dim);
    expect(slots).toBe(reading.maxFeatures);
  }
  await library.dispose();
  await session.dispose();
  return points;
}

describe("the default family, exported", () => {
  it.each([
    ["at its own size", {}],
    ["at several scales", { detection: { ...TINY.detection, scales: [1, 0.57, 0.35] } }],
    ["with levels joined one by one", { join: "cascade" as const, detection: { ...TINY.detection, scales: [0.7] } }],
    ["slim, its score at half resolution", { ...SLIM, detection: { ...TINY.detection, scales: [1, 0.5] } }],
    [
      "with another padding, window and border",
      { input: { ...TINY.input, padMultiple: 32 }, detection: { ...TINY.detection, nmsRadius: 1, border: 0 } },
    ],
  ])("has the library's points %s", async (_, config) => {
    expect(await agree(strata(config))).toBeGreaterThan(30);
  });

  it("takes floats, a fixed size and a fixed batch", async () => {
    const scales = [0.8, 0.4];
    const model = strata({ detection: { ...TINY.detection, scales } });
    await agree(model, { options: { input: "float32" } });
    const options = { size: [61, 47], batch: 2 } as const;
    expect(await agree(model, { options, sizes: [[61, 47]] })).toBeGreaterThan(5);
  });

  it("cuts by score and by number as the library does", async () => {
    const model = strata();
    expect(await agree(model, { extract: { maxFeatures: 7 } })).toBeGreaterThan(15);
    const whole = await agree(model);
    const cut = await agree(model, { extract: { threshold: 0.5 } });
    expect(cut).toBeLessThan(whole);
  });

  it("fills its rows with zeros where there are fewer keypoints, and takes batches of any number", async () => {
    const { model, defaults } = strata();
    const { bytes } = await exportFeatures(model, extractOptions({ maxFeatures: 1000 }, defaults));
    const session = await nodeRuntime.open(bytes, { threads: 1 });
    const [a, b] = [noiseImage(40, 30, 1), noiseImage(40, 30, 2)];
    const data = new Uint8Array([...a.data, ...b.data]);
    const both = await session.run({ image: { type: "uint8", shape: [2, 30, 40, 3], data } });
    expect(both.keypoints.shape).toEqual([2, 1000, 2]);
    expect(both.descriptors.shape).toEqual([2, 1000, TINY.descriptorDim]);
    const alone = await session.run({ image: { type: "uint8", shape: [1, 30, 40, 3], data: b.data } });
    expect(both.scores.data.subarray(1000)).toEqual(alone.scores.data);
    const empty = alone.scores.data.indexOf(0);
    expect(empty).toBeGreaterThan(0);
    for (const [name, each] of [
      ["keypoints", 2],
      ["scores", 1],
      ["descriptors", TINY.descriptorDim],
    ] as const) {
      expect(
        alone[name].data.subarray(empty * each).every((value) => value === 0),
        name,
      ).toBe(true);
    }
    await session.dispose();
  });

  it("stores weights once, whatever the number of scales, and smaller when asked", async () => {
    const { model, defaults } = strata({ widths: [16, 16, 16, 16, 16] });
    const file = (scales: number[], options: Partial<ExportOptions> = {}) =>
      exportFeatures(model, extractOptions({ scales }, defaults), options);
    const one = await file([1]);
    const three = await file([1, 0.7, 0.5]);
    expect(three.weightBytes).toBeLessThan(one.weightBytes + 1500);
    const half = await file([1], { precision: "fp16" });
    const bytes = await file([1], { precision: "int8" });
    expect(half.weightBytes).toBeLessThan(0.55 * one.weightBytes);
    expect(bytes.weightBytes).toBeLessThan(0.35 * one.weightBytes);
    expect([one, half, bytes].map(({ metadata }) => metadata.weights)).toEqual(["fp32", "fp16", "int8"]);
    const image = noiseImage(96, 80);
    const features = [];
    for (const exported of [one, half, bytes]) {
      const session = await nodeRuntime.open(exported.bytes, { threads: 1 });
      features.push(await runExported(session, image, { input: "uint8" }));
      await session.dispose();
    }
    expect(compareFeatures(features[0], features[1]).near).toBeGreaterThan(0.95 * features[0].count);
    expect(compareFeatures(features[0], features[2]).near).toBeGreaterThan(0.7 * features[0].count);
    expect(compareFeatures(features[0], features[2]).same).toBeLessThan(0.9 * features[0].count);
  });

  it("says what it is", async () => {
    const { model, defaults } = strata();
    const { bytes } = await exportFeatures(model, extractOptions({}, defaults), { producerVersion: "1.2.3" });
    const proto = fromBinary(ModelProtoSchema, bytes);
    expect([proto.producerName, proto.producerVersion]).toEqual(["strata-features", "1.2.3"]);
    const metadata = Object.fromEntries(proto.metadataProps.map(({ key, value }) => [key, value]));
    expect(metadata).toMatchObject({ model: "tiny", input: "uint8", size: "any", batch: "any", weights: "fp32" });
    expect(JSON.parse(metadata.options)).toMatchObject({ maxFeatures: 500, scales: [1], threshold: 0 });
    expect(proto.graph?.input.map(({ name }) => name)).toEqual(["image"]);
    expect(proto.graph?.output.map(({ name }) => name)).toEqual(["keypoints", "scores", "descriptors"]);
  });

  it("refuses what a graph cannot have", async () => {
    const { model, defaults } = strata();
    const attempt = (extract: Partial<ExtractOptions>, options: Partial<ExportOptions> = {}) =>
      exportFeatures(model, extractOptions(extract, defaults), options);
    await expect(attempt({ maxFeatures: null })).rejects.toThrow(/fixed number of keypoints/);
    await expect(attempt({ maxEdge: 800 })).rejects.toThrow(UnsupportedError);
    await expect(attempt({ nms: false })).rejects.toThrow(/with suppression/);
    await expect(attempt({}, { size: [0, 5] })).rejects.toThrow(/"size" must be a whole number ≥ 1/);
    await expect(attempt({}, { batch: 0 })).rejects.toThrow(OptionError);
    await expect(attempt({}, { input: "int8" as never })).rejects.toThrow(/"input" must be one of uint8, float32/);
    await expect(attempt({}, { colour: "red" } as never)).rejects.toThrow(/unknown option "colour"/);
  });

  it("is refused where the network bakes the image's size into a constant, small or large", async () => {
    const { model, defaults } = strata();
    for (const length of [1, 100]) {
      const reading = (options: ExtractOptions) => {
        const own = model.reading?.(options) as GraphReading;
        const run = own.network as (x: object) => Record<string, np.Array>;
        const grown = (inputs: { image: np.Array }) => {
          const [, , height] = inputs.image.shape;
          return run({ ...inputs, image: inputs.image.add(np.max(np.array(new Float32Array(length).fill(height)))) });
        };
        return { ...own, network: grown as never };
      };
      const options = extractOptions({ maxFeatures: 10 }, defaults);
      const attempt = exportFeatures({ ...model, reading }, options);
      await expect(attempt).rejects.toThrow(/depends on its named dimensions .*128 against 160/);
    }
  });
});

describe("the reference family, exported", () => {
  const sizes: [number, number][] = [
    [64, 48],
    [17, 16],
    [1, 1],
    [75, 61],
  ];

  it.each<[string, ReferenceChoice, ReferenceChoices]>([
    ["multi_attention_model2", {}, {}],
    ["multi_attention_model", { attention: "multi_attention_model" }, { firstStride: 2, preprocessing: "caffe" }],
    ["attention_model", { attention: "attention_model" }, {}],
    ["shared_multi_attention_model2", { attention: "shared_multi_attention_model2" }, { preprocessing: "none" }],
  ])("has the library's points with %s", async (_, choice, choices) => {
    expect(await agree(reference(choice, choices), { sizes })).toBeGreaterThan(10);
  });

  it("cuts, at two scales and with no threshold as well", async () => {
    const extract = { threshold: 0, maxFeatures: 20, scales: [1, 0.6] };
    expect(await agree(reference(), { extract, sizes })).toBeGreaterThan(30);
  });

  it("is exported with its default detection only", async () => {
    const { model, defaults } = reference();
    const options = extractOptions({ nms: true, maxFeatures: 10 }, defaults);
    await expect(exportFeatures(model, options)).rejects.toThrow(/default detection only/);
  });
});
