/** Samples for the functions that the Node and the web door add to the core. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as node from "../../../src/node/index.js";
import { strataTensors, TINY } from "../../models.js";
import { features, image, matches, report } from "./core.js";
import type { Table } from "./probe.js";

/** Where samples lie; `clean` removes it. */
const folder = mkdtempSync(join(tmpdir(), "strata-misuse-"));
export const samples = folder;
const at = (name: string): string => join(folder, name);
writeFileSync(at("tiny.safetensors"), node.writeSafetensors(strataTensors(TINY)));
writeFileSync(at("tiny.json"), JSON.stringify(TINY));
writeFileSync(at("image.ppm"), new Uint8Array([...Buffer.from("P6 2 1 255\n"), 1, 2, 3, 4, 5, 6]));

const model = at("tiny.safetensors");
const database = () => node.toColmapDatabase(new Map([["a", features]]), []);
const levels = { "1.features.0.levels": "undefined", "1.features.1.levels": "undefined" };
const pair = { name0: "a", name1: "b", count0: 4, matches };
const store = () => node.fileStore({ format: "npz", extension: ".npz", out: at("out"), append: false, resume: false });
/** An extractor that finds the same in every image. */
const extractor = {
  info: { model: "x", sha256: "", dim: 8 },
  options: {},
  extract: async () => features,
  extractBatch: async () => [features],
  dispose: async () => {},
};

export const NODE: Table = {
  checkExport: async () => ({
    args: [
      new Uint8Array(4),
      { options: {}, input: "uint8", size: null, batch: null },
      { model },
      [],
      { runtimes: [] },
    ],
    optional: 4,
    opaque: ["2"],
    also: { "1.size": "null", "1.batch": "null number" },
  }),
  checkExportedFile: async () => ({
    args: [{ out: model, options: {}, input: "uint8", size: null, batch: null }, { model }, [], { runtimes: [] }],
    optional: 3,
    opaque: ["1"],
    also: { "0.size": "null", "0.batch": "null number" },
  }),
  describeModel: () => ({ args: [model], optional: 0 }),
  encodeJpeg: () => ({ args: [image, 90], optional: 1 }),
  encodePng: () => ({ args: [image] }),
  exportMatcherFile: () => ({ args: [at("m.onnx"), { dim: 8, force: true }], optional: 1, also: { "1.dim": "null" } }),
  exportModel: () => ({
    args: [at("x.onnx"), { model, maxFeatures: 4, scales: [1], force: true }],
    optional: 1,
    also: { "1.maxFeatures": "null" },
  }),
  extractMany: () => ({
    args: [[{ path: at("image.ppm"), name: "a" }], extractor, store(), {}],
    optional: 3,
    opaque: ["1", "2"],
  }),
  fetchModel: async () => ({
    args: [(await node.openRegistry()).get("strata-s"), {}],
    optional: 1,
    depth: 0,
    refused: true,
  }),
  fileStore: () => ({
    args: [{ format: "npz", extension: ".npz", out: at("out"), append: false, resume: false }],
    also: { "0.out": "undefined", "0.extension": "function" },
  }),
  exportColmap: () => ({
    args: [at("none.h5"), at("out.db"), { verify: "none" }],
    optional: 2,
    refused: true,
  }),
  findImages: () => ({ args: [[folder], { recursive: false }], optional: 1 }),
  hlocStore: () => ({ args: [{ file: at("f.h5"), existing: "refuse" }] }),
  importModel: () => ({
    args: [model, { out: at("imported"), force: true }],
    optional: 2,
    also: { "1.force": "undefined" },
  }),
  knownModels: () => ({ args: [undefined], optional: 0 }),
  listImages: () => ({ args: [[folder], { recursive: false }], optional: 1 }),
  listPairs: () => ({ args: ["exhaustive", new Set(["a", "b"]), 1], also: { "2": "any" } }),
  loadFeatures: async () => {
    await node.saveFeatures(at("l.npz"), new Map([["a", features]]), { force: true });
    return { args: [at("l.npz"), { descriptors: "unused" }], optional: 1 };
  },
  loadPairs: () => ({ args: [at("none.h5"), new Map([["a", features]])], refused: true }),
  loadColmapDatabase: async () => {
    await node.saveColmapDatabase(at("a.db"), database());
    return { args: [at("a.db"), { limit: 1e6 }], optional: 1 };
  },
  loadImage: () => ({
    args: [at("image.ppm"), { pixelLimit: 100 }],
    optional: 1,
  }),
  loadSqlite: () => ({ args: [] }),
  matchMany: () => ({
    args: [
      new Map([
        ["a", features],
        ["b", features],
      ]),
      [["a", "b"]],
      at("m.h5"),
      { existing: "overwrite", ratio: 0.9 },
    ],
    optional: 3,
    also: { "3.ratio": "null" },
  }),
  loadTarget: () => ({ args: [at("none.strata"), async () => extractor], refused: true }),
  openFrames: () => ({ args: [at("image.ppm")] }),
  trackFrames: () => ({
    args: [{ process: async () => ({}) }, { count: 0, async *frames() {} }, { rate: 30 }],
    optional: 2,
    opaque: ["0", "1"],
  }),
  modelInformation: () => ({ args: ["strata-s"] }),
  openExtractor: () => ({
    args: [{ model, maxFeatures: 10, threads: 1 }],
    optional: 0,
    also: { "0.maxFeatures": "null" },
  }),
  openRegistry: () => ({ args: [undefined, {}], optional: 0, depth: 1 }),
  readFileChecked: () => ({ args: [model, { limit: 1e9 }], optional: 1 }),
  readTensorFile: () => ({ args: [model] }),
  removeModels: () => ({ args: [["none"], () => {}], optional: 1, refused: true }),
  renderSvg: () => ({ args: ['<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"/>'] }),
  saveColmapDatabase: () => ({ args: [at("b.db"), database(), { limit: 1e9 }], optional: 2, depth: 1 }),
  saveFeatures: () => ({
    args: [at("s.npz"), new Map([["a", features]]), { force: true }],
    optional: 2,
  }),
  savePairs: () => ({
    args: [
      at("p.json"),
      [pair],
      new Map([
        ["a", features],
        ["b", features],
      ]),
    ],
    also: { "1.0.count0": "any" },
  }),
  saveImage: () => ({ args: [at("b.png"), image] }),
  saveMatches: () => ({
    args: [at("m.json"), report()],
    opaque: ["1.info", "1.seconds"],
    also: { "1.verdict": "object", "1.homography.matrix": "null", ...levels },
  }),
  writeFileAtomic: () => ({ args: [at("c.bin"), new Uint8Array(3)], also: { "1": "string" } }),
};

export const WEB: Table = {
  // Where there is neither a camera nor a canvas.
  camera: () => ({ args: [{ width: 640 }], optional: 0, refused: true }),
  // Of what a page has as a folder.
  directoryStore: () => ({ args: [{ getFileHandle() {} }, "the index"], opaque: ["0"] }),
  frameReader: () => ({ args: [640], optional: 0, refused: true }),
  loadImage: () => ({ args: [readFileSync(at("image.ppm")), { pixelLimit: 100 }], optional: 1 }),
  openExtractor: () => ({
    args: [
      { model: { weights: readFileSync(model), config: readFileSync(at("tiny.json")) }, threads: 1, maxFeatures: 10 },
    ],
    also: { "0.threads": "undefined", "0.maxFeatures": "undefined null" },
  }),
  setWasmPaths: () => ({ args: ["/wasm/"] }),
  showMatches: () => ({ args: [{}, {}], refused: true }),
};
