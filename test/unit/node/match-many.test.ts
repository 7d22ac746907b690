/** Many pairs to one file: whatever stops a run, nothing that is done is lost, and the bytes are those of a run in one go. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { LimitError, OptionError, ShapeError } from "../../../src/errors.js";
import { emptyFeatures, type Features } from "../../../src/features.js";
import { writeHlocMatches } from "../../../src/formats/hloc.js";
import { type NamePair, pairsByRule } from "../../../src/match/pairs.js";
import { contentDigest } from "../../../src/node/content-digest.js";
import { lockBeside, takeLock } from "../../../src/node/lock.js";
import { type MatchManyOptions, matchMany } from "../../../src/node/match-many.js";
import { decodePairs } from "../../../src/node/pair-files.js";
import { partsFolder } from "../../../src/node/parts.js";
import { temporaryFolder } from "../cli/fake.js";
import { sampleFeatures } from "../formats/samples.js";

let folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
beforeEach(() => {
  folder.remove();
  folder = temporaryFolder();
});
afterAll(() => folder.remove());

const NAMES = ["a.png", "sub/b.png", "sub/c.png", "d.png"];
const FEATURES = new Map<string, Features>(NAMES.map((name, i) => [name, sampleFeatures(12 + i, { dim: 8, seed: i })]));
FEATURES.set("empty.png", emptyFeatures([640, 480], 8));
const PAIRS = [...pairsByRule("exhaustive", FEATURES.keys(), 1)];
const ENDINGS = [".h5", ".txt", ".json", ".csv"];

const match = (out: string, options: MatchManyOptions = {}, pairs: Iterable<NamePair> = PAIRS, features = FEATURES) =>
  matchMany(features, pairs, at(out), { runtime: null, ...options });

/** The bytes of a file of matches that was made in one go. */
const wholes = new Map<string, Buffer>();
async function whole(
  ending: string,
  pairs: Iterable<NamePair> = PAIRS,
  features = FEATURES,
  options: MatchManyOptions = {},
) {
  mkdirSync(at("whole"), { recursive: true });
  await match(`whole/m${ending}`, { existing: "overwrite", ...options }, pairs, features);
  return readFileSync(at("whole", `m${ending}`));
}
async function expected(ending: string) {
  if (!wholes.has(ending)) wholes.set(ending, await whole(ending));
  return wholes.get(ending);
}

/** A run that is stopped once so many pairs are matched. */
async function stopAfter(count: number, out: string, options: MatchManyOptions = {}): Promise<void> {
  const stop = new AbortController();
  const reason = new Error("stopped by the test");
  const onProgress = ({ matched }: { matched: number }) => matched === count && stop.abort(reason);
  await expect(match(out, { ...options, signal: stop.signal, onProgress })).rejects.toBe(reason);
}
const logOf = (out: string) =>
  at(`${out}.parts`, readdirSync(at(`${out}.parts`)).filter((name) => name.endsWith(".log"))[0]);

