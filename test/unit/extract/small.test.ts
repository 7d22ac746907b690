/** The small parts around detection: choosing the best, preparing pixels, checking options, telling files apart. */
import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { attentionKind, hasBackbone, refuseReferenceChoices, withHeads } from "../../../src/extract/models.js";
import { EXTRACT_DEFAULTS, type ExtractOptions, extractOptions } from "../../../src/extract/options.js";
import { fromUnit, imageToPlanes, preprocessings } from "../../../src/extract/preprocess.js";
import { bestFirst } from "../../../src/extract/select.js";
import { referenceTensors } from "../../models.js";

describe("bestFirst", () => {
  const scores = Float32Array.of(0.2, 0.9, 0.5, 0.9, 0.1, Number.NaN, 0.5);

  it("orders by score; equal scores keep their order", () => {
    expect([...bestFirst(scores, 0, null)]).toEqual([1, 3, 2, 6, 0, 4]);
  });

  it("cuts below the threshold, and at the limit", () => {
    expect([...bestFirst(scores, 0.5, null)]).toEqual([1, 3, 2, 6]);
    expect([...bestFirst(scores, 0, 3)]).toEqual([1, 3, 2]);
    expect([...bestFirst(scores, 0.5, 100)]).toEqual([1, 3, 2, 6]);
    expect([...bestFirst(scores, 5, 3)]).toEqual([]);
    expect([...bestFirst(Float32Array.of(-1, -0.5), Number.NEGATIVE_INFINITY, null)]).toEqual([1, 0]);
  });
});

describe("imageToPlanes", () => {
  // Two pixels: (0, 128, 255) and (255, 0, 51).
  const image = { width: 2, height: 1, data: Uint8Array.of(0, 128, 255, 255, 0, 51) };
  const planes = (kind: keyof typeof preprocessings) => [
    ...imageToPlanes(image, preprocessings[kind], new Float32Array(6)),
  ];
  const expectNear = (actual: number[], expected: number[]) => {
    expect(actual).toHaveLength(expected.length);
    actual.forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 4);
    });
  };

  it("none: the values themselves, one plane a channel", () => {
    expect(planes("none")).toEqual([0, 255, 128, 0, 255, 51]);
  });

  it("torch: scaled to 0…1, mean and deviation of ImageNet", () => {
    const [r, g, b] = [
      (v: number) => (v / 255 - 0.485) / 0.229,
      (v: number) => (v / 255 - 0.456) / 0.224,
      (v: number) => (v / 255 - 0.406) / 0.225,
    ];
    expectNear(planes("torch"), [r(0), r(255), g(128), g(0), b(255), b(51)]);
  });

  it("caffe: blue first, means only", () => {
    expectNear(planes("caffe"), [255 - 103.939, 51 - 103.939, 128 - 116.779, -116.779, -123.68, 255 - 123.68]);
  });

  it("fromUnit: any mean and deviation", () => {
    const out = imageToPlanes(image, fromUnit([0.5, 0, 1], [0.25, 1, 0.5]), new Float32Array(6));
    expectNear([...out], [-2, 2, 128 / 255, 0, 0, -1.6]);
  });
});

describe("extractOptions", () => {
  it("lays what is given over the model's defaults over the general ones", () => {
    const options = extractOptions({ threshold: 0.5, maxFeatures: undefined }, { maxFeatures: 2000, threshold: 0.3 });
    expect(options).toEqual({ ...EXTRACT_DEFAULTS, threshold: 0.5, maxFeatures: 2000 });
    expect(extractOptions({ maxFeatures: null }, { maxFeatures: 2000 }).maxFeatures).toBeNull();
  });

  it.each<[string, unknown]>([
    ["threshold", -0.1],
    ["threshold", Number.NaN],
    ["threshold", "0.3"],
    ["threshold", null],
    ["nms", "no"],
    ["nms", 0],
    ["sumDescriptors", null],
    ["refine", "pixel"],
    ["detection", "hard"],
    ["maxFeatures", 0],
    ["maxFeatures", 1.5],
    ["maxEdge", -1],
    ["maxEdge", Infinity],
    ["maxSumEdges", "1600"],
  ])("refuses %s = %j by name", (name, value) => {
    const given = { [name]: value } as Partial<ExtractOptions>;
    expect(() => extractOptions(given)).toThrow(OptionError);
    expect(() => extractOptions(given)).toThrow(`"${name}" must be`);
  });

  it("refuses options that there are not", () => {
    expect(() => extractOptions({ thresh: 0.3 } as never)).toThrow(/unknown option "thresh"; known: threshold, nms/);
  });
});

describe("checkpoints", () => {
  it("are told apart by their tensors", () => {
    for (const attention of [
      "multi_attention_model2",
      "multi_attention_model",
      "attention_model",
      "shared_multi_attention_model2",
    ] as const) {
      const heads = referenceTensors({ attention, headsOnly: true });
      expect(attentionKind("x", heads)).toBe(attention);
      expect([hasBackbone(heads), hasBackbone(referenceTensors({ attention }))]).toEqual([false, true]);
    }
    expect(() => attentionKind("x.ckpt", new Map())).toThrow(/x\.ckpt: no attention head among its 0 tensors/);
  });

  it("take the heads of another: the old ones go, the backbone stays", () => {
    const whole = referenceTensors();
    const heads = referenceTensors({ attention: "multi_attention_model", headsOnly: true, seed: 2 });
    const merged = withHeads(whole, heads);
    expect(merged.has("early_attentions.0.weight")).toBe(false);
    expect(merged.get("early_attentions.weight")).toBe(heads.get("early_attentions.weight"));
    expect(merged.get("feature_encoder.e1.0.weight")).toBe(whole.get("feature_encoder.e1.0.weight"));
    expect(whole.has("early_attentions.0.weight")).toBe(true);
    expect(attentionKind("x", merged)).toBe("multi_attention_model");
  });

  it("have choices of their own, refused elsewhere", () => {
    refuseReferenceChoices("m", { firstStride: undefined });
    expect(() => refuseReferenceChoices("m", { replaceStrides: false })).toThrow(/"replaceStrides" is for checkpoints/);
  });
});
