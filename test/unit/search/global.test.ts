/** Indexes that rank by the vector of a global model: the model itself, the index, and the commands. */
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Extractor } from "../../../src/extract/extractor.js";
import { OnnxBuilder } from "../../../src/graph/onnx.js";
import type { Image } from "../../../src/image/image.js";
import { saveImage } from "../../../src/node/images.js";
import {
  copyIndex,
  createIndex,
  findDuplicates,
  type GlobalExtractor,
  loadGlobalModel,
  memoryStore,
  openGlobalModel,
  openIndex,
  searchImage,
  withGlobal,
} from "../../../src/node/search/index.js";
import { Random } from "../../../src/random.js";
import { fakeStrata, temporaryFolder } from "../cli/fake.js";
import { globalOnnx } from "./global-onnx.js";
import { DIM, drawnFeatures, extractorOf, MODEL, seenAgain, smallVocabulary, VERDICT } from "./samples.js";

const { path, remove } = temporaryFolder();
afterAll(remove);

/** A picture of 4×4 drawn colours; its first value is its number, the second whether it is seen anew. */
function picture(number: number, again = false, [width, height] = [320, 240]): Image {
  const random = new Random(number);
  const cells = Uint8Array.from({ length: 48 }, () => random.uniform(0, 255));
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const cell = 4 * Math.floor((4 * y) / height) + Math.floor((4 * x) / width);
    for (let c = 0; c < 3; c++) data[3 * i + c] = cells[3 * cell + c] / (again ? 1.2 : 1);
  }
  data.set([number, again ? 1 : 0]);
  return { width, height, data };
}

const featuresOf = ({ data }: Image) =>
  data[1] === 1 ? seenAgain(drawnFeatures(data[0]), 900 + data[0]) : drawnFeatures(data[0]);

const local = () =>
  ({
    ...extractorOf(),
    options: {},
    extract: async (image: Image) => featuresOf(image),
    dispose: async () => {},
  }) as never as Extractor;

const open = async (onnx = globalOnnx(), options = {}): Promise<GlobalExtractor> =>
  withGlobal(local(), await openGlobalModel(onnx, { name: "grid.onnx", ...options }));

async function fill(extractor: GlobalExtractor, store = memoryStore()) {
  const { global } = extractor.info;
  const index = await createIndex(store, { global, model: { ...MODEL, dim: DIM }, verdict: VERDICT });
  for (let i = 0; i < 8; i++) {
    await index.add({ id: `${i}.jpg`, features: await extractor.extract(picture(i)) });
    if (i % 3 === 2) await index.commit();
  }
  await index.commit();
  return index;
}

