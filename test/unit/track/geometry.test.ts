/** Poses, the projection that draws with them, the filter, and the codes that find targets. */
import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { codeDistance } from "../../../src/match/code-distance.js";
import { Random } from "../../../src/random.js";
import { CodeIndex, mutualNearest } from "../../../src/track/codes.js";
import { CornerFilter } from "../../../src/track/filter.js";
import { assumedIntrinsics, projectionMatrix } from "../../../src/track/index.js";
import { homographyOfCorners } from "../../../src/track/plane.js";
import { planarPose } from "../../../src/track/pose.js";

/** Column-major 4×4 times a point. */
const times = (m: Float64Array, [x, y, z, w]: number[]) =>
  [0, 1, 2, 3].map((r) => m[r] * x + m[4 + r] * y + m[8 + r] * z + m[12 + r] * w);

/** A pose by turns about x, y, z in degrees, and a place. */
function poseOf(turns: number[], place: number[]): Float64Array {
  const [a, b, c] = turns.map((degrees) => (degrees * Math.PI) / 180);
  const [sa, ca, sb, cb, sc, cc] = [Math.sin(a), Math.cos(a), Math.sin(b), Math.cos(b), Math.sin(c), Math.cos(c)];
  return Float64Array.of(
    cb * cc,
    sa * sb * cc + ca * sc,
    -ca * sb * cc + sa * sc,
    0,
    -cb * sc,
    -sa * sb * sc + ca * cc,
    ca * sb * sc + sa * cc,
    0,
    sb,
    -sa * cb,
    ca * cb,
    0,
    ...place,
    1,
  );
}

/** Where a frame shows a point of the target under the pose and projection. */
function seenAt(pose: Float64Array, projection: Float64Array, point: number[], [width, height]: number[]): number[] {
  const [x, y, , w] = times(projection, times(pose, [...point, 1]));
  return [((x / w + 1) / 2) * width - 0.5, ((1 - y / w) / 2) * height - 0.5];
}

const SIZE = [640, 480];
const camera = assumedIntrinsics(640, 480);
const projection = projectionMatrix(640, 480, 0.1, 100);
const PLANE = [
  [-0.2, 0.15, 0],
  [0.2, 0.15, 0],
  [0.2, -0.15, 0],
  [-0.2, -0.15, 0],
];
const cornersOf = (pose: Float64Array, noise = 0, random = new Random(1)) =>
  PLANE.flatMap((point) => seenAt(pose, projection, point, SIZE)).map((value) => value + noise * random.normal());

describe("planarPose and projectionMatrix", () => {
  it("give back the pose that corners were drawn with", () => {
    for (const [turns, place] of [
      [
        [0, 0, 0],
        [0, 0, -1],
      ],
      [
        [50, 10, 170],
        [0.2, -0.1, -1.4],
      ],
      [
        [-35, 40, -60],
        [-0.3, 0.15, -0.9],
      ],
      [
        [5, -58, 20],
        [0.05, 0.05, -2],
      ],
    ]) {
      const pose = poseOf(turns, place);
      const found = planarPose(cornersOf(pose), [0.4, 0.3], camera, null) as Float64Array;
      for (let k = 0; k < 16; k++) expect(found[k]).toBeCloseTo(pose[k], 6);
    }
  });

  it("of two poses that look alike the one that was there before", () => {
    const far = [0.1, 0.05, -9];
    const [pose, mirrored] = [poseOf([12, 0, 0], far), poseOf([-12, 0, 0], far)];
    const random = new Random(4);
    for (let k = 0; k < 20; k++) {
      for (const before of [pose, mirrored]) {
        const found = planarPose(cornersOf(pose, 0.03, random), [0.4, 0.3], camera, before) as Float64Array;
        expect(Math.sign(found[6])).toBe(Math.sign(before[6]));
      }
    }
  });

  it("is null for what no camera sees", () => {
    expect(planarPose([0, 0, 10, 0, 20, 0, 30, 0], [1, 1], camera, null)).toBeNull();
    expect(planarPose(new Array(8).fill(Number.NaN), [1, 1], camera, null)).toBeNull();
    // From behind: the corners run the other way round.
    expect(homographyOfCorners([0, 0, 1, 0, 1, 1, 0, 1], [0, 0, 0, 1, 1, 1, 1, 0])).not.toBeNull();
  });

  it("assumes 60° across the longer edge, and draws near and far at the ends of depth", () => {
    expect(camera.fx).toBeCloseTo(320 / Math.tan(Math.PI / 6), 9);
    expect(assumedIntrinsics(480, 640).fx).toBe(camera.fx);
    for (const [depth, end] of [
      [0.1, -1],
      [100, 1],
    ]) {
      const [, , z, w] = times(projection, [0, 0, -depth, 1]);
      expect(z / w).toBeCloseTo(end, 9);
    }
  });

  it.each([
    [[0, 480, 0.1, 10]],
    [[640, 480, 0, 10]],
    [[640, 480, 1, 0.5]],
    [[640, 480, 0.1, 10, { fx: -1, fy: 1, cx: 0, cy: 0 }]],
  ])("refuses %j", (args) => {
    expect(() => projectionMatrix(...(args as [number, number, number, number]))).toThrow(OptionError);
  });
});

