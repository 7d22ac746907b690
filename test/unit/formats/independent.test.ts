import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { UnsupportedError } from "../../../src/errors.js";
import { readFeatures, writeFeatures } from "../../../src/formats/features.js";
import { readHlocFeatures, readHlocMatches, writeHlocFeatures, writeHlocMatches } from "../../../src/formats/hloc.js";
import { readMat, writeMat } from "../../../src/formats/mat.js";
import { DTYPES, type NdArray, toFloat32 } from "../../../src/formats/ndarray.js";
import { readNpy, writeNpy } from "../../../src/formats/npy.js";
import { writeNpz } from "../../../src/formats/npz.js";
import { describeShared } from "../../shared.js";
import { describePython, python } from "./python.js";
import { plain, sampleArray, sampleFeatures } from "./samples.js";

type Read = Record<string, { dtype: string; shape: number[]; data: number[] }>;

describePython("files read by NumPy, SciPy and h5py", (folder) => {
  const reread = (name: string, bytes: Uint8Array): Read => {
    writeFileSync(join(folder, name), bytes);
    return python("read_files.py", join(folder, name)) as Read;
  };
  const numbers = (array: NdArray): number[] => plain(array.dtype === "float16" ? toFloat32(array) : array.data);

  it("npz of every type and shape", () => {
    const arrays: Record<string, NdArray> = {};
    for (const dtype of DTYPES.filter((name) => name !== "bfloat16")) {
      for (const shape of [[], [0], [3], [0, 2], [2, 3, 4]]) {
        arrays[`${dtype}_${shape.join("x")}`] = sampleArray(dtype, shape);
      }
    }
    for (const compress of [false, true]) {
      const read = reread(`all-${compress}.npz`, writeNpz(arrays, { compress }));
      expect(Object.keys(read)).toEqual(Object.keys(arrays));
      for (const [name, array] of Object.entries(arrays)) {
        expect(read[name].dtype, name).toBe(array.dtype);
        expect(read[name].shape, name).toEqual(array.shape);
        expect(read[name].data.map(Number), name).toEqual(numbers(array));
      }
    }
    expect(reread("one.npy", writeNpy(sampleArray("float32", [7, 2]))).array.shape).toEqual([7, 2]);
  });

  it("mat of every type; flat arrays are rows", () => {
    const arrays: Record<string, NdArray> = {};
    for (const dtype of DTYPES.filter((name) => name !== "bfloat16" && name !== "float16")) {
      for (const shape of [
        [1, 1],
        [0, 2],
        [3, 4],
        [2, 3, 4],
      ]) {
        arrays[`${dtype}_${shape.join("x")}`] = sampleArray(dtype, shape);
      }
    }
    const read = reread("all.mat", writeMat({ ...arrays, flat: sampleArray("int16", [4]) }));
    expect(read.flat.shape).toEqual([1, 4]);
    for (const [name, array] of Object.entries(arrays)) {
      // SciPy gives booleans back as the bytes they are stored in.
      expect(read[name].dtype, name).toBe(array.dtype === "bool" ? "uint8" : array.dtype);
      expect(read[name].shape, name).toEqual(array.shape);
      expect(read[name].data, name).toEqual(numbers(array));
    }
  });

  it("features as npz and mat, with as many keypoints as there are, also none", () => {
    for (const count of [0, 1, 5]) {
      const features = sampleFeatures(count);
      const npz = reread("features.npz", writeFeatures("npz", features, { append: true }));
      expect(npz.keypoints).toMatchObject({ dtype: "float32", shape: [count, 3] });
      expect(npz.keypoints.data.filter((_, i) => i % 3 === 2)).toEqual(new Array(count).fill(1));
      expect(npz.scores).toMatchObject({ dtype: "float32", shape: [count], data: [...features.scores] });
      expect(npz.descriptors).toMatchObject({ shape: [count, 64], data: [...features.descriptors] });
      expect(npz.image_size.data).toEqual([640, 480]);
      const mat = reread("features.mat", writeFeatures("mat", features));
      expect(mat.keypoints).toMatchObject({ dtype: "float32", shape: [count, 2], data: [...features.keypoints] });
      expect(mat.descriptors).toMatchObject({ shape: [count, 64], data: [...features.descriptors] });
      expect(mat.scores.shape).toEqual([1, count]);
    }
  });

  it("hloc's HDF5: features and matches", async () => {
    const [a, none] = [sampleFeatures(4), sampleFeatures(0)];
    const h5 = reread(
      "features.h5",
      await writeHlocFeatures([
        ["db/ä 1.jpg", a],
        ["none.jpg", none],
      ]),
    );
    expect(h5["db/ä 1.jpg/keypoints"]).toEqual({ dtype: "float32", shape: [4, 2], data: [...a.keypoints] });
    expect(h5["db/ä 1.jpg/scores"].data).toEqual([...a.scores]);
    const { shape, data } = h5["db/ä 1.jpg/descriptors"];
    expect(shape).toEqual([64, 4]);
    for (let i = 0; i < 4; i++) for (let k = 0; k < 64; k++) expect(data[4 * k + i]).toBe(a.descriptors[64 * i + k]);
    expect(h5["none.jpg/descriptors"].shape).toEqual([64, 0]);
    expect(h5["none.jpg/image_size"].data).toEqual([640, 480]);
    const matches = { count: 2, pairs: Uint32Array.of(0, 5, 2, 40000), scores: Float32Array.of(0.5, 0.25) };
    const pairs = reread(
      "pairs.h5",
      await writeHlocMatches([{ name0: "db/1.jpg", name1: "q.jpg", count0: 3, matches }]),
    );
    expect(pairs["db-1.jpg/q.jpg/matches0"]).toEqual({ dtype: "int32", shape: [3], data: [5, -1, 40000] });
    expect(pairs["db-1.jpg/q.jpg/matching_scores0"].data).toEqual([0.5, 0, 0.25]);
  });
});

