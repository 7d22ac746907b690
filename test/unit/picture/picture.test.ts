import { beforeAll, describe, expect, it } from "vitest";
import { OptionError, ShapeError } from "../../../src/errors.js";
import type { PictureInput } from "../../../src/picture/index.js";
import { preparePicture } from "../../../src/picture/picture.js";
import { featuresOf, pair, SIZE_A } from "./pair.js";

let input: PictureInput;
beforeAll(async () => {
  input = await pair();
});

const prepare = (change: Partial<PictureInput> = {}) => preparePicture("test", { ...input, ...change });

describe("preparePicture", () => {
  it("sorts by similarity and keeps each match's points, indices and verdict together", () => {
    const { scores, pairs, pointsA, pointsB, inlier, errors } = prepare();
    expect(scores).toHaveLength(42);
    for (let k = 0; k < 42; k++) {
      if (k > 0) expect(scores[k]).toBeLessThanOrEqual(scores[k - 1]);
      const m = pairs[2 * k];
      expect(scores[k]).toBe(input.matches.scores[m]);
      expect([...pointsA.subarray(2 * k, 2 * k + 2)]).toEqual([
        ...input.featuresA.keypoints.subarray(2 * m, 2 * m + 2),
      ]);
      expect([...pointsB.subarray(2 * k, 2 * k + 2)]).toEqual([
        ...input.featuresB.keypoints.subarray(2 * m, 2 * m + 2),
      ]);
      expect(inlier[k]).toBe(m < 30 ? 1 : 0);
      if (m < 30) expect(errors[k]).toBeLessThan(1e-4);
      else expect(errors[k]).toBeGreaterThan(1);
    }
  });

  it("leaves out points that are not finite but counts them, and puts a score that is no number last", () => {
    const keypoints = input.featuresA.keypoints.slice();
    keypoints[7] = Number.NaN; // keypoint 3
    const scores = input.matches.scores.slice();
    scores[0] = Number.NaN;
    const picture = prepare({ featuresA: featuresOf(keypoints, SIZE_A), matches: { ...input.matches, scores } });
    expect(picture.scores).toHaveLength(41);
    expect(picture.pairs.filter((_, k) => k % 2 === 0)).not.toContain(3);
    expect(picture.pairs[2 * 40]).toBe(0);
    expect(picture.keypoints[0]).toHaveLength(2 * 83);
    expect(picture.counts).toEqual({ keypoints: [84, 84], matches: 42, inliers: 30 });
  });

  it("takes no matches and no homography as they are", () => {
    const none = { count: 0, pairs: new Uint32Array(0), scores: new Float32Array(0) };
    const empty = prepare({ matches: none, homography: { matrix: null, inliers: new Uint32Array(0) } });
    expect(empty.scores).toHaveLength(0);
    expect(empty.matrix).toBeNull();
    expect(empty.outline).toHaveLength(0);
    expect(empty.errors).toHaveLength(0);
  });

  it("refuses what does not fit, and says what", () => {
    const cases: [Partial<PictureInput>, typeof ShapeError | typeof OptionError, RegExp][] = [
      [{ homography: { matrix: null, inliers: Uint32Array.of(42) } }, ShapeError, /inlier 42 of 42/],
      [{ homography: { matrix: new Float64Array(8), inliers: new Uint32Array(0) } }, ShapeError, /9 finite numbers/],
      [{ homography: { matrix: new Float64Array(9).fill(NaN), inliers: new Uint32Array(0) } }, ShapeError, /9 finite/],
      [{ matches: { ...input.matches, count: 41 } }, ShapeError, /41 matches/],
      [{ matches: { ...input.matches, scores: new Float32Array(3) } }, ShapeError, /3$/],
      [{ featuresB: featuresOf(new Float32Array(4), SIZE_A) }, ShapeError, /of 84 and 2/],
      [{ imageA: { ...input.imageA, href: "https://example.org/a.png" } }, OptionError, /data:image.*https:/],
      [{ imageA: { ...input.imageA, href: "javascript:alert(1)" } }, OptionError, /"href" of imageA/],
      [{ imageB: { ...input.imageB, width: 0 } }, OptionError, /imageB: "width"/],
      [{ options: { maxLines: 0 } }, OptionError, /"maxLines"/],
      [{ options: { lines: 3 } as object }, OptionError, /"lines"/],
      [{ options: { inliers: 1 } as object }, OptionError, /"inliers" must be true or false, got 1/],
    ];
    for (const [change, kind, message] of cases) {
      expect(() => prepare(change)).toThrow(kind);
      expect(() => prepare(change)).toThrow(message);
    }
  });
});