describe("a run that is stopped", () => {
  it.each(ENDINGS)("keeps what is done, and resumed gives the same bytes: %s", async (ending) => {
    const out = `m${ending}`;
    for (const count of [1, 4, PAIRS.length]) {
      await stopAfter(count, out);
      expect(existsSync(at(out))).toBe(false);
      const told: number[] = [];
      const result = await match(out, { existing: "resume", onProgress: ({ skipped }) => told.push(skipped) });
      expect(result).toMatchObject({ total: 10, matched: 10 - count, skipped: count, output: at(out) });
      expect(told).toHaveLength(1 + 10 - count);
      expect(readFileSync(at(out))).toEqual(await expected(ending));
      expect(readdirSync(at(".")).sort()).toEqual([out, `${out}.strata.json`, "whole"].sort());
      rmSync(at(out));
    }
  });

  it("may be killed in the middle of any byte", async () => {
    await stopAfter(PAIRS.length, "m.txt");
    const log = readFileSync(logOf("m.txt"));
    const name = logOf("m.txt");
    const matched = new Set<number>();
    for (let length = 0; length < log.length; length += 97) {
      writeFileSync(name, log.subarray(0, length));
      matched.add((await match("m.txt", { existing: "resume" })).matched);
      expect(readFileSync(at("m.txt")), `${length} bytes`).toEqual(await expected(".txt"));
      for (const file of ["m.txt", "m.txt.strata.json"]) rmSync(at(file));
      mkdirSync(partsFolder(at("m.txt")), { recursive: true });
    }
    expect([...matched]).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it.each([".h5", ".csv"])("may be killed between any two of its last steps: %s", async (ending) => {
    const out = `m${ending}`;
    await stopAfter(PAIRS.length, out);
    const log = logOf(out);
    copyFileSync(log, at("log"));
    await match(out, { existing: "resume" });
    const [file, manifest] = [readFileSync(at(out)), readFileSync(at(`${out}.strata.json`))];
    for (const hasManifest of [true, false]) {
      mkdirSync(partsFolder(at(out)));
      copyFileSync(at("log"), log);
      if (!hasManifest) rmSync(at(`${out}.strata.json`));
      expect(await match(out, { existing: "resume" })).toMatchObject({ matched: 0, skipped: 10 });
      expect(readFileSync(at(out))).toEqual(file);
      expect(readFileSync(at(`${out}.strata.json`))).toEqual(manifest);
      expect(existsSync(partsFolder(at(out)))).toBe(false);
    }
  });

  it("is not thrown away unasked, and not gone on with by other options", async () => {
    await stopAfter(3, "m.h5");
    await expect(match("m.h5")).rejects.toThrow(
      /m\.h5\.parts keeps finished pairs of a run that was stopped: --resume/,
    );
    const other = match("m.h5", { existing: "resume", ratio: 0.8 });
    await expect(other).rejects.toThrow(
      "m.h5.parts keeps pairs that were matched otherwise (ratio: none then, 0.8 now)",
    );
    expect(await match("m.h5", { existing: "resume" })).toMatchObject({ skipped: 3 });
    await stopAfter(3, "n.h5");
    expect(await match("n.h5", { existing: "overwrite" })).toMatchObject({ matched: 10, skipped: 0 });
  });

  it("before the first pair leaves nothing", async () => {
    await stopAfter(0, "m.h5");
    expect(readdirSync(at("."))).toEqual([]);
  });
});

describe("a run over a finished file", () => {
  it("is refused unless it resumes or begins anew; with nothing new it does nothing", async () => {
    await match("m.h5");
    await expect(match("m.h5")).rejects.toThrow(/m\.h5 is there already: --resume .* --force/);
    const { mtimeMs } = await import("node:fs").then(({ statSync }) => statSync(at("m.h5")));
    expect(await match("m.h5", { existing: "resume" })).toMatchObject({ matched: 0, skipped: 10 });
    expect((await import("node:fs")).statSync(at("m.h5")).mtimeMs).toBe(mtimeMs);
  });

  it.each(ENDINGS)("matches what is new: pairs, and images whose features have changed: %s", async (ending) => {
    const out = `m${ending}`;
    await match(out, {}, PAIRS.slice(0, 7));
    const { matched, skipped } = await match(out, { existing: "resume" });
    // A table has no line for a pair without matches, so these are matched again.
    expect([matched, skipped]).toEqual(ending === ".csv" ? [5, 5] : [3, 7]);
    expect(readFileSync(at(out))).toEqual(await expected(ending));

    const changed = new Map(FEATURES).set("sub/b.png", sampleFeatures(20, { dim: 8, seed: 77 }));
    const again = await match(out, { existing: "resume" }, PAIRS, changed);
    expect(again.skipped).toBe(ending === ".csv" ? 3 : 6);
    expect(readFileSync(at(out))).toEqual(await whole(ending, PAIRS, changed));
  });

  it.each(["keypoints", "descriptors", "scores", "imageSize", "levels"])(
    "notices %s that have changed",
    async (field) => {
      await match("m.csv");
      const one = structuredClone(FEATURES.get("a.png") as Features);
      if (field === "levels") one.levels = new Uint8Array(one.count);
      else if (field === "imageSize") one.imageSize[1] += 1;
      else (one[field as "scores"] as Float32Array)[1] += 0.25;
      expect(
        (await match("m.csv", { existing: "resume" }, PAIRS, new Map(FEATURES).set("a.png", one))).matched,
      ).toBeGreaterThan(2);
    },
  );

  it("keeps what it may not touch", async () => {
    await match("m.h5");
    const before = readFileSync(at("m.h5"));
    const resume = (options: MatchManyOptions = {}, pairs = PAIRS) =>
      match("m.h5", { existing: "resume", ...options }, pairs);
    await expect(resume({ ratio: 0.7 })).rejects.toThrow("m.h5 was made otherwise (ratio: none then, 0.7 now)");
    await expect(resume({}, PAIRS.slice(2))).rejects.toThrow(
      /m\.h5 has 2 pairs that are not asked for now \("a\.png" and "d\.png" first\)/,
    );
    rmSync(at("m.h5.strata.json"));
    await expect(resume()).rejects.toThrow("nothing beside it says that it was made by match-features");
    expect(readFileSync(at("m.h5"))).toEqual(before);
    expect(existsSync(partsFolder(at("m.h5")))).toBe(false);
    // Another program's file, in place of one that is half made.
    await stopAfter(4, "n.h5");
    writeFileSync(at("n.h5"), await writeHlocMatches([]));
    await expect(match("n.h5", { existing: "resume" })).rejects.toThrow(OptionError);
    await expect(match("n.h5")).rejects.toThrow(OptionError);
    rmSync(at("n.h5"));
    expect(await match("n.h5", { existing: "resume" })).toMatchObject({ skipped: 4 });
  });

  it("follows a link, and is alone at it", async () => {
    await match("real.h5");
    symlinkSync(at("real.h5"), at("link.h5"));
    const lock = await takeLock(await lockBeside(at("real.h5")), "real.h5");
    await expect(match("link.h5", { existing: "overwrite" })).rejects.toThrow("is at work in");
    await lock.release();
    await match("link.h5", { existing: "overwrite" });
    expect(readFileSync(at("real.h5"))).toEqual(await expected(".h5"));
    expect(existsSync(await lockBeside(at("real.h5")))).toBe(false);
  });
});

describe("before the first pair", () => {
  const refused = async (work: Promise<unknown>, kind: new (...args: never[]) => Error, message: string | RegExp) => {
    const error = await work.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(kind);
    expect(String(error)).toMatch(message);
    expect(readdirSync(at(".")).filter((name) => name !== "whole")).toEqual([]);
  };
  const onProgress = () => {
    throw new Error("a pair was matched");
  };
  const named = (...names: string[]) => new Map(names.map((name, i) => [name, sampleFeatures(3, { dim: 8, seed: i })]));
  const all = (features: Map<string, Features>, out: string) =>
    match(out, { onProgress }, pairsByRule("exhaustive", features.keys(), 1), features);

  it("unknown images, pairs that are none, and other formats are refused", async () => {
    await refused(match("m.h5", { onProgress }, [["a.png", "x.png"]]), OptionError, 'there are no features of "x.png"');
    await refused(match("m.h5", { onProgress }, [["a.png", "a.png"]]), OptionError, '"a.png" is paired with itself');
    const twice = [
      ["a.png", "d.png"],
      ["d.png", "a.png"],
    ] as NamePair[];
    await refused(match("m.h5", { onProgress }, twice), OptionError, "paired twice");
    await refused(match("m.h5", { onProgress }, []), OptionError, "no pair to match");
    await refused(match("m.npz", { onProgress }), OptionError, "its ending must be one of .h5");
    await refused(match("m.h5", { ratio: 3 }), OptionError, "ratio");
  });

  it.each([
    ["a-b.png", "a/b.png"],
    ["a/b-c/d.png", "a-b/c-d.png"],
    ["x-/y.png", "x/-y.png"],
  ])("names that hloc's layout cannot tell apart are refused: %s, %s", async (one, other) => {
    await refused(
      all(named(one, other, "z.png"), "m.h5"),
      OptionError,
      /would both be called "[^"/]*" in hloc's layout/,
    );
    // One of the two is enough, for whoever reads the file knows both by the features.
    await refused(
      match("m.h5", { onProgress }, [["z.png", one]], named(one, other, "z.png")),
      OptionError,
      "both be called",
    );
    for (const ending of [".json", ".csv", ".txt"]) await saveAll(named(one, other, "z.png"), `m${ending}`);
    // Of two others nobody needs to know.
    await match("m.h5", {}, [["y.png", "z.png"]], named(one, other, "y.png", "z.png"));
  });
  const saveAll = (features: Map<string, Features>, out: string) =>
    match(out, {}, pairsByRule("exhaustive", features.keys(), 1), features);

  it("names that were joined by an underscore are told apart in every format", async () => {
    const features = named("a_b", "b_c", "a", "c", "a_b_c", "b");
    for (const ending of [".h5", ".txt", ".json"]) {
      await saveAll(features, `m${ending}`);
      const read = await decodePairs(at(`m${ending}`), readFileSync(at(`m${ending}`)), features.keys());
      expect(read.map(({ name0, name1 }) => [name0, name1]).sort()).toEqual(
        [...pairsByRule("exhaustive", features.keys(), 1)].sort(),
      );
    }
  });

  it("names that COLMAP's list cannot hold are refused there only", async () => {
    for (const name of ["my a.png", "#a.png"]) {
      await refused(
        all(named(name, "z.png"), "m.txt"),
        OptionError,
        `the name "${name}" is empty, has white space or begins with #`,
      );
      await saveAll(named(name, "z.png"), "m.h5");
      for (const file of ["m.h5", "m.h5.strata.json"]) rmSync(at(file));
    }
  });

  it("descriptors that do not fit, and a file that would be too large, are refused", async () => {
    const features = named("a.png", "b.png").set("c.png", sampleFeatures(3, { dim: 4 }));
    await refused(all(features, "m.h5"), ShapeError, /descriptors of "a\.png" .*8.* those of "c\.png" .*4/);
    const vast = sampleFeatures(1, { dim: 8 });
    const claims = new Map(["a", "b"].map((name) => [name, { ...vast, count: 3e8 }]));
    await expect(all(claims, "m.h5")).rejects.toThrow(ShapeError);
    const { checkPairs } = await import("../../../src/node/pair-files.js");
    await expect(checkPairs("m.h5", [["a", "b"]], claims)).rejects.toThrow(LimitError);
    await checkPairs("m.csv", [["a", "b"]], claims);
  });
});

it("matches bits by their Hamming distance, and refuses to mix them with floats", async () => {
  const bits = (seed: number): Features => {
    const { descriptors: _, ...rest } = sampleFeatures(6, { dim: 4, seed });
    return { ...rest, kind: "binary", descriptors: Uint8Array.from({ length: 24 }, (_, i) => (i * 37 + seed) & 255) };
  };
  const features = new Map([1, 2].map((seed): [string, Features] => [`${seed}`, bits(seed)]));
  await match("m.json", {}, [["1", "2"]], features);
  const { pairs } = JSON.parse(readFileSync(at("m.json"), "utf8"));
  expect(pairs[0].matches.length).toBeGreaterThan(0);
  for (const [, , , distance] of pairs[0].matches) expect(Number.isInteger(distance)).toBe(true);
  features
    .set("3", sampleFeatures(6, { dim: 4 }))
    .set("4", { ...sampleFeatures(6), dim: 0, descriptors: new Float32Array(0) });
  await expect(match("n.json", {}, [["1", "3"]], features)).rejects.toThrow(
    'of "1" are 4 bytes of bits, those of "3" 4 floats',
  );
  await expect(match("n.json", {}, [["4", "3"]], features)).rejects.toThrow('"4" has no descriptors');
});

it("tells features apart by the kind of their descriptors as well", () => {
  const { descriptors: _, ...rest } = sampleFeatures(2, { dim: 4 });
  const floats: Features = { ...rest, descriptors: Float32Array.of(0, 0, 0, 0, 0, 0, 0, 0) };
  const bytes: Features = { ...rest, kind: "binary", descriptors: new Uint8Array(8) };
  expect(new Set([floats, bytes, { ...floats, kind: "float" } as Features].map(contentDigest)).size).toBe(2);
  expect(contentDigest(structuredClone(floats))).toBe(contentDigest(floats));
});
