/** Files of other programs through match-features, convert and export-colmap: what they lack, what they mix, what is said. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Features } from "../../../src/features.js";
import { encodeUtf8 } from "../../../src/formats/bytes.js";
import { writeFeaturesCsv } from "../../../src/formats/csv.js";
import { createHdf5 } from "../../../src/formats/hdf5.js";
import {
  type HlocPair,
  readHlocFeatures,
  readHlocMatches,
  writeHlocFeatures,
  writeHlocMatches,
} from "../../../src/formats/hloc.js";
import { writeMat } from "../../../src/formats/mat.js";
import type { NdArray } from "../../../src/formats/ndarray.js";
import { writeNpz } from "../../../src/formats/npz.js";
import { readOpenCvMatches } from "../../../src/formats/opencv-json.js";
import { loadColmapDatabase } from "../../../src/node/colmap-database.js";
import { saveImage } from "../../../src/node/images.js";
import { sampleArray, sampleFeatures } from "../formats/samples.js";
import { fakeStrata } from "./fake.js";

const folder = mkdtempSync(join(tmpdir(), "strata-foreign-"));
const at = (...parts: string[]) => join(folder, ...parts);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { run } = fakeStrata();
const write = (path: string, bytes: Uint8Array) => {
  mkdirSync(join(at(path), ".."), { recursive: true });
  writeFileSync(at(path), bytes);
};

/** Keypoints as others keep them, [N, 4], and descriptors of any type; no size of the image. */
const foreign = (descriptors?: NdArray): Record<string, NdArray> => ({
  keypoints: sampleArray("float32", [4, 4]),
  ...(descriptors && { descriptors }),
});
const bits = (seed: number): NdArray => sampleArray("uint8", [4, 32], seed);
const openCv = (descriptors: object = { rows: 4, cols: 32, dt: "u", data: [...bits(1).data].map(Number) }) =>
  encodeUtf8(
    JSON.stringify({
      keypoints: Array.from({ length: 4 }, (_, i) => [i, 2, 31, 90, 0.5, 0, -1]),
      descriptors: { type_id: "opencv-matrix", ...descriptors },
    }),
  );

beforeAll(async () => {
  mkdirSync(at("images", "sub"), { recursive: true });
  for (const name of ["a.png", "b.png", "sub/c.png"]) {
    await saveImage(at("images", name), { width: 30, height: 20, data: new Uint8Array(1800) });
  }
});

describe("--images", () => {
  it.each<[string, string, () => Uint8Array | Promise<Uint8Array>]>([
    ["npz", ".npz", () => writeNpz(foreign(bits(1)))],
    ["npz as R2D2 names it", ".r2d2", () => writeNpz(foreign(bits(1)))],
    ["npz as D2-Net names it", ".d2-net", () => writeNpz(foreign(bits(1)))],
    ["mat", ".mat", () => writeMat(foreign(bits(1)))],
    ["OpenCV's JSON", ".json", () => openCv()],
    ["csv", ".csv", () => writeFeaturesCsv(sampleFeatures(4))],
  ])("says how large the images of %s are; without it the file and the flag are named", async (_, ending, bytes) => {
    const files = `files${ending}`;
    write(join(files, `a.png${ending}`), await bytes());
    write(join(files, "sub", `c.png${ending}`), await bytes());
    for (const command of [
      ["convert", "--to", "h5", "--out", at("sized.h5")],
      ["export-colmap", "--out", at("sized.db")],
      ["match-features", "--out", at("sized-m.h5")],
    ]) {
      const args = [command[0], at(files), ...command.slice(1), "--force"];
      const without = await run(...args);
      expect(without).toMatchObject({ code: 2, out: "" });
      expect(without.err).toContain(
        `${at(files, `a.png${ending}`)} does not say how large the image "a.png" is: give --images FOLDER`,
      );
      const elsewhere = await run(...args, "--images", at("images", "sub"));
      expect(elsewhere.code).toBe(1);
      expect(elsewhere.err).toContain(`--images ${at("images", "sub")} does not tell: `);
      for (const { err } of [without, elsewhere]) expect(err).not.toMatch(/\b(read|decode)[A-Z]|arraysTo|imageSize/);
      expect(await run(...args, "--images", at("images")), command[0]).toMatchObject({ code: 0 });
    }
    const read = await readHlocFeatures(readFileSync(at("sized.h5")));
    expect([...read.keys()].sort()).toEqual(["a.png", "sub/c.png"]);
    for (const { imageSize, count } of read.values()) expect([imageSize, count]).toEqual([[30, 20], 4]);
    const { cameras } = await loadColmapDatabase(at("sized.db"));
    expect(cameras.map(({ width, height }) => [width, height])).toEqual(new Array(2).fill([30, 20]));
  });

  it("serves an h5 that does not say it, and what a file says wins", async () => {
    const bytes = await createHdf5("t", null, (file) => {
      file.makeGroup("a.png");
      for (const [name, array] of Object.entries(foreign())) file.write(`a.png/${name}`, array);
    });
    write("none.h5", bytes);
    const args = ["convert", at("none.h5"), "--to", "npz", "--out", at("none"), "--force"];
    expect((await run(...args)).err).toContain(`${at("none.h5")} does not say how large the image "a.png" is`);
    expect(await run(...args, "--images", at("images"))).toMatchObject({ code: 0 });
    const size: NdArray = { dtype: "int32", shape: [2], data: Int32Array.of(7, 8) };
    write("own/a.png.npz", writeNpz({ ...foreign(), image_size: size }));
    expect(
      await run("convert", at("own"), "--images", at("nowhere"), "--to", "h5", "--out", at("own.h5")),
    ).toMatchObject({
      code: 0,
    });
    expect((await readHlocFeatures(readFileSync(at("own.h5")))).get("a.png")?.imageSize).toEqual([7, 8]);
  });

  it("what is wrong inside a file is said with its name alone", async () => {
    write("bad/a.png.npz", writeNpz({ ...foreign(), scores: sampleArray("float32", [3]) }));
    write("bad2/a.png.npz", encodeUtf8("no zip"));
    write("bad3/a.png.json", openCv({ rows: 4, cols: 32, dt: "u", data: [1] }));
    for (const [path, message] of [
      ["bad/a.png.npz", "scores must be [4], got [3]"],
      ["bad2/a.png.npz", ""],
      ["bad3/a.png.json", '"descriptors" must be a list of 128 numbers'],
    ]) {
      const { code, err } = await run(
        "convert",
        at(path, ".."),
        "--images",
        at("images"),
        "--to",
        "h5",
        "--out",
        at("x.h5"),
      );
      expect(code).toBe(1);
      expect(err).toContain(`strata: ${at(path)}: ${message}`);
      expect(err).not.toMatch(/: (read|decode)[A-Z]\w+: /);
    }
  });
});

