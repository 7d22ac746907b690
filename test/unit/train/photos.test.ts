/** Pairs from photographs: their points really correspond, and what is drawn depends on seed, epoch and index only. */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IoError, OptionError, StateError } from "../../../src/errors.js";
import { projectPoints } from "../../../src/geometry/matrix3.js";
import type { Image } from "../../../src/image/image.js";
import { encodeJpeg, saveImage } from "../../../src/node/images.js";
import { type PhotoOptions, PhotoSource } from "../../../src/node/train/photos.js";
import { Random } from "../../../src/random.js";
import { homographyOptions } from "../../../src/train/data/homographies.js";
import { NO_PHOTOMETRIC, photometricOptions } from "../../../src/train/data/photometric.js";
import { epochOrder, photoPair, splitPhotos } from "../../../src/train/data/photos.js";
import type { TrainingPair } from "../../../src/train/types.js";
import { drawImage, noiseImage } from "../../models.js";
import { temporaryFolder } from "../cli/fake.js";

const folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
afterAll(() => folder.remove());

/** Soft bright spots on dark ground, well apart. */
function spots(width: number, height: number, sigma: number): Image {
  const random = new Random(4);
  const centers: [number, number][] = [];
  const spacing = 14 * sigma;
  for (let y = spacing / 2; y < height; y += spacing) {
    for (let x = spacing / 2; x < width; x += spacing) {
      centers.push([x + random.uniform(-2, 2) * sigma, y + random.uniform(-2, 2) * sigma]);
    }
  }
  const light = new Float64Array(width * height);
  for (const [cx, cy] of centers) {
    for (let y = Math.max(0, Math.ceil(cy - 5 * sigma)); y < Math.min(height, cy + 5 * sigma); y++) {
      for (let x = Math.max(0, Math.ceil(cx - 5 * sigma)); x < Math.min(width, cx + 5 * sigma); x++) {
        light[y * width + x] += Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma ** 2));
      }
    }
  }
  return drawImage(width, height, (x, y) => {
    const value = 20 + 220 * Math.min(1, light[y * width + x]);
    return [value, value, value];
  });
}

/** Centres of the spots that lie wholly inside the image: brightest pixel, then the weighted mean about it, repeated. */
function findSpots({ width, height, data }: Image): [number, number][] {
  const value = (x: number, y: number) => data[3 * (y * width + x)];
  const found: [number, number][] = [];
  const reach = 16;
  for (let y = reach; y < height - reach; y++) {
    for (let x = reach; x < width - reach; x++) {
      if (value(x, y) < 180) continue;
      let isPeak = true;
      for (let v = -6; v <= 6; v++) {
        for (let u = -6; u <= 6; u++) {
          const here = value(x + u, y + v);
          if (here > value(x, y) || (here === value(x, y) && (v < 0 || (v === 0 && u < 0)))) isPeak = false;
        }
      }
      if (!isPeak) continue;
      let [cx, cy] = [x, y];
      for (let turn = 0; turn < 10; turn++) {
        let [sum, sx, sy] = [0, 0, 0];
        for (let v = Math.ceil(cy - 10); v <= cy + 10; v++) {
          for (let u = Math.ceil(cx - 10); u <= cx + 10; u++) {
            const weight = Math.max(0, value(u, v) - 60);
            sum += weight;
            sx += weight * u;
            sy += weight * v;
          }
        }
        [cx, cy] = [sx / sum, sy / sum];
      }
      found.push([cx, cy]);
    }
  }
  return found;
}

const usable = (pair: TrainingPair | { skipped: string }): TrainingPair => {
  if ("skipped" in pair) throw new Error(pair.skipped);
  return pair;
};
const matrixOf = ({ warp }: TrainingPair) => (warp.kind === "homography" ? warp.matrix : new Float64Array(9));
const digestOf = (pair: TrainingPair | { skipped: string }) => {
  if ("skipped" in pair) return pair.skipped;
  const hash = createHash("sha256");
  for (const { data } of pair.images) hash.update(data);
  return hash.update(matrixOf(pair)).update(pair.id).digest("hex");
};

