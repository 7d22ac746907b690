/** Planes in front of a photograph: where they lie, what hides what, and that what is said to correspond looks alike. */
import { describe, expect, it } from "vitest";
import { OptionError, ShapeError } from "../../../src/errors.js";
import { inverse3x3, projectPoints } from "../../../src/geometry/matrix3.js";
import type { Image } from "../../../src/image/image.js";
import { Random } from "../../../src/random.js";
import { carryOf, correspond } from "../../../src/train/correspondences.js";
import { depthRatio, homographyOptions } from "../../../src/train/data/homographies.js";
import { NO_PHOTOMETRIC, photometricOptions } from "../../../src/train/data/photometric.js";
import { photoPair } from "../../../src/train/data/photos.js";
import { coverageOf, drawPlanes, layOver, pieceOf, planesOptions } from "../../../src/train/data/planes.js";
import { matricesAt, project, samePlane } from "../../../src/train/detector/points.js";
import { similarityLoss } from "../../../src/train/detector/similarity.js";
import type { PlanesWarp, TrainingPair } from "../../../src/train/types.js";
import { interpret, uniform, type Values, values } from "../../networks.js";

const SIZE = 96;

/** Smooth, and nowhere the same: a pixel's colour tells where it comes from. */
function smooth(width: number, height: number): Image {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data.set([(255 * x) / width, (255 * y) / height, 128 + 100 * Math.sin((x + 2 * y) / 40)], 3 * (y * width + x));
    }
  }
  return { width, height, data };
}

const photo = smooth(400, 320);
const options = (most: number, seed = 1) => ({
  cropSize: SIZE,
  homography: homographyOptions({ zoom: 1.5, minOverlap: 0.3 }),
  photometric: NO_PHOTOMETRIC,
  ...(most > 0 && { planes: planesOptions({ most }) }),
  seed,
});
const pairOf = (most: number, index: number) => photoPair("p", photo, { epoch: 0, index }, options(most), null);

/** Pairs that have a plane in front. */
async function several(count: number): Promise<(TrainingPair & { warp: PlanesWarp })[]> {
  const found: (TrainingPair & { warp: PlanesWarp })[] = [];
  for (let index = 0; found.length < count; index++) {
    const pair = await pairOf(3, index);
    if (pair.warp.kind === "planes") found.push({ ...pair, warp: pair.warp });
  }
  return found;
}

const colour = ({ width, data }: Image, x: number, y: number) =>
  [0, 1, 2].map((c) => data[3 * (Math.round(y) * width + Math.round(x)) + c]);

