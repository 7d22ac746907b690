/**
 * A Node Buffer lies anywhere in memory that it shares with others, and its `slice` does not copy. Readers must give the
 * same as for bytes of their own, wherever the bytes lie.
 */
import { expect, it } from "vitest";
import {
  readColmapFeatures,
  readColmapMatches,
  writeColmapFeatures,
  writeColmapMatches,
} from "../../../src/formats/colmap.js";
import { readFeatures, writeFeatures } from "../../../src/formats/features.js";
import { readHlocFeatures, readHlocMatches, writeHlocFeatures, writeHlocMatches } from "../../../src/formats/hloc.js";
import { readMat, writeMat } from "../../../src/formats/mat.js";
import { DTYPES, type NdArray } from "../../../src/formats/ndarray.js";
import { readNpy, writeNpy } from "../../../src/formats/npy.js";
import { readNpz, writeNpz } from "../../../src/formats/npz.js";
import { readSafetensors, writeSafetensors } from "../../../src/formats/safetensors.js";
import { readTorchCheckpoint } from "../../../src/formats/torch.js";
import { checkpoint, dict, raw, tensor } from "../torch/pickles.js";
import { sampleArray, sampleFeatures } from "./samples.js";

const features = sampleFeatures(5);
const matches = { count: 2, pairs: Uint32Array.of(0, 5, 2, 4), scores: Float32Array.of(0.5, 0.25) };
const pair = { name0: "a.jpg", name1: "b.jpg", count0: 3, matches };
const arrays = (without: string[]): Record<string, NdArray> =>
  Object.fromEntries(DTYPES.filter((d) => !without.includes(d)).map((d) => [d, sampleArray(d, [3, 5])]));
const weights = dict({ w: tensor({ storage: "DoubleStorage", key: "0", count: 6, shape: [3, 2], strides: [1, 3] }) });

const formats: [string, (bytes: Uint8Array) => unknown, Uint8Array | Promise<Uint8Array>][] = [
  ["npy", readNpy, writeNpy(sampleArray("float64", [3, 4]))],
  ["npz", readNpz, writeNpz(arrays(["bfloat16"]))],
  ["npz, compressed", readNpz, writeNpz(arrays(["bfloat16"]), { compress: true })],
  ["mat", readMat, writeMat(arrays(["float16", "bfloat16"]))],
  ["safetensors", readSafetensors, writeSafetensors(Object.entries(arrays([])))],
  ["torch", readTorchCheckpoint, checkpoint(weights, { 0: raw(Float64Array.of(1, 2, 3, 4, 5, 6)) })],
  ["features as json", (bytes) => readFeatures("json", bytes), writeFeatures("json", features)],
  ["COLMAP features", readColmapFeatures, writeColmapFeatures(features)],
  ["COLMAP matches", readColmapMatches, writeColmapMatches([pair])],
  ["hloc features", (bytes) => readHlocFeatures(bytes), writeHlocFeatures([["a.jpg", features]])],
  ["hloc matches", (bytes) => readHlocMatches(bytes), writeHlocMatches([pair])],
];

it.each(formats)("%s", async (_, read, written) => {
  const bytes = await written;
  // First of all from memory of its own, and so aligned.
  const expected = await read(bytes.slice());
  for (let offset = 0; offset <= 9; offset++) {
    const shared = Buffer.alloc(bytes.length + 100, 0xa5);
    shared.set(bytes, offset);
    const before = shared.toString("latin1");
    expect(await read(shared.subarray(offset, offset + bytes.length)), `offset ${offset}`).toEqual(expected);
    expect(shared.toString("latin1") === before).toBe(true);
  }
});