describe("photoPair", () => {
  it("finds each spot of one view in the other where the homography says, to a tenth of a pixel", async () => {
    const photo = spots(900, 700, 3);
    // Under strong perspective a spot's middle is not the middle of its image: half as much here.
    const homography = homographyOptions({ perspective: 0.1, zoom: 1.4, reduce: 1 });
    let [checked, turned] = [0, 0];
    for (let index = 0; index < 40; index++) {
      const options = { cropSize: 192, homography, photometric: photometricOptions(NO_PHOTOMETRIC), seed: 3 };
      const pair = await photoPair("spots", photo, { epoch: 0, index }, options, null);
      const there = findSpots(pair.images[1]);
      for (const [x, y] of findSpots(pair.images[0])) {
        const [X, Y] = projectPoints(matrixOf(pair), [x, y]);
        const isInside = Math.min(X, Y) > 18 && Math.max(X, Y) < 173;
        if (!isInside) continue;
        const nearest = Math.min(...there.map(([u, v]) => Math.hypot(u - X, v - Y)));
        expect(nearest).toBeLessThan(0.1);
        checked++;
        if (Math.hypot(X - x, Y - y) > 20) turned++;
      }
    }
    expect(checked).toBeGreaterThan(150);
    expect(turned).toBeGreaterThan(100);
  });

  it("with no strength gives one view twice", async () => {
    const homography = homographyOptions({ rotation: 0, zoom: 1, perspective: 0, shear: 0, shift: 0 });
    const options = { cropSize: 64, homography, photometric: NO_PHOTOMETRIC, seed: 3 };
    const pair = await photoPair("spots", spots(200, 100, 3), { epoch: 2, index: 7 }, options, null);
    expect(pair.images[1]).toEqual(pair.images[0]);
    expect([...matrixOf(pair)]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect([pair.id, pair.images[0].width, pair.images[0].height]).toEqual(["spots", 64, 64]);
  });

  it("draws views and light apart, and light for either view", async () => {
    const photo = spots(300, 300, 3);
    const homography = homographyOptions();
    const make = (photometric: object, index = 1) =>
      photoPair(
        "p",
        photo,
        { epoch: 0, index },
        { cropSize: 64, homography, photometric: photometricOptions(photometric), seed: 1 },
        null,
      );
    const [plain, lit] = [await make(NO_PHOTOMETRIC), await make({ chance: 0 })];
    expect(matrixOf(lit)).toEqual(matrixOf(plain));
    expect(lit.images).not.toEqual(plain.images);
    const flat = { width: 300, height: 300, data: new Uint8Array(270_000).fill(90) };
    const options = { cropSize: 64, homography, photometric: photometricOptions({ chance: 0 }), seed: 1 };
    const { images } = await photoPair("p", flat, { epoch: 0, index: 1 }, options, null);
    expect(images[0].data[0]).not.toBe(images[1].data[0]);
  });

  it("compresses views for which that was drawn, with the quality drawn", async () => {
    const qualities: number[] = [];
    const options = {
      cropSize: 32,
      homography: homographyOptions(),
      photometric: photometricOptions({ ...NO_PHOTOMETRIC, chance: 0.5, jpegQuality: 30 }),
      seed: 1,
    };
    for (let index = 0; index < 100; index++) {
      await photoPair("p", spots(64, 64, 3), { epoch: 0, index }, options, async (image, quality) => {
        qualities.push(quality);
        return image;
      });
    }
    expect(Math.abs(qualities.length - 100)).toBeLessThan(36);
    expect(Math.min(...qualities)).toBeLessThan(35);
    expect(Math.min(...qualities)).toBeGreaterThanOrEqual(30);
    expect(Math.max(...qualities)).toBeLessThanOrEqual(95);
  });
});

describe("epochOrder", () => {
  it("has each photograph as often as asked, in another order each epoch", () => {
    const order = epochOrder(7, 3, 1, 0);
    expect([...order].sort()).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6]);
    expect(epochOrder(7, 3, 1, 0)).toEqual(order);
    expect(epochOrder(7, 3, 1, 1)).not.toEqual(order);
    expect(epochOrder(7, 3, 2, 0)).not.toEqual(order);
  });
});