describe("CornerFilter", () => {
  const at = (x: number) => Float64Array.from({ length: 8 }, (_, k) => (k & 1 ? 100 : x));

  it("is stiller than what it sees at rest", () => {
    const filter = new CornerFilter(1.5, 1.5);
    const random = new Random(1);
    let [raw, filtered] = [0, 0];
    for (let f = 0; f < 200; f++) {
      const corners = at(200).map((value) => value + 0.1 * random.normal());
      const seen = corners[0] - 200;
      filter.apply(corners, f / 30);
      if (f < 20) continue;
      raw += seen ** 2;
      filtered += (corners[0] - 200) ** 2;
    }
    expect(filtered).toBeLessThan(0.35 * raw);
  });

  it("comes along at once where a motion begins, turns back or stops", () => {
    const filter = new CornerFilter(1.5, 1.5);
    const step = (f: number) => (f < 30 ? 0 : f < 40 ? 10 : f < 50 ? -12 : 0);
    let x = 0;
    for (let f = 0; f < 60; f++) {
      x += step(f);
      const corners = at(x);
      filter.apply(corners, f / 30);
      expect(Math.abs(corners[0] - x), `frame ${f}`).toBeLessThan(0.8);
    }
  });

  it("lags by a fraction of a pixel at any speed", () => {
    for (const speed of [5, 30, 300, 2000]) {
      const filter = new CornerFilter(1.5, 1.5);
      let corners = at(0);
      for (let f = 0; f < 60; f++) {
        corners = at((speed * f) / 30);
        filter.apply(corners, f / 30);
      }
      expect(Math.abs((speed * 59) / 30 - corners[0])).toBeLessThan(0.25);
    }
  });

  it("takes the first corners, those after a pause and those of its reset as they are", () => {
    const filter = new CornerFilter(0.01, 0);
    const seen = (x: number, time: number) => {
      const corners = at(x);
      filter.apply(corners, time);
      return corners[0];
    };
    expect(seen(10, 0)).toBe(10);
    expect(seen(20, 0.03)).toBeLessThan(11);
    expect(seen(30, 2)).toBe(30);
    filter.reset();
    expect(seen(50, 2.03)).toBe(50);
  });
});

describe("codes", () => {
  const random = new Random(9);
  const code = () => random.uint32() | 0;
  const flipped = (value: number, bits: number) => {
    let other = value;
    for (let b = 0; b < bits; b++) other ^= 1 << (7 * b + 3);
    return other;
  };

  it("differ by the bits that differ", () => {
    for (let k = 0; k < 50; k++) {
      const [a, b, c, d] = [code(), code(), code(), code()];
      const slow = [(a ^ c) >>> 0, (b ^ d) >>> 0].map((x) => x.toString(2).replaceAll("0", "").length);
      expect(codeDistance(a, b, c, d)).toBe(slow[0] + slow[1]);
    }
    expect(codeDistance(-1, -1, 0, 0)).toBe(64);
  });

  it("find each other, and vote for the target that has them", () => {
    const targets = Array.from({ length: 12 }, () => Int32Array.from({ length: 400 }, code));
    const index = new CodeIndex(targets);
    const frame = Int32Array.from(
      [...targets[7].subarray(0, 200)].map((value) => flipped(value, 2)).concat(Array.from({ length: 200 }, code)),
    );
    const votes = index.votes(frame, 20);
    expect(votes.indexOf(Math.max(...votes))).toBe(7);
    expect(votes[7]).toBeGreaterThan(70);
    const pairs = mutualNearest(targets[7], frame, 20);
    for (let k = 0; k < 100; k++) expect(pairs.slice(2 * k, 2 * k + 2)).toEqual([k, k]);
    expect(mutualNearest(targets[7], new Int32Array(0), 20)).toEqual([]);
  });
});
