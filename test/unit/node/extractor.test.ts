/** Models in files: every way in, and every way in which a file or an option can be wrong. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  FormatError,
  IoError,
  OptionError,
  StateError,
  type StrataError,
  UnsupportedError,
} from "../../../src/errors.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { openReference, withHeads } from "../../../src/extract/models.js";
import { checkFeatures } from "../../../src/features.js";
import { type NdArray, ndarray } from "../../../src/formats/ndarray.js";
import { writeSafetensors } from "../../../src/formats/safetensors.js";
import { BACKENDS } from "../../../src/graph/session.js";
import { DEFAULT_MODEL, describeModel, type OpenOptions, openExtractor } from "../../../src/node/extractor.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { checkpointBytes, drawImage, noiseImage, referenceTensors, strataTensors, TINY } from "../../models.js";

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

/** A model folder with the given weights and configuration; undefined leaves a file out. */
function modelFolder(name: string, weights?: Uint8Array, config?: unknown): string {
  mkdirSync(at(name));
  if (weights) writeFileSync(at(name, "model.safetensors"), weights);
  if (config !== undefined) {
    writeFileSync(at(name, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
  }
  return at(name);
}

const tiny = writeSafetensors(strataTensors());
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const whole = referenceTensors();
const heads = referenceTensors({ attention: "multi_attention_model", headsOnly: true, seed: 9 });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "strata-models-"));
  modelFolder("tiny", tiny, { ...TINY, sha256: sha256(tiny) });
  writeFileSync(at("whole.ckpt"), checkpointBytes(whole));
  writeFileSync(at("heads.ckpt"), checkpointBytes(heads));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The error with which opening fails. */
async function refusal(options: OpenOptions): Promise<StrataError> {
  try {
    await (await openExtractor(options)).dispose();
  } catch (error) {
    return error as StrataError;
  }
  throw new Error(`opened with ${JSON.stringify(options)}`);
}

async function expectRefusal(options: OpenOptions, kind: new (text: string) => Error, ...texts: (string | RegExp)[]) {
  const error = await refusal(options);
  expect(error, String(error)).toBeInstanceOf(kind);
  for (const text of texts) expect(error.message).toMatch(text);
}

