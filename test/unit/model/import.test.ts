/** Whose tensors become what: every name of every source, against weights written down in another way. */
import { describe, expect, it } from "vitest";
import { OptionError, type StrataError } from "../../../src/errors.js";
import { openTrained } from "../../../src/extract/models.js";
import { type NdArray, ndarray } from "../../../src/formats/ndarray.js";
import { type ImportSource, kindOf } from "../../../src/import/detect.js";
import { ImportError, type ImportRequest, importWeights } from "../../../src/import/index.js";
import { backboneLayout, referenceLayout } from "../../../src/import/layout.js";
import { partsOfName } from "../../../src/import/reference-name.js";
import type { AttentionKind } from "../../../src/model/attention-kinds.js";
import { BACKBONE_PREFIX } from "../../../src/model/checkpoint.js";
import { PACKINGS, packTensors } from "../../../src/model/pack.js";
import { DEPTHS, type Depth, depthUnder } from "../../../src/model/resnet.js";
import { parseRecipe, REFERENCE_RECIPES } from "../../../src/train/recipes.js";
import { referenceTensors, type StateDict, strataTensors, TINY } from "../../models.js";
import { slimTensors, torchvisionTensors } from "../../resnets.js";

const source = (tensors: ReadonlyMap<string, NdArray>, more: Partial<ImportSource> = {}): ImportSource => ({
  where: "file",
  name: "file",
  tensors,
  ...more,
});
const imports = (tensors: StateDict, more: Omit<Partial<ImportRequest>, "source"> = {}) =>
  importWeights({ source: source(tensors), ...more });

function refusal(run: () => unknown): StrataError {
  try {
    run();
  } catch (error) {
    return error as StrataError;
  }
  throw new Error("nothing was refused");
}

const names = (list: readonly { name: string }[]) => list.map(({ name }) => name);

/** The same values under every name, in any order. */
function expectSame(found: ReadonlyMap<string, NdArray>, expected: ReadonlyMap<string, NdArray>): void {
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, { dtype, shape, data }] of expected) {
    const tensor = found.get(name) as NdArray;
    expect([name, tensor.dtype, tensor.shape]).toEqual([name, dtype, shape]);
    expect(
      Buffer.compare(
        Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength),
        Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      ),
      name,
    ).toBe(0);
  }
}

describe("layouts", () => {
  it.each(DEPTHS)("of ResNet-%i have the tensors of a state dict, without classifier and counters", (depth) => {
    const expected = [...torchvisionTensors(depth)].filter(([name]) => !/^fc\.|num_batches_tracked$/.test(name));
    const found = [...backboneLayout(depth).required].map(([name, shape]) => [
      name.slice(BACKBONE_PREFIX.length),
      shape,
    ]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected.map(([name, { shape }]) => [name, shape])));
  });

  it("of whole networks have their encoders, decoders and heads", () => {
    const { required, optional } = referenceLayout(50, "shared_multi_attention_model2", 64);
    expect(required.get("feature_encoder.p2.1.weight")).toEqual([512, 512, 2, 2]);
    expect(required.get("attention.3.weight")).toEqual([1, 512, 1, 1]);
    expect([...optional]).toEqual([
      ["feature_encoder.decoder.0.weight", [64, 512, 1, 1]],
      ["feature_encoder.decoder.0.bias", [512]],
    ]);
    const plain = referenceLayout(18, "multi_attention_model2", 32);
    expect(plain.optional.get("feature_encoder.d3.0.weight")).toEqual([32, 512, 1, 1]);
    // A bias before a batch norm changes what is computed, and is there in some files.
    expect(plain.extras.get("early_attentions.0.bias")).toEqual([512]);
  });
});

