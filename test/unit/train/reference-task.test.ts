/** Recipes of the reference as tasks: the frozen part against extraction, its cache, what a recipe needs, runs in folders. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, OptionError } from "../../../src/errors.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { openReference } from "../../../src/extract/models.js";
import { extractOptions } from "../../../src/extract/options.js";
import type { NdArray } from "../../../src/formats/ndarray.js";
import { openExtractor } from "../../../src/node/extractor.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { FrozenCache } from "../../../src/node/train/frozen-cache.js";
import { type ReferenceTaskOptions, referenceTask } from "../../../src/node/train/reference-task.js";
import { type RunRequest, runTraining } from "../../../src/node/train/run.js";
import { joinWeights, readWeights } from "../../../src/node/train/weights.js";
import { correspond } from "../../../src/train/correspondences.js";
import { parseRecipe } from "../../../src/train/recipes.js";
import type { PairBatch } from "../../../src/train/types.js";
import { checkpointBytes, noiseImage, referenceTensors } from "../../models.js";
import { shiftedPair, shiftedPairs } from "./shifted.js";

const runtime = { runtime: nodeRuntime, threads: 1 };
const weights = referenceTensors({ depth: 18, dim: 16 });
const open = (recipe: string, rest: Partial<ReferenceTaskOptions> = {}) =>
  referenceTask({ recipe: parseRecipe(recipe), weights, cropSize: 64, runtime, ...rest });

function batchOf(task: ReturnType<typeof open>, ...seeds: number[]): PairBatch {
  const pairs = seeds.map((seed) => shiftedPair(seed));
  return { pairs, grid: task.grid, correspondences: pairs.map((pair) => correspond(pair, task.grid)) };
}
const values = (feed: unknown) => feed as Float32Array;

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "strata-task-"));
  writeFileSync(at("whole.ckpt"), checkpointBytes(weights));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("batches of a recipe", () => {
  it.each(["none", "torch"] as const)(
    "have the descriptors that extraction has, pixels prepared as %s",
    async (preprocessing) => {
      const task = open("d2net-dim16", { preprocessing });
      const batch = batchOf(task, 3, 4);
      const feeds = await task.feeds(batch);
      const { model, defaults } = openReference("x", "x", weights, { firstStride: 2, preprocessing }, "");
      const extractor = new DenseExtractor(model, extractOptions({}, defaults), { runtime: nodeRuntime });
      const images = [0, 1].flatMap((side) => batch.pairs.map((pair) => pair.images[side]));
      const maps = await extractor.dense(images);
      for (const [i, level] of ["early", "middle", "deep"].entries()) {
        const [actual, wanted] = [values(feeds[level]), maps[`map${i}`].data as Float32Array];
        expect(actual.length).toBe(4 * 16 * 8 * 8);
        expect(wanted.length).toBe(actual.length);
        const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        for (const [k, value] of wanted.entries()) expect(Math.abs(actual[k] - value)).toBeLessThan(1e-4 * largest);
      }
      await extractor.dispose();
      await task.dispose();
    },
  );

  it("have targets and validity pair by pair, and a weight for each", async () => {
    const task = open("d2net-dim16");
    const { targets, valid, pairWeights } = await task.feeds(batchOf(task, 1, 2, 3));
    expect(values(pairWeights)).toEqual(Float32Array.of(1, 1, 1));
    for (let pair = 0; pair < 3; pair++) {
      // 8 and 16 pixels are 1 and 2 cells: cell (3, 5) of image 1 is (2, 3) of image 2, the first rows are not there.
      const cell = pair * 64 + 5 * 8 + 3;
      expect([values(targets)[2 * cell], values(targets)[2 * cell + 1], values(valid)[cell]]).toEqual([2, 3, 1]);
      expect(values(valid)[pair * 64 + 8 + 3]).toBe(0);
    }
    // An eighth of the cells, as 128 of 1024.
    expect(task.minCorrespondences).toBe(8);
    expect(task.grid).toEqual({ width: 8, height: 8, scale: 8, shift: 3.5 });
    await task.dispose();
  });

  it("are the same to the last bit whatever else is in the batch", async () => {
    const task = open("cfe16");
    const alone = await task.feeds(batchOf(task, 7));
    const among = await task.feeds(batchOf(task, 5, 7, 6));
    for (const level of ["early", "middle", "deep"]) {
      const each = values(alone[level]).length / 2;
      expect(values(among[level]).slice(each, 2 * each)).toEqual(values(alone[level]).slice(0, each));
      expect(values(among[level]).slice(4 * each, 5 * each)).toEqual(values(alone[level]).slice(each));
    }
    await task.dispose();
  });

  it("of another size are refused", async () => {
    const task = open("cfe16");
    const image = noiseImage(96, 64);
    const batch = batchOf(task, 1);
    batch.pairs[0] = { ...batch.pairs[0], images: [image, image] };
    await expect(task.feeds(batch)).rejects.toThrow(/96×64 pixels, the network takes 64×64/);
    await task.dispose();
  });
});

describe("what a recipe needs", () => {
  const without = (pattern: RegExp) => new Map([...weights].filter(([name]) => !pattern.test(name)));

  it("is said when it is missing", () => {
    const refused = (recipe: string, rest: Partial<ReferenceTaskOptions>, message: RegExp) =>
      expect(() => open(recipe, rest)).toThrow(message);
    refused("cfe16", { cropSize: 100 }, /"cropSize" must be a multiple of 32, got 100; try 96/);
    refused("cfe16", { cropSize: 16 }, /"cropSize" must be a whole number ≥ 32/);
    refused("cfe16", { preprocessing: "tf" as never }, /"preprocessing" must be one of torch, caffe, none, got tf/);
    refused(
      "d2net-dim16",
      { weights: without(/\.e\d\./) },
      /frozen encoder of 16 channels, the weights have no encoder; give one \(--encoder\).*cfe16/,
    );
    refused("d2net-dim16", { weights: without(/\.e2\./) }, /the weights have a part of one/);
    refused("d2net-dim32", {}, /encoder of 32 channels, the weights have one of 16 channels/);
    refused("cfe16", { weights: without(/resnet/) }, /backbone is no ResNet-18, 34, 50 or 101/);
    refused("cfe16", { weights: without(/layer4\.1\.conv1/) }, /layer4\.1\.conv1\.weight|no ResNet/);
  });

  it("where an encoder goes on learning, is its trained values; elsewhere fresh ones", () => {
    const value = (recipe: string, name: string, seed: number) =>
      open(recipe)
        .parameters(seed)
        .find((parameter) => parameter.name === name)?.data;
    const trained = weights.get("feature_encoder.e2.0.weight")?.data;
    expect(value("d2net-backprop-dim16", "feature_encoder.e2.0.weight", 1)).toEqual(trained);
    expect(value("d2net-dim16", "feature_encoder.e2.0.weight", 1)).toBeUndefined();
    expect(value("cfe16", "feature_encoder.e2.0.weight", 1)).not.toEqual(trained);
    expect(value("cfe16", "feature_encoder.e2.0.weight", 1)).toEqual(value("cfe16", "feature_encoder.e2.0.weight", 1));
    expect(value("cfe16", "feature_encoder.e2.0.weight", 1)).not.toEqual(
      value("cfe16", "feature_encoder.e2.0.weight", 2),
    );
  });

  it("is in the recipe that resuming compares: weights, preprocessing, crop", () => {
    const recipe = (name: string, rest: Partial<ReferenceTaskOptions> = {}) => open(name, rest).recipe;
    expect(recipe("d2net-dim16")).toMatchObject({ loss: "d2net", preprocessing: "none", cropSize: 64 });
    const other = new Map(weights);
    const changed = (name: string) => {
      const tensor = weights.get(name) as NdArray;
      const data = (tensor.data as Float32Array).slice();
      data[0] += 1;
      return new Map(other).set(name, { ...tensor, data });
    };
    const own = recipe("d2net-dim16");
    expect(recipe("d2net-dim16", { weights: other })).toEqual(own);
    expect(recipe("d2net-dim16", { weights: changed("feature_encoder.e1.0.bias") }).encoders).not.toBe(own.encoders);
    const backbone = changed("feature_encoder.resnet.bn1.weight");
    expect(recipe("d2net-dim16", { weights: backbone }).backbone).not.toBe(own.backbone);
    // The encoder that is trained anew does not depend on an old one.
    expect(recipe("cfe16", { weights: changed("feature_encoder.e1.0.bias") })).toEqual(recipe("cfe16"));
  });
});

describe("the cache of frozen outputs", () => {
  const files = (name: string) => readdirSync(at(name)).sort();

  it("gives what the network gave, bit for bit, and asks it no more", async () => {
    const task = open("cfe16", { cache: await FrozenCache.open(at("cache")) });
    const batch = batchOf(task, 1, 2);
    const first = await task.feeds(batch);
    expect(files("cache")).toHaveLength(4);
    await task.dispose();
    // Without a network to run, only the cache can answer.
    const silent = { ...nodeRuntime, open: () => Promise.reject(new Error("the network was run")) };
    const other = open("cfe16", { cache: await FrozenCache.open(at("cache")), runtime: { runtime: silent } });
    expect(await other.feeds(batch)).toEqual(first);
    await expect(other.feeds(batchOf(other, 3))).rejects.toThrow("the network was run");
    for (const [recipe, rest] of [
      ["cfe16", { preprocessing: "torch" }],
      ["d2net-dim16", {}],
      ["cfe16", { weights: referenceTensors({ depth: 34 }) }],
    ] as const) {
      const stranger = open(recipe, {
        ...rest,
        cache: await FrozenCache.open(at("cache")),
        runtime: { runtime: silent },
      });
      await expect(stranger.feeds(batch), recipe).rejects.toThrow("the network was run");
    }
    // Another recipe on the same taps may share them.
    const sharing = open("d2net-backprop-dim16", {
      cache: await FrozenCache.open(at("cache")),
      runtime: { runtime: silent },
    });
    expect((await sharing.feeds(batch)).early).toEqual(first.early);
  });

  it("makes damaged files again", async () => {
    const task = open("cfe16", { cache: await FrozenCache.open(at("damaged")) });
    const batch = batchOf(task, 1);
    const first = await task.feeds(batch);
    const [one, two] = files("damaged");
    truncateSync(at("damaged", one), 1000);
    rmSync(at("damaged", two));
    expect(await task.feeds(batch)).toEqual(first);
    expect(files("damaged")).toEqual([one, two]);
    await task.dispose();
  });

  it("keeps to its limit: what was used longest ago goes", async () => {
    const outputs = (value: number) => ({ early: new Float32Array(1000).fill(value) });
    const lengths = { early: 1000 };
    const key = (n: number) => String(n).repeat(64);
    const cache = await FrozenCache.open(at("small"), { limit: 9000 });
    await cache.put(key(1), outputs(1));
    await cache.put(key(2), outputs(2));
    expect(await cache.get(key(1), lengths)).toEqual(outputs(1));
    await cache.put(key(3), outputs(3));
    expect(files("small")).toEqual([`${key(1)}.safetensors`, `${key(3)}.safetensors`]);
    expect(await cache.get(key(2), lengths)).toBeNull();
    expect(cache.bytes).toBeLessThan(9000);
    // Found again, by their age.
    utimesSync(at("small", `${key(3)}.safetensors`), 1, 1);
    const again = await FrozenCache.open(at("small"), { limit: 9000 });
    expect(again.bytes).toBe(cache.bytes);
    await again.put(key(4), outputs(4));
    expect(files("small")).toEqual([`${key(1)}.safetensors`, `${key(4)}.safetensors`]);
    // Of other lengths it is another network's.
    expect(await again.get(key(1), { early: 999 })).toBeNull();
    await again.put(key(5), { early: new Float32Array(10_000) });
    expect(files("small")).toEqual([`${key(4)}.safetensors`]);
  });

  it("may be shared by trainings that run at once: one limit, and what one has removed the other makes again", async () => {
    const outputs = (value: number) => ({ early: new Float32Array(1000).fill(value) });
    const key = (n: number) => String(n).repeat(64);
    const [a, b] = [
      await FrozenCache.open(at("shared"), { limit: 13_000 }),
      await FrozenCache.open(at("shared"), { limit: 13_000 }),
    ];
    for (const n of [1, 3, 5, 7]) {
      await a.put(key(n), outputs(n));
      await b.put(key(n + 1), outputs(n + 1));
      expect(files("shared").length).toBeLessThanOrEqual(4);
    }
    // Both have looked: three files fit.
    await a.put(key(9), outputs(9));
    expect(files("shared")).toHaveLength(3);
    expect(await b.get(key(8), { early: 1000 })).toEqual(outputs(8));
    rmSync(at("shared", `${key(8)}.safetensors`));
    expect(await b.get(key(8), { early: 1000 })).toBeNull();
  });

  it("that cannot be written says so once, and the training goes on", async () => {
    const notes: string[] = [];
    const cache = await FrozenCache.open(at("gone"), { note: (message) => notes.push(message) });
    rmSync(at("gone"), { recursive: true });
    const task = open("cfe16", { cache });
    await task.feeds(batchOf(task, 1, 2));
    expect(notes).toEqual([expect.stringMatching(/cache of frozen outputs takes no more: cannot write .*gone/)]);
    writeFileSync(at("file"), "");
    await expect(FrozenCache.open(at("file"))).rejects.toThrow(/cannot write into .*file/);
    await task.dispose();
  });
});

describe("weights", () => {
  it("come from checkpoints, model folders and trainings; plain ResNets get the reference's names", async () => {
    const whole = await readWeights(at("whole.ckpt"));
    expect(whole.tensors.size).toBe(weights.size);
    const prefix = "feature_encoder.resnet.";
    const plain = [...weights].filter(([name]) => name.startsWith(prefix));
    writeFileSync(
      at("resnet18.pth"),
      checkpointBytes(new Map(plain.map(([name, t]) => [name.slice(prefix.length), t]))),
    );
    const resnet = await readWeights(at("resnet18.pth"));
    expect([...resnet.tensors.keys()].sort()).toEqual(plain.map(([name]) => name).sort());
    expect(joinWeights(resnet, whole).tensors.has("feature_encoder.e3.0.bias")).toBe(true);
    expect(joinWeights(null, whole)).toBe(whole);
  });

  it("that do not belong together, or are none, are refused", async () => {
    await expect(readWeights(at("nowhere"))).rejects.toThrow(/no weights ".*nowhere": there is no such file or folder/);
    await expect(readWeights(folder)).rejects.toThrow(/has neither model\.safetensors nor model\/model\.safetensors/);
    writeFileSync(at("bad.safetensors"), "rubbish that is long enough");
    await expect(readWeights(at("bad.safetensors"))).rejects.toThrow(FormatError);
    const whole = { path: "whole", tensors: weights, preprocessing: null };
    const heads = { ...whole, path: "heads", tensors: referenceTensors({ headsOnly: true }) };
    const other = { ...whole, path: "other", tensors: referenceTensors({ depth: 34 }) };
    expect(() => joinWeights(null, null)).toThrow(OptionError);
    expect(() => joinWeights(heads, null)).toThrow(/heads: no backbone in it/);
    expect(() => joinWeights(whole, heads)).toThrow(/heads: no encoder in it/);
    expect(() => joinWeights(whole, other)).toThrow(
      /encoder in other was trained on another backbone than the one in whole/,
    );
  });
});

describe("a run in a folder", () => {
  const OPTIONS = { batch: 2, epochs: 2, rate: 1e-3, seed: 5 };
  const request = (out: string, rest: Partial<RunRequest> = {}, recipe = "cfe16"): RunRequest => ({
    out: at(out),
    task: open(recipe, { preprocessing: "torch" }),
    train: shiftedPairs(4),
    validation: shiftedPairs(2, { seed: 77 }),
    options: OPTIONS,
    runtime,
    versions: { strata: "test" },
    events: null,
    ...rest,
  });
  const json = (...parts: string[]) => JSON.parse(readFileSync(at(...parts), "utf8"));

  it("that never began leaves nothing, and of TensorBoard's folder only what is others'", async () => {
    const broken = { ...shiftedPairs(2), pair: () => Promise.reject(new FormatError("no such photograph")) };
    const own = request("never", { train: broken, events: undefined });
    await expect(runTraining(own)).rejects.toThrow("no such photograph");
    expect(readdirSync(at("never"))).toEqual([]);
    mkdirSync(at("logs/other"), { recursive: true });
    await expect(runTraining(request("never", { train: broken, events: at("logs") }))).rejects.toThrow(FormatError);
    expect(readdirSync(at("logs"))).toEqual(["other"]);
  });

  it("says where it runs, and when that is not where it was asked to", async () => {
    const notes: string[] = [];
    const here = await runTraining(request("here", { note: (message) => void notes.push(message) }));
    expect(here.session).toMatchObject({ backend: "cpu", threads: 1 });
    expect(notes).toEqual([]);
    // onnxruntime-node's CPU alone answers to this name.
    const elsewhere = {
      ...nodeRuntime,
      open: (model: Uint8Array) => nodeRuntime.open(model, { backend: "wasm", threads: 1 }),
    };
    const note = (message: string) => void notes.push(message);
    const there = await runTraining(request("there", { runtime: { runtime: elsewhere }, note }));
    expect(there.session?.backend).toBe("cpu");
    expect(notes).toEqual([there.session?.fallback]);
    expect(notes[0]).toMatch(/^wasm is not to be had here .*; using cpu$/);
    expect(there.best).toEqual(here.best);
  });

  it("ends with the best model, which attention is trained on and extraction opens", async () => {
    const encoder = await runTraining(request("encoder"));
    expect(encoder).toMatchObject({
      ended: "finished",
      step: 4,
      epoch: 2,
      resumedFrom: null,
      model: at("encoder/model"),
    });
    expect(readdirSync(at("encoder")).sort()).toEqual(["checkpoints", "log.jsonl", "model", "run.json"]);
    expect(json("encoder", "run.json")).toMatchObject({ task: "cfe16", pairs: 4, options: { rate: 1e-3, seed: 5 } });
    await expect(openExtractor({ model: at("encoder/model") })).rejects.toThrow(/no attention head/);

    const trained = await readWeights(at("encoder"));
    expect(trained.preprocessing).toBe("torch");
    const task = open("distinctiveness-n2-lambda0.5-squashed-dim16", {
      weights: trained.tensors,
      preprocessing: "torch",
    });
    const heads = await runTraining(request("heads", { task, options: { ...OPTIONS, epochs: 1 } }));
    expect(json("heads", "model", "config.json")).toMatchObject({
      kind: "reference",
      name: "distinctiveness-n2-lambda0.5-squashed-dim16",
      preprocessing: "torch",
      recipe: { options: { n: 2, lambda: 0.5 } },
      training: { step: 2, validationLoss: heads.best?.loss, data: { train: "shifted-4-64-1" } },
    });
    const extractor = await openExtractor({
      model: heads.model as string,
      threshold: 0,
      maxFeatures: 50,
      runtime: nodeRuntime,
    });
    expect(extractor.info).toMatchObject({ model: "distinctiveness-n2-lambda0.5-squashed-dim16", dim: 16 });
    const image = noiseImage(96, 64);
    const features = await extractor.extract(image);
    expect(features.count).toBe(50);
    // The preprocessing is the one it was trained with; another one gives other features.
    const raw = await openExtractor({
      model: heads.model as string,
      threshold: 0,
      maxFeatures: 50,
      preprocessing: "none",
      runtime: nodeRuntime,
    });
    expect((await raw.extract(image)).descriptors).not.toEqual(features.descriptors);
    for (const opened of [extractor, raw]) await opened.dispose();
  });

  it("is not mixed with another: refused, resumed as the same only, or thrown away", async () => {
    let steps = 0;
    const stopAt = (n: number) => ({ shouldStop: () => steps >= n, hooks: { onStep: () => void steps++ } });
    const first = await runTraining(request("mixed", stopAt(1)));
    expect(first).toMatchObject({ ended: "stopped", step: 1, model: null });
    await expect(runTraining(request("mixed"))).rejects.toThrow(/mixed holds a training already; --resume goes on/);
    const resume = { existing: "resume" } as const;
    const refused = (rest: Partial<RunRequest>, message: RegExp, recipe?: string) =>
      expect(runTraining(request("mixed", { ...resume, ...rest }, recipe))).rejects.toThrow(message);
    await refused({}, /another (task|recipe)/, "cfe32");
    await refused({ train: shiftedPairs(5) }, /another data set/);
    await refused({ validation: null }, /another data set/);
    await refused({ options: { ...OPTIONS, rate: 0.1 } }, /another option "rate"/);
    const second = await runTraining(request("mixed", resume));
    expect(second).toMatchObject({ ended: "finished", step: 4, resumedFrom: 1 });
    const whole = await runTraining(request("whole"));
    expect(second.best).toEqual(whole.best);
    const losses = (name: string) =>
      readFileSync(at(name, "log.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
        .filter(({ kind }) => kind === "step" || kind === "validation")
        .map(({ kind, step, loss }) => [kind, step, loss]);
    expect(losses("mixed")).toEqual(losses("whole"));
    expect(
      readFileSync(at("mixed/model/model.safetensors")).equals(readFileSync(at("whole/model/model.safetensors"))),
    ).toBe(true);
    // Finished, it is only told again; with more epochs it goes on.
    expect(await runTraining(request("mixed", resume))).toMatchObject({ step: 4, ended: "finished" });
    expect(await runTraining(request("mixed", { ...resume, options: { ...OPTIONS, epochs: 3 } }))).toMatchObject({
      step: 6,
    });
    const anew = await runTraining(
      request("mixed", { existing: "overwrite", options: { ...OPTIONS, epochs: 1 } }, "cfe32"),
    );
    expect(anew).toMatchObject({ step: 2, resumedFrom: null });
    expect(json("mixed", "run.json").task).toBe("cfe32");
  });

  it("killed before its first checkpoint begins again, as the same only; resuming nothing begins", async () => {
    await runTraining(request("early", { existing: "resume", options: { ...OPTIONS, epochs: 1 } }));
    rmSync(at("early/checkpoints"), { recursive: true });
    rmSync(at("early/model"), { recursive: true });
    const resume = { existing: "resume", options: { ...OPTIONS, epochs: 1 } } as const;
    await expect(runTraining(request("early", { ...resume, train: shiftedPairs(6) }))).rejects.toThrow(
      /another data set/,
    );
    expect(await runTraining(request("early", resume))).toMatchObject({ step: 2, resumedFrom: null });
  });

  it("passes over a damaged checkpoint and says so", async () => {
    await runTraining(request("torn", { options: { ...OPTIONS, checkpointEvery: 1 } }));
    truncateSync(at("torn/checkpoints/step-00000004/model.safetensors"), 100);
    const notes: string[] = [];
    const result = await runTraining(request("torn", { existing: "resume", note: (message) => notes.push(message) }));
    expect(notes).toEqual([expect.stringMatching(/damaged checkpoint, .*step-00000004/)]);
    expect(result).toMatchObject({ step: 4, resumedFrom: 3 });
  });
});
