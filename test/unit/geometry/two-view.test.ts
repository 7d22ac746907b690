import { describe, expect, it } from "vitest";
import type { Features, Matches } from "../../../src/features.js";
import type { Pose } from "../../../src/geometry/pose.js";
import { verifyMatches } from "../../../src/geometry/two-view.js";
import { Random } from "../../../src/random.js";
import { CAMERA_A, CAMERA_B, drawPairs, noisy, poseErrors, randomPose, rotationOf, split } from "./robust/scenes.js";

const cameras = { intrinsicsA: CAMERA_A, intrinsicsB: CAMERA_B };

const features = (keypoints: Float32Array): Features => ({
  count: keypoints.length / 2,
  dim: 0,
  imageSize: [1000, 700],
  keypoints,
  scores: new Float32Array(keypoints.length / 2),
  descriptors: new Float32Array(0),
});

/** Features of both images, and matches of which the last `wrong` are random. */
function matched(random: Random, right: Float64Array, wrong: number): [Features, Features, Matches] {
  const outliers = Array.from({ length: 4 * wrong }, (_, k) => random.uniform(0, k % 2 ? 700 : 1000));
  const [a, b] = split(Float64Array.of(...noisy(random, right, 0.4), ...outliers));
  const count = a.length / 2;
  return [
    features(a),
    features(b),
    {
      count,
      pairs: Uint32Array.from({ length: 2 * count }, (_, k) => k >> 1),
      scores: new Float32Array(count).fill(1),
    },
  ];
}

describe("verifyMatches", () => {
  it("auto: a scene with depth is epipolar geometry, calibrated where cameras are known", async () => {
    const random = new Random(1);
    for (let trial = 0; trial < 4; trial++) {
      const pose = randomPose(random);
      const pair = matched(random, drawPairs(random, pose, 150), 60);
      const found = await verifyMatches(...pair, { model: "auto", ...cameras });
      expect(found.model).toBe("essential");
      expect(Math.max(...poseErrors(found as Pose, pose))).toBeLessThan(2);
      expect((await verifyMatches(...pair, { model: "auto" })).model).toBe("fundamental");
    }
  });

  it("auto: a plane and a camera that only turns are a homography", async () => {
    const random = new Random(2);
    const turning = { rotation: rotationOf(0.1, 0.2, -0.3), translation: new Float64Array(3) };
    for (const right of [drawPairs(random, randomPose(random), 150, true), drawPairs(random, turning, 150)]) {
      const pair = matched(random, right, 60);
      for (const known of [cameras, {}]) {
        const found = await verifyMatches(...pair, { model: "auto", ...known });
        expect(found.model).toBe("homography");
        expect(found.matrix?.[8]).toBe(1);
        expect(found.inliers.length).toBeGreaterThan(140);
      }
    }
  });

  it("auto: a plane that holds four fifths of a scene does not hide its depth, wrong pairs do not make up any", async () => {
    const random = new Random(6);
    const pose = randomPose(random);
    const beside = Float64Array.of(...drawPairs(random, pose, 160, true), ...drawPairs(random, pose, 40));
    for (const known of [cameras, {}]) {
      for (const wrong of [0, 30]) {
        const found = await verifyMatches(...matched(random, beside, wrong), { model: "auto", ...known });
        expect(found.model).not.toBe("homography");
        expect(found.inliers.length).toBeGreaterThan(180);
      }
      const plane = drawPairs(random, pose, 150, true);
      expect((await verifyMatches(...matched(random, plane, 300), { model: "auto", ...known })).model).toBe(
        "homography",
      );
    }
  });

  it("auto: nothing is found in random matches of little number", async () => {
    const random = new Random(3);
    const found = await verifyMatches(...matched(random, new Float64Array(0), 3), { model: "auto" });
    expect(found.matrix).toBe(null);
  });

  it("asks for one model only where it is named, and passes options on", async () => {
    const random = new Random(4);
    const pair = matched(random, drawPairs(random, randomPose(random), 100), 20);
    expect((await verifyMatches(...pair)).model).toBe("homography");
    const loose = await verifyMatches(...pair, { model: "fundamental", threshold: 5 });
    const tight = await verifyMatches(...pair, { model: "fundamental", threshold: 0.3 });
    expect(loose.inliers.length).toBeGreaterThan(tight.inliers.length);
    expect((await verifyMatches(...pair, { model: "essential", ...cameras })).rotation?.length).toBe(9);
  });

  it("refuses what does not fit the model", async () => {
    const random = new Random(5);
    const pair = matched(random, drawPairs(random, randomPose(random), 10), 0);
    const call = (options: object) => verifyMatches(...pair, options);
    await expect(call({ model: "essential" })).rejects.toThrow('needs "intrinsicsA"');
    await expect(call({ model: "auto", intrinsicsB: CAMERA_B })).rejects.toThrow('needs "intrinsicsA"');
    await expect(call({ model: "affine" })).rejects.toThrow("must be one of homography, fundamental, essential, auto");
    await expect(call({ model: "fundamental", method: "dlt" })).rejects.toThrow('"method" is of homographies alone');
    await expect(call({ model: "fundamental", sigma: 1 })).rejects.toThrow('unknown option "sigma"');
  });
});
