import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FormatError, LimitError, OptionError, ShapeError } from "../../../src/errors.js";
import { ndarray } from "../../../src/formats/ndarray.js";
import { writeNpy } from "../../../src/formats/npy.js";
import { readFlatDict } from "../../../src/formats/pickle/flat-dict.js";
import { npyOfObjects } from "../../../src/formats/pickle/write.js";
import { readSceneInfo, type SceneInfo } from "../../../src/formats/scene-info.js";
import { writeSceneInfo } from "../../../src/formats/scene-info-write.js";
import { readZip, writeZip } from "../../../src/formats/zip.js";
import { fuzz } from "../../fuzz.js";
import { describePython, python } from "./python.js";

const empty = new Float64Array(0);
const scene: SceneInfo = {
  views: [
    {
      imagePath: "images/é.jpg",
      depthPath: "depths/é.h5",
      intrinsics: Float64Array.of(500, 0, 320, 0, 510, 240, 0, 0, 1),
      pose: Float64Array.from({ length: 16 }, (_, i) => i / 3),
      pointIds: Float64Array.of(5, 2 ** 31, 3),
      points: Float64Array.of(1.5, 2.5, 3.25, -4, 0, 1e-9),
      ndepths: Float64Array.of(0.01, -0.5, 1e10),
    },
    // No depth, but points.
    {
      imagePath: null,
      depthPath: null,
      intrinsics: null,
      pose: null,
      pointIds: Float64Array.of(5),
      points: Float64Array.of(7, 8),
      ndepths: empty,
    },
  ],
  overlap: Float64Array.of(-1, 0.25, 1, -1),
  scaleRatio: Float64Array.of(-1, 1.5, 1.5, -1),
  angles: Float64Array.of(0, 90, 90, 0),
};
const bytes = writeSceneInfo(scene);
const entries = () => readZip(bytes);
/** The file with one array replaced (or taken out). */
const changed = (name: string, content: Uint8Array | null) => {
  const files = entries();
  if (content) files.set(`${name}.npy`, content);
  else files.delete(`${name}.npy`);
  return writeZip(files);
};
const latin = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

