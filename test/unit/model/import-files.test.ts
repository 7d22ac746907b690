/** Importing from files of every kind into model folders, which then open, train and carry heads. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, OptionError, type StrataError } from "../../../src/errors.js";
import { type NdArray, ndarray } from "../../../src/formats/ndarray.js";
import { readSafetensors, writeSafetensors } from "../../../src/formats/safetensors.js";
import { describeModel, type OpenOptions, openExtractor } from "../../../src/node/extractor.js";
import { importModel } from "../../../src/node/models-import.js";
import { backboneOf, digestOf, joinWeights, readWeights } from "../../../src/node/train/weights.js";
import { checkpointBytes, noiseImage, referenceTensors, type StateDict, strataTensors, TINY } from "../../models.js";
import { slimTensors, torchvisionTensors } from "../../resnets.js";
import { tensorflowBundle } from "../../tensorflow-bundle.js";

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const config = (model: string) => JSON.parse(readFileSync(at(model, "config.json"), "utf8"));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "strata-import-"));
  writeFileSync(at("whole.ckpt"), checkpointBytes(referenceTensors()));
  writeFileSync(
    at("softmax.ckpt"),
    checkpointBytes(referenceTensors({ attention: "multi_attention_model", headsOnly: true })),
  );
  const shared = { attention: "shared_multi_attention_model2", headsOnly: true } as const;
  writeFileSync(at("shared.ckpt"), checkpointBytes(referenceTensors(shared)));
  writeFileSync(at("resnet18.safetensors"), writeSafetensors(torchvisionTensors(18)));
  mkdirSync(at("tiny"));
  const tiny = writeSafetensors(strataTensors());
  writeFileSync(at("tiny/model.safetensors"), tiny);
  writeFileSync(at("tiny/config.json"), JSON.stringify({ ...TINY, sha256: sha256(tiny) }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As DELG's SavedModel lies in its archive. */
function savedModel(path: string, tensors: StateDict): void {
  mkdirSync(join(path, "variables"), { recursive: true });
  const { index, data } = tensorflowBundle(tensors);
  writeFileSync(join(path, "variables/variables.index"), index);
  writeFileSync(join(path, "variables/variables.data-00000-of-00001"), data);
  writeFileSync(join(path, "saved_model.pb"), "");
}

async function refusal(source: string, more: Partial<Parameters<typeof importModel>[1]> = {}): Promise<StrataError> {
  const before = readdirSync(folder);
  const error = await importModel(at(source), { out: at("refused"), ...more }).then(
    () => new Error("nothing was refused"),
    (error: unknown) => error,
  );
  // Nothing is written and nothing is left.
  expect(readdirSync(folder)).toEqual(before);
  return error as StrataError;
}

