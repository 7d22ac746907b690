/** Results taken on: features and matches through match-features, export-colmap and convert, and every kind of bad input. */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Context, processInterrupt } from "../../src/cli/context.js";
import { nodeEngine } from "../../src/cli/engine.js";
import { main } from "../../src/cli/main.js";
import type { Features } from "../../src/features.js";
import { writeColmapFeatures } from "../../src/formats/colmap.js";
import {
  type HlocPair,
  readHlocFeatures,
  readHlocMatches,
  writeHlocFeatures,
  writeHlocMatches,
} from "../../src/formats/hloc.js";
import { projectPoints } from "../../src/geometry/matrix3.js";
import { loadColmapDatabase } from "../../src/node/colmap-database.js";
import { saveImage } from "../../src/node/images.js";
import { sampleFeatures } from "../unit/formats/samples.js";

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);
const H = Float64Array.of(1, 0.02, 5, -0.01, 0.95, 3, 1e-5, -2e-5, 1);

async function strata(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const context: Context = {
    engine: nodeEngine,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    terminal: false,
    listenForInterrupt: processInterrupt,
  };
  const code = await main(argv, context);
  // Whatever went wrong, people are told in plain words.
  expect(err, argv.join(" ")).not.toMatch(/\n\s+at .*[:(]\d+|TypeError|undefined/);
  return { code, out, err };
}

/** Two views of a plane under one homography, and an image of something else, in a folder of its own. */
const features = new Map<string, Features>();
{
  const plane = sampleFeatures(60);
  const moved = Float32Array.from(projectPoints(H, plane.keypoints));
  features.set("plane/a.png", plane);
  features.set("plane/b.png", { ...sampleFeatures(60, { seed: 5 }), keypoints: moved, descriptors: plane.descriptors });
  features.set("other/c.png", sampleFeatures(8, { seed: 9 }));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strata-results-"));
  writeFileSync(at("f.h5"), await writeHlocFeatures(features));
  for (const [name, { imageSize }] of features) {
    const [width, height] = imageSize;
    mkdirSync(at("images", name, ".."), { recursive: true });
    await saveImage(at("images", name), { width, height, data: new Uint8Array(3 * width * height) });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const readH5 = (name: string) => readHlocFeatures(readFileSync(at(name)));
const readPairs = (name: string) => readHlocMatches(readFileSync(at(name)), { names: features.keys() });

describe("strata match-features", () => {
  it("matches all pairs, those of a folder, those near each other, or those of a list", async () => {
    const run = async (...argv: string[]) => {
      const { code, out } = await strata(
        "match-features",
        at("f.h5"),
        "--force",
        "--json",
        "--out",
        at("m.h5"),
        ...argv,
      );
      expect(code).toBe(0);
      return JSON.parse(out);
    };
    expect(await run()).toMatchObject({ images: 3, pairs: 3 });
    expect(await run("--pairs", "sequential", "--overlap", "1")).toMatchObject({ pairs: 2 });
    writeFileSync(at("pairs.txt"), "# hloc's list\nplane/b.png plane/a.png\n\nplane/a.png plane/b.png\n");
    expect(await run("--pairs", at("pairs.txt"))).toMatchObject({ pairs: 1, matches: 60 });
    expect(await run("--pairs", "folders")).toMatchObject({ pairs: 1, matches: 60 });
    const [{ name0, name1, matches }] = await readPairs("m.h5");
    expect([name0, name1]).toEqual(["plane/a.png", "plane/b.png"]);
    expect([...matches.pairs]).toEqual(Array.from({ length: 120 }, (_, k) => k >> 1));
  });

  it("says what is wrong with a list", async () => {
    const run = async (list: string) => {
      writeFileSync(at("bad.txt"), list);
      return strata("match-features", at("f.h5"), "--pairs", at("bad.txt"), "--out", at("x.h5"));
    };
    expect((await run("plane/a.png x.png")).err).toContain('bad.txt: line 1: there are no features of "x.png"');
    expect((await run("\none")).err).toContain('line 2: expected two image names, got "one"');
    expect((await run("plane/a.png plane/a.png")).err).toContain('"plane/a.png" is paired with itself');
    expect(await run("")).toMatchObject({ code: 2 });
    expect((await strata("match-features", at("f.h5"), "--out", at("m.doc"))).code).toBe(2);
    expect(existsSync(at("x.h5"))).toBe(false);
  });
});

describe("strata export-colmap", () => {
  beforeAll(async () => {
    await strata("match-features", at("f.h5"), "--force", "--out", at("m.h5"));
  });
  const run = (...argv: string[]) => strata("export-colmap", at("f.h5"), ...argv);

  it("writes a database with matches, verified by a homography when asked", async () => {
    const { code, out } = await run("--matches", at("m.h5"), "--images", at("images"), "--out", at("d.db"));
    expect(code).toBe(0);
    expect(out).toContain(
      `colmap matches_importer --database_path ${at("d.db")} --match_list_path ${at("d.pairs.txt")}`,
    );
    expect(readFileSync(at("d.pairs.txt"), "utf8").trim().split("\n")).toHaveLength(3);
    const plain = await loadColmapDatabase(at("d.db"));
    expect(plain.images.map(({ name }) => name)).toEqual(["other/c.png", "plane/a.png", "plane/b.png"]);
    expect(plain.pairs.map(({ geometry }) => geometry)).toEqual([null, null, null]);

    const args = ["--matches", at("m.h5"), "--verify", "homography", "--camera-mode", "per-folder", "--json"];
    const result = JSON.parse((await run(...args, "--out", at("h.db"))).out);
    expect(result).toMatchObject({ images: 3, pairs: 3, verify: "homography", verifiedPairs: 1, inliers: 60 });
    const { pairs, cameras } = await loadColmapDatabase(at("h.db"));
    expect(cameras).toHaveLength(2);
    const { geometry } = pairs.find(({ id0, id1 }) => id0 === 2 && id1 === 3) ?? {};
    expect(geometry?.kind).toBe("planar-or-panoramic");
    for (const [k, value] of H.entries()) expect(geometry?.homography?.[k]).toBeCloseTo(value, 3);

    const all = JSON.parse((await run("--matches", at("m.h5"), "--verify", "all", "--json", "--out", at("a.db"))).out);
    expect(all).toMatchObject({ verifiedPairs: 3, inliers: all.matches });
    const strict = await run("--matches", at("m.h5"), "--min-score", "0.9", "--json", "--out", at("s.db"));
    expect(JSON.parse(strict.out)).toMatchObject({ pairs: 3, matches: 60 });
  });

  it("writes the text files that COLMAP imports, and reads them", async () => {
    const args = ["--matches", at("m.h5"), "--verify", "homography", "--out", at("text")];
    expect((await run(...args)).out).toContain("--match_type inliers");
    expect(readdirSync(at("text")).sort()).toEqual(["features", "inliers.txt", "matches.txt", "pairs.txt"]);
    const file = readFileSync(at("text", "features", "plane", "a.png.txt"));
    expect([...file]).toEqual([...writeColmapFeatures(features.get("plane/a.png") as Features)]);
    const again = ["--matches", at("text", "matches.txt"), "--images", at("images"), "--out", at("t.db"), "--json"];
    const { code, out } = await strata("export-colmap", at("text", "features"), ...again);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ images: 3, pairs: 3, notes: [] });
    const [direct, through] = [await loadColmapDatabase(at("d.db")), await loadColmapDatabase(at("t.db"))];
    expect(through.pairs).toEqual(direct.pairs);
    expect(through.images.map(({ descriptors }) => descriptors)).toEqual(
      direct.images.map(({ descriptors }) => descriptors),
    );
    expect((await run("--no-descriptors", "--out", at("text2"))).err).toContain("--no-descriptors is for a database");
  });

  it("goes on without matches and without descriptors, and says so", async () => {
    const { code, err, out } = await run("--out", at("only.db"), "--no-descriptors");
    expect(code).toBe(0);
    expect(err).toContain("there are no matches");
    expect(out).toContain("colmap exhaustive_matcher");
    expect((await loadColmapDatabase(at("only.db"))).images.every(({ descriptors }) => descriptors === null)).toBe(
      true,
    );
    writeFileSync(at("f32.h5"), await writeHlocFeatures([["a.png", sampleFeatures(3, { dim: 32 })]]));
    expect((await strata("export-colmap", at("f32.h5"), "--out", at("f32.db"))).err).toContain(
      "descriptors are left out",
    );
    const text = await strata("export-colmap", at("f32.h5"), "--out", at("f32"));
    expect(text.err).toContain('"a.png": COLMAP\'s feature files need descriptors that its 128 bytes hold');
  });

  it("refuses matches of other features", async () => {
    const write = async (name: string, pairs: HlocPair[]) => writeFileSync(at(name), await writeHlocMatches(pairs));
    const matches = { count: 1, pairs: Uint32Array.of(0, 60), scores: Float32Array.of(1) };
    const pair = { name0: "plane/a.png", name1: "plane/b.png", count0: 60, matches };
    await write("range.h5", [pair]);
    expect(await run("--matches", at("range.h5"), "--out", at("x.db"))).toMatchObject({
      code: 1,
      err: expect.stringContaining(
        '"plane/a.png" and "plane/b.png": match 0 is of keypoint 60 of 60; are the matches of these features?',
      ),
    });
    expect((await run("--matches", at("range.h5"), "--out", at("x"))).err).toContain("keypoint 60 of 60");
    await write("stale.h5", [{ ...pair, count0: 61 }]);
    expect((await run("--matches", at("stale.h5"), "--out", at("x.db"))).err).toContain(
      'stale.h5: the matches of "plane/a.png" and "plane/b.png" are of 61 keypoints, its features have 60',
    );
    await write("names.h5", [{ ...pair, name1: "plane/z.png" }]);
    expect((await run("--matches", at("names.h5"), "--out", at("x.db"))).err).toContain(
      'the pair "plane-a.png/plane-z.png" names an image that has no features; there are 3 images',
    );
    writeFileSync(at("names.txt"), "plane/a.png z.png\n0 0\n\n");
    expect((await run("--matches", at("names.txt"), "--out", at("x.db"))).err).toContain('name the image "z.png"');
    expect((await run("--matches", at("images", "plane", "a.png"), "--out", at("x.db"))).err).toContain(
      "no file of matches",
    );
    const twice = { ...pair, matches: { ...matches, pairs: Uint32Array.of(0, 1) } };
    await write("twice.h5", [twice, { ...twice, name0: pair.name1, name1: pair.name0 }]);
    expect((await run("--matches", at("twice.h5"), "--out", at("twice.db"))).err).toContain("1 pair is there twice");
    expect(existsSync(at("x.db")) || existsSync(at("x"))).toBe(false);
  });

  it("refuses images that are elsewhere, of another size, or turned", async () => {
    expect((await run("--images", at("images", "plane"), "--out", at("x.db"))).err).toContain(
      "3 of 3 images are not in",
    );
    expect((await run("--images", at("nowhere"), "--out", at("x.db"))).code).toBe(2);
    mkdirSync(at("small"), { recursive: true });
    writeFileSync(at("one.h5"), await writeHlocFeatures([["a.png", sampleFeatures(3)]]));
    await saveImage(at("small", "a.png"), { width: 64, height: 48, data: new Uint8Array(3 * 64 * 48) });
    const small = await strata("export-colmap", at("one.h5"), "--images", at("small"), "--out", at("x.db"));
    expect(small.err).toContain("has 64×48 pixels, its features are of an image of 640×480");
    // Orientation 6, a quarter turn: what COLMAP does not see.
    const { default: sharp } = await import("sharp");
    const raw = { raw: { width: 480, height: 640, channels: 3 } } as const;
    const turned = await sharp(new Uint8Array(3 * 480 * 640), raw)
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    writeFileSync(at("small", "a.png"), turned);
    const { code, err } = await strata(
      "export-colmap",
      at("one.h5"),
      "--images",
      at("small"),
      "--out",
      at("turned.db"),
    );
    expect(code).toBe(0);
    expect(err).toContain("1 image is turned by EXIF orientation");
  });

  it("refuses outputs that are there, cannot be, or a database that is open elsewhere", async () => {
    writeFileSync(at("there.db"), "mine");
    expect(await run("--out", at("there.db"))).toMatchObject({
      code: 2,
      err: expect.stringContaining("there already; --force"),
    });
    expect(readFileSync(at("there.db"), "utf8")).toBe("mine");
    writeFileSync(at("there.db-wal"), "log");
    expect((await run("--out", at("there.db"), "--force")).err).toContain("its newest changes are still in");
    rmSync(at("there.db-wal"));
    expect((await run("--out", at("there.db"), "--force")).code).toBe(0);
    expect((await run("--out", at("x.txt"))).code).toBe(2);
    expect((await run("--out", at("f.h5", "x.db"))).err).toMatch(/cannot write into .*a part of the path is a file/);
    if (process.getuid?.() !== 0) {
      mkdirSync(at("closed"));
      chmodSync(at("closed"), 0o500);
      expect((await run("--out", at("closed", "x.db"))).err).toContain("permission denied");
    }
    expect((await run("--camera-params", "1,x", "--out", at("x.db"))).code).toBe(2);
    expect((await run("--camera-params", "1,2", "--out", at("x.db"))).err).toContain("SIMPLE_RADIAL has 4 parameters");
    expect((await strata("export-colmap", at("nothing.h5"), "--out", at("x.db"))).err).toContain("no such file");
    expect((await strata("export-colmap", at("m.h5"), "--out", at("x.db"))).err).toContain("m.h5 holds no features");
    expect((await strata("export-colmap", at("images"), "--out", at("x.db"))).err).toContain("holds no feature files");
  });
});

describe("strata convert", () => {
  beforeAll(async () => {
    await strata("match-features", at("f.h5"), "--force", "--out", at("m.h5"));
  });

  it.each(["npz", "mat", "json", "opencv", "csv"])("to %s and back, exactly", async (to) => {
    const there = at(`to-${to}`);
    const matches = at(`to-${to}.${to === "csv" ? "csv" : "json"}`);
    const args = ["--to", to, "--out", there, "--matches", at("m.h5"), "--matches-out", matches, "--json"];
    const { code, out } = await strata("convert", at("f.h5"), ...args);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ images: 3, pairs: 3, outputs: [there, matches] });
    const back = ["--to", "h5", "--out", at(`${to}.h5`), "--matches", matches, "--matches-out", at(`${to}-m.h5`)];
    expect((await strata("convert", there, ...back, "--images", at("images"))).code).toBe(0);
    const read = await readH5(`${to}.h5`);
    expect([...read.keys()].sort()).toEqual([...features.keys()].sort());
    for (const [name, given] of features) expect(read.get(name), name).toEqual(given);
    expect(await readPairs(`${to}-m.h5`)).toEqual(await readPairs("m.h5"));
  });

  it("imports a COLMAP database, all of its matches or the verified ones", async () => {
    await strata("export-colmap", at("f.h5"), "--matches", at("m.h5"), "--verify", "homography", "--out", at("v.db"));
    const run = async (...argv: string[]) => {
      const out = ["--to", "h5", "--out", at("v.h5"), "--matches-out", at("v-m.h5"), "--force"];
      expect((await strata("convert", at("v.db"), ...out, ...argv)).code).toBe(0);
      return (await readPairs("v-m.h5")).map(({ matches }) => matches.count);
    };
    const given = (await readPairs("m.h5")).map(({ matches }) => matches.count);
    expect((await run()).sort()).toEqual(given.sort());
    expect((await run("--verified")).sort()).toEqual([0, 0, 60]);
    const { count, imageSize } = (await readH5("v.h5")).get("other/c.png") as Features;
    expect([count, imageSize]).toEqual([8, [640, 480]]);
    const left = await strata("convert", at("v.db"), "--to", "csv", "--out", at("left"));
    expect(left.err).toContain("the matches of 3 pairs are not written");
  });

  it("says what is wrong with the command line and the files", async () => {
    const convert = (...argv: string[]) => strata("convert", ...argv);
    expect((await convert(at("f.h5"))).err).toContain("nothing to write");
    expect((await convert(at("f.h5"), "--to", "csv")).code).toBe(2);
    expect((await convert(at("f.h5"), "--to", "h5", "--out", at("x"))).err).toContain("give --out FILE.h5");
    expect((await convert(at("f.h5"), "--matches-out", at("x.h5"))).err).toContain("has no matches; give --matches");
    expect((await convert(at("f.h5"), "--matches-out", at("x.pdf"))).code).toBe(2);
    await convert(at("f.h5"), "--to", "csv", "--out", at("sizes"));
    expect((await convert(at("sizes"), "--to", "npz", "--out", at("x"))).err).toContain("give --images FOLDER");
    writeFileSync(at("cut.db"), readFileSync(at("v.db")).subarray(0, 9000));
    expect((await convert(at("cut.db"), "--to", "csv", "--out", at("x"))).err).toMatch(/cut\.db: .*malformed/);
    writeFileSync(at("broken.csv"), "x,y\n1,2\n");
    const broken = await convert(at("broken.csv"), "--images", at("images"), "--to", "npz", "--out", at("x"));
    expect(broken.err).toContain("broken");
    expect(existsSync(at("x"))).toBe(false);
  });

  it("writes nothing outside its folder, whatever images are called", async () => {
    const meta = { format: "strata-keypoints", version: 1, imageSize: [9, 9], count: 0, dim: 1 };
    const rest = { keypoints: [], scores: [], descriptors: [], meta: { image: "../../evil" } };
    writeFileSync(at("evil.json"), JSON.stringify({ ...meta, ...rest }));
    const { code, err } = await strata("convert", at("evil.json"), "--to", "csv", "--out", at("deep", "er"));
    expect(code).toBe(1);
    expect(err).toContain('the image name "../../evil" is no path below a folder');
    expect(existsSync(at("evil.csv"))).toBe(false);
  });
});

it("the commands' help has examples", async () => {
  for (const command of ["match-features", "export-colmap", "convert"]) {
    const { code, out } = await strata(command, "--help");
    expect(code).toBe(0);
    expect(out).toContain(`Examples:\n  strata `);
  }
});