describe("scene_info", () => {
  it("comes back as it was written, by the same bytes", () => {
    expect(readSceneInfo(bytes)).toEqual(scene);
    expect(writeSceneInfo(readSceneInfo(bytes))).toEqual(bytes);
    const none = { views: [], overlap: empty, scaleRatio: empty, angles: empty };
    expect(readSceneInfo(writeSceneInfo(none))).toEqual(none);
  });

  it("is refused by name when arrays are missing", () => {
    expect(() => readSceneInfo(changed("poses", null), {}, "x.npz")).toThrow(
      /^x.npz: not a scene_info .* poses missing/,
    );
    expect(() => readSceneInfo(writeZip([["pair_infos.npy", new Uint8Array(1)]]))).toThrow(/it has pair_infos/);
  });

  it("never runs a foreign pickle, and names its class", () => {
    // What a malicious file would do: os.system("…").
    const evil = npyOfObjects([latin("cos\nsystem\n(S'true'\ntR"), latin("N")]);
    for (const name of ["image_paths", "intrinsics", "points3D_id_to_2D", "points3D_id_to_ndepth"]) {
      expect(() => readSceneInfo(changed(name, evil))).toThrow(FormatError);
      expect(() => readSceneInfo(changed(name, evil))).toThrow(/asks for os.system/);
    }
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["image_paths", npyOfObjects([latin("N")]), /depth_paths has 2 entries, image_paths has 1/],
    ["image_paths", npyOfObjects([latin("K\x01"), latin("N")]), /image_paths\[0\] is neither a path nor None/],
    ["depth_paths", writeNpy(ndarray(Float64Array.of(1, 2))), /depth_paths has float64 of shape \[2\]/],
    ["intrinsics", writeNpy(ndarray(new Float64Array(8), [2, 4])), /intrinsics has float64 of shape \[2,4\]/],
    ["poses", npyOfObjects([latin("}"), latin("N")]), /poses\[0\] must be an array of 16/],
    ["overlap_matrix", writeNpy(ndarray(new Float64Array(9), [3, 3])), /expected doubles of shape \[2,2\]/],
    ["angles", writeNpy(ndarray(new Float32Array(4), [2, 2])), /angles: expected doubles/],
    ["n_points3D", writeNpy(ndarray(BigInt64Array.of(3n, 2n))), /n_points3D does not fit .*image 1/],
    ["n_points3D", writeNpy(ndarray(BigInt64Array.of(3n, 1n, 0n))), /n_points3D does not fit/],
    ["points3D_id_to_2D", npyOfObjects([latin("K\x01"), latin("}")]), /of image 0 is no dictionary of positions/],
    // {1: [1.0]} as text opcodes, and {"a": [1, 2]}.
    ["points3D_id_to_2D", npyOfObjects([latin("}I1\n(lF1\nas"), latin("}")]), /entry 0 has not 2 numbers/],
    ["points3D_id_to_2D", npyOfObjects([latin("}U\x01a(lF1\naF2\nas"), latin("}")]), /entry 0 has no point's id/],
    ["points3D_id_to_ndepth", npyOfObjects([latin("}I5\nF1\ns"), latin("}")]), /1 depths, but 3 points/],
    ["points3D_id_to_ndepth", npyOfObjects([latin("}(I5\nF1\nI6\nF1\nI3\nF1\nu"), latin("}")]), /has no depth/],
    ["points3D_id_to_ndepth", npyOfObjects([latin("}I5\nFnan\ns"), latin("}")]), /no finite numbers/],
  ])("refuses %s of the wrong kind (%#)", (name, content, message) => {
    expect(() => readSceneInfo(changed(name, content))).toThrow(FormatError);
    expect(() => readSceneInfo(changed(name, content))).toThrow(message);
  });

  it("reads positions that two images share, as one object of the pickle", () => {
    const float = (byte: string) => `G${byte}${"\0".repeat(7)}`;
    const shared = npyOfObjects([
      latin(`}(K\x05]q\x07(${float("@")}${float("\xc0")}eK\x06h\x07K\x07h\x07u`),
      latin("}K\x05h\x07s"),
    ]);
    const depths = npyOfObjects([latin("}"), latin("}")]);
    const files = readZip(changed("points3D_id_to_2D", shared));
    const { views } = readSceneInfo(writeZip(files.set("points3D_id_to_ndepth.npy", depths)));
    expect(views.map(({ points }) => [...points])).toEqual([
      [2, -2, 2, -2, 2, -2],
      [2, -2],
    ]);
  });

  it("stays below its limit", () => {
    expect(() => readSceneInfo(bytes, { limit: 1000 })).toThrow(LimitError);
    expect(() => readSceneInfo(bytes, { most: 1 } as object)).toThrow(OptionError);
  });

  it("is not written when arrays do not belong together", () => {
    const wrong = (change: Partial<SceneInfo["views"][0]>) => () =>
      writeSceneInfo({ ...scene, views: [{ ...scene.views[0], ...change }, scene.views[1]] });
    expect(wrong({ ndepths: Float64Array.of(1) })).toThrow(ShapeError);
    expect(wrong({ points: empty })).toThrow(/arrays of view 0/);
    expect(wrong({ intrinsics: new Float64Array(4) })).toThrow(ShapeError);
    expect(wrong({ pose: new Float64Array(12) })).toThrow(ShapeError);
    expect(() => writeSceneInfo({ ...scene, angles: empty })).toThrow(/angles of 2 views has 0 values/);
  });

  it("gives a sound scene or a StrataError on damage", async () => {
    const check = ({ views, overlap, scaleRatio, angles }: SceneInfo): void => {
      for (const matrix of [overlap, scaleRatio, angles]) expect(matrix.length).toBe(views.length ** 2);
      for (const { intrinsics, pose, pointIds, points, ndepths } of views) {
        expect([9, undefined]).toContain(intrinsics?.length);
        expect([16, undefined]).toContain(pose?.length);
        expect(points.length).toBe(2 * pointIds.length);
        expect([0, pointIds.length]).toContain(ndepths.length);
        expect(new Set(pointIds).size).toBe(pointIds.length);
        expect([...points, ...ndepths].every(Number.isFinite)).toBe(true);
      }
    };
    const whole = await fuzz(bytes, (damaged) => readSceneInfo(damaged), check, { rounds: 1000 });
    expect(whole.refused).toBeGreaterThan(300);
    // Past the zip's checksum: each array by itself.
    for (const name of ["image_paths", "intrinsics", "points3D_id_to_2D", "points3D_id_to_ndepth"]) {
      const array = entries().get(`${name}.npy`) as Uint8Array;
      const result = await fuzz(array, (damaged) => readSceneInfo(changed(name, damaged)), check, { rounds: 1000 });
      expect(result.refused, name).toBeGreaterThan(100);
    }
  });
});

describe("readFlatDict", () => {
  const read = (pickled: string) => readFlatDict(latin(`}${pickled}.`), 1);
  const float = (byte: string) => `G${byte}${"\0".repeat(7)}`;
  const [two, minusTwo] = [float("@"), float("\xc0")];

  it("reads numbers and pairs, with what Python records in between", () => {
    const numbers = read(`\x94(K\x05${two}M\x01\x02${minusTwo}u(J\xff\xff\xff\xff${two}uK\x06${two}s`);
    expect([...(numbers?.dict.keys ?? [])]).toEqual([5, 513, -1, 6]);
    expect([...(numbers?.dict.values ?? [])]).toEqual([2, -2, 2, 2]);
    expect(numbers).toMatchObject({ memoized: 1, dict: { width: 1 } });
    const pairs = read(`q\x00(K\x05]\x94(${two}${minusTwo}eK\x06]r\0\0\0\0(${two}${two}eu`);
    expect([...(pairs?.dict.values ?? [])]).toEqual([2, -2, 2, 2]);
    expect(pairs).toMatchObject({ memoized: 1, dict: { width: 2 } });
  });

  it("stops where the dictionary ends", () => {
    expect(read(`(K\x05${two}u}`)?.end).toBe(14);
    expect(read(`(K\x05${two}ue`)?.end).toBe(14);
  });

  it.each([
    ["nothing", ""],
    ["texts as keys", `(U\x01a${two}u`],
    ["whole numbers as values", "(K\x05K\x06u"],
    ["values of two kinds", `(K\x05${two}K\x06](${two}${two}eu`],
    ["lists of one and of three", `(K\x05](${two}eu`],
    ["", `(K\x05](${two}${two}${two}eu`],
    ["a batch that does not end", `(K\x05${two}`],
    ["a key without a value", `(K\x05${two}K\x06u`],
    ["something else in a later batch", `(K\x05${two}u(K\x05Nu`],
    ["something of another's after it", `(K\x05${two}uK\x05${two}e`],
  ])("leaves %s to the general reader", (_, pickled) => {
    expect(read(pickled)).toBeNull();
  });
});

describePython("scene_info and NumPy", (folder) => {
  it("NumPy reads what is written", () => {
    const path = join(folder, "ours.npz");
    writeFileSync(path, bytes);
    const [view] = scene.views;
    const rows = (values: Float64Array | null, width: number) =>
      Array.from({ length: width }, (_, i) => Array.from(values?.slice(i * width, (i + 1) * width) ?? []));
    expect(python("scene_info.py", "read", path)).toEqual({
      names: expect.arrayContaining(["image_paths", "points3D_id_to_ndepth"]),
      types: expect.objectContaining({
        image_paths: "object",
        angles: "float64",
        n_points3D: "int64",
        poses: "object",
      }),
      image_paths: ["images/é.jpg", null],
      depth_paths: ["depths/é.h5", null],
      intrinsics: [["float64", rows(view.intrinsics, 3)], null],
      poses: [["float64", rows(view.pose, 4)], null],
      overlap_matrix: [
        [-1, 0.25],
        [1, -1],
      ],
      scale_ratio_matrix: [
        [-1, 1.5],
        [1.5, -1],
      ],
      angles: [
        [0, 90],
        [90, 0],
      ],
      n_points3D: [3, 1],
      points3D_id_to_2D: [
        [
          [5, [1.5, 2.5]],
          [2 ** 31, [3.25, -4]],
          [3, [0, 1e-9]],
        ],
        [[5, [7, 8]]],
      ],
      points3D_id_to_ndepth: [
        [
          [5, 0.01],
          [2 ** 31, -0.5],
          [3, 1e10],
        ],
        [],
      ],
      shared: 1,
    });
  });

  it("what NumPy writes is read, whether arrays are of objects or plain, numbers Python's or NumPy's", () => {
    python("scene_info.py", "write", folder);
    for (const name of ["plain", "none", "scalars"]) {
      const { views, overlap, scaleRatio, angles } = readSceneInfo(
        new Uint8Array(readFileSync(join(folder, `${name}.npz`))),
      );
      const hasNone = name !== "plain";
      expect(views.map(({ imagePath }) => imagePath)).toEqual([
        "a/one.jpg",
        hasNone ? null : "a/zwölf.jpg",
        `a/${"x".repeat(20)}.jpg`,
      ]);
      expect(views[1].depthPath).toBe(hasNone ? null : "d/1.h5");
      expect([...(views[2].intrinsics ?? [])]).toEqual([1500, 0, 960, 0, 1530, 720, 0, 0, 3]);
      expect([...(views[2].pose ?? [])].slice(0, 5)).toEqual([2, 3, 4, 5, 6]);
      expect([views[1].pose === null, views[1].intrinsics === null]).toEqual([hasNone, hasNone]);
      expect([...overlap.slice(0, 4), scaleRatio[8], angles[8]]).toEqual([0, 1, 2, 3, 18, 28]);
      expect(views.map(({ pointIds }) => pointIds.length)).toEqual([1500, 1, 1]);
      expect([views[0].pointIds[700], ...views[0].points.slice(1400, 1402)]).toEqual([1400, 1400.5, 0]);
      // Written in the reverse order of the points.
      expect(views[0].ndepths[700]).toBe(1 / 1401);
      expect(views[1].ndepths.length).toBe(hasNone ? 0 : 1);
    }
  });
});
