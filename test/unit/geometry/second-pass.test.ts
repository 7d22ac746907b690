import { describe, expect, it } from "vitest";
import type { FloatFeatures } from "../../../src/features.js";
import { rematchGuided } from "../../../src/geometry/second-pass.js";
import { verifyMatches } from "../../../src/geometry/two-view.js";
import { matchFeatures } from "../../../src/match/mutual.js";
import { Random } from "../../../src/random.js";
import { CAMERA_A, CAMERA_B, drawPairs, noisy, poseErrors, randomPose, split } from "./robust/scenes.js";

const cameras = { intrinsicsA: CAMERA_A, intrinsicsB: CAMERA_B };

/** Both images' features of pairs; descriptors of few words, so that many keypoints have a rival elsewhere. */
function described(random: Random, pairs: Float64Array, words: number): [FloatFeatures, FloatFeatures] {
  const count = pairs.length / 4;
  const dim = 32;
  const vocabulary = Float32Array.from({ length: words * dim }, () => random.normal());
  const word = Array.from({ length: count }, () => random.integer(words) * dim);
  return split(noisy(random, pairs, 0.3)).map((keypoints) => ({
    count,
    dim,
    imageSize: [1000, 700],
    keypoints,
    scores: new Float32Array(count).fill(1),
    descriptors: Float32Array.from(
      { length: count * dim },
      (_, k) => vocabulary[word[Math.floor(k / dim)] + (k % dim)] + 0.2 * random.normal(),
    ),
  })) as [FloatFeatures, FloatFeatures];
}

describe("rematchGuided", () => {
  it.each(["homography", "fundamental", "essential"] as const)(
    "finds more inliers of a %s, and as good a one",
    async (model) => {
      const random = new Random(1);
      const pose = randomPose(random);
      const [a, b] = described(random, drawPairs(random, pose, 300, model === "homography"), 150);
      const matches = await matchFeatures(a, b, { runtime: null });
      const options = { model, ...(model === "essential" && cameras) };
      const first = await verifyMatches(a, b, matches, options);
      const second = await rematchGuided(a, b, matches, first, options);
      expect(second.geometry.model).toBe(model);
      expect(second.geometry.inliers.length).toBeGreaterThan(1.2 * first.inliers.length);
      const right = second.geometry.inliers.filter(
        (m) => second.matches.pairs[2 * m] === second.matches.pairs[2 * m + 1],
      );
      expect(right.length).toBeGreaterThan(0.9 * second.geometry.inliers.length);
      if (model === "essential") expect(Math.max(...poseErrors(second.geometry as never, pose))).toBeLessThan(2);
    },
  );

  it("leaves what few matches agree on as it is", async () => {
    const random = new Random(2);
    const [a, b] = described(random, drawPairs(random, randomPose(random), 14), 1000);
    const matches = await matchFeatures(a, b, { runtime: null });
    const first = await verifyMatches(a, b, matches, { model: "fundamental" });
    const second = await rematchGuided(a, b, matches, first, { model: "fundamental" });
    expect(second.matches).toBe(matches);
    expect(second.geometry).toBe(first);
  });

  it("refuses a geometry of other matches, and an essential matrix without cameras", async () => {
    const random = new Random(3);
    const [a, b] = described(random, drawPairs(random, randomPose(random), 40), 1000);
    const matches = await matchFeatures(a, b, { runtime: null });
    const found = await verifyMatches(a, b, matches, { model: "essential", ...cameras });
    await expect(rematchGuided(a, b, matches, found)).rejects.toThrow('needs "intrinsicsA"');
    const foreign = { ...found, inliers: Uint32Array.of(99) };
    await expect(rematchGuided(a, b, matches, foreign, cameras)).rejects.toThrow("inlier 99 is none of");
  });
});
