import { describe, expect, it } from "vitest";
import { drawSceneViews } from "../../../src/bench/scene-views.js";
import { estimateEssential } from "../../../src/geometry/epipolar.js";
import { estimateHomography } from "../../../src/geometry/homography.js";
import type { Image } from "../../../src/image/image.js";
import { Random } from "../../../src/random.js";

const SIZE = 160;

/** Smooth blotches: a pixel tells where it comes from. */
function photo(light = 1): Image {
  const data = new Uint8Array(3 * SIZE * SIZE);
  for (let y = 0, i = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      for (let c = 0; c < 3; c++, i++) {
        data[i] = light * (128 + 60 * Math.sin(x / (5 + c)) + 60 * Math.cos(y / (6 - c) + x / 40));
      }
    }
  }
  return { width: SIZE, height: SIZE, data };
}

const scene = (seed: number) => drawSceneViews([photo(), photo()], new Random(seed));

describe("drawSceneViews", () => {
  it("one essential matrix holds for all planes, and where there are several no homography does", async () => {
    let deep = 0;
    for (let seed = 0; seed < 8; seed++) {
      const { points, intrinsics } = scene(seed);
      const [a, b] = points.map((side) => Float32Array.from(side));
      expect(a.length / 2).toBeGreaterThan(30);
      const cameras = { intrinsicsA: intrinsics, intrinsicsB: intrinsics };
      const found = await estimateEssential(a, b, { ...cameras, threshold: 0.05 });
      expect(found.inliers.length).toBe(a.length / 2);
      const plane = await estimateHomography(a, b, { threshold: 0.5 });
      if (plane.inliers.length < 0.95 * (a.length / 2)) deep++;
    }
    expect(deep).toBeGreaterThanOrEqual(4);
  });

  it("points show the same in both views", () => {
    let [near, count] = [0, 0];
    for (let seed = 0; seed < 5; seed++) {
      const { images, points } = scene(seed);
      for (let k = 0; k < points[0].length; k += 2) {
        const at = (side: 0 | 1) => {
          const [x, y] = [Math.round(points[side][k]), Math.round(points[side][k + 1])];
          return images[side].data[3 * (y * SIZE + x)];
        };
        count++;
        if (Math.abs(at(0) - at(1)) < 25) near++;
      }
    }
    // What another plane hides in view 2 is told as well.
    expect(near / count).toBeGreaterThan(0.8);
  });

  it("the same seed draws the same, each photograph gives its own view", () => {
    const [one, again] = [scene(3), scene(3)];
    expect(again).toEqual(one);
    const dark = drawSceneViews([photo(), photo(0.5)], new Random(3));
    expect(dark.images[0]).toEqual(one.images[0]);
    const mean = ({ data }: Image) => data.reduce((sum, value) => sum + value, 0) / data.length;
    expect(mean(dark.images[1]) / mean(one.images[1])).toBeCloseTo(0.5, 1);
  });
});
