/** Pictures made of images, features and maps. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { galleryHtml } from "../../../../src/bench/report/gallery-html.js";
import { OptionError } from "../../../../src/errors.js";
import type { DenseExtractor } from "../../../../src/extract/dense.js";
import { referenceViews } from "../../../../src/extract/reference.js";
import { scoreViews } from "../../../../src/extract/score.js";
import type { Features } from "../../../../src/features.js";
import type { Image } from "../../../../src/image/image.js";
import { benchGallery, type PictureSource } from "../../../../src/node/bench/pictures.js";
import { openExtractor } from "../../../../src/node/extractor.js";
import { loadImage } from "../../../../src/node/images.js";
import { paintMap, shrinkByMaximum } from "../../../../src/picture/score-maps.js";
import { checkpointBytes, noiseImage, referenceTensors } from "../../../models.js";
import { alpha } from "./runs.js";

const map = (data: number[], width: number, channels = 1) => ({
  data: Float32Array.from(data),
  width,
  height: data.length / width / channels,
  channels,
});

const decode = (href: string): Promise<Image> => loadImage(Buffer.from(href.split(",")[1], "base64"));

describe("maps", () => {
  it("shrink by the highest of each block", () => {
    const { data, width, height } = shrinkByMaximum(map([1, 9, 0, 0, 2, 3, 0, 7], 4), 2);
    expect([width, height, [...data]]).toEqual([2, 1, [9, 7]]);
    const small = map([1, 2], 2);
    expect([...shrinkByMaximum(small, 2).data]).toEqual([1, 2]);
  });

  it("are black at 0 and lightest at the top; what is beyond is cut, what is no number black", () => {
    const { data } = paintMap(map([0, 1, 5, -1, Number.NaN, 0.5], 6), 1);
    const pixel = (i: number) => [...data.subarray(3 * i, 3 * i + 3)];
    expect(pixel(0)).toEqual([0, 0, 4]);
    expect(pixel(1)).toEqual([252, 253, 191]);
    expect(pixel(2)).toEqual(pixel(1));
    expect(pixel(3)).toEqual(pixel(0));
    expect(pixel(4)).toEqual(pixel(0));
    expect(pixel(5)).toEqual([183, 55, 121]);
    expect([...paintMap(map([3], 1), 0).data]).toEqual([0, 0, 4]);
  });

  it("of the reference are its levels, without the padding", () => {
    const score = map([1, 2, 0, 3, 4, 0, 0, 0, 0], 3);
    const { maps } = referenceViews({ score0: score, score1: score, score2: score, map0: score }, [2 / 3, 2 / 3]);
    expect(maps.map(({ name }) => name)).toEqual(["early: score", "middle: score", "deep: score"]);
    expect([...maps[0].map.data]).toEqual([1, 2, 3, 4]);
    expect(maps[0].map).toMatchObject({ width: 2, height: 2 });
  });

  it("of the default family are both scores, their product, and lengths of levels on one scale", () => {
    const { maps } = scoreViews(
      {
        attention: map([0.1, 0.2, 0.3, 0.4], 2, 2),
        score: map([0.03, 0.08], 2),
        map1: map([3, 0, 4, 1], 2, 2),
        map2: map([6, 8], 1, 2),
      },
      [1, 1],
    );
    expect(maps.map(({ map: { data } }) => [...data].map((v) => Math.round(100 * v) / 100))).toEqual([
      [0.1, 0.2],
      [0.3, 0.4],
      [0.03, 0.08],
      [5, 1],
      [10],
    ]);
    expect(maps.slice(3).map(({ top }) => top)).toEqual([10, 10]);
    expect(maps.slice(0, 2).map(({ top }) => top)).toEqual([1, 1]);
  });
});

/** An image in one colour for each number. */
const imageOf = (number: number): Image => ({
  width: 64,
  height: 48,
  data: new Uint8Array(3 * 64 * 48).fill(30 * number),
});

/** Eight keypoints with eight orthogonal descriptors; in image 2, two of them lie elsewhere. */
function featuresOf(number: number): Features {
  const keypoints = Float32Array.from({ length: 16 }, (_, k) => 3 * k + 1);
  if (number !== 1) {
    keypoints[0] += 3.5;
    keypoints[3] += 2.5;
    keypoints[6] -= 20;
  }
  const descriptors = Float32Array.from({ length: 64 }, (_, k) => (k % 9 === 0 ? 1 : 0));
  return { count: 8, dim: 8, imageSize: [64, 48], keypoints, scores: new Float32Array(8).fill(1), descriptors };
}

const source: PictureSource = {
  image: async (_, number) => imageOf(number),
  features: async (_, __, number) => featuresOf(number),
  homography: () => [1, 0, 0, 0, 1, 0, 0, 0, 1],
};