describe("a global model", () => {
  it("gives a vector of unit length, of pictures of any form, by its size, mean and std", async () => {
    const model = await openGlobalModel(globalOnnx(), { name: "grid.onnx" });
    expect(model.info).toMatchObject({
      name: "grid.onnx",
      dim: 48,
      input: { size: [8, 8], std: [0.229, 0.224, 0.225] },
    });
    expect(model.info.sha256).toMatch(/^[0-9a-f]{64}$/);
    const [wide, high] = [await model.vector(picture(1)), await model.vector(picture(1, false, [90, 300]))];
    expect(Math.hypot(...wide)).toBeCloseTo(1, 5);
    expect(wide.reduce((sum, value, k) => sum + value * high[k], 0)).toBeGreaterThan(0.99);
    const white = { width: 5, height: 3, data: new Uint8Array(45).fill(255) };
    const plain = await openGlobalModel(globalOnnx(), { input: { mean: [0, 0, 0], std: [1, 0.5, 0.25] } });
    const vector = await plain.vector(white);
    expect([vector[16] / vector[0], vector[32] / vector[0]].map((ratio) => Math.round(1e4 * ratio))).toEqual([
      2e4, 4e4,
    ]);
    await Promise.all([model.dispose(), plain.dispose()]);
    await model.dispose();
  });

  it("takes the size that its file leaves open from the options, and the output that exporters name", async () => {
    const one = await openGlobalModel(globalOnnx({ edge: 0, output: "image_embeds" }), {
      input: { size: [16, 8] },
    }).catch((error) => error);
    // The grid's file says how many values it gives only for pictures of 8×8.
    expect(one.message ?? "").toMatch(/does not run|gives|^$/);
    const two = await openGlobalModel(globalOnnx({ grid: 1, output: "image_embeds" }));
    expect(two.info.dim).toBe(3);
    await two.dispose();
  });

  it("is refused where it is none, in plain words", async () => {
    const built = (make: (graph: OnnxBuilder) => void): Uint8Array => {
      const graph = new OnnxBuilder();
      make(graph);
      return graph.toBytes("global");
    };
    const cases: [Uint8Array, RegExp, object?][] = [
      [new Uint8Array(90), /g: no ONNX file of a model that runs here/],
      [globalOnnx(), /g: takes pictures of 8×8 pixels, not 16×16/, { input: { size: [16, 16] } }],
      [globalOnnx({ scale: Number.NaN }), /no finite numbers/],
      [
        built((graph) => {
          const [a, b] = ["pixels", "ids"].map((name) => graph.input(name, "float32", [1, 3, 8, 8]));
          graph.output("sum", graph.node("Add", [a, b]), "float32", [1, 3, 8, 8]);
        }),
        /has one input, the picture; this one has 2 \(pixels, ids\)/,
      ],
      [
        built((graph) => graph.output("out", graph.input("pixels", "float32", [1, 8, 8, 3]), "float32", [1, 8, 8, 3])),
        /the input pixels must be float32 \[1, 3, height, width\], it is float32 \[1, 8, 8, 3\]/,
      ],
      [
        built((graph) => graph.output("maps", graph.input("pixels", "float32", [1, 3, 8, 8]), "float32", [1, 3, 8, 8])),
        /gives no vector \[1, D\] \(float32\) of a picture, but maps float32 \[1, 3, 8, 8\]/,
      ],
    ];
    for (const [onnx, text, options] of cases) {
      const work = async () => (await openGlobalModel(onnx, { name: "g", ...options })).vector(picture(1));
      await expect(work()).rejects.toThrow(text);
    }
    await expect(openGlobalModel(globalOnnx(), { input: { colour: 1 } as never })).rejects.toThrow(
      /size, mean and std/,
    );
    await expect(openGlobalModel(globalOnnx(), { input: { std: [0, 1, 1] } })).rejects.toThrow(/input\.std/);
    await expect(loadGlobalModel(path("nowhere.onnx"))).rejects.toThrow(/no global model .*nowhere\.onnx/);
    await expect(loadGlobalModel(path("."))).rejects.toThrow(/is a folder; a global model is an ONNX file/);
  });

  it("in a file takes what transformers write beside it", async () => {
    mkdirSync(path("hf"));
    writeFileSync(path("hf", "model.onnx"), globalOnnx());
    writeFileSync(path("hf", "preprocessor_config.json"), JSON.stringify({ image_mean: [0.5, 0.5, 0.5], size: 224 }));
    const model = await loadGlobalModel(path("hf", "model.onnx"));
    expect(model.info.input).toEqual({ size: [8, 8], mean: [0.5, 0.5, 0.5], std: [0.229, 0.224, 0.225] });
    writeFileSync(path("hf", "preprocessor_config.json"), JSON.stringify({ image_std: "big" }));
    await expect(loadGlobalModel(path("hf", "model.onnx"))).rejects.toThrow(
      /"image_std" must be three numbers, got "big"/,
    );
    await model.dispose();
  });
});

describe("an index of global vectors", () => {
  it("ranks by them and verifies by geometry; opened again, merged and copied it ranks alike", async () => {
    const extractor = await open();
    const store = memoryStore();
    const index = await fill(extractor, store);
    const ranked = async (one = index) => (await searchImage(one, extractor, picture(5, true), { top: 8 })).results;
    const before = await ranked();
    expect(before[0]).toMatchObject({ id: "5.jpg", found: true });
    expect(before[0].score).toBeGreaterThan(0.9);
    expect(before[0].inliers).toBeGreaterThan(30);
    expect(before.slice(1).some(({ found }) => found)).toBe(false);
    const own = (await extractor.extract(picture(5, true))).global as Float32Array;
    const vectors = await Promise.all(
      [...Array(8).keys()].map(async (i) => (await extractor.extract(picture(i))).global),
    );
    for (const { id, score } of before) {
      const product = own.reduce((sum, value, k) => sum + value * (vectors[Number.parseInt(id, 10)]?.[k] ?? 0), 0);
      expect(score).toBeCloseTo(product, 1);
    }
    expect(index.info()).toMatchObject({
      kind: "global",
      images: 8,
      vocabulary: null,
      global: { name: "grid.onnx", dim: 48 },
    });
    expect(await index.vocabulary()).toBe(null);
    await index.merge();
    expect(index.info().segments).toHaveLength(1);
    expect(await ranked()).toEqual(before);
    expect(await index.check()).toEqual([]);
    await index.close();
    const copy = memoryStore();
    expect(await copyIndex(store, copy)).toHaveLength(2);
    const again = await openIndex(copy, { write: true });
    expect(await ranked(again)).toEqual(before);
    again.remove(["5.jpg"]);
    await again.commit();
    expect((await ranked(again)).map(({ id }) => id)).not.toContain("5.jpg");
    await again.add({ id: "twin.jpg", features: await extractor.extract(picture(6)) });
    await again.commit();
    const [{ ids, pairs }] = await findDuplicates(again);
    expect([ids.sort(), pairs[0].reason]).toEqual([["6.jpg", "twin.jpg"], "same"]);
    await again.close();
    await extractor.dispose();
  });

  it("refuses another model, a picture without the vector, and words beside it", async () => {
    const extractor = await open();
    const index = await fill(extractor);
    const search = (one: Extractor) => searchImage(index, one, picture(1));
    await expect(search(local())).rejects.toThrow(
      /ranks by vectors of the global model grid\.onnx .*--global grid\.onnx/,
    );
    const other = await open(globalOnnx({ scale: 2 }), { name: "other.onnx" });
    await expect(search(other)).rejects.toThrow(/vectors of grid\.onnx \(\w{8}\), not of other\.onnx \(\w{8}\)/);
    const grey = await open(globalOnnx(), { input: { mean: [0.5, 0.5, 0.5] } });
    await expect(search(grey)).rejects.toThrow(/with the input .*0\.485.*, not .*0\.5,/);
    await expect(index.add({ id: "a", features: drawnFeatures(1) })).rejects.toThrow(/the vector of grid\.onnx/);
    const short = { ...drawnFeatures(1), global: new Float32Array(3) };
    await expect(index.search(short)).rejects.toThrow(/48 values, as grid\.onnx gives them/);
    const words = await createIndex(memoryStore(), { vocabulary: await smallVocabulary(), verdict: VERDICT });
    await expect(searchImage(words, extractor, picture(1))).rejects.toThrow(/ranks by words, not by vectors of grid/);
    const made = (options: object) => createIndex(memoryStore(), options as never);
    const { global } = extractor.info;
    await expect(made({ global, vocabulary: await smallVocabulary() })).rejects.toThrow(/ranks by one of them/);
    await expect(made({ global, kind: "vlad", model: { ...MODEL, dim: DIM } })).rejects.toThrow(/"kind"/);
    await expect(made({ global })).rejects.toThrow(/the model/);
    await expect(made({ kind: "global", vocabulary: await smallVocabulary() })).rejects.toThrow(/"global"/);
    await expect(made({ global: { ...global, dim: 0 } })).rejects.toThrow(/global\.dim/);
    await Promise.all([extractor, other, grey].map((one) => one.dispose()));
  });
});

