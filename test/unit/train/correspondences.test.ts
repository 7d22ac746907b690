import { describe, expect, it } from "vitest";
import { OptionError, ShapeError } from "../../../src/errors.js";
import { correspond } from "../../../src/train/correspondences.js";
import type { CellGrid, DepthWarp, PairWarp, TrainingPair } from "../../../src/train/types.js";

const GRID: CellGrid = { width: 8, height: 6, scale: 8, shift: 3.5 };
const [WIDTH, HEIGHT] = [64, 48];
const image = { width: WIDTH, height: HEIGHT, data: new Uint8Array(3 * WIDTH * HEIGHT) };
const pairOf = (warp: PairWarp): TrainingPair => ({ id: "a-b", images: [image, image], warp });
const homography = (...matrix: number[]) => pairOf({ kind: "homography", matrix: Float64Array.from(matrix) });

describe("by homography", () => {
  it("the identity takes each cell to itself", () => {
    const { targets, valid, count } = correspond(homography(1, 0, 0, 0, 1, 0, 0, 0, 1), GRID);
    expect(count).toBe(48);
    expect([...valid].every((v) => v === 1)).toBe(true);
    for (let i = 0; i < 48; i++) expect([targets[2 * i], targets[2 * i + 1]]).toEqual([i % 8, Math.floor(i / 8)]);
  });

  it("a shift by cells and parts of cells; what leaves the image is not valid, and its target 0", () => {
    // 18 px right, 6 px up: 2.25 cells, −0.75 cells.
    const { targets, valid, count } = correspond(homography(1, 0, 18, 0, 1, -6, 0, 0, 1), GRID);
    for (let row = 0; row < 6; row++) {
      for (let column = 0; column < 8; column++) {
        const cell = 8 * row + column;
        // Pixels 8c + 21.5 ≤ 63 and 8r − 2.5 ≥ 0.
        const inside = column <= 5 && row >= 1;
        expect(valid[cell]).toBe(inside ? 1 : 0);
        expect([targets[2 * cell], targets[2 * cell + 1]]).toEqual(inside ? [column + 2.25, row - 0.75] : [0, 0]);
      }
    }
    expect(count).toBe(30);
  });

  it("perspective divides; what lies across the vanishing line is not seen", () => {
    // w = 1 − x/40 changes its sign at x = 40; the centre (31.5) is on the near side.
    const { valid, targets } = correspond(homography(0.2, 0, 0, 0, 0.2, 0, -1 / 40, 0, 1), GRID);
    const w = 1 - 3.5 / 40;
    expect(targets[0]).toBeCloseTo(((0.2 * 3.5) / w - 3.5) / 8, 5);
    // Column 5 is at 43.5 px: behind.
    for (let row = 0; row < 6; row++) expect([...valid.subarray(8 * row + 5, 8 * row + 8)]).toEqual([0, 0, 0]);
  });

  it("a matrix times anything, also negative, is the same map", () => {
    const once = correspond(homography(1, 0.1, 3, -0.05, 0.9, 2, 1e-3, 0, 1), GRID);
    const times = correspond(homography(-3, -0.3, -9, 0.15, -2.7, -6, -3e-3, 0, -3), GRID);
    expect(times.count).toBe(once.count);
    times.targets.forEach((t, i) => {
      expect(t).toBeCloseTo(once.targets[i], 5);
    });
  });

  it("cells that round outside the grid are not valid though their pixels are inside the image", () => {
    // 64 px are 8 cells; a grid of 6 columns ends at 44 + 3.5 px.
    const { valid } = correspond(homography(1, 0, 8, 0, 1, 0, 0, 0, 1), { ...GRID, width: 6 });
    expect([...valid.subarray(0, 6)]).toEqual([1, 1, 1, 1, 1, 0]);
  });

  it("a matrix of NaN or zeros has no correspondences", () => {
    expect(correspond(homography(...new Array(9).fill(Number.NaN)), GRID).count).toBe(0);
    expect(correspond(homography(...new Array(9).fill(0)), GRID).count).toBe(0);
  });
});

