/** Views of a photograph: inside it, overlapping, spread over rotations and zooms as stated. */
import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { convexArea, cutToSquare } from "../../../src/geometry/convex-polygon.js";
import { compose, inverse3x3, projectPoints } from "../../../src/geometry/matrix3.js";
import { warpMask } from "../../../src/image/warp.js";
import { Random } from "../../../src/random.js";
import {
  type DrawnViews,
  drawViews,
  type HomographyOptions,
  homographyOptions,
  overlapOf,
} from "../../../src/train/data/homographies.js";

const SIZE = 192;
const NONE = { rotation: 0, zoom: 1, perspective: 0, shear: 0, shift: 0, reduce: 1 };
const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1];

const draw = (
  options: Partial<HomographyOptions>,
  seed: number,
  photo: [number, number] = [704, 469],
  size = SIZE,
): DrawnViews => drawViews(photo, size, homographyOptions(options), new Random(seed));
const seeds = (count: number) => Array.from({ length: count }, (_, seed) => seed);
const inverse = (matrix: Float64Array) => inverse3x3(matrix) as Float64Array;

/** Rotation in degrees, zoom, and ratio of stretches of a map's derivative at a point. */
function decompose(m: Float64Array, x: number, y: number): { rotation: number; zoom: number; ratio: number } {
  const w = m[6] * x + m[7] * y + m[8];
  const [X, Y] = projectPoints(m, [x, y]);
  const [a, b] = [(m[0] - X * m[6]) / w, (m[1] - X * m[7]) / w];
  const [c, d] = [(m[3] - Y * m[6]) / w, (m[4] - Y * m[7]) / w];
  // Singular values and the rotation nearest to a 2×2 matrix.
  const [sum, difference] = [Math.hypot(a + d, c - b) / 2, Math.hypot(a - d, b + c) / 2];
  return {
    rotation: (Math.atan2(c - b, a + d) * 180) / Math.PI,
    zoom: Math.sqrt(a * d - b * c),
    ratio: (sum + difference) / (sum - difference),
  };
}

/** Counts of values in ten equal parts of [low, high]. */
function tenths(values: readonly number[], low: number, high: number): number[] {
  const counts = new Array<number>(10).fill(0);
  for (const value of values) counts[Math.min(9, Math.floor((10 * (value - low)) / (high - low)))]++;
  return counts;
}