describe("descriptors of bits", () => {
  const match = async (input: string, ...argv: string[]) => {
    const args = [at(input), "--images", at("images"), "--out", at("bits.json"), "--json", "--force", ...argv];
    const result = await run("match-features", ...args);
    return { ...result, json: result.code === 0 ? JSON.parse(result.out) : null };
  };

  it("are matched by Hamming distance, which OpenCV's list of matches says", async () => {
    write("orb/a.png.npz", writeNpz(foreign(bits(1))));
    write("orb/b.png.json", openCv());
    const { json } = await match("orb");
    expect(json).toMatchObject({ pairs: 1, matches: 4, mutual: true });
    const [pair] = JSON.parse(readFileSync(at("bits.json"), "utf8")).pairs;
    expect(pair.matches.map(([, , , distance]: number[]) => distance)).toEqual([0, 0, 0, 0]);
    expect([...readOpenCvMatches(readFileSync(at("bits.json")))[0].matches.scores]).toEqual([1, 1, 1, 1]);
  });

  it("are not mixed with others: both images are named", async () => {
    write("mixed/a.png.npz", writeNpz(foreign(bits(1))));
    write("mixed/b.png.npz", writeNpz(foreign(sampleArray("float32", [4, 128]))));
    expect((await match("mixed")).err).toContain(
      'descriptors of "a.png" are 32 bytes of bits, those of "b.png" 128 floats',
    );
    write("lacking/a.png.npz", writeNpz(foreign(bits(1))));
    write("lacking/b.png.npz", writeNpz(foreign()));
    expect((await match("lacking")).err).toContain('lacking: "b.png" has no descriptors, which matching needs');
  });

  it("are what --descriptor-kind says, where their type does not tell", async () => {
    for (const name of ["a.png", "b.png"]) {
      write(
        `floats/${name}.npz`,
        writeNpz(foreign({ ...bits(1), dtype: "float32", data: Float32Array.from(bits(1).data as Uint8Array) })),
      );
    }
    const out = ["--to", "h5", "--out", at("k.h5"), "--images", at("images"), "--force"];
    const kind = async (...argv: string[]) => {
      expect(await run("convert", at("floats"), ...out, ...argv)).toMatchObject({ code: 0 });
      return (await readHlocFeatures(readFileSync(at("k.h5")))).get("a.png")?.kind;
    };
    expect(await kind()).toBeUndefined();
    expect(await kind("--descriptor-kind", "binary")).toBe("binary");
    expect((await match("floats", "--descriptor-kind", "binary")).json).toMatchObject({ matches: 4 });
    expect(await match("floats", "--descriptor-kind", "bits")).toMatchObject({ code: 2 });
  });

  it("keep every keypoint's nearest with --no-mutual", async () => {
    const twice = { ...bits(1), data: new Uint8Array(128) };
    write("same/a.png.npz", writeNpz(foreign(twice)));
    write("same/b.png.npz", writeNpz(foreign(twice)));
    expect((await match("same")).json).toMatchObject({ matches: 1 });
    expect((await match("same", "--no-mutual")).json).toMatchObject({ matches: 4, mutual: false });
  });

  it("are left out of a COLMAP database, with a note", async () => {
    const { code, err } = await run("export-colmap", at("orb"), "--images", at("images"), "--out", at("orb.db"));
    expect(code).toBe(0);
    expect(err).toContain("descriptors are left out: COLMAP has no place for bits (32 bytes of bits)");
    const text = await run("convert", at("orb"), "--images", at("images"), "--to", "colmap", "--out", at("orb-text"));
    expect(text).toMatchObject({
      code: 1,
      err: expect.stringContaining('"a.png": COLMAP\'s feature files need descriptors'),
    });
  });
});