/** A plane at z = 10 seen by two cameras of focal 50, the second moved along x; crops begin at row 4, column 9 and 2, 5. */
function plane(moved: number, change: (warp: DepthWarp) => void = () => {}): TrainingPair {
  const intrinsics = () => Float64Array.of(50, 0, 40, 0, 50, 30, 0, 0, 1);
  const pose = (x: number) => Float64Array.of(1, 0, 0, x, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
  const depth = () => new Float32Array(WIDTH * HEIGHT).fill(10);
  const warp: DepthWarp = {
    kind: "depth",
    depths: [depth(), depth()],
    intrinsics: [intrinsics(), intrinsics()],
    poses: [pose(0), pose(moved)],
    boxes: [
      [4, 9],
      [2, 5],
    ],
  };
  change(warp);
  return pairOf(warp);
}

describe("by depth", () => {
  it("a plane moves by focal · translation / depth, and crops by the difference of their boxes", () => {
    // 50·0.8/10 = 4 px right, boxes 4 px right and 2 px down: 8 px = 1 cell and 0.25 cells.
    const { targets, valid, count } = correspond(plane(0.8), GRID);
    expect(targets[0]).toBeCloseTo(1, 6);
    expect(targets[1]).toBeCloseTo(0.25, 6);
    // 8c + 3.5 + 8 < 63 leaves 7 columns; 8r + 5.5 < 47 all 6 rows.
    expect([...valid.subarray(0, 8)]).toEqual([1, 1, 1, 1, 1, 1, 1, 0]);
    expect(count).toBe(42);
  });

  it("only the relative pose matters", () => {
    // Both cameras turned by 90° about z and moved: world → camera is R·x + t.
    const turned = plane(0.8, (warp) => {
      const rotation = [0, -1, 0, 1, 0, 0, 0, 0, 1];
      const relative = [0.8, 0];
      warp.poses = [0, 1].map((i) => {
        const [r, t] = [rotation, [3 + relative[i === 0 ? 1 : 0], 4, 5]];
        return Float64Array.of(r[0], r[1], r[2], t[0], r[3], r[4], r[5], t[1], r[6], r[7], r[8], t[2], 0, 0, 0, 1);
      }) as [Float64Array, Float64Array];
    });
    const straight = correspond(plane(0.8), GRID);
    const { targets, valid } = correspond(turned, GRID);
    expect([...valid]).toEqual([...straight.valid]);
    targets.forEach((t, i) => {
      expect(t).toBeCloseTo(straight.targets[i], 5);
    });
  });

  it("a missing depth at any of the four corners, in either image, drops the cell", () => {
    // Cell 0 is at (3.5, 3.5) in image 1 and (11.5, 5.5) in image 2.
    for (const [which, x, y] of [
      [0, 3, 3],
      [0, 4, 3],
      [0, 3, 4],
      [0, 4, 4],
      [1, 11, 5],
      [1, 12, 6],
    ]) {
      const { valid, count } = correspond(
        plane(0.8, ({ depths }) => {
          depths[which][y * WIDTH + x] = 0;
        }),
        GRID,
      );
      expect([valid[0], count]).toEqual([0, 41]);
    }
  });

  it("depths must agree within 0.05", () => {
    const shifted = (by: number) =>
      correspond(
        plane(0.8, ({ depths }) => void depths[1].fill(10 + by)),
        GRID,
      ).count;
    expect([shifted(0.049), shifted(0.051), shifted(-0.049), shifted(-0.051)]).toEqual([42, 0, 42, 0]);
  });

  it("points behind the second camera are not seen", () => {
    const behind = plane(0, ({ poses }) => {
      poses[1][11] = -20;
    });
    expect(correspond(behind, GRID).count).toBe(0);
  });
});

describe("refuses", () => {
  it.each([
    [{ width: 0 }, /width and height from 1/],
    [{ height: 1.5 }, /width and height from 1/],
    [{ scale: 0 }, /scale > 0/],
    [{ scale: Number.POSITIVE_INFINITY }, /scale > 0/],
    [{ shift: Number.NaN }, /shift NaN/],
  ])("a grid with %j", (change, message) => {
    const call = () => correspond(homography(1, 0, 0, 0, 1, 0, 0, 0, 1), { ...GRID, ...change });
    expect(call).toThrow(OptionError);
    expect(call).toThrow(message);
  });

  it("warps of the wrong size, naming the pair", () => {
    expect(() => correspond(homography(1, 0, 0), GRID)).toThrow(ShapeError);
    expect(() => correspond(homography(1, 0, 0), GRID)).toThrow(/pair "a-b": a homography has 9 numbers, got 3/);
    const small = plane(0, (warp) => {
      warp.depths[1] = new Float32Array(10);
    });
    expect(() => correspond(small, GRID)).toThrow(/pair "a-b": image 2 has 64×48 pixels, its depth 10 values/);
    const flat = plane(0, (warp) => {
      warp.poses[0] = new Float64Array(12);
    });
    expect(() => correspond(flat, GRID)).toThrow(/camera 1 needs 9 intrinsics and a pose of 16 numbers, got 9 and 12/);
    const singular = plane(0, (warp) => {
      warp.poses[0].fill(0);
    });
    expect(() => correspond(singular, GRID)).toThrow(/the first camera's pose has no inverse/);
  });
});
