/** Extraction of many images as a library call: whose extractor it is, what is told, how it is stopped. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FormatError, IoError } from "../../../src/errors.js";
import type { Extractor } from "../../../src/extract/extractor.js";
import { EXTRACT_DEFAULTS } from "../../../src/extract/options.js";
import { emptyFeatures } from "../../../src/features.js";
import { decodeRecord } from "../../../src/formats/record.js";
import { extractMany } from "../../../src/node/extract-many.js";
import { fileStore } from "../../../src/node/stores/files.js";
import { hlocStore } from "../../../src/node/stores/hloc.js";
import type { FeatureStore } from "../../../src/node/stores/store.js";
import { savePlain, temporaryFolder } from "../cli/fake.js";

const folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
const images = ["a.png", "b.png", "c.png"].map((name) => ({ path: at("in", name), name }));
const npz = (resume = false) =>
  fileStore({ format: "npz", extension: (model) => `.${model}`, out: at("out"), append: false, resume });

let disposed = 0;
const extractor = (onImage: (value: number) => void = () => {}): Extractor => ({
  info: { model: "m", sha256: "00", dim: 4 },
  options: EXTRACT_DEFAULTS,
  extract: async ({ width, height, data }) => {
    onImage(data[0]);
    return emptyFeatures([width, height], 4);
  },
  extractBatch: async () => [],
  dispose: async () => {
    disposed++;
  },
});

beforeEach(async () => {
  folder.remove();
  for (const name of ["in", "out"]) mkdirSync(at(name), { recursive: true });
  for (const [i, { path }] of images.entries()) await savePlain(path, 10 * (i + 1));
  disposed = 0;
});
afterAll(() => folder.remove());

describe("extractMany", () => {
  it("leaves a given extractor open, disposes what it opened, and says how features were made", async () => {
    const given = await extractMany(images, extractor(), npz(), { choices: { mine: 1 }, orientation: false });
    expect(given).toMatchObject({ total: 3, extracted: 3, skipped: 0, failed: 0, keypoints: 0, info: { model: "m" } });
    expect(given.empty).toEqual(images.map(({ path }) => path));
    const { provenance } = decodeRecord("npz", readFileSync(at("out/a.png.m")));
    expect(provenance).toMatchObject({
      model: "m",
      image: "a.png",
      options: { mine: 1, orientation: false, nms: true },
    });
    expect(disposed).toBe(0);
    expect((await extractMany(images, async () => extractor(), npz(), {})).extracted).toBe(3);
    expect(disposed).toBe(1);
  });

  it("tells each failure as it comes and how far it is, and goes on", async () => {
    writeFileSync(images[0].path, "no image");
    const told: string[] = [];
    const { failures, outputs } = await extractMany(images, extractor(), npz(), {
      onFailure: ({ path, error }) => told.push(`${path === images[0].path} ${error instanceof FormatError}`),
      onProgress: ({ extracted, failed }) => told.push(`${extracted}+${failed}`),
    });
    expect(told).toEqual(["0+0", "true true", "0+1", "1+1", "2+1"]);
    expect([failures.length, outputs.length]).toEqual([1, 2]);
  });

  it("reads the next image while the network is at work, or only when its turn comes", async () => {
    for (const readAhead of [undefined, true, false]) {
      const seen: string[] = [];
      let hasRead: () => void = () => {};
      const second = new Promise<void>((resolve) => {
        hasRead = resolve;
      });
      const store = npz();
      const watched: FeatureStore = {
        ...store,
        has: async (image, digest) => {
          seen.push(`read ${image.name}`);
          if (image.name === "b.png") hasRead();
          return store.has(image, digest);
        },
      };
      const network = extractor((value) => seen.push(`made ${value}`));
      const waiting: Extractor = {
        ...network,
        extract: async (image) => {
          // Would wait for ever if the second image were not read meanwhile.
          if (readAhead !== false) await second;
          return network.extract(image);
        },
      };
      await extractMany(images, waiting, watched, { readAhead });
      const order = ["read a.png", "made 10", "read b.png", "made 20", "read c.png", "made 30"];
      expect(readAhead === false ? seen : [...seen].sort()).toEqual(readAhead === false ? order : order.sort());
    }
  });

  it("stopped, rejects with the reason at once; what is done stays and is not done again", async () => {
    const stop = new AbortController();
    const stuck: Extractor = { ...extractor(), extract: () => new Promise(() => {}) };
    const first = extractor((value) => value === 20 && stop.abort(new RangeError("enough")));
    await expect(extractMany(images, first, npz(), { signal: stop.signal })).rejects.toThrow("enough");
    expect([existsSync(at("out/a.png.m")), existsSync(at("out/b.png.m"))]).toEqual([true, false]);
    expect(await extractMany(images, extractor(), npz(true))).toMatchObject({ extracted: 2, skipped: 1 });
    const late = new AbortController();
    const work = extractMany(images, stuck, npz(), { signal: late.signal, onProgress: () => late.abort() });
    await expect(work).rejects.toThrow(/abort/i);
  });

  it("closes its store whatever happens, before the model is opened as well", async () => {
    const store = hlocStore({ file: at("all.h5"), existing: "refuse" });
    const broken = () => Promise.reject(new IoError("no model"));
    await expect(extractMany(images, broken, store)).rejects.toThrow("no model");
    expect([existsSync(at("all.h5.lock")), existsSync(at("all.h5.parts"))]).toEqual([false, false]);
    const refusing: FeatureStore = { ...npz(), begin: () => Promise.reject(new IoError("no place")) };
    await expect(extractMany(images, async () => extractor(), refusing)).rejects.toThrow("no place");
    expect(disposed).toBe(1);
  });

  it("stops where the store says that no further image can be kept, and only there", async () => {
    const failing = (code: string): FeatureStore => ({
      ...npz(),
      save: () => Promise.reject(new IoError("cannot write", { cause: { code } })),
    });
    await expect(extractMany(images, extractor(), failing("ENOSPC"))).rejects.toThrow("cannot write");
    for (const code of ["EFBIG", "ENAMETOOLONG", "EACCES"]) {
      expect((await extractMany(images, extractor(), failing(code))).failed, code).toBe(3);
    }
  });

  it("reads an image once: what is extracted is what the digest is of", async () => {
    // The file changes while it is extracted: the next run sees that.
    const changing = extractor((value) => value === 10 && writeFileSync(images[0].path, readFileSync(images[1].path)));
    await extractMany(images, changing, npz());
    expect(await extractMany(images, extractor(), npz(true))).toMatchObject({ extracted: 1, skipped: 2 });
  });
});