describe("DELG's names", () => {
  const ours = torchvisionTensors(50);
  const theirs = slimTensors(ours);

  it("lead to what torchvision's do, each of them", () => {
    const shuffled = new Map([...theirs].reverse());
    const delg = imports(shuffled, { name: "r50" });
    const same = imports(ours, { name: "r50" });
    expect([delg.kind, same.kind]).toEqual(["delg", "torchvision"]);
    for (const { model, name, missing, converted } of [delg, same]) {
      expect({ model, name, missing, converted }).toEqual({
        model: "backbone",
        name: "r50",
        missing: [],
        converted: [],
      });
    }
    const weights = new Map([...same.tensors].filter(([name]) => !name.endsWith("num_batches_tracked")));
    expect(weights.size).toBe(53 * 5);
    expectSame(delg.tensors, weights);
    expect(names(delg.unused)).toEqual(["global_step", "attention_block/conv1/biases"].reverse());
    expect(names(same.unused)).toEqual(["fc.weight", "fc.bias"]);
    expect(delg.config).toEqual({ kind: "backbone", name: "r50", backbone: "resnet50" });
    expect(same.config).toEqual({ kind: "backbone", name: "r50", backbone: "resnet50", preprocessing: "torch" });
  });

  it("of ResNet-101 do too", () => {
    const tensors = torchvisionTensors(101);
    const delg = imports(slimTensors(tensors, 101));
    expect(delg.config).toMatchObject({ backbone: "resnet101" });
    const weights = [...imports(tensors).tensors].filter(([name]) => !name.endsWith("num_batches_tracked"));
    expectSame(delg.tensors, new Map(weights));
  });

  it("are found under a scope, and two of them are refused", () => {
    const scoped = new Map([...theirs].map(([name, tensor]) => [`model/${name}`, tensor]));
    expect(imports(scoped).tensors.size).toBe(53 * 5);
    expect(refusal(() => imports(new Map([...theirs, ...scoped]))).message).toBe(
      'file: two networks in one file, "resnet_v1_50/" and "model/resnet_v1_50/"',
    );
    expect(refusal(() => imports(ours, { kind: "delg" })).message).toBe(
      "file: no tensor named resnet_v1_50/*, so not DELG's weights",
    );
  });

  it("are named where they are missing or of another shape, with the shape in the file's order", () => {
    const broken = new Map(theirs);
    broken.delete("resnet_v1_50/block3/unit_6/bottleneck_v1/conv2/BatchNorm/moving_variance");
    broken.set("resnet_v1_50/conv1/weights", ndarray(new Float32Array(7 * 7 * 3 * 8), [7, 7, 3, 8]));
    const error = refusal(() => imports(broken)) as ImportError;
    expect(error).toBeInstanceOf(ImportError);
    expect(error.message).toBe(
      'file: tensors of another shape: "resnet_v1_50/conv1/weights" expected [7,7,3,64], found [7,7,3,8]; missing tensors: ' +
        "resnet_v1_50/block3/unit_6/bottleneck_v1/conv2/BatchNorm/moving_variance; it has, unused: global_step, attention_block/conv1/biases",
    );
    expect(error.mismatched).toEqual([
      { name: "resnet_v1_50/conv1/weights", expected: [7, 7, 3, 64], found: [7, 7, 3, 8] },
    ]);
    expect(error.missing).toHaveLength(1);
  });
});

