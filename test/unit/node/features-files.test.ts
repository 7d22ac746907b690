/** Features of many images to and from whatever holds them, and to COLMAP, as library calls. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FormatError, OptionError, ShapeError } from "../../../src/errors.js";
import type { Features } from "../../../src/features.js";
import type { ImagePair } from "../../../src/formats/colmap.js";
import { exportColmap } from "../../../src/node/colmap/export-colmap.js";
import { loadColmapDatabase } from "../../../src/node/colmap-database.js";
import { loadFeatures, saveFeatures } from "../../../src/node/features-files.js";
import { loadPairs, savePairs } from "../../../src/node/pair-files.js";
import { temporaryFolder } from "../cli/fake.js";

let folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
beforeEach(() => {
  folder.remove();
  folder = temporaryFolder();
});
afterAll(() => folder.remove());

function grid(count: number, dim = 4): Features {
  const descriptors = new Float32Array(count * dim);
  for (let i = 0; i < count; i++) descriptors[i * dim + (i % dim)] = 1;
  return {
    ...{ count, dim, kind: "float" as const, imageSize: [64, 48] as [number, number] },
    keypoints: Float32Array.from({ length: 2 * count }, (_, k) => (k % 2 === 0 ? k : 3 * (k % 7))),
    scores: Float32Array.from({ length: count }, (_, i) => 1 / (i + 1)),
    descriptors,
  };
}
const two = () =>
  new Map([
    ["a.jpg", grid(5)],
    ["in/b.jpg", grid(3)],
  ]);
const pair = (...indices: number[]): ImagePair => ({
  ...{ name0: "a.jpg", name1: "in/b.jpg" },
  matches: {
    count: indices.length / 2,
    pairs: Uint32Array.from(indices),
    scores: Float32Array.from({ length: indices.length / 2 }, (_, m) => 0.9 - 0.3 * m),
  },
});

describe("saveFeatures and loadFeatures", () => {
  it.each(["features.h5", "folder"])("gives back from %s what was saved there", async (name) => {
    await saveFeatures(at(name), two());
    const { features, pairs } = await loadFeatures(at(name));
    expect([...features.keys()].sort()).toEqual(["a.jpg", "in/b.jpg"]);
    for (const [image, { keypoints, descriptors, imageSize }] of two()) {
      expect(features.get(image)).toMatchObject({ keypoints, descriptors, imageSize });
    }
    expect(pairs).toBeNull();
  });

  it.each([".npz", ".mat", ".json"])("one image's features are a file %s by its ending", async (ending) => {
    const one = new Map([["a.jpg", grid(4)]]);
    await saveFeatures(at(`f${ending}`), one);
    const { features } = await loadFeatures(at(`f${ending}`));
    expect([...features.values()][0].keypoints).toEqual(grid(4).keypoints);
  });

  it("a format that is named makes a folder whatever the path is called, and shows where it is", async () => {
    const seen: number[] = [];
    const progress = async (_label: string, _unit: readonly string[], total: number) => ({
      update: (done: number) => seen.push(done / total),
      stop: () => {},
    });
    await saveFeatures(at("x.npz"), two(), { format: "opencv", progress });
    expect(readdirSync(at("x.npz"), { recursive: true }).sort()).toEqual(["a.jpg.json", "in", "in/b.jpg.json"]);
    expect(seen).toEqual([0.5, 1]);
  });

  it("refuses what is there, endings that nobody reads, and two images in one image's file", async () => {
    writeFileSync(at("f.h5"), "mine");
    await expect(saveFeatures(at("f.h5"), two())).rejects.toThrow("is there already");
    expect(readFileSync(at("f.h5"), "utf8")).toBe("mine");
    await saveFeatures(at("f.h5"), two(), { force: true });
    expect((await loadFeatures(at("f.h5"))).features.size).toBe(2);
    await expect(saveFeatures(at("f.xyz"), two())).rejects.toThrow(OptionError);
    await expect(saveFeatures(at("f.npz"), two())).rejects.toThrow("one image, there are 2");
    expect(existsSync(at("f.npz"))).toBe(false);
    mkdirSync(at("empty"));
    await expect(loadFeatures(at("empty"))).rejects.toThrow("holds no feature files");
  });
});

describe("exportColmap", () => {
  it("writes a database with matches and cameras, which loadFeatures reads", async () => {
    await savePairs(at("m.h5"), [pair(0, 1, 2, 0)], two());
    await saveFeatures(at("f.h5"), two());
    const result = await exportColmap(at("f.h5"), at("d.db"), { matches: at("m.h5"), minScore: 0.7, colmap: "4" });
    expect(result).toMatchObject({ images: 2, keypoints: 8, pairs: 1, matches: 1, verify: "none" });
    expect(result.outputs).toEqual([at("d.db"), at("d.pairs.txt")]);
    expect((await loadColmapDatabase(at("d.db"))).images.map(({ name }) => name)).toEqual(["a.jpg", "in/b.jpg"]);
    const { pairs } = await loadFeatures(at("d.db"));
    expect(pairs?.[0].matches.pairs).toEqual(Uint32Array.of(0, 1));
    await expect(exportColmap(at("f.h5"), at("d.db"))).rejects.toThrow("is there already");
  });

  it("takes features in memory; text has no place for descriptors of four floats", async () => {
    await expect(exportColmap({ features: two(), pairs: null }, at("text"))).rejects.toThrow('"a.jpg"');
    const wide = new Map([["a.jpg", grid(5, 64)]]);
    const { outputs, notes } = await exportColmap({ features: wide, pairs: null }, at("wide"));
    expect([outputs, notes[0]]).toEqual([[at("wide/features")], expect.stringContaining("no matches")]);
  });

  it("refuses matches of other features, and stops before it writes", async () => {
    const loaded = (matches: ImagePair) => ({ features: two(), pairs: [matches] });
    await expect(exportColmap(loaded(pair(7, 0)), at("d.db"))).rejects.toThrow(ShapeError);
    const stranger = { ...pair(0, 0), name1: "c.jpg" };
    await expect(exportColmap(loaded(stranger), at("d.db"))).rejects.toThrow(FormatError);
    await expect(exportColmap(loaded(pair(0, 0)), at("d.xyz"))).rejects.toThrow("name a database");
    const signal = AbortSignal.abort(new Error("enough"));
    const options = { verify: "homography", signal } as const;
    await expect(exportColmap(loaded(pair(0, 0)), at("d.db"), options)).rejects.toThrow("enough");
    expect(existsSync(at("d.db"))).toBe(false);
  });
});

it("loadPairs refuses matches of other numbers of keypoints", async () => {
  await savePairs(at("m.h5"), [pair(0, 1)], two());
  expect(await loadPairs(at("m.h5"), two())).toHaveLength(1);
  await expect(loadPairs(at("m.h5"), new Map([...two(), ["a.jpg", grid(9)]]))).rejects.toThrow("are of 5 keypoints");
});
