/** The form that COLMAP runs: its inputs and outputs are what COLMAP checks, its points the library's, fed as COLMAP feeds it. */
import { InferenceSession } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { OptionError, UnsupportedError } from "../../../src/errors.js";
import { COLMAP_MULTIPLE } from "../../../src/export/colmap.js";
import { type ExportOptions, exportFeatures } from "../../../src/export/features.js";
import { compareFeatures } from "../../../src/export/parity.js";
import { insideOnly, runColmap } from "../../../src/export/run.js";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { type OpenedModel, openReference } from "../../../src/extract/models.js";
import { type ExtractOptions, extractOptions } from "../../../src/extract/options.js";
import { openStrata } from "../../../src/families.js";
import type { FloatFeatures } from "../../../src/features.js";
import type { Image } from "../../../src/image/image.js";
import { padImage } from "../../../src/image/pad.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { noiseImage, referenceTensors, strataTensors, TINY } from "../../models.js";

const config = { ...TINY, detection: { ...TINY.detection, scales: [1, 0.57, 0.35] } };
const strata = () => openStrata("tiny", strataTensors(config), config, "");
const reference = () => openReference("random", "random", referenceTensors({}), {}, "");

const exported = ({ model, defaults }: OpenedModel, extract: Partial<ExtractOptions> = {}, options = {}) =>
  exportFeatures(model, extractOptions({ maxFeatures: 5, ...extract }, defaults), {
    format: "colmap",
    ...options,
  } as Partial<ExportOptions>);

/** The library's points of what COLMAP shows the network, as far as they lie in the image. */
async function libraryPoints(library: DenseExtractor, image: Image) {
  const features = await library.extract(padImage(image, COLMAP_MULTIPLE));
  return insideOnly({ ...features, imageSize: [image.width, image.height] });
}

async function withSession<T>(model: OpenedModel, work: (session: Awaited<ReturnType<typeof open>>) => Promise<T>) {
  const session = await open(model);
  try {
    return await work(session);
  } finally {
    await session.dispose();
  }
}
const open = async (model: OpenedModel) => nodeRuntime.open((await exported(model)).bytes, { threads: 1 });

function expectSame(own: FloatFeatures, got: FloatFeatures) {
  const parity = compareFeatures(own, got);
  expect(parity).toMatchObject({ exported: own.count, same: own.count });
  expect(parity.score).toBeLessThan(1e-5);
  expect(parity.cosine).toBeGreaterThan(0.99999);
}

describe("the format colmap", () => {
  it("has the names, order, types and ranks that COLMAP checks", async () => {
    for (const [model, dim] of [
      [strata(), TINY.descriptorDim],
      [reference(), reference().model.dim],
    ] as const) {
      const session = await InferenceSession.create((await exported(model)).bytes);
      const ports = (all: InferenceSession.ValueMetadata[]) =>
        all.map((port) => (port.isTensor ? [port.name, port.type, port.shape] : port.name));
      expect(ports([...session.inputMetadata])).toEqual([
        ["image", "float32", [1, 3, "H", "W"]],
        ["max_keypoints", "int64", []],
        ["min_score", "float32", []],
      ]);
      expect(ports([...session.outputMetadata])).toEqual([
        ["keypoints", "float32", [1, "K", 2]],
        ["descriptors", "float32", [1, "K", dim]],
        ["scores", "float32", [1, "K"]],
      ]);
      await session.release();
    }
  });

  it.each([
    ["the default family", strata],
    ["the reference", reference],
  ])("has the library's points of an image with COLMAP's border: %s", async (_, opened) => {
    const model = opened();
    await withSession(model, async (session) => {
      let points = 0;
      for (const maxKeypoints of [40, 5000]) {
        const library = new DenseExtractor(
          { ...model.model, leavesFlatOut: false },
          extractOptions({ maxFeatures: maxKeypoints }, model.defaults),
          { runtime: nodeRuntime, threads: 1 },
        );
        for (const [width, height] of [
          [64, 96],
          [90, 61],
          [1, 1],
        ]) {
          const image = noiseImage(width, height, width);
          const own = await libraryPoints(library, image);
          expectSame(own, await runColmap(session, image, { maxKeypoints }));
          points += own.count;
        }
        await library.dispose();
      }
      expect(points).toBeGreaterThan(60);
    });
  });

  it("gives at most max_keypoints of at least min_score, best first, and none where there are none", async () => {
    await withSession(strata(), async (session) => {
      const image = noiseImage(128, 96, 3);
      const all = await runColmap(session, image, { maxKeypoints: 1_000_000 });
      expect(all.scores).toEqual(all.scores.slice().sort((a, b) => b - a));
      const few = await runColmap(session, image, { maxKeypoints: 9 });
      expect(few.count).toBe(9);
      expect(few.scores).toEqual(all.scores.slice(0, 9));
      const minScore = all.scores[Math.floor(all.count / 2)];
      const cut = await runColmap(session, image, { maxKeypoints: 1_000_000, minScore });
      expect(cut.count).toBe(all.scores.filter((score) => score >= minScore).length);
      const none = await runColmap(session, image, { maxKeypoints: 100, minScore: 1.5 });
      expect(none.count).toBe(0);
      expect(none.keypoints.length).toBe(0);
    });
  });

  it("drops what the model's own threshold drops", async () => {
    const model = strata();
    const session = await nodeRuntime.open((await exported(model, { threshold: 0.5 })).bytes, { threads: 1 });
    const { scores, count } = await runColmap(session, noiseImage(128, 96, 3), { maxKeypoints: 5000 });
    expect(count).toBeGreaterThan(0);
    expect(Math.min(...scores)).toBeGreaterThanOrEqual(0.5);
    await session.dispose();
  });

  it("says what it is", async () => {
    const { slots, metadata } = await exported(strata());
    expect(slots).toBeNull();
    expect(metadata).toMatchObject({ format: "colmap", input: "float32", batch: "1", size: "any" });
    expect(JSON.parse(metadata.options)).toMatchObject({ maxFeatures: null, scales: [1, 0.57, 0.35] });
  });

  it("refuses what COLMAP cannot feed, and models that cannot be read inside a graph", async () => {
    for (const options of [{ input: "float32" }, { size: [64, 64] }, { batch: 2 }]) {
      const [name] = Object.keys(options);
      await expect(exported(strata(), {}, options)).rejects.toThrow(
        new RegExp(`"${name}" does not go with the format "colmap"`),
      );
    }
    await expect(exported(strata(), {}, { format: "onnx" })).rejects.toThrow(OptionError);
    for (const extract of [{ detection: "d2net" }, { nms: true }, { refine: "grid" }] as Partial<ExtractOptions>[]) {
      await expect(exported(reference(), extract)).rejects.toThrow(UnsupportedError);
    }
    await expect(exported(reference(), { detection: "d2net" })).rejects.toThrow(/hard detection/);
    await expect(exported(strata(), { nms: false })).rejects.toThrow(/with suppression/);
  });
});
