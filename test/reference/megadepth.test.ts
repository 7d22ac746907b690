import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type ColmapModelFiles, readColmapModel } from "../../src/formats/colmap-model.js";
import { toFloat32 } from "../../src/formats/ndarray.js";
import { readNpz } from "../../src/formats/npz.js";
import { readSceneInfo } from "../../src/formats/scene-info.js";
import { loadImage } from "../../src/node/images.js";
import { MegaDepthSource } from "../../src/node/train/megadepth.js";
import { readDepth } from "../../src/node/train/megadepth-files.js";
import { openPairWorkers } from "../../src/node/train/pair-workers.js";
import { correspond, MIN_CORRESPONDENCES } from "../../src/train/correspondences.js";
import { cropBox, cropDepth, cropImage } from "../../src/train/data/megadepth-crop.js";
import { buildSceneInfo } from "../../src/train/data/megadepth-scene.js";
import type { PairSource, TrainingPair } from "../../src/train/types.js";
import { describeShared } from "../shared.js";

const CROP = 256;
/** Three steps of p ← 2p + 0.5 on crops of 256. */
const GRID = { width: 32, height: 32, scale: 8, shift: 3.5 };

interface ExpectedPair {
  image_path1: string;
  image_path2: string;
  depth_path1: string;
  depth_path2: string;
  intrinsics1: number[][];
  intrinsics2: number[][];
  pose1: number[][];
  pose2: number[][];
  /** Row and column in image 1, row and column in image 2. */
  central_match: [number, number, number, number];
  scale_ratio: number;
  bbox1: [number, number];
  bbox2: [number, number];
}

