/** `strata bench` over the fake engine: what is kept, what is done again, what is said. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FormatError } from "../../../../src/errors.js";
import { readHpatchesCache } from "../../../../src/formats/hpatches-cache.js";
import { writeNpz } from "../../../../src/formats/npz.js";
import { decodeRecord } from "../../../../src/formats/record.js";
import { type Fake, fakeStrata, savePlain, temporaryFolder } from "../../cli/fake.js";

let folder = temporaryFolder();
let fake: Fake;
const at = (...parts: string[]) => folder.path(...parts);

/** The fake finds one keypoint, at x = brightness / 100: these homographies say so, but for the last by 2 px. */
async function plainSequence(name: string, count = 3): Promise<void> {
  mkdirSync(at("data", name), { recursive: true });
  for (let k = 1; k <= count; k++) {
    await savePlain(at("data", name, `${k}.png`), 40 * k);
    const shift = 0.4 * (k - 1) + (k === count ? 2 : 0);
    if (k > 1) writeFileSync(at("data", name, `H_1_${k}`), `1 0 ${shift} 0 1 0 0 0 1`);
  }
}

beforeEach(async () => {
  folder.remove();
  folder = temporaryFolder();
  fake = fakeStrata();
  await plainSequence("i_a");
  await plainSequence("v_b");
});
afterAll(() => folder.remove());

async function bench(...argv: string[]) {
  const before = fake.extracted;
  const args = ["bench", "hpatches", "--data", at("data"), "--out", at("out"), "--jobs", "1", ...argv];
  const result = await fake.run(...args);
  // The first image of a run is extracted twice: once to warm up.
  const extracted = Math.max(0, fake.extracted - before - 1);
  return { ...result, extracted, json: argv.includes("--json") ? JSON.parse(result.out || "null") : null };
}
const results = (pattern: RegExp) => readdirSync(at("out/results")).filter((name) => pattern.test(name));
const own = () => at("out/results", results(/\.own-/)[0]);
const linesOf = (path: string) => readFileSync(path, "utf8").trimEnd().split("\n");

