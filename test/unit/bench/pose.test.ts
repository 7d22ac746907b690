import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { poseAuc, poseError, relativePose, scorePose } from "../../../src/bench/pose.js";
import type { FloatFeatures } from "../../../src/features.js";
import { compose } from "../../../src/geometry/matrix3.js";
import { measurePose } from "../../../src/node/bench/measure-pose.js";
import { openScenes, parseCamera } from "../../../src/node/bench/scenes.js";
import { saveImage } from "../../../src/node/images.js";
import { Random } from "../../../src/random.js";
import { fakeStrata } from "../cli/fake.js";
import { CAMERA_A, CAMERA_B, drawPairs, randomPose, rotationOf, split } from "../geometry/robust/scenes.js";

const IDENTITY = rotationOf(0, 0, 0);
const camera = (rotation: Float64Array, translation: number[]) => ({ intrinsics: CAMERA_A, rotation, translation });

describe("poses", () => {
  it("are relative to the first camera, whatever the world is", () => {
    const random = new Random(1);
    const { rotation, translation } = randomPose(random);
    const world = rotationOf(0.3, 0.2, 1);
    const a = camera(world, [1, 2, 3]);
    const moved = [0, 1, 2].map(
      (k) => 4 * translation[k] + [0, 1, 2].reduce((s, c) => s + rotation[3 * k + c] * [1, 2, 3][c], 0),
    );
    const found = relativePose(a, camera(compose(rotation, world), moved));
    expect(poseError(found, { rotation, translation })).toBeLessThan(1e-5);
  });

  it("err by the larger angle, up to 180 degrees", () => {
    const pose = { rotation: IDENTITY, translation: Float64Array.of(1, 0, 0) };
    const degree = Math.PI / 180;
    expect(poseError({ ...pose, rotation: rotationOf(0, 0, 7 * degree) }, pose)).toBeCloseTo(7, 6);
    const turned = Float64Array.of(Math.cos(9 * degree), Math.sin(9 * degree), 0);
    expect(poseError({ rotation: rotationOf(0, 0, 7 * degree), translation: turned }, pose)).toBeCloseTo(9, 6);
    expect(poseError({ ...pose, translation: Float64Array.of(-1, 0, 0) }, pose)).toBeCloseTo(180, 6);
    expect(poseAuc([0, 2.5, 5, 180], 5)).toBeCloseTo(0.375, 12);
    expect(poseAuc([], 5)).toBe(0);
  });

  it("are scored on matches of exact keypoints, guided or not, and are 180 degrees off without any", async () => {
    const random = new Random(2);
    const pose = randomPose(random);
    const [a, b] = split(drawPairs(random, pose, 80)).map(
      (keypoints): FloatFeatures => ({
        count: 80,
        dim: 80,
        imageSize: [1000, 700],
        keypoints,
        scores: new Float32Array(80).fill(1),
        descriptors: Float32Array.from({ length: 6400 }, (_, k) => Number(k % 81 === 0)),
      }),
    );
    const cameras = [
      { intrinsics: CAMERA_A, rotation: IDENTITY, translation: [0, 0, 0] },
      { intrinsics: CAMERA_B, ...pose },
    ] as const;
    for (const guided of [false, true]) {
      const scored = await scorePose(a, b, cameras, { guided });
      expect(scored).toMatchObject({ matches: 80, inliers: 80 });
      expect(scored.error).toBeLessThan(0.05);
      expect("auto" in scored).toBe(false);
    }
    expect((await scorePose(a, b, cameras, { auto: true })).auto).toBe("essential");
    const none = {
      ...a,
      count: 0,
      keypoints: new Float32Array(0),
      scores: new Float32Array(0),
      descriptors: new Float32Array(0),
    };
    expect(await scorePose(none, b, cameras)).toEqual({ error: 180, matches: 0, inliers: 0 });
  });
});

describe("scenes", () => {
  let folder = "";
  const text = "500 0 4\n0 500 4\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "strata-scenes-"));
    for (const scene of ["b", "a"]) {
      mkdirSync(join(folder, scene));
      for (const name of ["1", "2", "3"]) {
        await saveImage(join(folder, scene, `${name}.png`), { width: 8, height: 8, data: new Uint8Array(192) });
        writeFileSync(join(folder, scene, `${name}.txt`), text);
      }
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("are found by name, all or one, with their cameras", async () => {
    const scenes = await openScenes(folder);
    expect(scenes.map(({ name, images }) => [name, images.length])).toEqual([
      ["a", 3],
      ["b", 3],
    ]);
    expect(scenes[0].images[1]).toMatchObject({ name: "a/2.png", camera: { intrinsics: { fx: 500, cx: 4 } } });
    expect((await openScenes(join(folder, "b"))).map(({ name }) => name)).toEqual(["b"]);
  });

  it("are measured by the command: pairs with the next ones, a row per scene", async () => {
    const { code, out } = await fakeStrata().run("bench", "pose", "--data", folder, "--method", "fake", "--json");
    expect(code).toBe(0);
    const [{ pairs, auc }] = JSON.parse(out);
    expect(pairs.length).toBe(6);
    expect(pairs[1]).toMatchObject({ scene: "a", images: ["a/1.png", "a/3.png"], error: 180, inliers: 0 });
    expect(auc).toEqual({ all: [0, 0, 0], a: [0, 0, 0], b: [0, 0, 0] });
    const one = await fakeStrata().run("bench", "pose", "--data", folder, "--steps", "1");
    expect(one.out).toMatch(/strata-s +all +4 +\d +0 +0\.000/);
    const auto = await fakeStrata().run("bench", "pose", "--data", folder, "--steps", "1", "--auto");
    expect(auto.out).toMatch(/AUC@20 +planes by auto\n.*\bstrata-s +all +4 .* 0\n/);
  });

  it("say which file is wrong", async () => {
    const bytes = (words: string) => new TextEncoder().encode(words);
    expect(() => parseCamera("x.txt", bytes("1 2 3"))).toThrow("x.txt: expected 21 numbers");
    expect(() => parseCamera("x.txt", bytes(text.replace("500", "wide")))).toThrow(
      'x.txt: "wide" is not a finite number',
    );
    expect(() => parseCamera("x.txt", bytes(text.replace("\n1 0 0 0", "\n2 0 0 0")))).toThrow(
      "x.txt: the first three columns",
    );
    expect(() => parseCamera("x.txt", bytes(text.replace("500 0", "-5 0")))).toThrow('x.txt: "intrinsics.fx"');
    rmSync(join(folder, "b", "2.txt"));
    await expect(openScenes(folder)).rejects.toThrow(/2\.txt/);
    await expect(openScenes(join(folder, "none"))).rejects.toThrow(/none/);
    const empty = mkdtempSync(join(tmpdir(), "strata-empty-"));
    await expect(openScenes(empty)).rejects.toThrow("has no scenes");
    rmSync(empty, { recursive: true });
    await expect(measurePose({ data: folder, method: "orb", steps: 0 })).rejects.toThrow('"steps"');
  });
});