describe("pairs", () => {
  it("what corresponds looks alike, on every plane", async () => {
    let checked = 0;
    const planesSeen = new Set<number>();
    for (const pair of await several(12)) {
      const carry = carryOf(pair);
      const to = new Float64Array(2);
      for (let y = 2; y < SIZE - 2; y += 3) {
        for (let x = 2; x < SIZE - 2; x += 3) {
          if (!carry(x, y, to)) continue;
          // At an outline a pixel is a mixture.
          if (mixed(pair, 0, x, y) || mixed(pair, 1, to[0], to[1])) continue;
          const [a, b] = [colour(pair.images[0], x, y), colour(pair.images[1], to[0], to[1])];
          a.forEach((v, c) => {
            expect(Math.abs(v - b[c])).toBeLessThan(14);
          });
          planesSeen.add(pair.warp.labels[0][y * SIZE + x]);
          checked++;
        }
      }
    }
    expect(checked).toBeGreaterThan(1000);
    expect([...planesSeen].sort()).toEqual([0, 1, 2, 3]);
  });

  it("what is hidden in the other view has no counterpart", async () => {
    let hidden = 0;
    for (const pair of await several(8)) {
      const { matrices, labels } = pair.warp;
      const single = carryOf({ ...pair, warp: { kind: "homography", matrix: matrices[0] } });
      const carry = carryOf(pair);
      const [to, own] = [new Float64Array(2), new Float64Array(2)];
      for (let i = 0; i < SIZE * SIZE; i += 5) {
        const [x, y] = [i % SIZE, Math.floor(i / SIZE)];
        if (labels[0][i] !== 0 || !single(x, y, to)) continue;
        const isHidden = labels[1][Math.round(to[1]) * SIZE + Math.round(to[0])] !== 0;
        expect(carry(x, y, own)).toBe(!isHidden);
        if (isHidden) hidden++;
      }
    }
    expect(hidden).toBeGreaterThan(50);
  });

  it("leave the views behind as they are, and depend on the seed alone", async () => {
    const [pair] = await several(1);
    const index = Array.from({ length: 20 }, (_, i) => i);
    for (const i of index) {
      const [with3, without, again] = [await pairOf(3, i), await pairOf(0, i), await pairOf(3, i)];
      expect(with3).toEqual(again);
      if (with3.warp.kind !== "planes" || without.warp.kind !== "homography") continue;
      expect([...with3.warp.matrices[0]]).toEqual([...without.warp.matrix]);
      const { labels } = with3.warp;
      const behind = [...labels[0].keys()].filter(
        (at) => labels[0][at] === 0 && !mixed(with3, 0, at % SIZE, Math.floor(at / SIZE)),
      );
      for (const at of behind.slice(0, 200)) {
        expect(with3.images[0].data[3 * at]).toBe(without.images[0].data[3 * at]);
      }
    }
    expect(pair.warp.labels[0].some((label) => label > 0)).toBe(true);
  });

  it("come with their views before the light, where these are asked for", async () => {
    const lit = { ...options(2), photometric: photometricOptions() };
    const make = (more: object) => photoPair("p", photo, { epoch: 0, index: 3 }, { ...lit, ...more }, null);
    const [plain, both] = [await make({}), await make({ before: true })];
    const { before, ...rest } = both;
    expect(rest).toEqual(plain);
    const unlit = await photoPair("p", photo, { epoch: 0, index: 3 }, options(2), null);
    expect(before).toEqual(unlit.images);
    expect(before?.[0].data).not.toEqual(plain.images[0].data);
  });

  it("labels that do not fit are refused", async () => {
    const [pair] = await several(1);
    const grid = { width: 4, height: 4, scale: 16, shift: 7.5 };
    expect(correspond(pair, grid).count).toBeGreaterThan(0);
    const wrong = (labels: [Uint8Array, Uint8Array]) => () =>
      correspond({ ...pair, warp: { ...pair.warp, labels } }, grid);
    expect(wrong([pair.warp.labels[0], new Uint8Array(4)])).toThrow(ShapeError);
    expect(wrong([pair.warp.labels[0], pair.warp.labels[1].map(() => 9)])).toThrow(/image 2 needs a label below/);
  });
});

/** Whether a pixel lies beside one of another plane. */
function mixed({ warp }: TrainingPair, side: 0 | 1, x: number, y: number): boolean {
  const labels = (warp as PlanesWarp).labels[side];
  const seen = new Set<number>();
  for (const dy of [-1, 0, 1])
    for (const dx of [-1, 0, 1]) seen.add(labels[(Math.round(y) + dy) * SIZE + Math.round(x) + dx]);
  return seen.size > 1;
}

describe("drawing", () => {
  it("no plane tips over, whatever the views, and nearer ones move further", () => {
    const near: number[] = [];
    for (let seed = 0; seed < 300; seed++) {
      const matrix = Float64Array.of(1.2, -0.7, 30, 0.6, 1.1, -20, 3e-3, -2e-3, 1);
      const planes = drawPlanes(
        SIZE,
        matrix,
        planesOptions({ most: 3, tilt: 0.4, shear: 1, parallax: 0.5 }),
        new Random(seed),
      );
      for (const { outline, matrix: own } of planes) {
        expect(inverse3x3(own)).not.toBeNull();
        expect(own[8]).toBe(1);
        if (depthRatio(matrix, outline) >= 1 / 8) expect(depthRatio(own, outline)).toBeGreaterThan(0);
      }
      if (planes.length < 2) continue;
      const way = ({ outline, matrix: own }: (typeof planes)[number]) => {
        const middle = [0, 1].map(
          (i) => outline.filter((_, j) => j % 2 === i).reduce((a, b) => a + b, 0) / (outline.length / 2),
        );
        const [a, b] = [projectPoints(matrix, middle), projectPoints(own, middle)];
        return Math.hypot(a[0] - b[0], a[1] - b[1]);
      };
      const ways = planes.map(way);
      if (ways.every((w, i) => i === 0 || w > ways[i - 1])) near.push(seed);
    }
    expect(near.length).toBeGreaterThan(100);
  });

  it("none where none is asked for", () => {
    expect(drawPlanes(SIZE, Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), planesOptions(), new Random(1))).toEqual([]);
  });

  it.each([
    ["one way round", [2, 2, 7, 2, 7, 5, 2, 5]],
    ["the other", [2, 5, 7, 5, 7, 2, 2, 2]],
  ])("coverage is 1 inside, a half on the edge, 0 outside: %s", (_what, outline) => {
    const coverage = coverageOf(outline, 10);
    const at = (x: number, y: number) => coverage[10 * y + x];
    expect([at(4, 3), at(2, 3), at(1, 3), at(8, 3), at(4, 5), at(4, 6)]).toEqual([1, 0.5, 0, 0, 0.5, 0]);
  });

  it("a plane lies over a view by its coverage", () => {
    const view: Image = { width: 3, height: 1, data: Uint8Array.of(10, 20, 30, 10, 20, 30, 10, 20, 30) };
    const plane: Image = { width: 3, height: 1, data: new Uint8Array(9).fill(110) };
    const labels = new Uint8Array(3);
    layOver(view, labels, plane, Float32Array.of(0, 0.25, 1), 2);
    expect([...view.data]).toEqual([10, 20, 30, 35, 43, 50, 110, 110, 110]);
    expect([...labels]).toEqual([0, 0, 2]);
  });

  it.each([0, 1, 2])("piece %d of a photograph leaves none of it without pixels", (k) => {
    const corners = projectPoints(pieceOf([40, 30], k), [0, 0, 39, 29]);
    const [xs, ys] = [
      [corners[0], corners[2]],
      [corners[1], corners[3]],
    ];
    expect(Math.min(...xs)).toBeLessThanOrEqual(1e-9);
    expect(Math.max(...xs)).toBeGreaterThanOrEqual(39 - 1e-9);
    expect(Math.min(...ys)).toBeLessThanOrEqual(1e-9);
    expect(Math.max(...ys)).toBeGreaterThanOrEqual(29 - 1e-9);
  });

  it.each([
    ["most", 4],
    ["most", 1.5],
    ["parallax", -1],
    ["tilt", 0.5],
    ["shear", Number.NaN],
    ["far", 1],
  ])("refuses %s = %d", (name, value) => {
    expect(() => planesOptions({ [name]: value })).toThrow(OptionError);
    expect(() => planesOptions({ [name]: value })).toThrow(new RegExp(`planes.*"${name}"`));
  });
});

