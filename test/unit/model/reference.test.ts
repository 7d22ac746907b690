import type { numpy as np } from "@jax-js/jax";
import "../../../src/graph/jax-now.js";
import { describe, expect, it } from "vitest";
import { FormatError, OptionError, UnsupportedError } from "../../../src/errors.js";
import { openReference } from "../../../src/extract/models.js";
import { ndarray, toFloat32 } from "../../../src/formats/ndarray.js";
import type { AttentionKind } from "../../../src/model/attention-kinds.js";
import { BACKBONE_PREFIX } from "../../../src/model/checkpoint.js";
import { fold, foldedPass } from "../../../src/model/layers/folded.js";
import type { Layers } from "../../../src/model/layers/layers.js";
import { ENCODER_DIMS, type ReferenceOptions, referenceNetwork } from "../../../src/model/reference.js";
import { resnet } from "../../../src/model/resnet.js";
import { WeightReader } from "../../../src/model/weights.js";
import { referenceTensors, type StateDict } from "../../models.js";
import { naiveConv, randomValues, runGraph, type Values, worstDifference } from "../../networks.js";

/** Runs the network on noise of H × W; `taps`: the backbone's maps too. */
async function run(
  tensors: StateDict,
  dim: number,
  { attention = "multi_attention_model2", ...given }: Partial<ReferenceOptions> & { attention?: AttentionKind },
  [h, w]: [number, number],
  taps = false,
) {
  const options = { squash: false, firstStride: 2, replaceStrideWithDilation: false, ...given } as const;
  const network = (layers: Layers) => referenceNetwork(layers, { depth: 18, attention, dim }, options);
  const trunk = (layers: Layers) => {
    const pass = resnet(layers, BACKBONE_PREFIX, 18, options);
    return (image: np.Array) => Object.fromEntries(pass(image).map((tap, i) => [`tap${i}`, tap]));
  };
  const chosen = taps ? trunk : network;
  const params = fold(chosen, new WeightReader("w", tensors));
  const image = { shape: [1, 3, h, w], data: randomValues(3 * h * w, h * w) };
  return runGraph(foldedPass<Record<string, np.Array>>(chosen) as never, { params }, image);
}