describePython("files written by NumPy, SciPy and h5py", (folder) => {
  const file = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
  const floats = (name: string): number[] => [...new Float32Array(file(`${name}.f32`).slice().buffer)];
  beforeAll(() => {
    python("write_files.py", folder);
  });

  it("npy in every order and version", () => {
    const cube = { dtype: "int32", shape: [2, 3, 4], data: Int32Array.from({ length: 24 }, (_, i) => i) };
    for (const name of ["fortran", "version1", "version2", "version3"]) {
      expect(readNpy(file(`${name}.npy`)), name).toEqual(cube);
    }
    expect(readNpy(file("scalar.npy"))).toEqual({ dtype: "float64", shape: [], data: Float64Array.of(2.5) });
    const refused = { big_endian: "big-endian", object: "Python objects", complex: "<c16", structured: "data type" };
    for (const [name, message] of Object.entries(refused)) {
      expect(() => readNpy(file(`${name}.npy`)), name).toThrow(UnsupportedError);
      expect(() => readNpy(file(`${name}.npy`)), name).toThrow(message);
    }
  });

  it("features as npz and mat, plain and compressed", () => {
    for (const [format, name] of [
      ["npz", "stored.npz"],
      ["npz", "deflated.npz"],
      ["mat", "plain.mat"],
      ["mat", "compressed.mat"],
    ] as const) {
      const features = readFeatures(format, file(name), { imageSize: [100, 50] });
      expect(features, name).toMatchObject({ count: 5, dim: 64, imageSize: [100, 50] });
      for (const key of ["keypoints", "scores", "descriptors"] as const) {
        expect([...features[key]], `${name}: ${key}`).toEqual(floats(key));
      }
    }
  });

  it("mat: ranks, logicals, text and complex numbers", () => {
    const { cube, flags, whole } = readMat(file("plain.mat"));
    expect(cube).toEqual({ dtype: "int32", shape: [2, 3, 4], data: Int32Array.from({ length: 24 }, (_, i) => i) });
    expect(plain(flags.data)).toEqual([1, 0, 1]);
    expect(whole).toEqual({ dtype: "float64", shape: [1, 3], data: Float64Array.of(1, 2, 300) });
    expect(() => readMat(file("compressed.mat"))).toThrow(/"(note|cell)" is a (text|cell array)/);
    expect(() => readMat(file("complex.mat"))).toThrow('"z" is a complex array');
  });

  it("hloc's HDF5 in half and single precision, compressed; big-endian is refused", async () => {
    for (const [name, tolerance] of [
      ["half.h5", 1e-3],
      ["single.h5", 0],
    ] as const) {
      const images = await readHlocFeatures(file(name));
      expect([...images.keys()].sort(), name).toEqual(["db/1.jpg", "query/night/2.jpg"]);
      for (const features of images.values()) {
        expect(features.imageSize).toEqual([640, 480]);
        for (const key of ["keypoints", "scores", "descriptors"] as const) {
          const expected = floats(key);
          for (const [i, value] of features[key].entries()) {
            expect(Math.abs(value - expected[i]), `${name} ${key}`).toBeLessThanOrEqual(tolerance * Math.max(1, value));
          }
        }
      }
    }
    const [pair] = await readHlocMatches(file("matches.h5"));
    expect(pair).toMatchObject({ name0: "db-1.jpg", name1: "query-night-2.jpg", count0: 3 });
    expect([...pair.matches.pairs]).toEqual([0, 3, 2, 0]);
    expect([...pair.matches.scores]).toEqual([0.5, 0.25]);
    await expect(readHlocFeatures(file("big.h5"))).rejects.toThrow(/big-endian/);
    await expect(readHlocFeatures(file("other.h5"))).rejects.toThrow(/does not hold plain numbers/);
  });
});

describeShared("the reference's own files", (shared) => {
  describe("npz of its extractions", () => {
    it.each(["default_a", "top300_c", "d2net_a"])("%s", (name) => {
      const bytes = new Uint8Array(readFileSync(join(shared, `reference/extract/${name}.npz`)));
      const features = readFeatures("npz", bytes, { imageSize: [160, 128] });
      expect(features.dim).toBe(64);
      expect(features.count).toBeGreaterThan(100);
      for (let i = 0; i < features.count; i++) {
        expect(Math.hypot(...features.descriptors.subarray(64 * i, 64 * i + 64))).toBeCloseTo(1, 4);
      }
    });
  });
});