describe("importModel", () => {
  it("DELG's weights, from folder and archive: the same as under torchvision's names", async () => {
    const ours = torchvisionTensors(50);
    savedModel(at("r50delg"), slimTensors(ours));
    const tar = execFileSync("tar", ["-cf", "-", "-C", folder, "r50delg"], { maxBuffer: 2 ** 28 });
    // Random weights do not shrink, and trying takes seconds.
    writeFileSync(at("r50delg.tar.gz"), gzipSync(tar, { level: 0 }));
    writeFileSync(at("resnet50.pth"), checkpointBytes(ours));
    const made = [];
    for (const [i, source] of ["r50delg", "r50delg.tar.gz"].entries()) {
      const report = await importModel(at(source), { out: at(`delg${i}`), name: "delg" });
      expect(report).toMatchObject({ kind: "delg", model: "backbone", name: "delg", missing: [], tensors: 265 });
      expect(report.unused.map(({ name }) => name)).toEqual(["attention_block/conv1/biases", "global_step"]);
      made.push(report.sha256);
    }
    expect(new Set(made).size).toBe(1);
    const archive = readFileSync(at("r50delg.tar.gz"));
    expect(config("delg1").source).toEqual({
      kind: "delg",
      path: "r50delg.tar.gz",
      format: "tensorflow",
      sha256: sha256(archive),
    });
    expect(config("delg0").source).toMatchObject({ path: "r50delg", sha256: null });
    const torchvision = await importModel(at("resnet50.pth"), { out: at("resnet50") });
    expect(torchvision).toMatchObject({ kind: "torchvision", name: "resnet50", config: { preprocessing: "torch" } });
    const weights = (model: string) =>
      new Map(
        [...readSafetensors(readFileSync(at(model, "model.safetensors"))).tensors].filter(([n]) => !/tracked$/.test(n)),
      );
    expect(digestOf(weights("delg0"))).toBe(digestOf(weights("resnet50")));
    // Training reads the folder as it reads the file; of DELG's preprocessing nothing is said.
    const [file, imported, delg] = await Promise.all(
      [at("resnet50.pth"), at("resnet50"), at("delg1")].map(readWeights),
    );
    expect(digestOf(backboneOf(imported.tensors))).toBe(digestOf(backboneOf(file.tensors)));
    expect(joinWeights(imported, null).preprocessing).toBe("torch");
    expect(delg.preprocessing).toBeNull();
  });

  it("a checkpoint of the reference, which then extracts as the file does", async () => {
    const report = await importModel(at("whole.ckpt"), { out: at("deep/whole") });
    expect(report).toMatchObject({ kind: "reference", model: "reference", name: "whole", out: at("deep/whole") });
    const bytes = readFileSync(at("deep/whole/model.safetensors"));
    expect([report.sha256, report.bytes]).toEqual([sha256(bytes), bytes.length]);
    expect(config("deep/whole")).toEqual(report.config);
    expect(report.source.sha256).toBe(sha256(readFileSync(at("whole.ckpt"))));
    await expectSameFeatures({ model: at("deep/whole") }, { model: at("whole.ckpt") });
    expect(await describeModel(at("deep/whole"))).toMatchObject({
      kind: "reference",
      config: { attention: "multi_attention_model2" },
    });
    // Again from its own folder: the same weights.
    const again = await importModel(at("deep/whole"), { out: at("again"), name: "renamed" });
    expect(again).toMatchObject({ kind: "strata", model: "reference", name: "renamed", sha256: report.sha256 });
  });

  it("heads on their backbone, from a checkpoint, a model folder and a backbone alone", async () => {
    const { sha256: backbone } = await importModel(at("resnet18.safetensors"), {
      out: at("trunk"),
      preprocessing: "caffe",
    });
    await importModel(at("whole.ckpt"), { out: at("base"), preprocessing: "caffe" });
    const bases = [at("whole.ckpt"), at("base")];
    for (const [i, base] of bases.entries()) {
      await importModel(at("softmax.ckpt"), { out: at(`softmax${i}`), backbone: base });
      const { source } = config(`softmax${i}`);
      expect(source.backbone.path).toBe(i ? "base" : "whole.ckpt");
    }
    await expectSameFeatures({ model: at("softmax0") }, { attentionCkpt: at("softmax.ckpt"), model: at("whole.ckpt") });
    // A folder's preprocessing goes with its backbone; heads that bring encoders need no more than that.
    for (const model of [at("base"), at("trunk")]) {
      const attentionCkpt = at("shared.ckpt");
      await expectSameFeatures(
        { attentionCkpt, model },
        { attentionCkpt, model: at("whole.ckpt"), preprocessing: "caffe" },
      );
    }
    expect(await describeModel(at("trunk"))).toMatchObject({ name: "resnet18", kind: "backbone", sha256: backbone });
    await expect(openExtractor({ model: at("trunk") })).rejects.toThrow(
      /is a backbone alone and finds no features; put/,
    );
    await expect(openExtractor({ attentionCkpt: at("softmax.ckpt"), model: at("trunk") })).rejects.toThrow(
      /"feature_encoder\.e1\.0\.weight" must be there/,
    );
  });

  it("strata's own, alone and in an archive; a changed file is told", async () => {
    const report = await importModel(at("tiny"), { out: at("own") });
    expect(report).toMatchObject({ kind: "strata", model: "strata", name: "tiny", unused: [] });
    expect(config("own")).toMatchObject({ widths: TINY.widths, sha256: report.sha256, parameters: report.parameters });
    execFileSync("tar", ["-cf", at("tiny.tar"), "-C", at("tiny"), "."]);
    expect((await importModel(at("tiny.tar"), { out: at("own-tar") })).sha256).toBe(report.sha256);
    expect((await describeModel(at("own"))).name).toBe("tiny");
    mkdirSync(at("changed"));
    const tensors = strataTensors(TINY, 2);
    writeFileSync(at("changed/model.safetensors"), writeSafetensors(tensors));
    writeFileSync(at("changed/config.json"), readFileSync(at("tiny/config.json")));
    expect((await refusal("changed")).message).toMatch(/changed: the weights have SHA-256 .*, the configuration says/);
  });

  it("writes over a model only with force, and never over anything else", async () => {
    const out = at("taken");
    await importModel(at("tiny"), { out });
    const first = readFileSync(join(out, "model.safetensors"));
    writeFileSync(join(out, "CARD.md"), "mine");
    expect((await refusal("resnet18.safetensors", { out })).message).toMatch(
      /there is a model in .*taken already; .*--force$/,
    );
    expect(readFileSync(join(out, "model.safetensors")).equals(first)).toBe(true);
    const forced = await importModel(at("resnet18.safetensors"), { out, force: true });
    expect(config("taken").sha256).toBe(forced.sha256);
    expect(sha256(readFileSync(join(out, "model.safetensors")))).toBe(forced.sha256);
    expect(readdirSync(out).sort()).toEqual(["CARD.md", "config.json", "model.safetensors"]);
    // A model can be written over itself.
    expect((await importModel(out, { out, force: true, name: "self" })).name).toBe("self");
    mkdirSync(at("photos"), { recursive: true });
    writeFileSync(at("photos/a.txt"), "");
    for (const force of [false, true]) {
      const error = await refusal("tiny", { out: at("photos"), force });
      expect(error.message).toMatch(/photos is there, is not empty and is no model folder; give another folder$/);
    }
    expect((await refusal("tiny", { out: at("photos/a.txt"), force: true })).message).toMatch(/it is a file$/);
    mkdirSync(at("empty-out"));
    await importModel(at("tiny"), { out: at("empty-out") });
    expect(existsSync(at("empty-out/config.json"))).toBe(true);
  });

  it("refuses what is no weights, is damaged, or cannot be computed, and leaves nothing", async () => {
    const whole = checkpointBytes(referenceTensors());
    const flat = referenceTensors();
    flat.set("feature_encoder.resnet.bn1.running_var", ndarray(new Float32Array(64).fill(-1)));
    const files: [string, Uint8Array | string][] = [
      ["cut.ckpt", whole.subarray(0, whole.length - 1000)],
      ["flat.ckpt", checkpointBytes(flat)],
      ["page.ckpt", "<!doctype html><html>"],
      ["void.pth", ""],
      ["cut.tar.gz", existsSync(at("r50delg.tar.gz")) ? readFileSync(at("r50delg.tar.gz")).subarray(0, 100_000) : ""],
      ["two/a.ckpt", "x"],
      ["two/b.ckpt", "x"],
      ["nothing/readme.txt", "x"],
    ];
    for (const folder of ["two", "nothing"]) mkdirSync(at(folder));
    for (const [name, content] of files) writeFileSync(at(name), content);
    const stem = slimTensors(torchvisionTensors(50)).get("resnet_v1_50/conv1/weights") as NdArray;
    const stems = new Map([["resnet_v1_50/conv1/weights", stem]]);
    savedModel(at("stem"), stems);
    savedModel(at("no-shard"), stems);
    rmSync(at("no-shard/variables/variables.data-00000-of-00001"));
    execFileSync("tar", ["-czf", at("no-shard.tar.gz"), "-C", folder, "no-shard"]);
    const refused: [string, typeof StrataError | typeof FormatError, RegExp][] = [
      ["absent.ckpt", OptionError, /no weights ".*absent\.ckpt": there is no such file or folder/],
      ["cut.ckpt", FormatError, /cut\.ckpt/],
      ["flat.ckpt", FormatError, /the variance -1 of batch norm "feature_encoder\.resnet\.bn1" is not positive/],
      ["page.ckpt", FormatError, /page\.ckpt/],
      ["void.pth", FormatError, /void\.pth is empty/],
      ["cut.tar.gz", FormatError, /cut\.tar\.gz: the archive is truncated/],
      ["two", OptionError, /the folder ".*two" has 2 checkpoints \(a\.ckpt, b\.ckpt\); name one of them$/],
      ["nothing", OptionError, /the folder ".*nothing" has no weights: expected model\.safetensors/],
      ["no-shard", FormatError, /variables\.index: shard 1 of 1 \("….data-00000-of-00001"\) is missing$/],
      ["no-shard.tar.gz", FormatError, /no-shard\.tar\.gz\/variables\/variables\.index: shard 1 of 1 .* is missing$/],
      ["stem/variables/variables", FormatError, /missing tensors: resnet_v1_50\/conv1\/.* \(264 in all\)$/],
      ["stem/variables/variables.index", FormatError, /missing tensors: .* \(264 in all\)$/],
      ["softmax.ckpt", OptionError, /has no backbone .* name the checkpoint or weights of it with --backbone$/],
    ];
    for (const [source, kind, text] of refused) {
      const error = await refusal(source);
      expect(error.message, source).toMatch(text);
      expect(error, source).toBeInstanceOf(kind);
    }
    for (const name of ["", " ", "a\nb", "x".repeat(201)]) {
      expect((await refusal("tiny", { name })).message).toMatch(/--name must be 1 to 200 printable characters$/);
    }
    await importModel(at("resnet18.safetensors"), { out: at("strange") });
    writeFileSync(at("strange/config.json"), JSON.stringify({ ...config("strange"), preprocessing: "keras" }));
    expect((await refusal("strange")).message).toMatch(/"preprocessing" must be one of torch, caffe, none, got keras$/);
    const stopped = new AbortController();
    stopped.abort(new Error("stopped"));
    expect((await refusal("r50delg.tar.gz", { signal: stopped.signal })).message).toBe("stopped");
  });
});

/** The same points from two ways to the same network. */
async function expectSameFeatures(a: OpenOptions, b: OpenOptions): Promise<void> {
  const image = noiseImage(64, 48);
  const [left, right] = await Promise.all(
    [a, b].map(async (options) => {
      const extractor = await openExtractor({ ...options, threads: 1, threshold: 0 });
      const features = await extractor.extract(image);
      await extractor.dispose();
      return features;
    }),
  );
  expect(left.count).toBeGreaterThan(3);
  expect(left).toEqual(right);
}
