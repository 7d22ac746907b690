/** Samples for every function of the core door. */
import { numpy as np } from "@jax-js/jax";
import * as core from "../../../src/index.js";
import { loadSqlite, nodeRuntime } from "../../../src/node/index.js";
import { noiseImage, referenceTensors, strataTensors, TINY } from "../../models.js";
import { bundle } from "../formats/bundles.js";
import { sampleFeatures } from "../formats/samples.js";
import { checkpoint, dict, raw, tensor } from "../torch/pickles.js";
import type { Table } from "./probe.js";

export const IDENTITY = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
const matrix = "array Float32Array";
export const image = noiseImage(8, 6, 1);
export const features = sampleFeatures(4, { dim: 8 });
export const matches = { count: 4, pairs: Uint32Array.of(0, 0, 1, 1, 2, 2, 3, 3), scores: new Float32Array(4).fill(1) };
export const homography = { matrix: IDENTITY, inliers: Uint32Array.of(0, 1, 2, 3) };
const wide = sampleFeatures(4, { dim: 64 });
const array = () => core.ndarray(Float32Array.of(1, 2, 3, 4), [2, 2]);
const pair = { name0: "a", name1: "b", count0: 4, matches };
const named = () =>
  new Map<string, core.Features>([
    ["a", features],
    ["b", features],
  ]);
const opened = () => core.openStrata("tiny", strataTensors(TINY), TINY, "");
const extractor = () =>
  new core.DenseExtractor(opened().model, core.extractOptions({}, opened().defaults), {
    runtime: nodeRuntime,
    threads: 1,
  });
const camera = { fx: 500, fy: 500, cx: 320, cy: 240 };
const points = () => Float32Array.of(0, 0, 100, 0, 100, 100, 0, 100, 50, 20);
const verdict = {
  weights: { inliers: 1, share: 1, spread: 1, tightness: -1, form: 1 },
  bias: 0,
  same: 0.9,
  different: 0.1,
};
const drawn = {
  "0.options": "undefined",
  "0.homography.matrix": "null",
  "0.featuresA.levels": "undefined",
  "0.featuresB.levels": "undefined",
};
export const report = () => ({
  paths: ["a", "b"] as const,
  images: [image, image] as const,
  features: [features, features],
  matches,
  homography,
  verdict: null,
  seconds: {},
  info: {},
});
const picture = () => ({
  imageA: { href: "data:image/png;base64,AA==", width: 640, height: 480 },
  imageB: { href: "data:image/png;base64,AA==", width: 640, height: 480 },
  featuresA: features,
  featuresB: features,
  matches,
  homography,
});
const weights = dict({ w: tensor({ storage: "DoubleStorage", key: "0", count: 6, shape: [3, 2], strides: [1, 3] }) });
const torch = () => checkpoint(weights, { 0: raw(Float64Array.of(1, 2, 3, 4, 5, 6)) });
const database = () => core.toColmapDatabase(named(), [pair]);
const twoView = {
  kind: "planar" as const,
  inliers: Uint32Array.of(0, 0),
  fundamental: null,
  essential: null,
  homography: IDENTITY,
  pose: null,
};

/** `levels` may be absent. */
const of = (at: string) => ({ [`${at}.levels`]: "undefined", [`${at}.kind`]: "undefined" });
const H = (at: string) => ({ [at]: matrix });