describeShared("the reference's MegaDepth", (shared) => {
  const data = join(shared, "reference/megadepth");
  const bytes = (...parts: string[]) => new Uint8Array(readFileSync(join(data, ...parts)));
  const pairsIn = (path: string): ExpectedPair[] => JSON.parse(readFileSync(join(shared, "reference", path), "utf8"));

  it.each(["0000", "0001", "0002"])("scene_info of %s rebuilt from its sparse-txt is the one given", (scene) => {
    const file = (name: string) => bytes("Undistorted_SfM", scene, "sparse-txt", `${name}.txt`);
    const files: ColmapModelFiles = { cameras: file("cameras"), images: file("images"), points3D: file("points3D") };
    const depthFolder = `phoenix/S6/zl548/MegaDepth_v1/${scene}/dense0/depths`;
    const depthBytes = new Map(
      readdirSync(join(data, depthFolder)).map((name) => [
        name.replace(".h5", ".jpg"),
        statSync(join(data, depthFolder, name)).size,
      ]),
    );
    const imageFolder = `Undistorted_SfM/${scene}/images`;
    const built = buildSceneInfo(readColmapModel(files, "text"), { imageFolder, depthFolder, depthBytes });
    const given = readSceneInfo(bytes("scene_info", `${scene}.npz`));
    expect(built.views.length).toBe(given.views.length);
    expectClose("overlap", built.overlap, given.overlap, 0);
    expectClose("scale ratio", built.scaleRatio, given.scaleRatio, 1e-12);
    // On the diagonal the last bit of a cosine near 1 is a millionth of a degree.
    expectClose("angles", built.angles, given.angles, 2e-6);
    const size = given.views.length;
    const aside = (angles: Float64Array) => angles.map((angle, at) => (at % (size + 1) === 0 ? 0 : angle));
    expectClose("angles between images", aside(built.angles), aside(given.angles), 1e-9);
    for (const [i, view] of given.views.entries()) {
      const ours = built.views[i];
      expect([ours.imagePath, ours.depthPath]).toEqual([view.imagePath, view.depthPath]);
      expectClose("points", ours.points, view.points, 0);
      expectClose("ids", ours.pointIds, view.pointIds, 0);
      expectClose("depths", ours.ndepths, view.ndepths, 1e-15);
      if (!view.pose || !view.intrinsics) {
        expect([ours.pose, ours.intrinsics]).toEqual([null, null]);
        continue;
      }
      expectClose("pose", ours.pose as Float64Array, view.pose, 1e-12);
      expectClose("intrinsics", ours.intrinsics as Float64Array, view.intrinsics, 0);
    }
  });

  it("crops lie where the reference's do", async () => {
    const pairs = pairsIn("megadepth/expected_pairs.json");
    expect(pairs.length).toBeGreaterThan(10);
    for (const pair of pairs) {
      const [row1, column1, row2, column2] = pair.central_match;
      for (const [path, center, box] of [
        [pair.image_path1, [row1, column1], pair.bbox1],
        [pair.image_path2, [row2, column2], pair.bbox2],
      ] as const) {
        const { width, height } = await loadImage(join(data, path));
        expect(cropBox([center[0], center[1]], [height, width], CROP), path).toEqual(box);
      }
    }
  });

  it("the batch's pairs have the reference's correspondences", async () => {
    const pairs = pairsIn("losses/batch_pairs.json");
    const expected = readNpz(new Uint8Array(readFileSync(join(shared, "reference/losses/correspondences.npz"))));
    for (const [n, pair] of pairs.entries()) {
      const { targets, valid, count } = correspond(await trainingPair(data, pair), GRID);
      // Cells of image 1 by number, and pixels of image 2 as rows, then columns.
      const cells = [...expected[`ids_${n}`].data].map(Number);
      const pixels = toFloat32(expected[`pos2_${n}`]);
      expect(count).toBe(cells.length);
      for (const [k, cell] of cells.entries()) {
        expect(valid[cell]).toBe(1);
        const [row, column] = [pixels[k], pixels[cells.length + k]];
        expect(Math.abs(GRID.scale * targets[2 * cell] + GRID.shift - column)).toBeLessThan(1e-3);
        expect(Math.abs(GRID.scale * targets[2 * cell + 1] + GRID.shift - row)).toBeLessThan(1e-3);
      }
    }
  });

  it("pairs that are drawn have enough correspondences", async () => {
    const source = await MegaDepthSource.open({ data, pairsPerScene: 10 });
    expect(source.scenes).toEqual(["0000", "0001"]);
    let enough = 0;
    for (let i = 0; i < source.length; i++) {
      const pair = await source.pair(0, i);
      if (!("skipped" in pair) && correspond(pair, GRID).count >= MIN_CORRESPONDENCES) enough++;
    }
    expect(enough).toBeGreaterThanOrEqual(18);
    expect((await MegaDepthSource.open({ data, scenes: "valid" })).scenes).toEqual(["0002"]);
  });

  it("worker threads make the pairs that this thread makes", async () => {
    const options = { data, pairsPerScene: 4, cropSize: 128 };
    const here = await MegaDepthSource.open(options);
    const threads = await openPairWorkers({ kind: "megadepth", options }, { workers: 2 });
    try {
      expect([threads.digest, threads.length]).toEqual([here.digest, 8]);
      const all = (source: PairSource) => Promise.all(Array.from({ length: 8 }, (_, i) => source.pair(1, i)));
      const wanted = await all(here);
      expect(wanted.some((pair) => "warp" in pair && pair.warp.kind === "depth")).toBe(true);
      expect(await all(threads)).toEqual(wanted);
    } finally {
      await threads.dispose();
    }
  });
});

/** The pair as the reference cut it. */
async function trainingPair(data: string, pair: ExpectedPair): Promise<TrainingPair> {
  const images = [await loadImage(join(data, pair.image_path1)), await loadImage(join(data, pair.image_path2))];
  const depths = [await readDepth(join(data, pair.depth_path1)), await readDepth(join(data, pair.depth_path2))];
  const boxes: [[number, number], [number, number]] = [pair.bbox1, pair.bbox2];
  const flat = (matrix: number[][]) => Float64Array.from(matrix.flat());
  return {
    id: pair.image_path1,
    images: [cropImage(images[0], boxes[0], CROP), cropImage(images[1], boxes[1], CROP)],
    warp: {
      kind: "depth",
      depths: [cropDepth(depths[0], boxes[0], CROP), cropDepth(depths[1], boxes[1], CROP)],
      intrinsics: [flat(pair.intrinsics1), flat(pair.intrinsics2)],
      poses: [flat(pair.pose1), flat(pair.pose2)],
      boxes,
    },
  };
}

function expectClose(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length, name).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (!(Math.abs(actual[i] - expected[i]) <= tolerance)) expect(actual[i], `${name}[${i}]`).toBe(expected[i]);
  }
}