describe("in the loss", () => {
  const near = [1, 0, 4, 0, 1, 0, 0, 0, 1];
  const matrices = values([1, 2, 9], (i) => (i < 9 ? [1, 0, 1, 0, 1, 0, 0, 0, 1][i] : near[i - 9]));
  const labels = values([1, 1, 4, 8], (i) => (i % 8 >= 2 && i % 8 <= 3 ? 1 : 0));
  const others = values([1, 1, 4, 8], (i) => (i % 8 >= 6 ? 1 : 0));
  const points: Values = { shape: [1, 4, 2], data: Float32Array.of(0, 1, 2.4, 1, 3, 3, 5, 0) };

  it("points go by the plane of their pixel, and count where the other view shows it too", async () => {
    const out = (await interpret(
      ((x: Record<string, never>) => {
        const each = { matrices: (x.matrices as { ref: never }).ref, labels: (x.labels as { ref: never }).ref };
        const places = project((x.points as { ref: never }).ref, matricesAt((x.points as { ref: never }).ref, each));
        const same = samePlane(x.points, (places as unknown as { ref: never }).ref, x.labels, x.others);
        return { places, same };
      }) as never,
      { matrices, labels, others, points } as never,
    )) as unknown as Record<string, Values>;
    expect([...out.places.data].map((v) => Math.round(10 * v) / 10)).toEqual([1, 1, 6.4, 1, 7, 3, 6, 0]);
    // The last one is hidden by the near plane.
    expect([...out.same.data]).toEqual([1, 1, 1, 0]);
  });

  it("maps are compared by each plane, and not where one hides the other", async () => {
    const first = uniform([1, 1, 4, 8], 3);
    // The second view by hand: the background moved by 1, the near plane by 4 and in front.
    const second = values([1, 1, 4, 8], (i) => {
      const [x, row] = [i % 8, i - (i % 8)];
      if (x >= 6) return first.data[row + x - 4];
      return x >= 1 ? first.data[row + x - 1] : 0.7;
    });
    const loss = async (more: object) =>
      (
        (await interpret(
          ((x: Record<string, never>) => ({
            out: similarityLoss(
              x.first,
              x.second,
              { matrices: x.matrices, ...("labels" in x && { labels: x.labels }) },
              4,
              x.others,
            ),
          })) as never,
          { first, second, ...more } as never,
        )) as unknown as { out: Values }
      ).out.data[0];
    expect(await loss({ matrices, labels, others })).toBeCloseTo(0, 5);
    expect(await loss({ matrices: values([1, 9], (i) => [1, 0, 1, 0, 1, 0, 0, 0, 1][i]) })).toBeGreaterThan(0.01);
  });
});