export const CORE: Table = {
  cellToPixel: () => ({ args: [1, 2] }),
  checkFeatures: () => ({ args: ["x", features], also: { "0": "any", ...of("1") } }),
  checkImage: () => ({ args: ["x", image], also: { "0": "any" } }),
  colmapFeatures: () => ({
    args: [{ keypoints: points(), descriptors: new Uint8Array(5 * 128) }, [640, 480], false],
    optional: 2,
    also: { "0.descriptors": "null undefined" },
  }),
  compareFeatures: () => ({ args: [features, features], also: { ...of("0"), ...of("1") } }),
  compile: () => ({
    args: [
      ({ x }: { x?: np.Array }) => x?.mul(2) ?? np.zeros([1]),
      { x: { shape: [2] } },
      { runtime: nodeRuntime, threads: 1, backend: "cpu", name: "x" },
    ],
    optional: 2,
    opaque: ["1", "2.runtime"],
  }),
  lower: () => ({
    args: [
      ({ x }: { x?: np.Array }) => x?.mul(-1) ?? np.zeros([1]),
      { x: { shape: ["N"], type: "float32" } },
      { dims: { N: [2, 3] } },
    ],
    opaque: ["1"],
    optional: 2,
    also: { "1.x.type": "undefined", "2.dims": "any" },
  }),
  input: () => ({ args: [[2, "N"], "float32"], optional: 1, also: { "0.1": "number", "0.0": "string" } }),
  compose: () => ({ args: [IDENTITY, IDENTITY], also: { ...H("0"), ...H("1") } }),
  cornerError: () => ({ args: [IDENTITY, IDENTITY, [640, 480]], also: { "0": `${matrix} null`, ...H("1") } }),
  databaseFeatures: () => ({ args: [database()], depth: 1, also: { "0.pairs": "any" } }),
  databaseMatches: () => ({ args: [database(), {}], optional: 1, depth: 1, also: { "0.cameras": "any" } }),
  recoverPose: () => ({
    args: [IDENTITY, points(), points(), { intrinsicsA: camera, intrinsicsB: camera, inliers: Uint32Array.of(0, 1) }],
    also: { ...H("0"), "1": "Float64Array", "2": "Float64Array", "3.inliers": "null undefined" },
  }),
  triangulatePoints: () => ({
    args: [
      { rotation: IDENTITY, translation: Float64Array.of(1, 0, 0) },
      points(),
      points(),
      { intrinsicsA: camera, intrinsicsB: camera },
    ],
    also: {
      "0.rotation": matrix,
      "0.translation": `${matrix} Uint8Array Uint32Array`,
      "1": "Float64Array",
      "2": "Float64Array",
    },
  }),
  disposeMatching: () => ({ args: [] }),
  defaultRuntime: () => ({ args: [] }),
  setDefaultRuntime: () => ({ args: [nodeRuntime], opaque: ["0"] }),
  emptyFeatures: () => ({ args: [[640, 480], 64] }),
  estimateHomography: () => ({
    args: [points(), points(), { method: "dlt", threshold: 3, seed: 0 }],
    optional: 2,
  }),
  matchGuided: () => ({
    args: [features, features, { model: "homography", matrix: IDENTITY }, { radius: 3, mutual: true }],
    optional: 3,
    also: { ...of("0"), ...of("1"), "2.matrix": `${matrix} Uint8Array Uint32Array` },
  }),
  rematchGuided: () => ({
    args: [features, features, matches, { model: "homography", ...homography }, { threshold: 3 }],
    optional: 4,
    opaque: ["4"],
    also: { ...of("0"), ...of("1"), "3.matrix": `${matrix} null Uint8Array Uint32Array` },
  }),
  estimateFundamental: () => ({
    args: [points(), points(), { threshold: 3, seed: 0, minInliers: 8, scores: Float32Array.of(1, 2, 3, 4, 5) }],
    optional: 2,
    also: { "2.scores": "null array Float64Array Uint8Array Uint32Array" },
  }),
  estimateEssential: () => ({
    args: [points(), points(), { threshold: 3, seed: 0, intrinsicsA: camera, intrinsicsB: camera }],
    also: { "2.threshold": "undefined", "2.seed": "undefined" },
  }),
  verifyMatches: () => ({
    args: [features, features, matches, { method: "dlt" }],
    optional: 3,
    also: { ...of("0"), ...of("1") },
  }),
  exportFeatures: () => {
    const { model, defaults } = opened();
    return {
      args: [model, core.extractOptions({ maxFeatures: 4, scales: [1] }, defaults), { input: "uint8" }],
      optional: 2,
      opaque: ["0", "1"],
    };
  },
  exportMatcher: () => ({ args: [64, "1.0"], optional: 0, also: { "0": "null" } }),
  extractOptions: () => ({
    args: [{ threshold: 0.5, scales: [1] }, {}],
    optional: 1,
    also: { "0": "undefined", "0.threshold": "undefined", "0.scales": "undefined" },
  }),
  fitSize: () => ({
    args: [640, 480, { maxEdge: 100, maxSumEdges: 300 }],
    also: { "2.maxEdge": "undefined", "2.maxSumEdges": "undefined" },
  }),
  fromColmap: () => ({ args: [points()], also: { "0": "Float64Array" } }),
  toColmap: () => ({ args: [points()], also: { "0": "Float64Array" } }),
  fromColmapDescriptors: () => ({ args: [new Uint8Array(128)] }),
  toColmapDescriptors: () => ({ args: [new Float32Array(64)] }),
  fundamentalFromColmap: () => ({ args: [IDENTITY], also: H("0") }),
  fundamentalToColmap: () => ({ args: [IDENTITY], also: H("0") }),
  homographyFromColmap: () => ({ args: [IDENTITY], also: H("0") }),
  homographyToColmap: () => ({ args: [IDENTITY], also: H("0") }),
  imageCorners: () => ({ args: [[640, 480]] }),
  inverse3x3: () => ({ args: [IDENTITY], also: H("0") }),
  invertTwoView: () => ({
    args: [twoView],
    also: Object.fromEntries(["fundamental", "essential", "homography", "pose"].map((k) => [`0.${k}`, "null"])),
  }),
  isPackedColmap: () => ({ args: [new Uint8Array(128)] }),
  isSqlite: () => ({ args: [new Uint8Array(100)] }),
  judgeGeometry: () => ({
    args: [verdict, features, features, matches, { model: "homography", ...homography }, {}],
    optional: 5,
    also: { ...of("1"), ...of("2"), "4.matrix": `${matrix} null`, "4.rotation": "any", "4.translation": "any" },
  }),
  judgeHomography: () => ({
    args: [verdict, features, features, matches, homography],
    also: { ...of("1"), ...of("2"), "4.matrix": `${matrix} null` },
  }),
  parseVerdictModel: () => ({ args: ["x", verdict], also: { "0": "any", "1.fitted": "any" } }),
  listHlocImages: async () => ({ args: [await core.writeHlocFeatures([["a", features]])] }),
  makeCamera: () => ({ args: [1, [640, 480], { model: "PINHOLE" }], optional: 2 }),
  matchFeatures: () => ({
    args: [features, features, { mutual: true, ratio: 0.9, minSimilarity: 0 }],
    optional: 2,
    also: { ...of("0"), ...of("1"), "2.ratio": "null", "2.minSimilarity": "null" },
  }),
  alignImages: () => ({ args: [extractor(), [image, image], { match: {}, homography: {} }], optional: 2 }),
  matchImages: () => ({ args: [extractor(), image, image, { match: {}, homography: {} }], optional: 3 }),
  matchJson: () => ({
    args: [report(), false],
    optional: 1,
    opaque: ["0.info", "0.seconds"],
    also: { "0.verdict": "object", "0.homography.matrix": "null" },
  }),
  matchNpz: () => ({
    args: [report()],
    opaque: ["0.info", "0.seconds"],
    also: { "0.verdict": "object", "0.homography.matrix": "null" },
  }),
  matchedPoints: () => ({ args: ["x", features, features, matches], also: { "0": "any", ...of("1"), ...of("2") } }),
  matchesHtml: () => ({ args: [picture()], also: drawn }),
  matchesSvg: () => ({ args: [picture()], also: drawn }),
  ndarray: () => ({
    args: [Float32Array.of(1, 2, 3), [3]],
    optional: 1,
    also: { "0": "Float64Array Uint8Array Uint32Array" },
  }),
  toFloat32: () => ({ args: [array()] }),
  openModel: () => ({
    args: ["x", strataTensors(TINY), TINY, {}, ""],
    opaque: ["2"],
    also: { "0": "any" },
  }),
  openReference: () => ({
    args: ["x", "x", referenceTensors(), { firstStride: 1 }, ""],
    also: { "0": "any", "3.firstStride": "undefined" },
  }),
  openStrata: () => ({ args: ["x", strataTensors(TINY), TINY, ""], opaque: ["2"], also: { "0": "any" } }),
  packColmapDescriptors: () => ({ args: [features], also: of("0") }),
  padImage: () => ({ args: [image, 16] }),
  pairsByRule: () => ({ args: ["sequential", ["a", "b"], 1], also: { "1": "Map", "1.0": "any", "1.1": "any" } }),
  pixelToCell: () => ({ args: [1, 2] }),
  projectPoints: () => ({ args: [IDENTITY, points()], also: { ...H("0"), "1": "array Float64Array" } }),
  readColmapDatabase: async () => {
    const sql = await loadSqlite();
    return { args: [sql, core.writeColmapDatabase(sql, database()), { limit: 1e6 }], optional: 2, opaque: ["0"] };
  },
  readColmapFeatures: () => ({ args: [core.writeColmapFeatures(wide)] }),
  readColmapMatches: () => ({ args: [core.writeColmapMatches([pair])] }),
  readFeatures: () => ({
    args: ["npz", core.writeFeatures("npz", features), { imageSize: [640, 480] }],
    optional: 2,
    also: { "2.imageSize": "null" },
  }),
  readFeaturesCsv: () => ({
    args: [core.writeFeaturesCsv(features), [640, 480], "float"],
    optional: 2,
    also: { "1": "null", "2": "null" },
  }),
  readHlocFeatures: async () => ({
    args: [await core.writeHlocFeatures([["a", features]]), { limit: 1e6 }],
    optional: 1,
  }),
  readHlocMatches: async () => ({
    args: [await core.writeHlocMatches([pair]), { names: ["a", "b"] }],
    optional: 1,
    also: { "1.names": "null" },
  }),
  readHpatchesCache: () => ({ args: [core.writeHpatchesCache(cache()), "x"], optional: 1, also: { "1": "any" } }),
  readKeypointsJson: () => ({ args: [core.writeKeypointsJson(features)] }),
  readMat: () => ({ args: [core.writeMat({ a: array() }), { limit: 1e6 }], optional: 1 }),
  readMatchesCsv: () => ({ args: [core.writeMatchesCsv([pair], named())] }),
  readNpy: () => ({ args: [core.writeNpy(array()), "x"], optional: 1, also: { "1": "any" } }),
  readNpz: () => ({ args: [core.writeNpz({ a: array() }), { limit: 1e6 }], optional: 1 }),
  readOnnxInitializers: () => ({
    args: [core.exportMatcher(8), { limit: 1e6 }],
    optional: 1,
    also: { "1.limit": "undefined" },
  }),
  readOpenCvFeatures: () => ({
    args: [core.writeOpenCvFeatures(features), [640, 480]],
    optional: 1,
    also: { "1": "null" },
  }),
  readOpenCvMatches: () => ({ args: [core.writeOpenCvMatches([pair])] }),
  readPairList: () => ({
    args: [new TextEncoder().encode("a b\n"), new Set(["a", "b"]), "x"],
    optional: 2,
    also: { "2": "any" },
  }),
  readPnm: () => ({ args: [new TextEncoder().encode("P5 1 1 255\nx"), { pixelLimit: 100, name: "x" }], optional: 1 }),
  readSafetensors: () => ({ args: [core.writeSafetensors([["a", array()]]), "x"], optional: 1, also: { "1": "any" } }),
  readTensorflowCheckpoint: () => {
    const { index, shards } = bundle({ w: array() });
    return { args: [index, (suffix: string) => shards[suffix], { limit: 1e6 }], optional: 2 };
  },
  readTorchCheckpoint: () => ({ args: [torch(), { name: "x" }], optional: 1 }),
  readZip: () => ({ args: [core.writeZip([["a", Uint8Array.of(1)]]), { limit: 1e6 }], optional: 1 }),
  resizeImage: () => ({ args: [image, 4, 3] }),
  resizePoints: () => ({ args: [points(), 2, 2], optional: 2, also: { "0": "Float64Array" } }),
  runColmap: () => {
    const run = async () => ({
      keypoints: { shape: [1, 1, 2], data: Float32Array.of(0, 0) },
      descriptors: { shape: [1, 1, 2], data: Float32Array.of(0.6, 0.8) },
      scores: { shape: [1, 1], data: Float32Array.of(0.5) },
    });
    const session = { info: {}, inputNames: [], outputNames: [], run, dispose: async () => {} };
    return {
      args: [session, image, { maxKeypoints: 5, minScore: 0.1 }],
      depth: 1,
      also: {
        "0.info": "any",
        "0.inputNames": "any",
        "0.outputNames": "any",
        "0.dispose": "any",
        "2.minScore": "undefined",
      },
    };
  },
  runExported: async () => {
    const session = {
      info: {},
      inputNames: [],
      outputNames: [],
      run: () => Promise.resolve(outputs),
      dispose: async () => {},
    };
    return {
      args: [session, image, { input: "uint8", batch: 1 }],
      depth: 1,
      also: {
        "0.info": "any",
        "0.inputNames": "any",
        "0.outputNames": "any",
        "0.dispose": "any",
        "2.batch": "undefined",
      },
    };
  },
  timed: () => ({ args: [{ x: 1 }, "x", async () => 1], also: { "0.x": "undefined" } }),
  toColmapDatabase: () => ({
    args: [named(), [pair], { cameraMode: "single" }],
    optional: 2,
    also: { "1.0.count0": "any" },
  }),
  unpackColmapDescriptors: () => ({ args: [new Uint8Array(128), false], optional: 1 }),
  warpImage: () => ({ args: [image, IDENTITY, { width: 4, height: 3 }], also: H("1") }),
  warpMask: () => ({ args: [[8, 6], IDENTITY, { width: 4, height: 3 }], also: H("1") }),
  writeColmapDatabase: async () => ({
    args: [await loadSqlite(), database(), { limit: 1e9 }],
    optional: 2,
    opaque: ["0"],
  }),
  writeColmapFeatures: () => ({ args: [wide], also: of("0") }),
  writeColmapMatches: () => ({ args: [[pair]], also: { "0.0.count0": "any" } }),
  writeFeatures: () => ({ args: ["npz", features, {}], optional: 2, also: of("1") }),
  writeFeaturesCsv: () => ({ args: [features], also: of("0") }),
  writeHlocFeatures: () => ({ args: [[["a", features]], { base: null }], optional: 1 }),
  writeHlocMatches: () => ({ args: [[pair]] }),
  writeHpatchesCache: () => ({ args: [cache()] }),
  writeKeypointsJson: () => ({ args: [features, { note: "x" }], optional: 1, also: { ...of("0"), "1.note": "any" } }),
  writeMat: () => ({ args: [{ a: array() }] }),
  writeMatchesCsv: () => ({ args: [[pair], named()], also: { "0.0.count0": "any" } }),
  writeNpy: () => ({ args: [array()] }),
  writeNpz: () => ({ args: [{ a: array() }, { compress: false }], optional: 1 }),
  writeOpenCvFeatures: () => ({ args: [features], also: of("0") }),
  writeOpenCvMatches: () => ({ args: [[pair]], also: { "0.0.count0": "any" } }),
  writeSafetensors: () => ({ args: [[["a", array()]], { note: "x" }], optional: 1 }),
  writeZip: () => ({ args: [[["a", Uint8Array.of(1)]], { compress: false }], optional: 1 }),
};

const cache = (): core.HpatchesCache => ({
  thresholds: [1, 2],
  illumination: [0, 1],
  viewpoint: [0, 0],
  types: ["i", "i", "i", "i", "i"],
  features: [1, 2, 3, 4, 5, 6],
  matches: [1, 2, 3, 4, 5],
});

const outputs = {
  keypoints: { type: "float32", shape: [1, 1, 2], data: new Float32Array(2) },
  scores: { type: "float32", shape: [1, 1], data: Float32Array.of(1) },
  descriptors: { type: "float32", shape: [1, 1, 8], data: new Float32Array(8) },
};
