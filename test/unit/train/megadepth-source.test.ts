import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, IoError, OptionError, ShapeError, StateError } from "../../../src/errors.js";
import { createHdf5 } from "../../../src/formats/hdf5.js";
import { ndarray } from "../../../src/formats/ndarray.js";
import { readSceneInfo } from "../../../src/formats/scene-info.js";
import { writeSceneInfo } from "../../../src/formats/scene-info-write.js";
import { LruCache } from "../../../src/lru-cache.js";
import { readFileChecked } from "../../../src/node/atomic.js";
import { DATASET_VARIABLE, type MegaDepthOptions, MegaDepthSource } from "../../../src/node/train/megadepth.js";
import { pathBelow, readSceneList } from "../../../src/node/train/megadepth-files.js";
import { prepareScene } from "../../../src/node/train/prepare-scene.js";
import { correspond } from "../../../src/train/correspondences.js";
import type { TrainingPair } from "../../../src/train/types.js";
import { temporaryFolder } from "../cli/fake.js";
import { DEPTH, HEIGHT, STEP, WIDTH, wallModel, writeScene } from "./scenes.js";

const { path, remove } = temporaryFolder();
const data = path("data");
const small = { cropSize: 16, pairsPerScene: 10, seed: 1 };
const open = (options: Partial<MegaDepthOptions> = {}) => MegaDepthSource.open({ data, ...small, ...options });
const pairOf = (pair: TrainingPair | { skipped: string }): TrainingPair => {
  if ("skipped" in pair) throw new Error(pair.skipped);
  return pair;
};
const allPairs = async (source: MegaDepthSource, epoch: number) => {
  const pairs: TrainingPair[] = [];
  for (let i = 0; i < source.length; i++) pairs.push(pairOf(await source.pair(epoch, i)));
  return pairs;
};

beforeAll(async () => {
  for (const scene of ["A", "B", "C"]) {
    // Scene C has one image, so no pair.
    await writeScene(data, scene, wallModel(scene === "C" ? 1 : 4));
    await prepareScene(scene, data, { base: data, minDepthBytes: 0 });
  }
  await writeFile(path("data", "train_scenes.txt"), "# scenes\nA\nB\r\n\nC\nD\n");
  await writeFile(path("data", "valid_scenes.txt"), "B\n");
});
afterAll(remove);