describe("drawViews", () => {
  it("with no strength gives the same view twice, exactly", () => {
    for (const seed of seeds(20)) {
      const { views, matrix, overlap } = draw(NONE, seed);
      expect([...matrix]).toEqual(IDENTITY);
      expect(views[1]).toEqual(views[0]);
      expect(overlap).toEqual([1, 1]);
      // A plain cut from the photograph, somewhere in it.
      const [a, b, x, c, d, y] = views[0];
      expect([a, b, c, d]).toEqual([1, 0, 0, 1]);
      expect(-x).toBeGreaterThanOrEqual(0);
      expect(-x).toBeLessThanOrEqual(704 - SIZE);
      expect(-y).toBeLessThanOrEqual(469 - SIZE);
    }
  });

  it.each([
    ["a photograph", [704, 469]],
    ["a tall one", [300, 1400]],
    ["one of the view's size", [192, 192]],
    ["a tiny one", [30, 20]],
  ] as [string, [number, number]][])("shows nothing but %s, and says how views lie to each other", (_, photo) => {
    const steps = seeds(7).map((k) => ((SIZE - 1) * k) / 6);
    const grid = steps.flatMap((x) => steps.flatMap((y) => [x, y]));
    for (const seed of seeds(300)) {
      const { views, matrix } = draw({}, seed, photo);
      const seen = views.flatMap((view) => [...projectPoints(inverse(view), grid)]);
      const [xs, ys] = [0, 1].map((axis) => seen.filter((_, i) => i % 2 === axis));
      expect(Math.min(...xs, ...ys)).toBeGreaterThan(-1e-6);
      expect(Math.max(...xs)).toBeLessThan(photo[0] - 1 + 1e-6);
      expect(Math.max(...ys)).toBeLessThan(photo[1] - 1 + 1e-6);
      const there = projectPoints(compose(views[1], inverse(views[0])), [10, 20, 150, 80]);
      projectPoints(matrix, [10, 20, 150, 80]).forEach((value, i) => {
        expect(value).toBeCloseTo(there[i], 6);
      });
    }
  });

  it("overlaps as much as asked, and says how much", () => {
    const shares: number[] = [];
    for (const seed of seeds(300)) {
      const { matrix, overlap } = draw({}, seed);
      expect(Math.min(...overlap)).toBeGreaterThanOrEqual(0.2 - 1e-9);
      shares.push(Math.min(...overlap));
      // Counted pixel by pixel.
      const size = { width: SIZE, height: SIZE };
      const count = (mask: Uint8Array) => mask.reduce((sum, value) => sum + value, 0) / SIZE ** 2;
      expect(count(warpMask([SIZE, SIZE], matrix, size))).toBeCloseTo(overlap[1], 2);
      expect(count(warpMask([SIZE, SIZE], inverse(matrix), size))).toBeCloseTo(overlap[0], 2);
    }
    // The bound is at work, and not all there is.
    expect(Math.min(...shares)).toBeLessThan(0.22);
    expect(Math.max(...shares)).toBeGreaterThan(0.6);
    for (const seed of seeds(200)) {
      expect(Math.min(...draw({ zoom: 1, minOverlap: 0.8, shift: 1 }, seed).overlap)).toBeGreaterThanOrEqual(0.8);
    }
  });

  it("spreads rotations evenly and zooms log-evenly over all they may be", () => {
    const found = seeds(4000).map((seed) => decompose(draw({ perspective: 0 }, seed).matrix, 95.5, 95.5));
    const rotations = found.map(({ rotation }) => rotation);
    const zooms = found.map(({ zoom }) => Math.log2(zoom));
    for (const counts of [tenths(rotations, -180, 180), tenths(zooms, -1, 1)]) {
      // 400 ± 19 in each; 5 standard deviations.
      expect(Math.min(...counts)).toBeGreaterThan(305);
      expect(Math.max(...counts)).toBeLessThan(495);
    }
    expect(Math.max(...zooms)).toBeLessThanOrEqual(1 + 1e-9);
    expect(Math.min(...zooms)).toBeGreaterThanOrEqual(-1 - 1e-9);
    const narrow = seeds(500).map((seed) =>
      decompose(draw({ rotation: 30, zoom: 1.2, perspective: 0 }, seed).matrix, 0, 0),
    );
    expect(Math.max(...narrow.map(({ rotation }) => Math.abs(rotation)))).toBeLessThanOrEqual(30 + 1e-9);
    expect(Math.max(...narrow.map(({ rotation }) => Math.abs(rotation)))).toBeGreaterThan(28);
    expect(Math.max(...narrow.map(({ zoom }) => zoom))).toBeLessThanOrEqual(1.2 + 1e-9);
    expect(Math.min(...narrow.map(({ zoom }) => zoom))).toBeGreaterThanOrEqual(1 / 1.2 - 1e-9);
  });

  it("stretches, moves and foreshortens up to what is asked", () => {
    const only = { ...NONE, first: 0, minOverlap: 0 };
    const ratios = seeds(500).map((seed) => decompose(draw({ ...only, shear: 0.3 }, seed).matrix, 0, 0).ratio);
    expect(Math.max(...ratios)).toBeLessThanOrEqual(Math.exp(0.6) + 1e-9);
    expect(Math.max(...ratios)).toBeGreaterThan(Math.exp(0.59));
    const moves = seeds(500).map((seed) => draw({ ...only, shift: 0.5 }, seed).matrix);
    const offsets = moves.flatMap((m) => [m[2], m[5]]).map((offset) => offset / SIZE);
    expect(Math.min(...offsets)).toBeGreaterThanOrEqual(-0.5);
    expect(Math.max(...offsets)).toBeGreaterThan(0.49);
    // Depth at the middle of the right edge against that of the view.
    const depths = seeds(500).map((seed) => {
      const m = draw({ ...only, perspective: 0.2 }, seed).matrix;
      const at = (x: number, y: number) => m[6] * x + m[7] * y + m[8];
      return at(191.5, 95.5) / at(95.5, 95.5) - 1;
    });
    expect(Math.max(...depths)).toBeLessThanOrEqual(0.2 + 1e-9);
    expect(Math.max(...depths)).toBeGreaterThan(0.19);
    expect(Math.min(...depths)).toBeLessThan(-0.19);
  });

  it("warps view 1 by its share, and reduces the sharper view up to what is asked", () => {
    const photo: [number, number] = [6000, 4000];
    const turned = seeds(500).map((seed) => {
      const [view] = draw({ first: 0.25 }, seed, photo).views;
      const [x, y] = projectPoints(inverse(view), [95.5, 95.5]);
      return decompose(view, x, y).rotation;
    });
    expect(Math.max(...turned.map(Math.abs))).toBeGreaterThan(40);
    expect(Math.max(...turned.map(Math.abs))).toBeLessThanOrEqual(45 + 1e-9);
    const plain = { first: 0, perspective: 0, shear: 0 };
    const sharpest = seeds(500).map((seed) => {
      const { views } = draw({ ...plain, reduce: 3 }, seed, photo);
      expect(decompose(views[0], 0, 0).rotation).toBe(0);
      return Math.max(...views.map((view) => decompose(view, 0, 0).zoom));
    });
    expect(Math.max(...sharpest)).toBeLessThanOrEqual(1 + 1e-9);
    expect(Math.max(...sharpest)).toBeGreaterThan(0.98);
    expect(Math.min(...sharpest)).toBeGreaterThanOrEqual(1 / 3 - 1e-9);
    expect(Math.min(...sharpest)).toBeLessThan(0.35);
  });

  it("never looks across a horizon, whatever is asked", () => {
    const wild = { perspective: 0.4, shear: 1, shift: 1, first: 1, zoom: 8, minOverlap: 0, reduce: 16 };
    for (const seed of seeds(300)) {
      const { views, matrix } = draw(wild, seed);
      for (const map of [...views.map(inverse), matrix, inverse(matrix)]) {
        const depths = [0, 191].flatMap((x) => [0, 191].map((y) => map[6] * x + map[7] * y + map[8]));
        expect(Math.min(...depths) * Math.max(...depths)).toBeGreaterThan(0);
      }
    }
  });

  it("depends on the generator only", () => {
    expect(draw({}, 5)).toEqual(draw({}, 5));
    expect(draw({}, 5).matrix).not.toEqual(draw({}, 6).matrix);
  });
});