describe("openExtractor", () => {
  it.each([DEFAULT_MODEL, "whole.ckpt"])(
    "%s gives the same to the last bit on any number of threads",
    async (model) => {
      const image = noiseImage(160, 120, 3);
      const found = [];
      for (const threads of [1, 2, 3]) {
        const extractor = await openExtractor({
          model: model === DEFAULT_MODEL ? model : at(model),
          threads,
          threshold: 0,
        });
        found.push(await extractor.extract(image));
        expect(extractor.info.session).toMatchObject({ threads });
        await extractor.dispose();
      }
      expect(found[0].count).toBeGreaterThan(100);
      expect(found[1]).toEqual(found[0]);
      expect(found[2]).toEqual(found[0]);
    },
  );

  it("opens the shipped model when none is named; a flat image has nothing worth keeping", async () => {
    const extractor = await openExtractor({ threshold: 0.3 });
    expect(extractor.info).toMatchObject({ model: DEFAULT_MODEL, dim: 64 });
    expect(extractor.info.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(extractor.options).toMatchObject({ threshold: 0.3, nms: true, maxFeatures: 2000 });
    const flat = await extractor.extract(drawImage(97, 64, () => 127));
    expect(flat).toEqual({
      count: 0,
      dim: 64,
      imageSize: [97, 64],
      keypoints: new Float32Array(0),
      scores: new Float32Array(0),
      descriptors: new Float32Array(0),
    });
    const noise = checkFeatures("noise", await extractor.extract(noiseImage(97, 64)));
    for (const score of noise.scores) expect(score).toBeGreaterThanOrEqual(0.3);
    await extractor.dispose();
  });

  it("takes a folder, a .safetensors file, and a configuration beside it of any name", async () => {
    writeFileSync(at("other.safetensors"), tiny);
    writeFileSync(at("other.json"), JSON.stringify({ ...TINY, name: "other" }));
    const image = noiseImage(40, 33);
    const found = [];
    for (const model of [at("tiny"), at("tiny", "model.safetensors"), at("other.safetensors")]) {
      const extractor = await openExtractor({ model, threads: 1 });
      expect(extractor.info).toMatchObject({ model: model.includes("other") ? "other" : "tiny", sha256: sha256(tiny) });
      found.push(await extractor.extract(image));
      await extractor.dispose();
      await extractor.dispose();
      await expect(extractor.extract(image)).rejects.toThrow(StateError);
    }
    expect(found[0].count).toBeGreaterThan(5);
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
  });

  it("takes a checkpoint of the reference, and heads on its backbone", async () => {
    const image = noiseImage(48, 40);
    const files: [OpenOptions, Map<string, NdArray>][] = [
      [{ model: at("whole.ckpt") }, whole],
      [{ attentionCkpt: at("heads.ckpt"), model: at("whole.ckpt") }, withHeads(whole, heads)],
    ];
    const sums = new Set<string>();
    for (const [options, tensors] of files) {
      const extractor = await openExtractor({ ...options, threads: 1 });
      const name = tensors === whole ? "whole" : "heads";
      expect(extractor.options).toMatchObject({ threshold: 0.3, nms: false, maxFeatures: null });
      expect(extractor.info).toMatchObject({ model: name, dim: 16 });
      sums.add(extractor.info.sha256);
      const { model } = openReference(name, name, tensors, {}, "");
      const inMemory = new DenseExtractor(model, extractor.options, { runtime: nodeRuntime, threads: 1 });
      const features = await extractor.extract(image);
      expect(features.count).toBeGreaterThan(3);
      expect(features).toEqual(await inMemory.extract(image));
      await inMemory.dispose();
      await extractor.dispose();
    }
    const alone = await openExtractor({ attentionCkpt: at("whole.ckpt") });
    sums.add(alone.info.sha256);
    // Heads on a backbone are another model than either file: their name is made of both.
    const [a, b] = ["whole", "heads"].map((name) => sha256(readFileSync(at(`${name}.ckpt`))));
    expect([...sums]).toEqual([a, sha256(new TextEncoder().encode(`${a}+${b}`))]);
  });

  it("runs on the CPU and says so where a backend is not to be had", async () => {
    for (const backend of BACKENDS) {
      const extractor = await openExtractor({ model: at("tiny"), backend, threads: 1 });
      const features = await extractor.extract(noiseImage(32, 32));
      expect(features.count).toBeGreaterThan(0);
      const session = extractor.info.session!;
      if (session.backend === backend) expect(session.fallback).toBeUndefined();
      else {
        expect(session.backend).toBe("cpu");
        expect(session.fallback).toMatch(new RegExp(`^${backend} is not to be had here \\(.+\\); using cpu$`));
      }
      // WASM is the browser's.
      if (backend === "wasm" || backend === "cpu") expect(session.backend).toBe("cpu");
      await extractor.dispose();
    }
  });
});

describe("openExtractor refuses", () => {
  it("models that are not there, and lists those that are shipped", async () => {
    const folder = new URL("../../../models/", import.meta.url);
    const shipped = readdirSync(folder).filter((name) => existsSync(new URL(`${name}/model.safetensors`, folder)));
    expect(shipped).toContain(DEFAULT_MODEL);
    // Recipes lie beside the models and are none.
    const known = new RegExp(
      `^no model ".*": it is neither a file or folder nor one of ${shipped.join(", ")}, nor among .*list"$`,
      "s",
    );
    for (const model of ["superpoint", at("absent"), at("absent.ckpt"), "../strata-s0", "a\0b", "recipes"]) {
      await expectRefusal({ model }, OptionError, known);
    }
    await expectRefusal({ model: "" }, OptionError, 'must be a name or a path, got ""');
    await expectRefusal({ attentionCkpt: "absent" }, OptionError, /no checkpoint "absent"/, /checkpoints.absent\.ckpt/);
  });

  it("folders and files that lack a half", async () => {
    mkdirSync(at("empty"));
    await expectRefusal({ model: at("empty") }, OptionError, /has no model\.safetensors; it is not a model folder/);
    const model = modelFolder("no-config", tiny);
    await expectRefusal({ model }, OptionError, /needs its configuration beside it: model\.json or config\.json/);
    await expectRefusal({ attentionCkpt: at("empty") }, IoError, /it is a folder/);
  });

  it("configurations that are damaged or do not fit the weights", async () => {
    const refused: [string, unknown, RegExp][] = [
      ["not-json", "{", /config\.json/],
      ["empty-json", "", /config\.json/],
      ["an-array", [], /configuration: "the file" must be an object/],
      ["no-widths", { ...TINY, widths: undefined }, /configuration: "widths" must be 5 numbers, got nothing/],
      [
        "wider",
        { ...TINY, widths: [4, 4, 8, 8, 16] },
        /levels\.4\.a\.conv\.weight" has shape \[8,8,3,3\].*\[16,8,3,3\]/,
      ],
      ["absurd", { ...TINY, widths: [1e9, 1e9, 1e9, 1e9, 1e9] }, /levels\.0\.a\.conv\.weight" has shape/],
      ["longer", { ...TINY, descriptorDim: 64 }, /encoders\.1\.weight" has shape/],
      ["other-weights", { ...TINY, sha256: "0".repeat(64) }, /the weights have SHA-256 .*, the configuration says 000/],
    ];
    for (const [name, config, text] of refused) {
      await expectRefusal({ model: modelFolder(name, tiny, config) }, FormatError, text, new RegExp(name));
    }
  });

  it("weights that are damaged, incomplete or of something else", async () => {
    const missing = strataTensors();
    missing.delete("encoders.2.bias");
    missing.delete("attention.out.weight");
    const refused: [string, Uint8Array, RegExp][] = [
      ["missing", writeSafetensors(missing), /missing tensors: encoders\.2\.bias, attention\.out\.weight$/],
      ["extra", writeSafetensors(strataTensors().set("x", ndarray(new Float32Array(1)))), /does not have: x$/],
      ["none", writeSafetensors(new Map()), /missing tensors: levels\.0/],
      ["truncated", tiny.subarray(0, tiny.length - 4), /truncated/],
      ["header-only", tiny.subarray(0, 100), /truncated/],
      ["nothing", new Uint8Array(0), /./],
      ["a-checkpoint", checkpointBytes(heads), /not safetensors/],
    ];
    for (const [name, weights, text] of refused) {
      await expectRefusal({ model: modelFolder(name, weights, TINY) }, FormatError, text);
    }
  });

  it("checkpoints that are damaged, incomplete or of something else", async () => {
    const bytes = checkpointBytes(heads);
    const strange = new Map(heads).set("step", ndarray(new Float32Array(1)));
    const refused: [string, Uint8Array, RegExp][] = [
      ["cut.ckpt", bytes.subarray(0, bytes.length - 100), /cut\.ckpt/],
      ["half.ckpt", bytes.subarray(0, bytes.length >> 1), /half\.ckpt/],
      ["void.ckpt", new Uint8Array(0), /void\.ckpt is empty/],
      ["text.ckpt", new TextEncoder().encode("<html>"), /expected a PyTorch checkpoint/],
      ["weights.ckpt", tiny, /expected a PyTorch checkpoint/],
      ["strange.ckpt", checkpointBytes(strange), /tensors that this model does not have: step/],
    ];
    for (const [name, content, text] of refused) {
      writeFileSync(at(name), content);
      await expectRefusal({ attentionCkpt: at(name), model: at("whole.ckpt") }, FormatError, text);
      if (name !== "strange.ckpt") await expectRefusal({ model: at(name) }, FormatError, text);
    }
  });

  it("checkpoints of another network, and none at all", async () => {
    const refused: [string, Map<string, NdArray>, RegExp][] = [
      [
        "other.ckpt",
        new Map([["conv1.weight", ndarray(new Float32Array(1))]]),
        /its first of 1 tensors is "conv1\.weight"$/,
      ],
      ["nothing.ckpt", new Map(), /it has no tensors$/],
    ];
    for (const [name, tensors, text] of refused) {
      writeFileSync(at(name), checkpointBytes(tensors));
      await expectRefusal({ model: at(name) }, FormatError, /so not a whole checkpoint of the reference; /, text);
    }
  });

  it("heads without their backbone, or on one that is none", async () => {
    const text = /holds attention heads only; name the checkpoint of their backbone as the model/;
    await expectRefusal({ model: at("heads.ckpt") }, OptionError, text);
    await expectRefusal({ attentionCkpt: at("heads.ckpt") }, OptionError, text);
    for (const model of [DEFAULT_MODEL, at("tiny")]) {
      await expectRefusal(
        { attentionCkpt: at("heads.ckpt"), model },
        UnsupportedError,
        /is not one of its checkpoints or backbones/,
      );
    }
    await expectRefusal({ attentionCkpt: at("heads.ckpt"), model: at("heads.ckpt") }, FormatError, /no ResNet-18, 34/);
    // A whole checkpoint would win over any model, even one that is not there.
    await expectRefusal(
      { attentionCkpt: at("whole.ckpt"), model: "absent" },
      OptionError,
      /is a whole checkpoint, with a backbone of its own; leave out the model "absent"/,
    );
    // Heads for other encoders than the backbone's.
    writeFileSync(at("wide.ckpt"), checkpointBytes(referenceTensors({ dim: 32, headsOnly: true })));
    const wide = { attentionCkpt: at("wide.ckpt"), model: at("whole.ckpt") };
    await expectRefusal(wide, FormatError, /early_attentions\.0\.weight" has shape \[512,32,1,1\]/);
  });

  it("options that there are not, or not for this model, by name", async () => {
    const refused: [Record<string, unknown>, RegExp][] = [
      [{ thresh: 0.3 }, /unknown option "thresh"; known: threshold/],
      [{ seed: 1 }, /unknown option "seed"/],
      [{ threshold: -1 }, /"threshold" must be a number ≥ 0/],
      [{ nms: "no" }, /"nms" must be true or false/],
      [{ backend: "gpu" }, /"backend" must be one of cpu, webgpu, cuda, wasm, got gpu/],
      [{ threads: 0 }, /"threads" must be a whole number/],
      [{ threads: 1.5 }, /"threads"/],
      [{ firstStride: 2 }, /"firstStride" is for checkpoints of the reference/],
      [{ attentionModel: "auto" }, /"attentionModel" is for checkpoints of the reference/],
      [{ detection: "d2net" }, /detects by its score map/],
      [{ sumDescriptors: true }, /always sums its levels/],
    ];
    for (const [options, text] of refused) {
      await expectRefusal({ model: at("tiny"), ...options } as OpenOptions, OptionError, text);
    }
    const reference: [Record<string, unknown>, RegExp][] = [
      [{ firstStride: 3 }, /"firstStride" must be/],
      [{ preprocessing: "keras" }, /"preprocessing" must be one of torch, caffe, none/],
      [{ attentionModel: "sm" }, /"attentionModel" must be one of auto, multi_attention_model2/],
    ];
    for (const [options, text] of reference) {
      await expectRefusal({ model: at("whole.ckpt"), ...options } as OpenOptions, OptionError, text);
    }
  });
});

describe("describeModel", () => {
  it("says what is in a model", async () => {
    const description = await describeModel(at("tiny"));
    expect(description).toMatchObject({
      name: "tiny",
      kind: "strata",
      path: at("tiny", "model.safetensors"),
      bytes: tiny.length,
      sha256: sha256(tiny),
      config: TINY,
    });
    const values = [...strataTensors().values()].reduce((sum, { data }) => sum + data.length, 0);
    expect(description.parameters).toBe(values);
    expect(description.tensors).toContainEqual({ name: "attention.out.bias", shape: [2], type: "float32" });
    const checkpoint = await describeModel(at("whole.ckpt"));
    expect(checkpoint).toMatchObject({ name: "whole", kind: "reference", config: { backbone: "resnet18" } });
    expect(checkpoint.tensors).toHaveLength(whole.size);
    expect((await describeModel()).name).toBe(DEFAULT_MODEL);
    await expect(describeModel("nothing")).rejects.toThrow(OptionError);
  });
});
