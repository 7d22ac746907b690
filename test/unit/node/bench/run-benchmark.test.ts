/** The benchmark as a library call: what it gives, what it keeps, how it is stopped; HPatches' definition. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { HIGH_RESOLUTION, isFullHpatches, SEQUENCE_FILES, sequenceKind } from "../../../../src/bench/hpatches.js";
import type { PairRecord } from "../../../../src/bench/types.js";
import { OptionError } from "../../../../src/errors.js";
import { EXTRACT_DEFAULTS } from "../../../../src/extract/options.js";
import { loadCachedCurve, saveCaches } from "../../../../src/node/bench/caches.js";
import type { OpenExtractor } from "../../../../src/node/bench/methods.js";
import {
  type BenchmarkRequest,
  benchmarkReport,
  runBenchmark,
  saveBenchmarkReport,
} from "../../../../src/node/bench/run-benchmark.js";
import { temporaryFolder } from "../../cli/fake.js";
import { writeSequence } from "./drawn.js";

let folder = temporaryFolder();
/** Images that the model below has extracted. */
let extracted = 0;
const at = (...parts: string[]) => folder.path(...parts);

beforeEach(async () => {
  folder.remove();
  folder = temporaryFolder();
  extracted = 0;
  mkdirSync(at("data"));
  await writeSequence(at("data/i_a"), 1, 2);
  await writeSequence(at("data/v_b"), 2, 3);
});
afterAll(() => folder.remove());

/** A model that finds one keypoint, in the middle. */
const openExtractor: OpenExtractor = async () => ({
  info: { model: "dot", sha256: "00", dim: 4 },
  options: { ...EXTRACT_DEFAULTS, maxFeatures: null },
  extract: async ({ width, height }) => {
    extracted++;
    const keypoints = Float32Array.of(width / 2, height / 2);
    return {
      ...{ count: 1, dim: 4, kind: "float" as const, imageSize: [width, height] as [number, number] },
      ...{ keypoints, scores: Float32Array.of(1), descriptors: Float32Array.of(1, 0, 0, 0) },
    };
  },
  extractBatch: async () => [],
  dispose: async () => {},
});
const model = { kind: "model", options: {} } as const;
const request = (more: Partial<BenchmarkRequest> = {}): BenchmarkRequest => ({
  data: at("data"),
  out: at("out"),
  methods: [model],
  jobs: 1,
  openExtractor,
  ...more,
});

describe("runBenchmark", () => {
  it("gives runs, plans and notes, and does nothing again", async () => {
    const stages: string[] = [];
    const progress: BenchmarkRequest["progress"] = async (label, _unit, total) => {
      stages.push(`${label}${total}`);
      return { update: () => {}, stop: () => {} };
    };
    const first = await runBenchmark(request({ progress }));
    expect(first.runs.map(({ info, records }) => [info.protocol, records.length])).toEqual([["own", 3]]);
    expect(stages).toEqual(["dot: 5", "dot own: 3"]);
    expect([first.failures, first.notes, first.changes]).toEqual([[], [], []]);
    const before = extracted;
    const second = await runBenchmark(request());
    expect(extracted).toBe(before);
    expect(second.runs).toEqual(first.runs);
    expect(existsSync(at("out/.strata.lock"))).toBe(false);
  });

  it("takes methods as words; what is wrong with one is a failure beside the others' runs", async () => {
    const result = await runBenchmark(request({ methods: ["orb", "files:.nowhere"] }));
    expect(result.runs.map(({ info }) => info.method)).toContain("orb");
    expect(result.failures).toHaveLength(1);
    const report = benchmarkReport(result, { command: "again" });
    expect(report.notes).toEqual([result.failures[0].message]);
    expect([report.full, report.command]).toEqual([false, "again"]);
    await expect(runBenchmark(request({ methods: [] }))).rejects.toThrow(OptionError);
  });

  it("what is left out is noted; an error of onData ends the run before any work", async () => {
    writeFileSync(at("data/v_b/H_1_2"), "1 2 3");
    const heard: string[] = [];
    const { notes, data } = await runBenchmark(request({ skipBad: true, note: (line) => heard.push(line) }));
    expect(data.sequences.map(({ name }) => name)).toEqual(["i_a"]);
    expect(notes).toEqual(heard);
    expect(notes[0]).toContain("expected 9 numbers");
    const before = extracted;
    const refuse = () => {
      throw new OptionError("not these");
    };
    await expect(runBenchmark(request({ skipBad: true, seed: 3, onData: refuse }))).rejects.toThrow("not these");
    expect(extracted).toBe(before);
  });

  it("ends with the signal's reason and goes on from what is kept", async () => {
    const stop = new AbortController();
    const progress: BenchmarkRequest["progress"] = async () => ({
      update: (done) => done === 2 && stop.abort(new Error("enough")),
      stop: () => {},
    });
    await expect(runBenchmark(request({ progress, signal: stop.signal }))).rejects.toThrow("enough");
    const kept = readdirSync(at("out/features"), { recursive: true }).filter((name) => `${name}`.endsWith(".npz"));
    expect(kept.length).toBeGreaterThanOrEqual(2);
    const before = extracted;
    const { runs } = await runBenchmark(request());
    expect(runs[0].records).toHaveLength(3);
    // One more warms up.
    expect(extracted - before).toBe(5 - kept.length + 1);
  });

  it("a report is drawn from what is kept, caches are read back", async () => {
    const asked = request({ wantFeatures: true });
    const result = await runBenchmark(asked);
    const report = benchmarkReport(result, { command: "again", title: "Mine" });
    await saveBenchmarkReport(at("r.html"), report, result, asked);
    expect(readFileSync(at("r.html"), "utf8")).toContain("Mine");
    const named = [{ ...result.runs[0], records: result.runs[0].records.filter(({ sequence }) => sequence === "v_b") }];
    mkdirSync(at("cache"));
    // A cache has room for sequences of six images alone.
    await expect(saveCaches(at("cache"), named)).rejects.toThrow(/six|6/);
    await expect(loadCachedCurve(at("r.html"))).rejects.toThrow(at("r.html"));
  });
});

describe("HPatches' definition", () => {
  const sequences = (illumination: number, viewpoint: number, images = 6) => [
    ...Array.from({ length: illumination }, () => ({ kind: "illumination" as const, images: Array(images) })),
    ...Array.from({ length: viewpoint }, () => ({ kind: "viewpoint" as const, images: Array(images) })),
  ];
  const run = (pairs: number) => ({ records: Array<PairRecord>(pairs) });

  it("is full with 52 and 56 sequences of six images, all of whose pairs are scored in every run", () => {
    expect(isFullHpatches(sequences(52, 56), [run(540), run(540)])).toBe(true);
    expect(isFullHpatches(sequences(52, 56), [run(540), run(539)])).toBe(false);
    expect(isFullHpatches(sequences(56, 52), [run(540)])).toBe(false);
    expect(isFullHpatches(sequences(57, 59), [run(580)])).toBe(false);
    expect(isFullHpatches(sequences(52, 56, 5), [run(432)])).toBe(false);
  });

  it("names the halves, the files and what is left out for its resolution", () => {
    expect(["i_dc", "v_graf", "graf"].map(sequenceKind)).toEqual(["illumination", "viewpoint", "other"]);
    expect(SEQUENCE_FILES.join(" ")).toBe("1.ppm 2.ppm H_1_2 3.ppm H_1_3 4.ppm H_1_4 5.ppm H_1_5 6.ppm H_1_6");
    // Eight sequences, one of them under both spellings.
    expect(HIGH_RESOLUTION).toHaveLength(9);
  });
});