describe("homographyOptions", () => {
  it.each([
    [{ rotation: 181 }, /"rotation"/],
    [{ rotation: Number.NaN }, /"rotation"/],
    [{ zoom: 0.5 }, /"zoom"/],
    [{ perspective: 0.5 }, /"perspective"/],
    [{ shear: -1 }, /"shear"/],
    [{ shift: 2 }, /"shift"/],
    [{ first: 1.1 }, /"first"/],
    [{ reduce: 0 }, /"reduce"/],
    [{ minOverlap: 0.3 }, /"minOverlap" is 0.3, but views at zoom 2 share at most 0.200/],
    [{ zoom: 3 }, /at zoom 3 share at most 0.0889/],
    [{ turn: 3 } as Partial<HomographyOptions>, /unknown option "turn"/],
  ] as [Partial<HomographyOptions>, RegExp][])("refuses %j", (given, message) => {
    expect(() => homographyOptions(given)).toThrow(OptionError);
    expect(() => homographyOptions(given)).toThrow(message);
  });
});

describe("overlapOf", () => {
  it("is exact for turns, moves and zooms of a square", () => {
    const about = (linear: number[]) => {
      const [a, b, c, d] = linear;
      return compose(
        [1, 0, 49.5, 0, 1, 49.5, 0, 0, 1],
        compose([a, b, 0, c, d, 0, 0, 0, 1], [1, 0, -49.5, 0, 1, -49.5, 0, 0, 1]),
      );
    };
    const half = Math.SQRT1_2;
    const cases: [Float64Array, number, number][] = [
      [Float64Array.from([1, 0, 25, 0, 1, 0, 0, 0, 1]), 0.75, 0.75],
      [Float64Array.from([1, 0, 25, 0, 1, -50, 0, 0, 1]), 0.375, 0.375],
      [Float64Array.from([1, 0, 300, 0, 1, 0, 0, 0, 1]), 0, 0],
      // A square and its turn by 45°: a regular octagon of inner radius 1/2.
      [about([half, -half, half, half]), 2 * (Math.SQRT2 - 1), 2 * (Math.SQRT2 - 1)],
      [about([2, 0, 0, 2]), 0.25, 1],
    ];
    for (const [matrix, first, second] of cases) {
      const [a, b] = overlapOf(matrix, 100);
      expect(a).toBeCloseTo(first, 12);
      expect(b).toBeCloseTo(second, 12);
    }
  });
});

describe("cutToSquare and convexArea", () => {
  it("keeps what is inside, whichever way round", () => {
    expect(cutToSquare([1, 1, 2, 1, 2, 2, 1, 2], 0, 3)).toEqual([1, 1, 2, 1, 2, 2, 1, 2]);
    expect(cutToSquare([5, 5, 6, 5, 6, 6], 0, 3)).toEqual([]);
    expect(convexArea(cutToSquare([-1, -1, 5, -1, -1, 5], 0, 3))).toBeCloseTo(7);
    expect(convexArea(cutToSquare([-1, 5, 5, -1, -1, -1], 0, 3))).toBeCloseTo(7);
    expect(convexArea([])).toBe(0);
  });
});