const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Score of one descriptor by a head, as reference.md §1 writes it: number by number, batch norm a step of its own. */
function headScore(d: number[], tensors: StateDict, head: string, kind: AttentionKind, squash: boolean): number {
  const value = (name: string) => toFloat32(tensors.get(name)!);
  const dense = (input: number[], name: string) => {
    const [weight, bias] = [value(`${name}.weight`), value(`${name}.bias`)];
    return [...bias].map((b, o) => input.reduce((sum, v, i) => sum + v * weight[o * input.length + i], b));
  };
  if (kind === "multi_attention_model") {
    const [a, b] = dense(d, head).map(Math.exp);
    return b / (a + b);
  }
  const [gamma, beta, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((n) =>
    value(`${head}.1.${n}`),
  );
  const hidden = dense(d, `${head}.0`).map((v, i) =>
    Math.max(((v - mean[i]) / Math.sqrt(variance[i] + 1e-5)) * gamma[i] + beta[i], 0),
  );
  const score = softplus(dense(hidden, `${head}.3`)[0]);
  return squash ? score / (1 + score) : score;
}

const column = ({ shape, data }: Values, i: number): number[] => {
  const each = shape[2] * shape[3];
  return Array.from({ length: shape[1] }, (_, c) => data[c * each + i]);
};
const unit = (d: number[]) => d.map((v) => v / Math.hypot(...d));

/** Compares every score of the three levels with `judge`. */
function expectScores(outputs: Record<string, Values>, judge: (level: number, cell: number) => number): void {
  for (const level of [0, 1, 2]) {
    const [map, score] = [outputs[`map${level}`], outputs[`score${level}`]];
    expect(score.shape).toEqual([1, 1, map.shape[2], map.shape[3]]);
    const expected = Array.from(score.data, (_, cell) => judge(level, cell));
    expected.forEach((value, cell) => {
      expect(Math.abs(score.data[cell] - value), `level ${level}, cell ${cell}`).toBeLessThan(
        1e-4 * Math.max(1, value),
      );
    });
    // A judge that is content with a constant would judge nothing.
    if (expected.length > 1) expect(new Set(expected).size).toBeGreaterThan(1);
  }
}

const LEVEL_HEADS = ["early_attentions", "middle_attentions", "deep_attentions"];

describe("attention heads", () => {
  it.each([
    [16, false],
    [32, true],
    [64, false],
  ])("multi_attention_model2 scores each level on its own; encoders of %i, squashed: %s", async (dim, squash) => {
    const tensors = referenceTensors({ dim });
    const outputs = await run(tensors, dim, { squash }, [32, 39]);
    expect([0, 1, 2].map((l) => outputs[`map${l}`].shape)).toEqual([
      [1, dim, 4, 5],
      [1, dim, 4, 6],
      [1, dim, 4, 8],
    ]);
    expectScores(outputs, (level, cell) =>
      headScore(column(outputs[`map${level}`], cell), tensors, LEVEL_HEADS[level], "multi_attention_model2", squash),
    );
  });

  it("multi_attention_model gives the second of two classes", async () => {
    const tensors = referenceTensors({ attention: "multi_attention_model" });
    const outputs = await run(tensors, 16, { attention: "multi_attention_model" }, [32, 33]);
    expectScores(outputs, (level, cell) =>
      headScore(column(outputs[`map${level}`], cell), tensors, LEVEL_HEADS[level], "multi_attention_model", false),
    );
  });

  it("attention_model scores the average of the levels, each of unit length", async () => {
    const tensors = referenceTensors({ attention: "attention_model" });
    const outputs = await run(tensors, 16, { attention: "attention_model" }, [32, 64]);
    expect(outputs.score0.data).toEqual(outputs.score2.data);
    expectScores(outputs, (_, cell) => {
      const levels = [0, 1, 2].map((l) => unit(column(outputs[`map${l}`], cell)));
      const mean = levels[0].map((v, c) => (v + levels[1][c] + levels[2][c]) / 3);
      return headScore(mean, tensors, "attention", "attention_model", true);
    });
  });

  it("attention_model refuses levels that differ in size, and says how", async () => {
    const tensors = referenceTensors({ attention: "attention_model" });
    const wrong = run(tensors, 16, { attention: "attention_model" }, [32, 39]);
    await expect(wrong).rejects.toThrow(UnsupportedError);
    await expect(wrong).rejects.toThrow(/4×5, 4×6, 4×8/);
  });

  it("a shared model has one encoder and one head; middle and deep lose a cell", async () => {
    const attention = "shared_multi_attention_model2";
    const tensors = referenceTensors({ attention, dim: 32 });
    const outputs = await run(tensors, 32, { attention }, [32, 39]);
    expect([0, 1, 2].map((l) => outputs[`map${l}`].shape)).toEqual([
      [1, 32, 4, 5],
      [1, 32, 3, 5],
      [1, 32, 3, 7],
    ]);
    expectScores(outputs, (level, cell) =>
      headScore(column(outputs[`map${level}`], cell), tensors, "attention", attention, true),
    );
  });

  it("replaced strides leave nothing to enlarge", async () => {
    const outputs = await run(referenceTensors(), 16, { replaceStrideWithDilation: true }, [16, 13]);
    for (const level of [0, 1, 2]) expect(outputs[`map${level}`].shape).toEqual([1, 16, 4, 4]);
  });
});

/** Bilinear, first and last positions kept; [1, C, h, w] by a whole factor. */
function enlarge({ shape: [n, c, h, w], data }: Values, factor: number): Values {
  const [oh, ow] = [h * factor, w * factor];
  const out = new Float32Array(n * c * oh * ow);
  for (let i = 0; i < out.length; i++) {
    const [x, y] = [i % ow, Math.floor(i / ow) % oh];
    const plane = Math.floor(i / (ow * oh)) * h * w;
    const [px, py] = [(x * (w - 1)) / Math.max(ow - 1, 1), (y * (h - 1)) / Math.max(oh - 1, 1)];
    const [l, t] = [Math.floor(px), Math.floor(py)];
    const [r, b] = [Math.min(l + 1, w - 1), Math.min(t + 1, h - 1)];
    const row = (line: number) => {
      const [left, right] = [data[plane + line * w + l], data[plane + line * w + r]];
      return left + (right - left) * (px - l);
    };
    out[i] = row(t) + (row(b) - row(t)) * (py - t);
  }
  return { shape: [n, c, oh, ow], data: out };
}

describe("descriptor maps", () => {
  const conv = (x: Values, tensors: StateDict, name: string) => {
    const [weight, bias] = ["weight", "bias"].map((n) => tensors.get(`feature_encoder.${name}.${n}`)!);
    return naiveConv(x, { shape: weight.shape, data: toFloat32(weight) }, toFloat32(bias));
  };

  // The network encodes first, which is cheaper; the reference enlarges first.
  it("are the encoders on enlarged taps", async () => {
    const tensors = referenceTensors();
    const { tap0, tap1, tap2 } = await run(tensors, 16, {}, [48, 39], true);
    const outputs = await run(tensors, 16, {}, [48, 39]);
    [tap0, enlarge(tap1, 2), enlarge(tap2, 4)].forEach((tap, i) => {
      expect(worstDifference(outputs[`map${i}`], conv(tap, tensors, `e${i + 1}.0`))).toBeLessThan(1e-5);
    });
  });

  it("of a shared model pass a layer of their own and one for mixing", async () => {
    const attention = "shared_multi_attention_model2";
    const tensors = referenceTensors({ attention });
    const taps = await run(tensors, 16, { attention }, [32, 39], true);
    const outputs = await run(tensors, 16, { attention }, [32, 39]);
    [0, 1, 2].forEach((i) => {
      const narrow = conv(enlarge(taps[`tap${i}`], 2 ** i), tensors, `p${i + 1}.0`);
      const expected = conv(conv(narrow, tensors, `p${i + 1}.1`), tensors, "encoder.0");
      expect(worstDifference(outputs[`map${i}`], expected)).toBeLessThan(1e-5);
    });
  });
});

describe("openReference", () => {
  const open = (tensors: StateDict, choices = {}) => openReference("x.ckpt", "x", tensors, choices, "00");

  it("tells depth, width and kind of head by the tensors", () => {
    for (const attention of [
      "multi_attention_model2",
      "multi_attention_model",
      "attention_model",
      "shared_multi_attention_model2",
    ] as const) {
      const opened = open(referenceTensors({ attention, dim: 32 }));
      expect(opened.config).toEqual({
        backbone: "resnet18",
        descriptorDim: 32,
        attention,
        firstStride: 1,
        replaceStrideWithDilation: false,
        preprocessing: "torch",
        squash: false,
      });
      expect(opened.model).toMatchObject({ name: "x", sha256: "00", dim: 32 });
    }
    expect(ENCODER_DIMS).toEqual([16, 32, 64]);
  });

  it("refuses widths that are not offered and encoders that do not fit the heads", () => {
    expect(() => open(referenceTensors({ dim: 24 }))).toThrow(/16 or 32 or 64 channels, got 24/);
    const mixed = referenceTensors({ dim: 32 });
    for (const [name, values] of referenceTensors({ dim: 16, headsOnly: true })) mixed.set(name, values);
    expect(() => open(mixed)).toThrow(/early_attentions\.0\.weight" has shape \[512,16,1,1\].*\[512,32,1,1\]/);
    const none = referenceTensors();
    none.delete("feature_encoder.e1.0.weight");
    expect(() => open(none)).toThrow(/got no such tensor/);
  });

  it("refuses what is missing, what is left over, and networks that it does not know", () => {
    const tensors = referenceTensors();
    tensors.delete("deep_attentions.3.bias");
    expect(() => open(tensors)).toThrow("x.ckpt: missing tensors: deep_attentions.3.bias");
    tensors.set("deep_attentions.3.bias", ndarray(new Float32Array(1)));
    tensors.set("optimizer.step", ndarray(new Float32Array(1)));
    expect(() => open(tensors)).toThrow("tensors that this model does not have: optimizer.step");
    expect(() => open(referenceTensors({ headsOnly: true }))).toThrow(
      /so not a whole checkpoint of the reference; its first of \d+ tensors is "/,
    );
    const headless = new Map([...referenceTensors()].filter(([name]) => !name.includes("_attentions")));
    expect(() => open(headless)).toThrow(FormatError);
    expect(() => open(headless)).toThrow(/no attention head/);
  });

  it("refuses choices that are not offered, by name", () => {
    const tensors = referenceTensors();
    const refused: [object, string][] = [
      [{ attentionModel: "attention" }, "attentionModel"],
      [{ firstStride: 3 }, "firstStride"],
      [{ firstStride: "1" }, "firstStride"],
      [{ replaceStrides: "yes" }, "replaceStrides"],
      [{ preprocessing: "tf" }, "preprocessing"],
    ];
    for (const [choices, name] of refused) {
      expect(() => open(tensors, choices)).toThrow(OptionError);
      expect(() => open(tensors, choices)).toThrow(`"${name}" must be`);
    }
    // A kind that is offered but not in the file.
    expect(() => open(tensors, { attentionModel: "multi_attention_model" })).toThrow(/early_attentions\.weight/);
  });
});