describe("features without descriptors or scores, as hloc leaves them", () => {
  const pair: HlocPair = {
    name0: "a.png",
    name1: "b.png",
    count0: 4,
    matches: { count: 2, pairs: Uint32Array.of(0, 1, 3, 2), scores: Float32Array.of(0.5, 0.25) },
  };
  beforeAll(async () => {
    const bytes = await createHdf5("t", null, (file) => {
      for (const name of ["a.png", "b.png"]) {
        file.makeGroup(name);
        file.write(`${name}/keypoints`, sampleArray("float32", [4, 2]));
        file.write(`${name}/image_size`, { dtype: "int64", shape: [2], data: BigInt64Array.of(30n, 20n) });
      }
    });
    write("bare.h5", bytes);
    write("bare-m.h5", await writeHlocMatches([pair]));
  });

  it("serve matches, COLMAP and verification; matching asks for them by name", async () => {
    const matches = ["--matches", at("bare-m.h5")];
    const csv = await run("convert", at("bare.h5"), ...matches, "--matches-out", at("bare.csv"));
    expect(csv).toMatchObject({ code: 0 });
    const db = await run(
      "export-colmap",
      at("bare.h5"),
      ...matches,
      "--verify",
      "all",
      "--out",
      at("bare.db"),
      "--json",
    );
    expect(db).toMatchObject({ code: 0, err: expect.stringContaining("there are no descriptors") });
    expect(JSON.parse(db.out)).toMatchObject({ pairs: 1, inliers: 2 });
    // And back out of the database, both parts.
    const back = ["--to", "h5", "--out", at("back.h5"), "--matches-out", at("back-m.h5")];
    expect(await run("convert", at("bare.db"), ...back)).toMatchObject({ code: 0 });
    expect((await readHlocFeatures(readFileSync(at("back.h5")))).get("b.png")).toMatchObject({ count: 4, dim: 0 });
    const [{ matches: found }] = await readHlocMatches(readFileSync(at("back-m.h5")), { names: ["a.png", "b.png"] });
    expect([...found.pairs]).toEqual([...pair.matches.pairs]);
    for (const input of ["bare.h5", "bare.db"]) {
      const { code, err } = await run("match-features", at(input), "--out", at("no.h5"));
      expect([code, err]).toEqual([
        1,
        expect.stringContaining(`${input}: "a.png" has no descriptors, which matching needs`),
      ]);
    }
  });

  it("matches of a database are had though its descriptors cannot be read", async () => {
    await run("export-colmap", at("bare.h5"), "--matches", at("bare-m.h5"), "--out", at("odd.db"), "--force");
    const { loadSqlite } = await import("../../../src/node/colmap-database.js");
    const sql = await loadSqlite();
    const db = new sql.Database(readFileSync(at("odd.db")));
    db.run("INSERT INTO descriptors VALUES (1, 4, 100, zeroblob(400))");
    writeFileSync(at("odd.db"), db.export());
    db.close();
    const matches = ["--matches-out", at("odd.h5"), "--force"];
    expect(await run("convert", at("odd.db"), ...matches)).toMatchObject({ code: 0 });
    expect(await run("export-colmap", at("odd.db"), "--no-descriptors", "--out", at("odd2.db"))).toMatchObject({
      code: 0,
    });
    const all = await run("convert", at("odd.db"), ...matches, "--to", "csv", "--out", at("odd-csv"));
    expect(all).toMatchObject({
      code: 1,
      err: expect.stringContaining(`${at("odd.db")}: descriptors of "a.png": 100 bytes each`),
    });
  });
});

it("export-colmap --colmap 4 holds floats as they are; 3.8 stays the default", async () => {
  const given = new Map<string, Features>([["a.png", { ...sampleFeatures(3), imageSize: [30, 20] }]]);
  write("four.h5", await writeHlocFeatures(given));
  const args = ["export-colmap", at("four.h5"), "--force", "--out"];
  expect(await run(...args, at("four.db"), "--colmap", "4")).toMatchObject({ code: 0 });
  expect(await run("convert", at("four.db"), "--to", "h5", "--out", at("four-back.h5"))).toMatchObject({ code: 0 });
  const read = (await readHlocFeatures(readFileSync(at("four-back.h5")))).get("a.png");
  expect(read?.descriptors).toEqual(given.get("a.png")?.descriptors);
  await run(...args, at("three.db"));
  const bytesOf = async (name: string) => (await loadColmapDatabase(at(name))).images[0].descriptors?.length;
  expect([await bytesOf("three.db"), await bytesOf("four.db")]).toEqual([3 * 128, 3 * 256]);
  expect(await run(...args, at("four-text"), "--colmap", "4")).toMatchObject({ code: 2 });
  expect(await run(...args, at("five.db"), "--colmap", "5")).toMatchObject({ code: 2 });
});