describe("benchGallery", () => {
  it("has the chosen pairs with lines between matches, right within 3 px", async () => {
    const { pairs, photos, scoreMaps } = await benchGallery([alpha()], source);
    expect(pairs.map(({ sequence, which, photos: keys }) => [sequence, which, ...keys])).toEqual([
      ["i_one", "best", "i_one/1", "i_one/3"],
      ["i_one", "worst", "i_one/1", "i_one/2"],
      ["v_two", "best", "v_two/1", "v_two/2"],
      ["v_two", "worst", "v_two/1", "v_two/3"],
    ]);
    expect([...(pairs[0].isRight as Uint8Array)]).toEqual([0, 1, 1, 0, 1, 1, 1, 1]);
    expect([...(pairs[0].lines as Float32Array)].slice(0, 8)).toEqual([1, 4, 4.5, 4, 7, 10, 7, 12.5]);
    expect([pairs[0].matches, pairs[0].right]).toEqual([100, 70]);
    expect(Object.keys(photos)).toHaveLength(6);
    expect(scoreMaps).toEqual([]);
  });

  it("draws every n-th match where there are too many", async () => {
    const [{ lines, isRight }] = (await benchGallery([alpha()], source, { maxLines: 4 })).pairs;
    expect(isRight.length).toBe(4);
    // Matches 1, 3, 5 and 7 of eight.
    expect([0, 1, 2, 3].map((k) => lines[4 * k])).toEqual([7, 19, 31, 43]);
    expect([...(isRight as Uint8Array)]).toEqual([1, 0, 1, 1]);
  });

  it("encodes photographs small, and keeps the size that keypoints are given in", async () => {
    const { photos } = await benchGallery([alpha()], source, { width: 32 });
    const photo = photos["i_one/2"];
    expect(photo).toMatchObject({ width: 64, height: 48 });
    const { width, height, data } = await decode(photo.href);
    expect([width, height]).toEqual([32, 24]);
    expect(Math.abs(data[0] - 60)).toBeLessThan(4);
  });

  it("asks for each image of a sequence once, and tells how far it is", async () => {
    const asked: string[] = [];
    const heard: string[] = [];
    const counting = {
      ...source,
      image: async (sequence: string, number: number) => {
        asked.push(`${sequence}/${number}`);
        return imageOf(number);
      },
    };
    await benchGallery([alpha()], counting, {}, (done, total) => heard.push(`${done}/${total}`));
    expect(asked.sort()).toEqual(["i_one/1", "i_one/2", "i_one/3", "v_two/1", "v_two/2", "v_two/3"]);
    expect(heard).toEqual(["1/4", "2/4", "3/4", "4/4"]);
  });

  it("has nothing of nothing, and refuses options that are not offered", async () => {
    expect(await benchGallery([], source)).toEqual({ photos: {}, pairs: [], scoreMaps: [] });
    await expect(benchGallery([], source, { width: 0 })).rejects.toThrow(OptionError);
    await expect(benchGallery([], source, { size: 3 } as never)).rejects.toThrow(/unknown option "size"/);
  });

  it("shows the default model's maps of the first image of so many sequences", async () => {
    const extractor = await openExtractor({ threads: 1 });
    try {
      const maps = { ...source, extractor: async () => extractor };
      const { scoreMaps, photos } = await benchGallery([alpha()], maps, { maxMaps: 1, maxSequences: 0 });
      expect(scoreMaps).toHaveLength(1);
      const [{ sequence, image, photo, maps: pictures }] = scoreMaps;
      // Of the two sequences the one with the lower score.
      expect([sequence, image, photo]).toEqual(["v_two", 1, "v_two/1"]);
      expect(photos[photo]).toBeDefined();
      expect(pictures.map(({ name }) => name.split(":")[0])).toEqual([
        "repeatability",
        "reliability",
        "score",
        "level 2",
        "level 3",
        "level 4",
      ]);
      expect(pictures.map(({ width, height }) => [width, height])).toEqual([
        [64, 48],
        [64, 48],
        [64, 48],
        [16, 12],
        [8, 6],
        [4, 3],
      ]);
      for (const { href, width, height } of pictures) expect(await decode(href)).toMatchObject({ width, height });
    } finally {
      await extractor.dispose();
    }
  });

  it("shows a checkpoint's scores level by level, in the gallery too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "strata-maps-"));
    const path = join(folder, "tiny.ckpt");
    writeFileSync(path, checkpointBytes(referenceTensors()));
    const extractor = (await openExtractor({ model: path, firstStride: 2, threads: 1 })) as DenseExtractor;
    try {
      const image = noiseImage(96, 64);
      const maps = { ...source, image: async () => image, extractor: async () => extractor };
      const gallery = await benchGallery([alpha()], maps, { maxMaps: 1, maxSequences: 0 });
      const [{ maps: pictures, method, sequence }] = gallery.scoreMaps;
      expect(pictures.map(({ name }) => name)).toEqual(["early: score", "middle: score", "deep: score"]);

      // The brightest cell of each picture is where the network's score of that level is highest.
      const { maps: outputs } = await extractor.maps(image);
      for (const [i, { href, width, height }] of pictures.entries()) {
        const score = outputs[`score${i}`];
        expect([width, height]).toEqual([score.width, score.height]);
        const { data } = await decode(href);
        const brightness = Array.from(
          { length: width * height },
          (_, k) => data[3 * k] + data[3 * k + 1] + data[3 * k + 2],
        );
        const highest = score.data.indexOf(Math.max(...score.data));
        expect(brightness[highest]).toBe(Math.max(...brightness));
      }
      expect(new Set(pictures.map(({ href }) => href)).size).toBe(3);

      const page = parseHTML(galleryHtml(gallery)).document;
      expect(
        [...page.querySelectorAll(".maps img")].map((img) => [img.getAttribute("alt"), img.getAttribute("src")]),
      ).toEqual(pictures.map(({ name, href }) => [`${name} of ${method} on image 1 of ${sequence}`, href]));
    } finally {
      await extractor.dispose();
      rmSync(folder, { recursive: true });
    }
  });
});