describe("splitPhotos", () => {
  const names = Array.from({ length: 200 }, (_, i) => `photo_${String(i).padStart(4, "0")}.jpg`);
  it("puts each photograph on one side, the share asked on validation's, at least one on either", () => {
    const [train, validation] = [splitPhotos(names, "train", 0.1), splitPhotos(names, "validation", 0.1)];
    expect(validation).toHaveLength(20);
    expect([...train, ...validation].sort()).toEqual(names);
    expect(splitPhotos(names, "all", 0.1)).toEqual(names);
    expect(splitPhotos(["a", "b"], "validation", 0)).toHaveLength(1);
    expect(splitPhotos(["a", "b"], "train", 1)).toHaveLength(1);
    // Numbered names are not cut off at one end.
    const numbers = validation.map((name) => names.indexOf(name));
    expect(Math.min(...numbers)).toBeLessThan(60);
    expect(Math.max(...numbers)).toBeGreaterThan(140);
  });

  it("keeps photographs on their side when others come", () => {
    const more = [...names, ...names.map((name) => `new_${name}`)];
    const [before, after] = [
      new Set(splitPhotos(names, "validation", 0.2)),
      new Set(splitPhotos(more, "validation", 0.2)),
    ];
    const moved = names.filter((name) => before.has(name) !== after.has(name));
    expect(moved.length).toBeLessThan(25);
    expect(splitPhotos([...names].reverse(), "validation", 0.2).sort()).toEqual([...before].sort());
  });
});

