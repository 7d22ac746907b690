/** Samples for the functions of the search door. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as search from "../../../src/node/search/index.js";
import { globalOnnx } from "../search/global-onnx.js";
import { drawnFeatures, MODEL, smallVocabulary, VERDICT } from "../search/samples.js";
import { features, image } from "./core.js";
import type { Table } from "./probe.js";

export const searchFolder = mkdtempSync(join(tmpdir(), "strata-misuse-search-"));
const at = (name: string) => join(searchFolder, name);
const extractor = {
  info: { model: MODEL.name, sha256: MODEL.sha256, dim: 64, verdict: VERDICT as object },
  options: {},
  extract: async () => drawnFeatures(1),
};
const none = () => [at("none.png")];
/** An index of its own for each call. */
const index = async () =>
  search.createIndex(search.memoryStore(), { vocabulary: await smallVocabulary(), verdict: VERDICT });
const training = () => {
  const { descriptors } = drawnFeatures(1, 8, 4);
  return { descriptors, dim: 4, pictures: Uint32Array.of(0, 8) };
};
const page = { query: "a.png", image, features, results: [] };

export const SEARCH: Table = {
  addressStore: () => ({ args: ["http://127.0.0.1:9/photos.index"], opaque: ["0"], also: { "0": "string" } }),
  checkSameModel: async () => ({ args: [await index(), extractor], depth: 1, opaque: ["0", "1"] }),
  checkVocabulary: async () => ({
    args: [await smallVocabulary(), MODEL, "words", "train one"],
    optional: 3,
    depth: 1,
    also: { "2": "any", "3": "any", "0.digest": "any" },
  }),
  copyIndex: async () => ({ args: [search.memoryStore(), search.memoryStore()], refused: true, opaque: ["0", "1"] }),
  createLanceIndex: async () => ({
    args: ["lance:db://refused", { vocabulary: await smallVocabulary(), kind: "asmk" }],
    refused: true,
    depth: 1,
  }),
  createIndex: async () => ({
    args: [search.memoryStore(), { vocabulary: await smallVocabulary(), keptKeypoints: 10, verdict: VERDICT }],
    depth: 1,
    also: { "1.verdict": "null" },
  }),
  findDuplicates: async () => ({
    args: [await index(), { overlap: 0.5, verify: 3 }],
    optional: 1,
    opaque: ["0"],
    depth: 1,
  }),
  folderImages: () => ({ args: [none()] }),
  folderStore: () => ({ args: [at("a.index")] }),
  indexImages: async () => ({
    args: [await index(), none(), extractor, { commitEvery: 3 }],
    optional: 3,
    opaque: ["0", "2"],
    depth: 1,
  }),
  isVocabulary: () => ({ args: [new Uint8Array(9)] }),
  loadVocabulary: () => ({ args: [at("none")], refused: true }),
  memoryStore: () => ({ args: ["photos"], optional: 0 }),
  loadGlobalModel: () => ({ args: [at("none.onnx"), { name: "g" }], refused: true, optional: 1, depth: 1 }),
  modelVocabulary: () => ({ args: ["no such model"], refused: true }),
  openGlobalModel: () => ({
    args: [globalOnnx(), { name: "g", input: { size: [8, 8] } }],
    optional: 1,
    depth: 1,
    also: { "1.name": "any" },
  }),
  openIndex: () => ({
    args: [search.memoryStore(), { write: false, cacheBytes: 5 }],
    refused: true,
    optional: 1,
    depth: 1,
  }),
  openLanceIndex: () => ({
    args: ["lance:db://refused", { write: false, storageOptions: { region: "x" } }],
    refused: true,
    optional: 1,
    depth: 1,
  }),
  openPhotoIndex: () => ({
    args: [at("b.index"), { extraction: { model: "no such model" } }],
    refused: true,
    optional: 1,
    depth: 1,
  }),
  openQueryExtractor: async () => ({
    args: [await index(), { model: "no such model" }],
    refused: true,
    opaque: ["0"],
    depth: 1,
    also: { "1.model": "undefined" },
  }),
  readVocabulary: async () => ({
    args: [search.writeVocabulary(await smallVocabulary()), "words"],
    optional: 1,
    also: { "1": "any" },
  }),
  saveDuplicatesPage: () => ({ args: [at("d.html"), [], 3] }),
  saveSearchPage: () => ({ args: [at("s.html"), page], depth: 1, also: { "1.query": "any" } }),
  saveSearchVerdict: () => ({ args: [at("none"), VERDICT, { seed: 1 }], refused: true, depth: 1 }),
  saveVocabulary: async () => ({ args: [at("words"), await smallVocabulary()], depth: 0 }),
  searchImage: async () => ({
    args: [await index(), extractor, image, { top: 3 }],
    optional: 3,
    opaque: ["0", "1"],
    depth: 1,
  }),
  searchVerdict: () => ({ args: [extractor], depth: 1, also: { "0.options": "any", "0.extract": "any" } }),
  trainOnPhotos: () => ({
    args: [none(), extractor, { words: 5 }],
    optional: 2,
    opaque: ["1"],
    refused: true,
    depth: 1,
  }),
  trainVocabulary: () => ({ args: [MODEL, training(), { words: 2, iterations: 1 }], optional: 2, depth: 1 }),
  watchFolders: () => ({ args: [[searchFolder], AbortSignal.abort()], opaque: ["1"], depth: 0 }),
  withGlobal: async () => ({ args: [extractor, await search.openGlobalModel(globalOnnx())], opaque: ["0", "1"] }),
  writeVocabulary: async () => ({ args: [await smallVocabulary()], depth: 0 }),
};