describe("MegaDepthSource", () => {
  it("says which scenes it uses and why not the others", async () => {
    const source = await open();
    expect(source.scenes).toEqual(["A", "B"]);
    expect(source.length).toBe(20);
    expect(source.skipped).toEqual([
      { scene: "C", reason: expect.stringMatching(/no two images with depth have an overlap of 0.5 to 1/) },
      { scene: "D", reason: expect.stringMatching(/D\.npz is missing/) },
    ]);
    expect((await open({ scenes: "valid" })).scenes).toEqual(["B"]);
  });

  it("gives crops, depths, cameras and boxes that belong together", async () => {
    const source = await open();
    for (const { images, warp, id } of await allPairs(source, 0)) {
      if (warp.kind !== "depth") throw new Error("no depth");
      expect(id).toMatch(/^scene [AB], epoch 0, draw \d: [0-3]\.png and [0-3]\.png$/);
      for (const i of [0, 1]) {
        const [row, column] = warp.boxes[i];
        expect(row).toBeGreaterThanOrEqual(0);
        expect(row + 16).toBeLessThanOrEqual(HEIGHT);
        expect(column + 16).toBeLessThanOrEqual(WIDTH);
        // Pixels tell their row, column and image.
        const { data: pixels, width, height } = images[i];
        expect([width, height]).toEqual([16, 16]);
        expect([...pixels.subarray(0, 2)]).toEqual([row, column]);
        expect([...pixels.subarray(-3, -1)]).toEqual([row + 15, column + 15]);
        const name = id.match(/(\d)\.png/g)?.[i];
        expect(`${pixels[2]}.png`).toBe(name);
        expect(warp.poses[i][3]).toBeCloseTo(-STEP * pixels[2], 12);
        expect(warp.intrinsics[i][2]).toBe(WIDTH / 2);
        // The wall is everywhere, but for the corner, which is sky.
        expect(warp.depths[i].every((depth, k) => depth === (row + column === 0 && k === 0 ? 0 : DEPTH))).toBe(true);
      }
      expect(images[0].data[2]).not.toBe(images[1].data[2]);
    }
  });

  it("gives pairs whose points correspond as the cameras say", async () => {
    const source = await open({ cropSize: 32 });
    const grid = { width: 32, height: 32, scale: 1, shift: 0 };
    let compared = 0;
    for (const pair of await allPairs(source, 0)) {
      const { targets, valid } = correspond(pair, grid);
      for (let cell = 0; cell < valid.length; cell++) {
        if (!valid[cell]) continue;
        // The wall moves sideways only, by focal·distance/depth pixels.
        const [row, column, image] = pair.images[0].data.subarray(3 * cell, 3 * cell + 3);
        const other = pair.images[1].data[2];
        if (pair.warp.kind !== "depth") continue;
        const [row1, column1] = pair.warp.boxes[1];
        expect(targets[2 * cell] + column1).toBeCloseTo(column - (40 * STEP * (other - image)) / DEPTH, 3);
        expect(targets[2 * cell + 1] + row1).toBeCloseTo(row, 3);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(5000);
  });

  it("draws by seed, epoch and index only", async () => {
    const ids = async (source: MegaDepthSource, epoch: number) =>
      (await allPairs(source, epoch)).map(({ id, warp }) => [id.replace(/epoch \d/, ""), warp]);
    const source = await open();
    const first = await ids(source, 0);
    const later = await ids(source, 5);
    expect(later).not.toEqual(first);
    for (const epoch of [1, 2, 3, 4]) await source.pair(epoch, 0);
    expect(await ids(source, 0)).toEqual(first);
    // Another process, nothing kept, the other way round.
    const again = await open({ cache: 0 });
    for (let i = source.length - 1; i >= 0; i -= 7) {
      expect(await again.pair(5, i)).toEqual(await source.pair(5, i));
    }
    expect(await ids(await open({ seed: 2 }), 0)).not.toEqual(first);
    // Scenes come mixed.
    const order = (await allPairs(source, 0)).map(({ id }) => id.slice(0, 7));
    expect(order.slice(0, 10)).not.toEqual(Array(10).fill(order[0]));
    expect(order.filter((scene) => scene === "scene A")).toHaveLength(10);
  });

  it("splits its scenes", async () => {
    const split = { scenes: path("data", "two.txt") };
    await writeFile(split.scenes, "A\nB\n");
    const [train, validation] = [
      await open({ ...split, split: "train" }),
      await open({ ...split, split: "validation" }),
    ];
    expect([...train.scenes, ...validation.scenes].sort()).toEqual(["A", "B"]);
    await expect(open({ scenes: "valid", split: "train" })).rejects.toThrow(/one scene, which cannot be split/);
  });

  it("has a digest of what is drawn from, and of how", async () => {
    const { digest } = await open();
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect((await open({ cache: 0 })).digest).toBe(digest);
    for (const other of [
      { seed: 2 },
      { cropSize: 8 },
      { minOverlap: 0.6 },
      { pairsPerScene: 9 },
      { scenes: "valid" },
    ]) {
      expect((await open(other)).digest).not.toBe(digest);
    }
    const copy = path("copy");
    await cp(data, copy, { recursive: true });
    expect((await open({ data: copy })).digest).toBe(digest);
    const file = path("copy", "scene_info", "A.npz");
    const info = readSceneInfo(await readFileChecked(file));
    info.views[0].points[0] += 1e-3;
    await writeFile(file, writeSceneInfo(info));
    expect((await open({ data: copy })).digest).not.toBe(digest);
  });

  it("takes its folder from the environment", async () => {
    const before = process.env[DATASET_VARIABLE];
    try {
      process.env[DATASET_VARIABLE] = data;
      expect((await MegaDepthSource.open(small)).scenes).toEqual(["A", "B"]);
      delete process.env[DATASET_VARIABLE];
      await expect(MegaDepthSource.open(small)).rejects.toThrow(/set MegaDepthDatasetPath/);
    } finally {
      if (before !== undefined) process.env[DATASET_VARIABLE] = before;
    }
  });

  it("names the files that are missing", async () => {
    await expect(open({ data: path("nowhere") })).rejects.toThrow(IoError);
    await mkdir(path("bare"), { recursive: true });
    const bare = open({ data: path("bare") });
    await expect(bare).rejects.toThrow(IoError);
    await expect(bare).rejects.toThrow(/train_scenes\.txt and .*scene_info missing.*prepare-megadepth/);
    const onlyC = path("data", "c.txt");
    await writeFile(onlyC, "C\nD\n");
    const none = open({ scenes: onlyC });
    await expect(none).rejects.toThrow(FormatError);
    await expect(none).rejects.toThrow(/none of the 2 scenes .* \(C: no two images .*; D: .*D.npz is missing\)/);
  });

  it.each<[Partial<MegaDepthOptions>, RegExp]>([
    [{ data: "" }, /"data" must be a path/],
    [{ scenes: null as unknown as string }, /"scenes" must be a text, got null/],
    [{ split: "test" as "all" }, /"split" must be one of/],
    [{ cropSize: 0 }, /"cropSize"/],
    [{ cropSize: 2.5 }, /"cropSize"/],
    [{ pairsPerScene: 0 }, /"pairsPerScene"/],
    [{ seed: -1 }, /"seed"/],
    [{ cache: NaN }, /"cache"/],
    [{ minOverlap: 2 }, /"minOverlap"/],
    [{ pairs: 3 } as object, /unknown option "pairs"/],
  ])("refuses %o", async (options, message) => {
    await expect(open(options)).rejects.toThrow(OptionError);
    await expect(open(options)).rejects.toThrow(message);
  });

  it("refuses epochs and indices that are none, and use after its end", async () => {
    const source = await open();
    for (const [epoch, index] of [
      [-1, 0],
      [0.5, 0],
      [0, 20],
      [0, -1],
    ]) {
      await expect(source.pair(epoch, index)).rejects.toThrow(OptionError);
    }
    await source.dispose();
    await expect(source.pair(0, 0)).rejects.toThrow(StateError);
  });

  it("says which image is too small or does not fit its depth map", async () => {
    const large = (await open({ cropSize: 41 })).pair(0, 0);
    await expect(large).rejects.toThrow(ShapeError);
    await expect(large).rejects.toThrow(
      /\.png has 48×40 pixels, crops have 41×41; make crops of at most 40 \(--crop, "cropSize"\)/,
    );
    const odd = path("odd");
    await writeScene(odd, "A", wallModel(2), { depthSize: [HEIGHT, WIDTH] });
    await prepareScene("A", odd, { base: odd, minDepthBytes: 0 });
    await writeFile(path("odd", "train_scenes.txt"), "A\n");
    const source = await open({ data: odd });
    await expect(source.pair(0, 0)).rejects.toThrow(ShapeError);
    await expect(source.pair(0, 0)).rejects.toThrow(/\.png has 48×40 pixels, .*\.h5 40×48/);
    const depths = path("odd", "phoenix/S6/zl548/MegaDepth_v1/A/dense0/depths");
    for (const [name, shape, message] of [
      ["depth", [48 * 40], /must have rows and columns/],
      ["other", [40, 48], /no dataset "depth"/],
    ] as const) {
      const bytes = await createHdf5("t", null, (file) =>
        file.write(name, ndarray(new Float32Array(1920), [...shape])),
      );
      for (const i of [0, 1]) await writeFile(`${depths}/${i}.h5`, bytes);
      await expect((await open({ data: odd })).pair(0, 0)).rejects.toThrow(message);
    }
    await rm(depths, { recursive: true });
    await expect((await open({ data: odd })).pair(0, 0)).rejects.toThrow(IoError);
  });

  it("follows no path out of the data set, and no damaged scene", async () => {
    const bad = path("bad");
    await cp(data, bad, { recursive: true });
    const file = path("bad", "scene_info", "A.npz");
    const info = readSceneInfo(await readFileChecked(file));
    for (const view of info.views) if (view.imagePath !== null) view.imagePath = "../data/secret.png";
    await writeFile(file, writeSceneInfo(info));
    await writeFile(path("bad", "train_scenes.txt"), "A\n");
    await expect((await open({ data: bad })).pair(0, 0)).rejects.toThrow(/leads out of the data set/);
    await writeFile(file, "no zip");
    await expect(open({ data: bad })).rejects.toThrow(/A\.npz: not a zip archive/);
  });
});

it("a list of scenes names folders, each once", async () => {
  const list = path("list.txt");
  const read = async (text: string) => {
    await writeFile(list, text);
    return readSceneList(list);
  };
  expect(await read("\uFEFF0000\r\n# no\n  0001 \n")).toEqual(["0000", "0001"]);
  await expect(read("# none\n")).rejects.toThrow(/names no scenes/);
  await expect(read("a\nb\na\n")).rejects.toThrow(/names the scene a twice/);
  for (const name of ["../a", "a/b", "..", "a\\b"]) await expect(read(name)).rejects.toThrow(OptionError);
  await expect(readSceneList(path("no.txt"))).rejects.toThrow(IoError);
  expect(pathBelow("/base", "a/b..c/d")).toBe("/base/a/b..c/d");
  for (const out of ["/etc", "../x", "a/../../x", "a\\..\\x", "a\0"])
    expect(() => pathBelow("/b", out)).toThrow(FormatError);
});

describe("LruCache", () => {
  it("keeps what was used last, up to its limit, and loads once for all who wait", async () => {
    const recent = new LruCache<{ bytes: number }>(10);
    const loaded: string[] = [];
    const get = (key: string, bytes = 4) =>
      recent.get(key, async () => {
        loaded.push(key);
        return { bytes };
      });
    await Promise.all([get("a"), get("a"), get("b")]);
    await get("a");
    await get("c"); // Without b, the oldest.
    await get("a");
    await get("b");
    expect(loaded).toEqual(["a", "b", "c", "b"]);
    await get("large", 11); // Given, but not kept; and nothing else is left beside it.
    await get("large", 11);
    expect(loaded.slice(4)).toEqual(["large", "large"]);
    recent.clear();
    await get("a");
    expect(loaded.at(-1)).toBe("a");
  });

  it("forgets failures", async () => {
    const recent = new LruCache<{ bytes: number }>(10);
    await expect(recent.get("a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await recent.get("a", async () => ({ bytes: 1 }))).toEqual({ bytes: 1 });
  });
});