describe("PhotoSource", () => {
  const SMALL: Partial<PhotoOptions> = { cropSize: 32, seed: 5 };
  const open = (given: Partial<PhotoOptions> = {}) => PhotoSource.open({ folder: at("photos"), ...SMALL, ...given });

  beforeAll(async () => {
    mkdirSync(at("photos/inner"), { recursive: true });
    await saveImage(at("photos/a.jpg"), spots(90, 70, 3));
    await saveImage(at("photos/b.png"), spots(60, 64, 2));
    await saveImage(at("photos/inner/c.jpg"), spots(300, 200, 3));
    writeFileSync(at("photos/notes.txt"), "not a photograph");
  });

  it("makes the same pairs however often and in whatever order they are asked for", async () => {
    const source = await open({ pairsPerPhoto: 4 });
    expect(source.length).toBe(12);
    expect(source.found.names).toEqual(["a.jpg", "b.png", "inner/c.jpg"]);
    const forth = [];
    for (let i = 0; i < 12; i++) forth.push(digestOf(await source.pair(1, i)));
    const again = await open({ pairsPerPhoto: 4, cache: 0 });
    const back = [];
    for (let i = 11; i >= 0; i--) back.unshift(digestOf(await again.pair(1, i)));
    expect(back).toEqual(forth);
    expect(new Set(forth).size).toBe(12);
    expect(await Promise.all(forth.map((_, i) => source.pair(1, i).then(digestOf)))).toEqual(forth);
    expect(digestOf(await source.pair(2, 0))).not.toBe(forth[0]);
    expect(digestOf(await (await open({ pairsPerPhoto: 4, seed: 6 })).pair(1, 0))).not.toBe(forth[0]);
    const pairs = await Promise.all(forth.map((_, i) => source.pair(1, i).then(usable)));
    expect(pairs.filter(({ id }) => id.startsWith("inner/c.jpg, epoch 1, pair "))).toHaveLength(4);
    for (const { images } of pairs) {
      for (const { width, height, data } of images) expect([width, height, data.length]).toEqual([32, 32, 3072]);
    }
  });

  it("has a digest of names, contents and options, not of the place or the cache", async () => {
    const { digest } = await open();
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    cpSync(at("photos"), at("copy"), { recursive: true });
    const digestAt = async (given: Partial<PhotoOptions> = {}) => (await open({ folder: at("copy"), ...given })).digest;
    expect(await digestAt()).toBe(digest);
    expect(await digestAt({ folder: `${at("copy")}/`, cache: 5 })).toBe(digest);
    for (const other of [
      { seed: 6 },
      { cropSize: 33 },
      { pairsPerPhoto: 2 },
      { split: "train" },
      { small: "enlarge" },
      { shortEdge: 64 },
      { homography: { rotation: 10 } },
      { photometric: { blur: 0 } },
    ] as Partial<PhotoOptions>[]) {
      expect(await digestAt(other)).not.toBe(digest);
    }
    // Defaults that are written out are the same options.
    expect(await digestAt({ homography: { rotation: 180 } })).toBe(digest);
    renameSync(at("copy/a.jpg"), at("copy/aa.jpg"));
    expect(await digestAt()).not.toBe(digest);
    renameSync(at("copy/aa.jpg"), at("copy/a.jpg"));
    const bytes = readFileSync(at("copy/a.jpg"));
    bytes[bytes.length - 30] ^= 1;
    writeFileSync(at("copy/a.jpg"), bytes);
    expect(await digestAt()).not.toBe(digest);
  });

  it("leaves out photographs that are damaged, too small or no photographs, and lists them", async () => {
    mkdirSync(at("mixed"));
    await saveImage(at("mixed/good.png"), spots(64, 64, 3));
    await saveImage(at("mixed/small.png"), spots(31, 64, 3));
    const whole = await encodeJpeg(noiseImage(64, 64));
    writeFileSync(at("mixed/cut.jpg"), whole.slice(0, whole.length / 2));
    writeFileSync(at("mixed/empty.jpg"), "");
    writeFileSync(at("mixed/text.jpg"), "no photograph");
    symlinkSync("/proc/self/mem", at("mixed/locked.jpg"));
    const source = await open({ folder: at("mixed") });
    expect(source.length).toBe(5);
    // A file that exists and cannot be read, also not by root.
    expect(source.skipped).toEqual([{ name: "locked.jpg", reason: expect.stringMatching(/cannot read .*locked.jpg/) }]);
    const results = await Promise.all([0, 1, 2, 3, 4].map((i) => source.pair(0, i)));
    const reasons = results.flatMap((result) => ("skipped" in result ? [result.skipped] : [])).sort();
    expect(reasons).toHaveLength(4);
    expect(reasons[0]).toMatch(/mixed\/cut.jpg.*truncated/);
    expect(reasons[1]).toMatch(/mixed\/empty.jpg is empty/);
    expect(reasons[2]).toMatch(/mixed\/small.png has 31×64 pixels, views have 32×32/);
    expect(reasons[3]).toMatch(/mixed\/text.jpg: not an image/);
    expect(results.flatMap((result) => ("skipped" in result ? [] : [result.id.split(",")[0]]))).toEqual(["good.png"]);
    expect(source.skipped.map(({ name }) => name).sort()).toEqual([
      "cut.jpg",
      "empty.jpg",
      "locked.jpg",
      "small.png",
      "text.jpg",
    ]);
    const enlarging = await open({ folder: at("mixed"), small: "enlarge" });
    const enlarged = await Promise.all([0, 1, 2, 3, 4].map((i) => enlarging.pair(0, i)));
    expect(enlarged.filter((result) => !("skipped" in result))).toHaveLength(2);
  });

  it("does not go on without a photograph that was there", async () => {
    cpSync(at("photos"), at("leaving"), { recursive: true });
    const source = await open({ folder: at("leaving") });
    rmSync(at("leaving/b.png"));
    const ends = await Promise.allSettled([0, 1, 2].map((i) => source.pair(0, i)));
    const failed = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as Error] : []));
    expect(failed).toHaveLength(1);
    expect(failed[0]).toBeInstanceOf(IoError);
    expect(failed[0].message).toMatch(/leaving\/b.png/);
  });

  it("reduces large photographs first", async () => {
    const [whole, reduced] = await Promise.all([open({ shortEdge: 200 }), open({ shortEdge: 32 })]);
    const ids = [0, 1, 2].map(async (i) => usable(await whole.pair(0, i)).id);
    const c = (await Promise.all(ids)).findIndex((id) => id.startsWith("inner/c"));
    expect(digestOf(await whole.pair(0, c))).not.toBe(digestOf(await reduced.pair(0, c)));
    expect(digestOf(await (await open({ shortEdge: 4000 })).pair(0, c))).toBe(digestOf(await whole.pair(0, c)));
  });

  it("compresses for real", async () => {
    const harsh = { ...NO_PHOTOMETRIC, chance: 1, jpegQuality: 1 };
    const [plain, blocky] = await Promise.all([open({ photometric: NO_PHOTOMETRIC }), open({ photometric: harsh })]);
    const [before, after] = [usable(await plain.pair(0, 0)), usable(await blocky.pair(0, 0))];
    expect(matrixOf(after)).toEqual(matrixOf(before));
    const difference = (i: 0 | 1) => {
      const [a, b] = [before.images[i].data, after.images[i].data];
      return a.reduce((sum, value, k) => sum + Math.abs(value - b[k]), 0) / a.length;
    };
    for (const i of [0, 1] as const) {
      expect(difference(i)).toBeGreaterThan(0.2);
      expect(difference(i)).toBeLessThan(40);
    }
  });

  it("splits a folder in two", async () => {
    const [train, validation] = await Promise.all([open({ split: "train" }), open({ split: "validation" })]);
    expect([train.length, validation.length]).toEqual([2, 1]);
    expect([...train.found.names, ...validation.found.names].sort()).toEqual(["a.jpg", "b.png", "inner/c.jpg"]);
  });

  it("refuses what is no folder of photographs, and options that are none", async () => {
    mkdirSync(at("bare"));
    writeFileSync(at("bare/readme.txt"), "nothing");
    mkdirSync(at("single"));
    await saveImage(at("single/a.png"), spots(40, 40, 3));
    mkdirSync(at("locked"));
    symlinkSync("/proc/self/mem", at("locked/a.jpg"));
    const refused: [Partial<PhotoOptions>, new (...args: never[]) => Error, RegExp][] = [
      [{ folder: at("bare") }, OptionError, /bare has no photograph in it/],
      [{ folder: at("missing") }, IoError, /cannot read .*missing: there is no such file or folder/],
      [{ folder: at("photos/a.jpg") }, OptionError, /must be a folder.*a.jpg is a file/],
      [{ folder: at("single"), split: "train" }, OptionError, /single has one photograph, which cannot be split/],
      [{ folder: at("locked") }, OptionError, /none of the 1 photographs of .*locked can be read/],
      [{ folder: "" }, OptionError, /"folder" must be a path/],
      [{ cropSize: 8 }, OptionError, /"cropSize"/],
      [{ cropSize: 32.5 }, OptionError, /"cropSize"/],
      [{ shortEdge: 31 }, OptionError, /"shortEdge" must be a whole number ≥ 32/],
      [{ pairsPerPhoto: 0 }, OptionError, /"pairsPerPhoto"/],
      [{ validationShare: 2 }, OptionError, /"validationShare"/],
      [{ seed: -1 }, OptionError, /"seed"/],
      [{ cache: -1 }, OptionError, /"cache"/],
      [{ small: "stretch" } as object, OptionError, /"small" must be one of skip, enlarge/],
      [{ split: "test" } as object, OptionError, /"split" must be one of/],
      [{ homography: { zoom: 0 } }, OptionError, /"zoom"/],
      [{ photometric: { blur: -1 } }, OptionError, /"blur"/],
      [{ depth: 1 } as object, OptionError, /unknown option "depth"/],
    ];
    for (const [given, kind, message] of refused) {
      await expect(open(given), JSON.stringify(given)).rejects.toThrow(message);
      await expect(open(given), JSON.stringify(given)).rejects.toThrow(kind);
    }
    const source = await open();
    await expect(source.pair(0, 3)).rejects.toThrow(/"index" must be a whole number ≥ 0 and ≤ 2, got 3/);
    await expect(source.pair(-1, 0)).rejects.toThrow(/"epoch"/);
    await source.dispose();
    await expect(source.pair(0, 0)).rejects.toThrow(StateError);
  });
});