describe("strata index --global", () => {
  const fake = fakeStrata();
  const index = path("global.index");
  const photos = path("photos");
  beforeAll(async () => {
    fake.features = featuresOf;
    fake.dim = DIM;
    fake.verdict = VERDICT;
    mkdirSync(photos);
    for (const i of [10, 20, 30]) await saveImage(`${photos}/${i}.png`, picture(i));
    await saveImage(path("query.png"), picture(20, true));
    writeFileSync(path("grid.onnx"), globalOnnx());
    writeFileSync(path("other.onnx"), globalOnnx({ scale: 3 }));
  });
  const said = async (...argv: string[]) => (await fake.run(...argv)).err;

  it("makes an index that search, info and a second run know without being told the model again", async () => {
    const made = await fake.run(
      "index",
      photos,
      "--out",
      index,
      "--model",
      "fake",
      "--global",
      path("grid.onnx"),
      "--json",
    );
    expect([made.err, made.code]).toEqual(["", 0]);
    expect(JSON.parse(made.out)).toMatchObject({ added: 3, images: 3 });
    await saveImage(`${photos}/40.png`, picture(40));
    const more = await fake.run("index", photos, "--out", index, "--json");
    expect(JSON.parse(more.out)).toMatchObject({ added: 1, unchanged: 3, images: 4 });
    const { results } = JSON.parse((await fake.run("search", index, path("query.png"), "--json")).out);
    expect(results[0]).toMatchObject({ id: `${photos}/20.png`, found: true });
    const info = JSON.parse((await fake.run("index", "info", index, "--json")).out);
    expect(info).toMatchObject({ kind: "global", vocabulary: null, global: { name: path("grid.onnx"), dim: 48 } });
    expect((await fake.run("index", "info", index)).out).toMatch(/kind global, 48 values of .*grid\.onnx/);
    expect((await fake.run("index", "check", index)).code).toBe(0);
  });

  it("says what is wrong: no such file, another one, words beside it, a file that has moved", async () => {
    const making = (...more: string[]) => said("index", photos, "--out", path("new.index"), "--model", "fake", ...more);
    expect(await making("--global", path("none.onnx"))).toMatch(/no global model .*none\.onnx/);
    expect(await making("--global", path("grid.onnx"), "--kind", "vlad")).toMatch(/takes the place of words/);
    expect(await making("--global", path("query.png"))).toMatch(/query\.png: no ONNX file/);
    expect(existsSync(path("new.index"))).toBe(false);
    expect(await said("index", photos, "--out", index, "--global", path("other.onnx"))).toMatch(/not of .*other\.onnx/);
    expect(await said("search", index, path("query.png"), "--global", path("other.onnx"))).toMatch(
      /not of .*other\.onnx/,
    );
    renameSync(path("grid.onnx"), path("moved.onnx"));
    expect(await said("search", index, path("query.png"))).toMatch(/no global model .*grid\.onnx/);
    const found = await fake.run("search", index, path("query.png"), "--global", path("moved.onnx"), "--json");
    expect(JSON.parse(found.out).results[0]).toMatchObject({ id: `${photos}/20.png`, found: true });
  });
});
