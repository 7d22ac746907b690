/** Large images in tiles: the keypoints of the whole image, whatever the tiles, and no pass larger than a tile. */
import { afterAll, describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { openReference } from "../../../src/extract/models.js";
import { type ExtractOptions, extractOptions } from "../../../src/extract/options.js";
import { bestOf, planTiles, type Tile, type TileNeeds } from "../../../src/extract/tiles.js";
import { openStrata } from "../../../src/families.js";
import { checkFeatures, type FloatFeatures } from "../../../src/features.js";
import type { Runtime } from "../../../src/graph/session.js";
import type { Image } from "../../../src/image/image.js";
import type { StrataConfig } from "../../../src/model/config.js";
import { outline } from "../../../src/model/layers/record.js";
import { strataNetwork } from "../../../src/model/strata.js";
import { openExtractor } from "../../../src/node/index.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { agreement } from "../../agreement.js";
import { drawImage, noiseImage, referenceTensors, SLIM, strataTensors, TINY } from "../../models.js";
import { readInParts } from "../../parts.js";

/** What sessions were fed: images and pixels of each pass. */
const passes: { images: number; pixels: number }[] = [];
const watched: Runtime = {
  name: "watched",
  async open(model, options) {
    const session = await nodeRuntime.open(model, options);
    return {
      info: session.info,
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      dispose: () => session.dispose(),
      run(inputs, into) {
        const [images, , height, width] = inputs.image.shape;
        passes.push({ images, pixels: height * width });
        return session.run(inputs, into);
      },
    };
  },
};

const SHAPES: [string, StrataConfig][] = [
  ["full", TINY],
  ["half, cascade", SLIM],
  ["early, direct", { ...TINY, stem: "early", descriptorLevels: [1, 3], scoreLevels: [0, 2, 3] }],
];

describe("tiles of an image", () => {
  const needs: TileNeeds[] = [
    { margin: 95, multiple: 16 },
    { margin: 16, multiple: 16 },
    { margin: 5, multiple: 4 },
  ];
  const sizes = [
    [500, 400],
    [401, 1003],
    [2000, 90],
    [90, 2000],
    [250, 250],
    [1024, 1024],
    [1501, 999],
  ];

  it("have cores that share the image out, each with the margin around it or the image's edge", () => {
    for (const { margin, multiple } of needs) {
      for (const [width, height] of sizes) {
        for (const most of [20_000, 60_000, 123_457, 400_000]) {
          const tiles = planTiles({ width, height }, { margin, multiple }, most);
          const up = (size: number) => Math.ceil(size / multiple) * multiple;
          if (!tiles) {
            // It fits, or nothing smaller has a core.
            const least = 2 * up(margin) + multiple;
            expect(up(width) * up(height) <= most || (up(width) <= least && up(height) <= least)).toBe(true);
            continue;
          }
          const cores: number[][] = [];
          for (const { left, top, width: w, height: h, extent } of tiles) {
            expect([left, top, w, h].every((side) => side % multiple === 0)).toBe(true);
            expect([w, h]).toEqual([tiles[0].width, tiles[0].height]);
            expect(left + w <= up(width) && top + h <= up(height)).toBe(true);
            expect([extent.width, extent.height]).toEqual([Math.min(w, width - left), Math.min(h, height - top)]);
            const { core } = extent;
            expect(left === 0 ? core.left === 0 : core.left >= margin).toBe(true);
            expect(top === 0 ? core.top === 0 : core.top >= margin).toBe(true);
            expect(left + core.right >= width || w - core.right >= margin).toBe(true);
            expect(top + core.bottom >= height || h - core.bottom >= margin).toBe(true);
            cores.push([left + core.left, top + core.top, left + core.right, top + core.bottom]);
          }
          const overlap = ([l, t, r, b]: number[], [L, T, R, B]: number[]) => l < R && L < r && t < B && T < b;
          expect(cores.some((core, i) => cores.slice(0, i).some((other) => overlap(core, other)))).toBe(false);
          const area = cores.reduce((sum, [l, t, r, b]) => sum + (r - l) * (b - t), 0);
          expect(area).toBe(up(width) * up(height));
        }
      }
    }
  });

  it("are no larger than asked wherever margins leave room", () => {
    for (const [width, height] of sizes) {
      for (const most of [60_000, 123_457, 400_000]) {
        const tiles = planTiles({ width, height }, needs[0], most);
        for (const tile of tiles ?? []) expect(tile.width * tile.height).toBeLessThanOrEqual(most);
      }
    }
    // However long and thin, however little is asked.
    const strip = planTiles({ width: 50_000_000, height: 1 }, needs[0], 2 ** 21) as Tile[];
    expect(strip[0].width * strip[0].height).toBeLessThanOrEqual(2 ** 21);
    expect(planTiles({ width: 500, height: 400 }, needs[0], 1)?.[0]).toMatchObject({ width: 208, height: 208 });
    expect(planTiles({ width: 640, height: 480 }, needs[0], 640 * 480)).toBeNull();
    expect(planTiles({ width: 640, height: 481 }, needs[0], 640 * 480)).not.toBeNull();
  });
});

describe("how far a network sees", () => {
  it.each(SHAPES)("holds what one pixel changes, and little more: %s", async (_, config) => {
    const reach = outline((layers) => strataNetwork(layers, config)).network.reach as number;
    const { model, defaults } = openStrata("t", strataTensors(config), config, "");
    const own = new DenseExtractor(model, extractOptions({}, defaults), { runtime: nodeRuntime, threads: 1 });
    const [size, middle] = [272, 128];
    const grey = noiseImage(size, size, 5);
    const before = await own.dense([grey]);
    let seen = 0;
    for (const shift of [0, 7, 15]) {
      const changed = { ...grey, data: grey.data.slice() };
      const [x, y] = [middle + shift, middle + 15 - shift];
      for (let c = 0; c < 3; c++) changed.data[3 * (y * size + x) + c] ^= 255;
      const after = await own.dense([changed]);
      const differs = (name: string, cell: number) => {
        const [, channels, h, w] = before[name].shape;
        for (let c = 0; c < channels; c++) {
          if (before[name].data[c * h * w + cell] !== after[name].data[c * h * w + cell]) return true;
        }
        return false;
      };
      for (const [name, { shape }] of Object.entries(before)) {
        const [, , h, w] = shape;
        const cell = size / w;
        for (let i = 0; i < h * w; i++) {
          if (!differs(name, i)) continue;
          // Positions that a sample reads this cell for lie less than a cell from its centre.
          const wide = cell === 1 ? 0 : cell - 1e-6;
          for (const [at, of] of [
            [i % w, x],
            [Math.floor(i / w), y],
          ]) {
            const centre = (at + 0.5) * cell - 0.5;
            seen = Math.max(seen, Math.abs(centre - wide - of), Math.abs(centre + wide - of));
          }
        }
      }
    }
    await own.dispose();
    expect(seen).toBeLessThanOrEqual(reach);
    expect(seen).toBeGreaterThan(reach - 16);
  });
});

/** Bright and dark shapes on noise: strong and weak keypoints, some of them on the edges of tiles. */
function scene(width: number, height: number, seed: number): Image {
  const noise = noiseImage(width, height, seed);
  return drawImage(width, height, (x, y) => {
    const at = 3 * (y * width + x);
    const shape = ((x * x) / 900 + y / 17) % 3 < 1 ? 60 : 170;
    return [0, 1, 2].map((c) => Math.min(255, shape + (noise.data[at + c] >> 2))) as [number, number, number];
  });
}

/** Rank by rank: scores to the last digits of sums, and places wherever the next scores leave no doubt of the order. */
function expectSame(actual: FloatFeatures, expected: FloatFeatures): void {
  expect(checkFeatures("tiles", actual).count).toBe(expected.count);
  expect(actual.imageSize).toEqual(expected.imageSize);
  for (let k = 0; k < expected.count; k++) {
    expect(Math.abs(actual.scores[k] - expected.scores[k])).toBeLessThan(1e-6);
    const clear = [k - 1, k + 1].every((n) => !(Math.abs(expected.scores[n] - expected.scores[k]) < 1e-6));
    if (!clear) continue;
    for (const i of [2 * k, 2 * k + 1]) {
      expect(Math.abs(actual.keypoints[i] - expected.keypoints[i])).toBeLessThan(1e-3);
    }
  }
  expect(agreement(actual, expected, { position: 1e-3, score: 1e-6, descriptor: 1e-4 }).share).toBe(1);
}

describe("features of an image in tiles", () => {
  const opened = new Map(SHAPES.map(([name, config]) => [name, openStrata("t", strataTensors(config), config, "")]));
  const made: DenseExtractor[] = [];
  const open = (name: string, options: Partial<ExtractOptions>, tilePixels: number, margin?: number) => {
    const { model, defaults } = opened.get(name)!;
    const narrow = margin === undefined ? model : { ...model, tiles: { margin, multiple: 16 } };
    const runtime = { runtime: watched, threads: 1, tilePixels };
    const extractor = new DenseExtractor(narrow, extractOptions({ maxFeatures: 300, ...options }, defaults), runtime);
    made.push(extractor);
    return extractor;
  };
  afterAll(() => Promise.all(made.map((extractor) => extractor.dispose())));
  const image = scene(431, 370, 1);

  it.each<[string, Partial<ExtractOptions>]>([
    ["full", {}],
    ["half, cascade", {}],
    ["early, direct", {}],
    ["full", { maxFeatures: 7, scales: [1, 0.8, 0.4] }],
    ["half, cascade", { maxFeatures: null }],
    ["half, cascade", { maxFeatures: 2000, nms: false }],
    ["half, cascade", { refine: "grid", maxEdge: 400 }],
    ["early, direct", { threshold: 0.9 }],
  ])("are those of the whole: %s, %j", async (name, options) => {
    const expected = await open(name, options, 10 ** 9).extract(image);
    const most = 70_000;
    passes.length = 0;
    const actual = await open(name, options, most).extract(image);
    expect(passes.length).toBeGreaterThan(3);
    expect(Math.max(...passes.map(({ images, pixels }) => images * pixels))).toBeLessThanOrEqual(most);
    expectSame(actual, expected);
  });

  it("are others where tiles overlap by too little", async () => {
    const options = { maxFeatures: null };
    const expected = await open("full", options, 10 ** 9).extract(image);
    const actual = await open("full", options, 70_000, 16).extract(image);
    const exact = { position: 1e-3, score: 1e-6, descriptor: 1e-4 };
    expect(agreement(actual, expected, exact).share).toBeLessThan(0.95);
  });

  it("are of images larger than a tile alone: what fits goes as it is", async () => {
    const [width, height] = [240, 200];
    const small = scene(width, height, 2);
    const padded = 240 * 208;
    passes.length = 0;
    const whole = await open("full", {}, 10 ** 9).extract(small);
    expect(await open("full", {}, padded).extract(small)).toEqual(whole);
    expect(passes).toEqual([
      { images: 1, pixels: padded },
      { images: 1, pixels: padded },
    ]);
  });

  it("do not depend on the batch, which has no more pixels than a tile", async () => {
    const images = [scene(240, 320, 3), scene(240, 320, 4), scene(100, 90, 5), scene(100, 90, 6)];
    const own = open("half, cascade", {}, 70_000);
    passes.length = 0;
    const batch = await own.extractBatch(images);
    expect(passes.at(-1)).toEqual({ images: 2, pixels: 112 * 96 });
    expect(Math.max(...passes.map((pass) => pass.images * pass.pixels))).toBeLessThanOrEqual(70_000);
    for (const [i, one] of images.entries()) expectSame(batch[i], await own.extract(one));
  });

  it.each<Partial<ExtractOptions>>([{ scales: [1, 0.8, 0.4] }, { maxEdge: 400 }])(
    "are those of an image that is read part by part: %j",
    async (options) => {
      const own = open("half, cascade", options, 70_000);
      const parts = readInParts(image);
      expect(await own.extract(parts)).toEqual(await own.extract(image));
      expect(parts.asked.length).toBeGreaterThan(options.maxEdge ? 0 : 9);
    },
  );

  it("get smaller beside an image that takes much memory, but never all margin", async () => {
    const { model, defaults } = opened.get("half, cascade")!;
    const large = scene(700, 600, 7);
    const runtime = { runtime: watched, threads: 1, memory: 130e6 };
    const own = new DenseExtractor(model, extractOptions({ maxFeatures: 300 }, defaults), runtime);
    made.push(own);
    const most: number[] = [];
    for (const bytes of [2e6, 60e6, 130e6]) {
      passes.length = 0;
      await own.extract(readInParts(large, bytes));
      most.push(Math.max(...passes.map(({ pixels }) => pixels)));
    }
    // A pass in one, within what is left, and no smaller than that makes sense.
    expect(most[0]).toBeGreaterThanOrEqual(700 * 600);
    expect(most[1]).toBeLessThanOrEqual(70e6 / 220);
    expect(most[2]).toBeLessThan(most[1]);
    expect(most[2]).toBeGreaterThan(2 ** 17);
  });

  it("are none where there are none", async () => {
    const own = open("full", { threshold: 1 }, 70_000);
    expect(await own.extract(image)).toMatchObject({ count: 0, imageSize: [431, 370], dim: 8 });
  });
});

describe("where not even a tile fits in memory", () => {
  it("says how small the image has to be to take less", async () => {
    const { model, defaults } = openStrata("tiny", strataTensors(), TINY, "");
    const full: Runtime = { name: "full", open: () => Promise.reject(new Error("std::bad_alloc")) };
    const own = new DenseExtractor(model, extractOptions({}, defaults), { runtime: full, tilePixels: 300 * 300 });
    const extract = (width: number, height: number) => own.extract(drawImage(width, height, () => 0));
    await expect(extract(600, 600)).rejects.toThrow(/^an image of 600 × 600 pixels: memory ran out.* below 300, /);
    await expect(extract(250, 200)).rejects.toThrow(/ below 250, /);
    await own.dispose();
  });
});

describe("the best of several tiles", () => {
  const part = (points: [x: number, y: number, score: number][]): FloatFeatures => ({
    count: points.length,
    dim: 1,
    imageSize: [9, 9],
    keypoints: Float32Array.from(points.flatMap((point) => point.slice(0, 2))),
    scores: Float32Array.from(points, ([, , score]) => score),
    descriptors: Float32Array.from(points, ([x, y]) => 100 * y + x),
  });
  const parts = [
    part([
      [2, 5, 0.9],
      [1, 2, 0.5],
      [3, 2, 0.5],
    ]),
    part([]),
    part([
      [7, 1, 0.9],
      [6, 2, 0.5],
    ]),
  ];

  it("come by score, equal ones row by row, with their descriptors, and no more than asked", () => {
    expect([...bestOf(parts, null, [50, 40]).descriptors]).toEqual([107, 502, 201, 203, 206]);
    expect(bestOf(parts, 3, [50, 40])).toEqual({
      ...part([
        [7, 1, 0.9],
        [2, 5, 0.9],
        [1, 2, 0.5],
      ]),
      imageSize: [50, 40],
    });
    expect(bestOf([parts[1]], 3, [50, 40])).toMatchObject({ count: 0, dim: 1, imageSize: [50, 40] });
  });
});

describe("tilePixels", () => {
  it("says nothing to networks of the reference, whose enlarged maps depend on the whole image", async () => {
    const { model, defaults } = openReference("r", "r", referenceTensors(), {}, "");
    expect(model.tiles).toBeUndefined();
    const own = new DenseExtractor(model, extractOptions({}, defaults), {
      runtime: watched,
      threads: 1,
      tilePixels: 1,
    });
    passes.length = 0;
    await own.extractBatch([noiseImage(64, 48, 1), noiseImage(64, 48, 2)]);
    expect(passes).toEqual([{ images: 2, pixels: 64 * 48 }]);
    await own.dispose();
  });

  it.each([0, -1, 1.5, Number.NaN, "1000"])("%j is refused", async (tilePixels) => {
    const open = openExtractor({ tilePixels: tilePixels as number });
    await expect(open).rejects.toThrow(OptionError);
    await expect(open).rejects.toThrow(/"tilePixels" must be/);
  });
});
