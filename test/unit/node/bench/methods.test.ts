import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OptionError } from "../../../../src/errors.js";
import type { Extractor } from "../../../../src/extract/extractor.js";
import { EXTRACT_DEFAULTS } from "../../../../src/extract/options.js";
import { emptyFeatures } from "../../../../src/features.js";
import { keyOf, parseMethod, planMethod, protocolsOf } from "../../../../src/node/bench/methods.js";
import { openSequences, type Sequences } from "../../../../src/node/bench/sequences.js";
import type { OpenOptions } from "../../../../src/node/extractor.js";
import { temporaryFolder } from "../../cli/fake.js";
import { writeSequence } from "./drawn.js";

const folder = temporaryFolder();
let data: Sequences;
beforeAll(async () => {
  await writeSequence(folder.path("data/v_a"), 1, 2);
  data = await openSequences(folder.path("data"));
});
afterAll(() => folder.remove());

/** A model that comes with a limit of 2000 keypoints. */
const openExtractor = async (options: OpenOptions): Promise<Extractor> => ({
  info: { model: "m", sha256: "00", dim: 4 },
  options: { ...EXTRACT_DEFAULTS, maxFeatures: options.maxFeatures === undefined ? 2000 : options.maxFeatures },
  extract: async () => emptyFeatures([1, 1], 4),
  extractBatch: async () => [],
  dispose: async () => {},
});
const common = () => ({ data, limits: null, versions: { strata: "1" }, orientation: true, openExtractor });

describe("parseMethod", () => {
  it("tells methods apart", () => {
    expect(parseMethod("orb", {})).toEqual({ kind: "baseline", baseline: "orb", maxFeatures: null });
    expect(parseMethod("AKAZE", {})).toMatchObject({ kind: "baseline", baseline: "akaze" });
    expect(parseMethod("files:.d2-net", {})).toEqual({ kind: "files", extension: ".d2-net" });
    expect(parseMethod("h5:a/b.h5", {})).toEqual({ kind: "h5", path: "a/b.h5" });
    expect(parseMethod("x.ckpt", { threshold: 0.3 })).toEqual({
      kind: "model",
      options: { threshold: 0.3, model: "x.ckpt" },
    });
    for (const text of ["", "files:", "files:d2", "h5:"]) expect(() => parseMethod(text, {})).toThrow(OptionError);
  });
});

describe("protocolsOf", () => {
  const names = (own: number | null, limits: number[] | null) => protocolsOf(own, limits).map(({ name }) => name);
  it("adds the best 2000 unasked, where that can be fewer than the method's own", () => {
    expect(names(2000, null)).toEqual(["own"]);
    expect(names(1000, null)).toEqual(["own"]);
    expect(names(4000, null)).toEqual(["own", "top-2000"]);
    expect(protocolsOf(null, null)[1]).toEqual({ name: "top-2000", limit: 2000, optional: true });
  });
  it("takes what is asked for, each once", () => {
    expect(names(2000, [500, 2000, 500])).toEqual(["own", "top-500", "top-2000"]);
    expect(protocolsOf(2000, [500])[0]).toEqual({ name: "own", limit: 2000 });
  });
});

describe("keyOf", () => {
  it("is readable, fit for a file's name, and changes with anything", () => {
    expect(keyOf("strata-s0", { a: 1, b: [2] })).toMatch(/^strata-s0-[0-9a-f]{12}$/);
    expect(keyOf("x", { a: 1, b: 2 })).toBe(keyOf("x", { b: 2, a: 1 }));
    expect(keyOf("x", { a: 1, b: 2 })).not.toBe(keyOf("x", { a: 1, b: 3 }));
    expect(keyOf("../a b\\c", 0)).toMatch(/^_a_b_c-[0-9a-f]{12}$/);
    expect(keyOf("..", 0)).toMatch(/^method-/);
  });
});

describe("planMethod", () => {
  it("raises a model's limit for a larger protocol and keeps its own beside it", async () => {
    const spec = parseMethod("m", {});
    const [plain] = await planMethod(spec, common());
    expect(plain).toMatchObject({ name: "m", model: "00", protocols: [{ name: "own", limit: 2000 }] });
    const [raised, ...more] = await planMethod(spec, { ...common(), limits: [1000, 5000] });
    expect(more).toEqual([]);
    expect(raised.spec).toMatchObject({ options: { maxFeatures: 5000 } });
    expect(raised.options).toMatchObject({ maxFeatures: 5000 });
    expect(raised.protocols.map(({ limit }) => limit)).toEqual([2000, 1000, 5000]);
    expect(raised.key).not.toBe(plain.key);
    // Nothing to raise, nothing changed.
    expect((await planMethod(spec, { ...common(), limits: [1000] }))[0].key).toBe(plain.key);
  });

  it("has one key for one model wherever it lies, on however many threads", async () => {
    const [a] = await planMethod(parseMethod("m", {}), common());
    const [b] = await planMethod(parseMethod("/elsewhere/m.ckpt", { threads: 3 }), common());
    expect(b.key).toBe(a.key);
    const [c] = await planMethod(parseMethod("m", { preprocessing: "caffe" }), common());
    const [d] = await planMethod(parseMethod("m", {}), { ...common(), versions: { strata: "2" } });
    const [e] = await planMethod(parseMethod("m", {}), { ...common(), orientation: false });
    expect(new Set([a, c, d, e].map(({ key }) => key)).size).toBe(4);
  });

  it("makes ORB with more keypoints than its own another plan, for it spreads them otherwise", async () => {
    const plans = await planMethod(parseMethod("orb", {}), { ...common(), limits: [500, 4000] });
    expect(plans.map(({ protocols }) => protocols.map(({ name }) => name))).toEqual([["own", "top-500"], ["top-4000"]]);
    expect(plans[1].options).toMatchObject({ maxFeatures: 4000 });
    expect(plans[1].key).not.toBe(plans[0].key);
    expect(plans[0].versions).toMatchObject({ strata: "1", detector: expect.stringMatching(/^OpenCV 5/) });
  });
});