describe("torchvision's ResNets", () => {
  it.each([18, 34, 101] as Depth[])("of depth %i", (depth) => {
    const tensors = torchvisionTensors(depth);
    const imported = imports(tensors);
    expect(imported.config).toMatchObject({ kind: "backbone", backbone: `resnet${depth}`, preprocessing: "torch" });
    expect(names(imported.unused)).toEqual(["fc.weight", "fc.bias"]);
    const expected = [...tensors].filter(([name]) => !name.startsWith("fc."));
    expectSame(imported.tensors, new Map(expected.map(([name, tensor]) => [BACKBONE_PREFIX + name, tensor])));
  });

  it("under a prefix; the backbone of a whole checkpoint too", () => {
    const tensors = torchvisionTensors(18);
    const wrapped = new Map([...tensors].map(([name, tensor]) => [`module.${name}`, tensor]));
    expectSame(imports(wrapped).tensors, imports(tensors).tensors);
    const whole = referenceTensors({ depth: 18 });
    const backbone = imports(whole, { kind: "torchvision", preprocessing: "none", name: "trunk" });
    expect(backbone.config).toEqual({ kind: "backbone", name: "trunk", backbone: "resnet18", preprocessing: "none" });
    expect([...backbone.tensors.keys()].every((name) => name.startsWith(BACKBONE_PREFIX))).toBe(true);
    expect(names(backbone.unused)).toContain("feature_encoder.e1.0.weight");
    expect(backbone.unused.length + backbone.tensors.size).toBe(whole.size);
    expect(refusal(() => imports(new Map([...tensors, ...wrapped]))).message).toBe(
      'file: 2 ResNets in one file, under "", "module."',
    );
  });

  it("that are none of the four depths, or wider", () => {
    const deeper = new Map(torchvisionTensors(50));
    deeper.set("layer2.7.conv1.weight", ndarray(new Float32Array(1)));
    expect(refusal(() => imports(deeper)).message).toMatch(
      /^file: its layers have 3, 8, 6, 3 bottlenecks; expected those of ResNet-18 \(2, 2, 2, 2\), .*ResNet-101 \(3, 4, 23, 3\)$/,
    );
    const wide = new Map(torchvisionTensors(50));
    wide.set("layer1.0.conv2.weight", ndarray(new Float32Array(128 * 4 * 9), [128, 4, 3, 3]));
    expect(refusal(() => imports(wide)).message).toContain(
      '"layer1.0.conv2.weight" expected [64,64,3,3], found [128,4,3,3]; it has, unused: fc.weight, fc.bias',
    );
    expect(depthUnder("file", wide, "")).toBe(50);
    expect(refusal(() => imports(strataTensors(), { kind: "torchvision" })).message).toMatch(/so no ResNet's weights$/);
  });
});

describe("checkpoints of the reference", () => {
  it("the 19 names say which heads to expect, as the recipes do", () => {
    expect(REFERENCE_RECIPES).toHaveLength(19);
    for (const name of REFERENCE_RECIPES) {
      for (const prefix of ["", "cfe16_", "cfe64_"]) {
        const recipe = parseRecipe(prefix + name);
        if (recipe.kind !== "attention") throw new Error(name);
        const dim = prefix ? recipe.encoder.dim : null;
        expect([name, partsOfName(prefix + name)]).toEqual([name, { attention: recipe.attention, dim }]);
      }
    }
    for (const name of ["heads", "cfe64", "multi_attention_model_heads", "variant_multi_attention_model_d2netloss"]) {
      expect(partsOfName(name)).toBeNull();
    }
  });

  it("of each name are taken with the heads it says, and refused with others", () => {
    const kinds: AttentionKind[] = ["multi_attention_model2", "multi_attention_model", "shared_multi_attention_model2"];
    const tensors = new Map(kinds.map((attention) => [attention, referenceTensors({ attention })]));
    for (const recipe of REFERENCE_RECIPES) {
      const name = `cfe16_${recipe}`;
      const expected = partsOfName(name)?.attention as AttentionKind;
      for (const attention of kinds) {
        const run = () => imports(tensors.get(attention) as StateDict, { name });
        if (attention === expected) {
          expect(run().config).toEqual({
            kind: "reference",
            name,
            preprocessing: "torch",
            backbone: "resnet18",
            attention,
            descriptorDim: 16,
          });
        } else {
          expect(refusal(run).message).toBe(
            `file: by the name "${name}" the heads are ${expected}, by the tensors ${attention}; where the file was renamed, give the right name (--name)`,
          );
        }
      }
    }
  });

  it("keep every tensor of the network; the rest is listed", () => {
    const tensors = referenceTensors({ attention: "multi_attention_model2" });
    tensors.set("criterion.weight", ndarray(new Float32Array(3)));
    const imported = imports(tensors);
    expect(names(imported.unused)).toEqual([
      "feature_encoder.resnet.fc.weight",
      "feature_encoder.resnet.fc.bias",
      "criterion.weight",
    ]);
    const kept = new Map(tensors);
    for (const { name } of imported.unused) kept.delete(name);
    expectSame(imported.tensors, kept);
    // Of decoders the test's tensors have no biases.
    expect(imported.missing).toEqual([1, 2, 3].map((i) => `feature_encoder.d${i}.0.bias`));
    expect(imported.unused[2]).toEqual({ name: "criterion.weight", shape: [3], dtype: "float32", of: "source" });
  });

  it("with heads of two kinds follow the name", () => {
    const shared = referenceTensors({ attention: "shared_multi_attention_model2" });
    const both = new Map([...referenceTensors({ attention: "multi_attention_model2" }), ...shared]);
    const name = "cfe16_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm_SHARED";
    const imported = imports(both, { name });
    expect(imported.config).toMatchObject({ attention: "shared_multi_attention_model2" });
    expect(names(imported.unused)).toContain("early_attentions.0.weight");
    expect(imported.tensors.has("early_attentions.0.weight")).toBe(false);
    expect(imports(both).config).toMatchObject({ attention: "multi_attention_model2" });
  });

  it("with an encoder of another size than the name says, or of none that is known", () => {
    const tensors = referenceTensors({ dim: 32 });
    expect(refusal(() => imports(tensors, { name: "cfe64_multi_attention_model2_d2netloss" })).message).toMatch(
      /by the name "cfe64_multi_attention_model2_d2netloss" the encoder has 64 channels, by the tensors 32/,
    );
    expect(imports(tensors, { name: "multi_attention_model2_d2netloss" }).config).toMatchObject({ descriptorDim: 32 });
    expect(refusal(() => imports(referenceTensors({ dim: 24 }))).message).toMatch(/16 or 32 or 64 channels, got 24$/);
    tensors.delete("feature_encoder.e1.0.weight");
    expect(refusal(() => imports(tensors)).message).toMatch(
      /got no such tensor; the encoder may be in another checkpoint/,
    );
  });

  it("without heads, without a tensor, with one of another shape", () => {
    const tensors = referenceTensors();
    tensors.delete("middle_attentions.1.running_var");
    tensors.set("feature_encoder.d2.0.weight", ndarray(new Float32Array(16), [16, 1, 1, 1]));
    const error = refusal(() => imports(tensors)) as ImportError;
    expect([error.missing, error.mismatched]).toEqual([
      ["middle_attentions.1.running_var"],
      [{ name: "feature_encoder.d2.0.weight", expected: [16, 256, 1, 1], found: [16, 1, 1, 1] }],
    ]);
    const bare = new Map([...referenceTensors()].filter(([name]) => !/attention/.test(name)));
    expect(refusal(() => imports(bare)).message).toMatch(
      /no attention head among its \d+ tensors .* --kind torchvision$/,
    );
  });
});

describe("heads on a backbone", () => {
  const whole = referenceTensors({ seed: 2 });
  const on = (heads: StateDict, backbone: StateDict) =>
    importWeights({ source: source(heads), backbone: source(backbone, { where: "trunk" }) });

  it("take backbone and encoders of a whole checkpoint, whose own heads are told to be unused", () => {
    const heads = referenceTensors({ attention: "multi_attention_model", headsOnly: true });
    const imported = on(heads, whole);
    expect(imported.config).toMatchObject({ attention: "multi_attention_model", backbone: "resnet18" });
    expect(imported.tensors.get("early_attentions.weight")).toBe(heads.get("early_attentions.weight"));
    expect(imported.tensors.get("feature_encoder.e1.0.weight")).toBe(whole.get("feature_encoder.e1.0.weight"));
    expect(imported.unused.every(({ of }) => of === "backbone")).toBe(true);
    expect(names(imported.unused).filter((name) => !name.includes("attentions"))).toEqual([
      "feature_encoder.resnet.fc.weight",
      "feature_encoder.resnet.fc.bias",
    ]);
    expect(imported.unused.length).toBe(3 * 9 + 2);
  });

  it("that bring their own encoders go on torchvision's and DELG's weights", () => {
    const heads = referenceTensors({ attention: "shared_multi_attention_model2", headsOnly: true });
    const imported = on(heads, torchvisionTensors(18));
    expect(imported.config).toMatchObject({ attention: "shared_multi_attention_model2", backbone: "resnet18" });
    expect(imported.unused.map(({ name, of }) => `${of} ${name}`)).toEqual(["backbone fc.weight", "backbone fc.bias"]);
    const wide = refusal(() => on(heads, slimTensors(torchvisionTensors(50))));
    expect(wide.message).toMatch(
      /^file on trunk: tensors of another shape: "feature_encoder\.p1\.0\.weight" expected \[512,512,1,1\], found \[512,128,1,1\]/,
    );
  });

  it("are refused without one, on none, and with two", () => {
    const heads = referenceTensors({ headsOnly: true });
    const refused: [() => unknown, RegExp][] = [
      [() => imports(heads), /^file has no backbone \(feature_encoder\.resnet\.\*\); name .* with --backbone$/],
      [() => on(heads, heads), /^trunk, given as the backbone, has none/],
      [() => on(whole, whole), /^file is a whole checkpoint, with a backbone of its own; leave out --backbone$/],
      [() => on(torchvisionTensors(18), whole), /a backbone is only for heads of the reference/],
    ];
    for (const [run, text] of refused) {
      const error = refusal(run);
      expect(error).toBeInstanceOf(OptionError);
      expect(error.message).toMatch(text);
    }
  });
});

describe("strata's own", () => {
  it("models of every kind keep what their configuration says", () => {
    const tiny = source(strataTensors(), {
      config: { ...TINY, sha256: "a".repeat(64), parameters: 1, recipe: { n: 1 } },
    });
    const own = importWeights({ source: tiny });
    expect([own.kind, own.model, own.name, own.unused, own.missing]).toEqual(["strata", "strata", "tiny", [], []]);
    expect(own.config).toEqual({ ...TINY, recipe: { n: 1 } });
    expect(importWeights({ source: tiny, name: "other" }).config).toMatchObject({ name: "other", widths: TINY.widths });
    expectSame(own.tensors, tiny.tensors);
    const trained = {
      kind: "reference",
      name: "trained",
      preprocessing: "none",
      recipe: { n: 2 },
      training: { step: 5 },
    };
    const reference = importWeights({ source: source(referenceTensors(), { config: trained }) });
    expect([reference.kind, reference.model]).toEqual(["strata", "reference"]);
    expect(reference.config).toMatchObject(trained);
    const trunk = { kind: "backbone", name: "trunk", backbone: "resnet18", source: { kind: "delg" } };
    const { tensors } = imports(torchvisionTensors(18));
    const backbone = importWeights({ source: source(tensors, { config: trunk }), preprocessing: "caffe" });
    expect(backbone.config).toEqual({ ...trunk, preprocessing: "caffe" });
    expectSame(backbone.tensors, tensors);
  });

  it("with kernels of 8 bits or half floats are checked as numbers and stay as they are stored", () => {
    for (const packing of PACKINGS) {
      const stored = packTensors(strataTensors(), packing);
      const { tensors, unused } = importWeights({ source: source(stored, { config: { ...TINY } }) });
      expect(unused).toEqual([]);
      expectSame(tensors, stored);
      expect([...tensors.values()].some(({ dtype }) => dtype === "int8")).toBe(packing === "int8");
    }
    const changed = (change: (tensors: StateDict, name: string) => void) => {
      const stored = packTensors(strataTensors(), "int8");
      const [name] = [...stored].find(([, { dtype }]) => dtype === "int8") as [string, unknown];
      change(stored, name);
      return () => importWeights({ source: source(stored, { config: { ...TINY } }) });
    };
    expect(changed((stored, name) => stored.delete(`${name}.scale`))).toThrow(/of 8 bits needs ".*\.scale" of shape/);
    expect(
      changed((stored, name) => {
        (stored.get(`${name}.scale`)?.data as Float32Array)[0] = Number.NaN;
      }),
    ).toThrow(/infinite or not a number/);
    const more = changed((stored) => stored.set("levels.9.scale", ndarray(new Float32Array(2))))();
    expect(more.unused.map(({ name }) => name)).toEqual(["levels.9.scale"]);
  });

  it("of the reference whose configuration says another network than the tensors are refused", () => {
    const config = { kind: "reference", name: "r", preprocessing: "torch" };
    const open = (more: object) => openTrained("file", referenceTensors(), { ...config, ...more }, {}, "");
    expect(open({ descriptorDim: open({}).model.dim }).kind).toBe("reference");
    expect(() => open({ descriptorDim: 999 })).toThrow(/"descriptorDim" is 999, by the tensors it is \d+/);
    expect(() => open({ backbone: "resnet101" })).toThrow(/"backbone" is "resnet101", by the tensors/);
    expect(() => open({ attention: "attention_model" })).toThrow(/"attention" is "attention_model"/);
    expect(() => open({ preprocesing: "torch" })).toThrow(/unknown key "preprocesing"; known: kind, name/);
    expect(() => open({ name: "a\nb" })).toThrow(/"name" must be a text of 1 to 200 printable characters/);
  });

  it("with tensors left over list them, and without a configuration are refused", () => {
    const tensors = strataTensors().set("x", ndarray(new Float32Array(2)));
    const { unused } = importWeights({ source: source(tensors, { config: { ...TINY } }) });
    expect(unused).toEqual([{ name: "x", shape: [2], dtype: "float32", of: "source" }]);
    expect(refusal(() => imports(tensors, { kind: "strata" })).message).toMatch(/needs its configuration beside it/);
    const choice = { source: source(tensors, { config: { ...TINY } }), preprocessing: "caffe" };
    expect(refusal(() => importWeights(choice)).message).toMatch(/--preprocessing is for networks of the reference/);
  });

  it("are told from others' that have a config.json too", () => {
    const config = { architecture: "resnet18", num_classes: 1000 };
    expect(kindOf(source(torchvisionTensors(18), { config }))).toBe("torchvision");
    expect(kindOf(source(strataTensors(), { config: {} }))).toBe("strata");
    const other = new Map([["fc1.weight", ndarray(new Float32Array(1))]]);
    expect(refusal(() => kindOf(source(other))).message).toMatch(
      /^file: neither DELG's ResNet .*; its first of 1 tensors is "fc1\.weight"$/,
    );
    expect(refusal(() => kindOf(source(new Map()))).message).toMatch(/; it has no tensors$/);
  });
});

describe("values", () => {
  const changed = (change: (weight: NdArray) => NdArray) => {
    const tensors = torchvisionTensors(18);
    return new Map(tensors).set("bn1.weight", change(tensors.get("bn1.weight") as NdArray));
  };

  it("of 16 bits are kept, of 64 become 32 and are told", () => {
    const half: NdArray = { dtype: "float16", shape: [64], data: new Uint16Array(64).fill(0x3c00) };
    const imported = imports(changed(() => half));
    expect(imported.tensors.get(`${BACKBONE_PREFIX}bn1.weight`)).toBe(half);
    expect(imported.converted).toEqual([]);
    const double = imports(changed(({ data }) => ndarray(Float64Array.from(data as Float32Array))));
    expect(double.converted).toEqual(["bn1.weight"]);
    expectSame(double.tensors, imports(torchvisionTensors(18)).tensors);
  });

  it("that are no weights are refused by name", () => {
    const floats = (value: number) => new Float32Array(64).fill(value, 63);
    const refused: [NdArray, RegExp][] = [
      [ndarray(floats(Number.NaN)), /tensor "bn1\.weight" has values that are infinite or not a number/],
      [ndarray(floats(-Infinity)), /infinite/],
      [{ dtype: "float16", shape: [64], data: new Uint16Array(64).fill(0xfc00, 63) }, /infinite/],
      [{ dtype: "bfloat16", shape: [64], data: new Uint16Array(64).fill(0x7fc0, 63) }, /infinite/],
      [ndarray(new Int8Array(64)), /has type int8; a network's weights are floats/],
    ];
    for (const [tensor, text] of refused) {
      expect(refusal(() => imports(changed(() => tensor))).message).toMatch(text);
    }
  });
});