describe("strata bench hpatches", () => {
  it("exports every image once, scores every pair, and says what it found", async () => {
    const { code, json } = await bench("--json", "--max-features", "10");
    expect(code).toBe(0);
    expect(json.runs.map((run: { protocol: string }) => run.protocol)).toEqual(["own", "top-10"]);
    const { summaries, pairs, key, model, data } = json.runs[0];
    expect([pairs, model, data.name]).toEqual([4, "00", "data"]);
    // 1-2 is right at 0 px, 1-3 wrong by 2 px, in both sequences.
    expect(summaries.all.mma.slice(0, 3)).toEqual([0.5, 1, 1]);
    expect([summaries.all.features, summaries.all.matches]).toEqual([1, 1]);
    expect(summaries.illumination.pairs).toBe(2);
    const file = at("out/features", key, "v_b", "3.npz");
    const { features, provenance } = decodeRecord("npz", readFileSync(file));
    expect(features.keypoints[0]).toBeCloseTo(1.2);
    expect(provenance).toMatchObject({ key, image: "v_b/3.png", record: { sequence: "v_b", image: 3, keypoints: 1 } });
    expect(linesOf(own())).toHaveLength(4);
    expect(JSON.parse(linesOf(own())[0])).toMatchObject({ sequence: "i_a", images: [1, 2], matches: 1, run: { key } });
  });

  it("a second run does nothing again and says the same", async () => {
    const first = await bench("--json");
    expect(first.extracted).toBe(6);
    const before = linesOf(own());
    const second = await bench("--json");
    expect(fake.extracted).toBe(7);
    expect(second.json.runs).toEqual(first.json.runs);
    expect(linesOf(own())).toEqual(before);
  });

  it("results stand without features, features without results", async () => {
    await bench();
    renameSync(at("out/features"), at("kept"));
    expect((await bench()).extracted).toBe(0);
    expect(existsSync(at("out/features"))).toBe(false);
    renameSync(at("kept"), at("out/features"));
    rmSync(own());
    expect((await bench()).extracted).toBe(0);
    expect(linesOf(own())).toHaveLength(4);
    // Also where the list of images is lost: the files themselves know what is in it.
    rmSync(at("out/results"), { recursive: true });
    const { extracted, json } = await bench("--json");
    expect([extracted, json.runs[0].summaries.all.features]).toEqual([0, 1]);
  });

  it("another model, option, seed or data set never meets the results of the first", async () => {
    await bench();
    fake.sha256 = "11";
    expect((await bench()).extracted).toBe(6);
    expect((await bench("--thresh", "0.2")).extracted).toBe(0);
    expect((await bench("--no-orientation")).extracted).toBe(6);
    expect(results(/\.own-/)).toHaveLength(3);
    // Another seed: the same features, other scores.
    expect((await bench("--seed", "7")).extracted).toBe(0);
    expect(results(/\.own-/)).toHaveLength(4);
    writeFileSync(at("data/v_b/H_1_2"), "1 0 0.5 0 1 0 0 0 1");
    expect((await bench()).extracted).toBe(6);
    expect((await bench("--sequences", "i_a")).extracted).toBe(3);
    for (const name of results(/\.own-/)) {
      const keys = linesOf(at("out/results", name)).map((line) => JSON.parse(line).run.key);
      expect(new Set(keys).size).toBe(1);
      expect(name.startsWith(keys[0])).toBe(true);
    }
  });

  it("records of other runs in a results file are not taken for its own", async () => {
    await bench();
    const lines = linesOf(own()).map((line) => JSON.parse(line));
    lines[0].run.scoring.estimators.magsac.threshold = 17;
    lines[1].run.machine = { cpu: "another", cores: 96, memoryGiB: 1, platform: "x" };
    lines[2].run.seed = 5;
    lines[3].correct = [];
    writeFileSync(own(), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const { err } = await bench();
    expect(err).toMatch(/1 torn or foreign lines dropped/);
    expect(linesOf(own())).toHaveLength(3 + 3);
  });

  it("a torn line and a damaged feature file are made again, nothing else", async () => {
    await bench();
    const whole = linesOf(own());
    writeFileSync(own(), `${whole.slice(0, 3).join("\n")}\n${whole[3].slice(0, 40)}`);
    const { code, err, extracted } = await bench();
    expect([code, extracted]).toEqual([0, 0]);
    expect(err).toMatch(/own-.*: 1 torn/);
    const strip = (line: string) => ({ ...JSON.parse(line), seconds: null });
    expect(linesOf(own()).map(strip)).toEqual(whole.map(strip));

    const [key] = readdirSync(at("out/features"));
    rmSync(at("out/results"), { recursive: true });
    const file = at("out/features", key, "i_a", "2.npz");
    writeFileSync(file, readFileSync(file).subarray(0, 300));
    expect((await bench()).extracted).toBe(1);
  });

  it("interrupted it keeps what is finished, and the same command goes on", async () => {
    fake.interruptAfter = 3;
    const { code, err, out } = await bench();
    expect([code, out]).toEqual([130, ""]);
    expect(err).toMatch(/interrupted; what is finished is kept in .*out; the same command goes on/);
    fake.interruptAfter = Infinity;
    const kept = fake.extracted - 1;
    expect(kept).toBeLessThan(6);
    expect((await bench()).extracted).toBe(6 - kept);
    expect(fake.disposed).toBeGreaterThan(0);
  });

  it("a full disk ends the run at once", async () => {
    fake.onImage = () => {
      throw new FormatError("no room", { cause: { code: "ENOSPC" } });
    };
    const { code, err } = await bench();
    expect(code).toBe(1);
    expect(err).toMatch(/stopped; what is finished is kept[\s\S]*no room/);
    expect(fake.extracted).toBe(0);
  });

  it("images that cannot be read are listed together; --skip-bad leaves their sequences out", async () => {
    await plainSequence("v_c");
    writeFileSync(at("data/i_a/2.png"), "no image");
    writeFileSync(at("data/v_c/3.png"), readFileSync(at("data/v_c/3.png")).subarray(0, 60));
    const { code, err, out } = await bench();
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(
      /strata-s: 2 bad sequences:\n {4}i_a: .*2\.png: not an image.*\n {4}v_c: .*3\.png: .*--skip-bad/s,
    );
    const { code: again, json, err: said } = await bench("--skip-bad", "--json");
    expect(again).toBe(0);
    expect(json.runs[0].pairs).toBe(2);
    expect(said).toMatch(/^strata: strata-s: 2 bad sequences:[\s\S]*left out of strata-s's results/m);
    expect(json.notes.join()).toMatch(/^strata-s: 2 bad sequences:[\s\S]*left out of strata-s's results/);
  });

  it("is of the full HPatches with 52 and 56 sequences of six images, all of them scored", async () => {
    rmSync(at("data"), { recursive: true });
    await plainSequence("i_0", 6);
    const names = Array.from({ length: 108 }, (_, k) => (k < 52 ? `i_${k}` : `v_${k}`));
    for (const name of names.slice(1)) cpSync(at("data/i_0"), at("data", name), { recursive: true });
    const full = async (...argv: string[]) => (await bench("--json", ...argv)).json.full;
    expect(await full()).toBe(true);
    expect(await full("--sequences", names.slice(1).join())).toBe(false);
    writeFileSync(at("data/v_60/4.png"), "no image");
    expect(await full("--skip-bad")).toBe(false);
  });

  it("sequences that are not whole are said before any work, and in the results of --skip-bad", async () => {
    rmSync(at("data/i_a/H_1_2"));
    const { code, err } = await bench();
    expect([code, fake.opened.length]).toEqual([1, 0]);
    expect(err).toMatch(/i_a: the homography H_1_2 is missing/);
    const { json } = await bench("--skip-bad", "--json");
    expect(json.notes.join()).toMatch(/H_1_2 is missing/);
    expect(json.runs[0].summaries.illumination).toBeNull();
  });

  it("one method's faults do not keep the others from being scored", async () => {
    writeFileSync(at("data/v_b/1.png.none"), "no npz");
    const { code, out, err } = await bench("--method", "files:.none", "--method", "m");
    expect(code).toBe(1);
    expect(out).toMatch(/^m +1 +1 /m);
    expect(err).toMatch(/\.none: 2 bad sequences:\n.*1\.png\.none/);
  });

  it("tells with the results, kept ones too, that a model ran elsewhere than asked for", async () => {
    fake.session = { runtime: "fake", backend: "cpu", threads: 1, fallback: "no cuda here; using cpu" };
    for (const run of ["first", "from the cache"]) {
      const { json, err } = await bench("--json");
      expect(json.notes, run).toEqual(["strata-s: no cuda here; using cpu"]);
      expect(err.match(/^strata: strata-s: no cuda here; using cpu$/gm), run).toHaveLength(1);
    }
  });

  it("an ending that no image has is one fault, not one for each image", async () => {
    const { code, err } = await bench("--method", "files:.d3-net");
    expect(code).toBe(1);
    expect(err.match(/\.d3-net/g)).toHaveLength(2);
    expect(err).toMatch(/none of the 6 images in .*data has .* as i_a\/1\.png\.d3-net would be/);
  });

  it("counts pairs without a match, and says of how many", async () => {
    for (const [name, k] of ["i_a", "v_b"].flatMap((name) => [1, 2, 3].map((k) => [name, k] as const))) {
      const count = name === "i_a" && k === 2 ? 0 : 1;
      const floats = (shape: number[]) => ({
        dtype: "float32" as const,
        shape,
        data: new Float32Array(shape.reduce((a, b) => a * b)).fill(1),
      });
      const arrays = { keypoints: floats([count, 2]), scores: floats([count]), descriptors: floats([count, 4]) };
      writeFileSync(at("data", name, `${k}.png.few`), writeNpz(arrays));
    }
    const { out, code } = await bench("--method", "files:.few");
    expect(code).toBe(0);
    expect(out).toMatch(/^\.few: 1 of 4 pairs without a match, counted as 0$/m);
    expect((await bench("--sequences", "v_b")).out).toMatch(/: 1 sequence, 2 pairs\n/);
    expect((await bench("--sequences", "v_b")).out).not.toMatch(/without a match/);
  });

  it("scores files of others beside the images, and knows when they change", async () => {
    await bench("--method", "m");
    const [key] = readdirSync(at("out/features"));
    const bytes = (name: string, k: number) => readFileSync(at("out/features", key, name, `${k}.npz`));
    for (const name of ["i_a", "v_b"]) {
      for (const k of [1, 2, 3]) writeFileSync(at("data", name, `${k}.png.x`), bytes(name, k));
    }
    const first = await bench("--method", "files:.x", "--json");
    const [run, more] = first.json.runs;
    expect([run.method, run.model, run.costs.seconds, more]).toEqual([".x", null, null, undefined]);
    expect(run.summaries.all.mma[1]).toBe(1);
    cpSync(at("data/i_a/1.png.x"), at("data/i_a/2.png.x"));
    const second = await bench("--method", "files:.x", "--json");
    expect(second.json.runs[0].key).not.toBe(run.key);
    expect(second.json.runs[0].summaries.all.mma[0]).toBe(0.5);
  });

  it("asks a model for as many keypoints as its largest protocol needs, and shares them", async () => {
    fake.extracted = 0;
    await bench("--max-features", "50, 3000");
    expect(results(/\.jsonl$/).filter((name) => !name.includes("images"))).toHaveLength(3);
    expect(fake.extracted).toBe(7);
  });

  it("writes pair scores as CSV, results as the reference caches them, and shows such caches", async () => {
    rmSync(at("data"), { recursive: true });
    await plainSequence("i_a", 6);
    await plainSequence("v_b", 6);
    const to = ["--csv", at("deep/p.csv"), "--write-cache", at("cache")];
    const { code, out } = await bench("--method", "m", "--max-features", "5", ...to);
    expect(code).toBe(0);
    expect(out).toMatch(/written: .*p\.csv, .*cache/);
    expect(linesOf(at("deep/p.csv"))).toHaveLength(1 + 2 * 10);
    expect(readdirSync(at("cache"))).toEqual(
      expect.arrayContaining(["m.npy", "m_RANSAC.npy", "m_best_5.npy", "m_best_5_RANSAC.npy"]),
    );
    const cache = readHpatchesCache(readFileSync(at("cache/m.npy")), "m.npy");
    expect(cache.viewpoint.slice(0, 2)).toEqual([4, 5]);
    const { json } = await bench("--cached", at("cache/m.npy"), "--cached", at("cache/m_RANSAC.npy"), "--json");
    expect(json.cached.map(({ name, refined }: { name: string; refined: boolean }) => [name, refined])).toEqual([
      ["m", false],
      ["m_RANSAC", true],
    ]);
  });

  it("draws curves from first images once, a line for each photograph, change and value", async () => {
    const { json } = await bench("--curves", "--json");
    expect(json.changes.map(({ change }: { change: string }) => change)).toEqual(["rotation", "scale"]);
    expect(json.changes[0]).toMatchObject({ method: "strata-s", protocol: "own", photos: ["i_a/1.png", "v_b/1.png"] });
    // A keypoint at (0.4, 2) of 8×6 pixels stays there: turned by 180° it would be at (6.6, 3).
    const [rotation] = json.changes;
    const mma = (degrees: number) => rotation.mma3[rotation.values.indexOf(degrees)];
    expect([mma(0), mma(180), mma(360)]).toEqual([1, 0, 1]);
    const [file] = results(/\.own-.*\.curves\.jsonl$/);
    const lines = linesOf(at("out/results", file));
    expect(lines).toHaveLength(2 * (24 + 13));
    expect(JSON.parse(lines[0])).toMatchObject({
      run: { method: "strata-s", scoring: { photoEdge: 640, estimators: { magsac: { threshold: 3 } } } },
    });
    const before = fake.extracted;
    expect((await bench("--curves", "--json")).json.changes).toEqual(json.changes);
    expect(fake.extracted).toBe(before);
  });

  it("curves that were stopped, torn or are to have more photographs go on from what is there", async () => {
    await plainSequence("v_c");
    await bench();
    const one = (await bench("--curves", "--curve-photos", "1", "--json")).json.changes;
    expect(one[0].photos).toEqual(["i_a/1.png"]);
    const file = at("out/results", results(/\.curves\.jsonl$/)[0]);
    const whole = linesOf(file);
    expect(whole).toHaveLength(37);
    // 7 lines left, the last of them of another seed.
    const foreign = JSON.stringify({ ...JSON.parse(whole[6]), run: { ...JSON.parse(whole[6]).run, seed: 9 } });
    writeFileSync(file, [...whole.slice(0, 6), foreign, whole[7].slice(0, 50)].join("\n"));
    let before = fake.extracted;
    expect((await bench("--curves", "--curve-photos", "1", "--json")).json.changes).toEqual(one);
    // The photograph and 31 changes of it.
    expect(fake.extracted - before).toBe(32);
    before = fake.extracted;
    const two = (await bench("--curves", "--curve-photos", "2", "--json")).json.changes;
    expect(two[0].photos).toEqual(["i_a/1.png", "v_b/1.png"]);
    expect(fake.extracted - before).toBe(38);

    before = fake.extracted;
    fake.interruptAfter = 10;
    expect((await bench("--curves", "--seed", "3")).code).toBe(130);
    fake.interruptAfter = Infinity;
    const stopped = fake.extracted - before;
    expect(stopped).toBeLessThan(20);
    const { json } = await bench("--curves", "--seed", "3", "--json");
    expect(json.changes[0].photos).toHaveLength(3);
    expect(fake.extracted - before).toBeLessThanOrEqual(3 * 38 + 1);
    // Other results' names are for comparing, these are not.
    expect((await fake.run("bench", "compare", "strata-s", "strata-s", "--out", at("out"))).err).not.toMatch(/curves/);
  });

  it("a photograph that cannot be read is left out of curves with its sequence", async () => {
    writeFileSync(at("data/i_a/1.png"), "no image");
    const { code, json } = await bench("--curves", "--skip-bad", "--json");
    expect([code, json.changes[0].photos]).toEqual([0, ["v_b/1.png"]]);
  });

  it("is quiet when told, and tells kinds when asked", async () => {
    expect(await bench("--quiet")).toMatchObject({ code: 0, out: "", err: "" });
    expect((await bench("--verbose")).out).toMatch(/^ {2}illumination .*\n {2}viewpoint /m);
  });

  it.each([
    ["no data", ["bench", "hpatches"], /--data/],
    ["an odd method", ["--method", "files:x"], /files:EXT/],
    ["no h5", ["--method", "h5:"], /h5:PATH/],
    ["jobs", ["--jobs", "0"], /--jobs/],
    ["a number of photographs without curves", ["--curve-photos", "2"], /--curve-photos needs --curves/],
    ["photographs", ["--curves", "--curve-photos", "0.5"], /--curve-photos/],
    ["limits", ["--max-features", "5,none"], /--max-features.*none/],
    ["a sequence", ["--sequences", "v_x"], /no sequence "v_x"/],
    ["a seed", ["--seed", "-1"], /--seed/],
  ])("%s that is not offered is a mistake of the command line", async (_, argv, message) => {
    const { code, err } = argv[0] === "bench" ? await fake.run(...argv) : await bench(...argv);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(fake.extracted).toBe(0);
  });

  it("outputs that cannot be written and caches that cannot be read are said before any work", async () => {
    writeFileSync(at("file"), "");
    for (const argv of [
      ["--report", at("file/x.html")],
      ["--report", at("data")],
      ["--csv", at("data/i_a")],
      ["--write-cache", at("cache")],
      ["--csv", "/proc/none/x.csv"],
      ["--out", at("file")],
      ["--cached", at("file")],
    ]) {
      expect((await bench(...argv)).code, argv.join(" ")).toBe(1);
    }
    expect(fake.opened).toHaveLength(0);
  });
});

describe("strata bench compare", () => {
  const compare = (...argv: string[]) => fake.run("bench", "compare", ...argv, "--out", at("out"));

  it("takes keys, files and folders, and says the differences pair by pair", async () => {
    await bench("--method", "one");
    fake.sha256 = "11";
    await bench("--method", "two");
    const { code, out } = await compare("one", "two");
    expect(code).toBe(0);
    expect(out).toMatch(/4 pairs, 10000 resamples/);
    expect(out).toMatch(/^MMA@1 px +0\.500 +0\.500 +0\.000 +0\.000 … 0\.000 +0 +0 +4$/m);
    const [a, b] = results(/\.own-/).map((name) => at("out/results", name));
    const [comparison] = JSON.parse((await compare(a, b, "--json")).out);
    expect(comparison).toMatchObject({ pairs: 4, onlyA: [], onlyB: [] });
    expect(JSON.parse((await compare(at("out"), at("out"), "--json")).out)).toHaveLength(2);
  });

  it("of results on several images and seeds takes those that belong together", async () => {
    await bench("--method", "one", "--method", "two", "--sequences", "i_a");
    await bench("--method", "one", "--method", "two");
    await bench("--method", "one", "--method", "two", "--seed", "7");
    const { out } = await compare("one", "two", "--json");
    const pairs: [number, number, number][] = JSON.parse(out).map(
      ({ a, b, pairs }: { a: { seed: number }; b: { seed: number }; pairs: number }) => [a.seed, b.seed, pairs],
    );
    expect(pairs.sort()).toEqual([
      [0, 0, 2],
      [0, 0, 4],
      [7, 7, 4],
    ]);
    const [named] = results(/^one.*\.own-/);
    const { err } = await compare(at("out/results", named), at("out/results"));
    expect(err).toMatch(/has [23] runs to compare with one-.*\.own-[0-9a-f]{8} of .*: (one|two)-.*\.own-[0-9a-f]{8}, /);
  });

  it("says what it cannot compare", async () => {
    expect((await compare("one", "two")).err).toMatch(/no results "one".*which has none/);
    await bench("--method", "one", "--max-features", "3,5");
    mkdirSync(at("nothing"));
    writeFileSync(at("x.jsonl"), "{}\n");
    const [file] = results(/\.own-/).map((name) => at("out/results", name));
    expect((await compare(at("nothing"), "one")).err).toMatch(/nothing has no results: expected results/);
    expect((await compare(at("x.jsonl"), file)).err).toMatch(/x\.jsonl holds no results/);
    appendFileSync(at("data/i_a/H_1_2"), "\n");
    writeFileSync(at("data/i_a/H_1_2"), "1 0 0.1 0 1 0 0 0 1");
    await bench("--method", "three", "--max-features", "7");
    const other = at("out/results", results(/^three.*\.top-7/)[0]);
    expect((await compare(file, other)).err).toMatch(/different images or homographies/);
    expect((await compare(other, "one")).err).toMatch(/no run of .*has its like/);
  });
});

describe("strata bench published", () => {
  it("shows the published figures, as a table, JSON or page", async () => {
    const { code, out } = await fake.run("bench", "published");
    expect(code).toBe(0);
    expect(out).toMatch(/^SuperPoint .*0\.645/m);
    const json = JSON.parse((await fake.run("bench", "published", "--json")).out);
    expect(json.length).toBeGreaterThan(20);
    expect((await fake.run("bench", "published", "--report", at("p.html"))).out).toMatch(/written: .*p\.html/);
    expect(readFileSync(at("p.html"), "utf8")).toContain("0.645");
  });
});
