import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { readHlocFeatures } from "../../../src/formats/hloc.js";
import { decodeRecord } from "../../../src/formats/record.js";
import { type Fake, fakeStrata, savePlain, temporaryFolder } from "./fake.js";

let folder = temporaryFolder();
let fake: Fake;
const at = (...parts: string[]) => folder.path(...parts);

beforeEach(async () => {
  folder.remove();
  folder = temporaryFolder();
  fake = fakeStrata();
  mkdirSync(at("in/sub"), { recursive: true });
  await savePlain(at("in/a.png"), 100);
  await savePlain(at("in/b.png"), 200);
  await savePlain(at("in/sub/a.png"), 50);
});
afterAll(() => folder.remove());

async function run(...argv: string[]) {
  const result = await fake.run("extract", ...argv, "--json");
  return { ...result, json: JSON.parse(result.out || "null") };
}
const everything = () => [at("in"), "--recursive", "--out", at("out")];
const x = (path: string, format: "npz" | "mat" | "json" = "npz") => {
  const { features } = decodeRecord(format, readFileSync(path));
  return features.count === 0 ? null : Math.round(100 * features.keypoints[0]);
};

describe("strata extract: where things go", () => {
  it("writes beside each image, or mirrors the folders under --out", async () => {
    expect((await run(at("in/a.png"), "--format", "json")).json.outputs).toEqual([at("in/a.png.strata.json")]);
    expect(x(at("in/a.png.strata.json"), "json")).toBe(100);
    await run(...everything());
    expect([x(at("out/a.png.strata.npz")), x(at("out/sub/a.png.strata.npz"))]).toEqual([100, 50]);
    await run(at("in/sub/a.png"), "--root", at("in"), "--out", at("rooted"), "--format", "mat");
    expect(x(at("rooted/sub/a.png.strata.mat"), "mat")).toBe(50);
  });

  it("an image named twice is done once; outputs are never taken for images", async () => {
    const { json } = await run(at("in/a.png"), at("in"), at("in", "sub", "..", "a.png"));
    expect(json).toMatchObject({ images: 2, extracted: 2 });
    expect((await run(at("in"))).json.images).toBe(2);
  });

  it("no output takes the place of an image", async () => {
    copyFileSync(at("in/a.png"), at("in/a.png.png"));
    const before = readFileSync(at("in/a.png.png"));
    const { code, err } = await run(at("in/a.png"), at("in/a.png.png"), "--output-extension", ".png");
    expect(code).toBe(2);
    expect(err).toMatch(/a\.png\.png is one of the images and would be overwritten; name another output/);
    expect(readFileSync(at("in/a.png.png"))).toEqual(before);
    rmSync(at("in/a.png.png"));
  });

  it("smart names say model, sums and scaling", async () => {
    await run(at("in/a.png"), "--smart-name", "--model", "m", "--sum-descriptors", "--scale");
    expect(existsSync(at("in/a.png.m_SUM_SCALE"))).toBe(true);
    expect((await run(at("in/a.png"), "--smart-name", "--output-extension", ".x")).code).toBe(2);
  });

  it("an image outside --root, h5 without a file, and --append to JSON are refused before any work", async () => {
    for (const flags of [
      ["--root", at("in/sub")],
      ["--format", "h5"],
      ["--append", "--format", "json"],
    ]) {
      expect((await run(at("in/a.png"), ...flags)).code).toBe(2);
    }
    expect(fake.opened).toHaveLength(0);
  });

  it("says what it cannot write into before any work, also where the system answers oddly", async () => {
    writeFileSync(at("file"), "");
    for (const out of [at("file"), at("file/deeper"), "/proc/strata", "/dev/null/x"]) {
      const { code, err, out: printed } = await run(at("in"), "--out", out);
      expect([code, printed]).toEqual([1, ""]);
      expect(err).toMatch(/^strata: cannot write into /);
    }
    mkdirSync(at("folder.h5"));
    writeFileSync(at("blocked.h5.parts"), "");
    for (const out of ["folder.h5", "blocked.h5"]) {
      expect((await run(at("in"), "--format", "h5", "--out", at(out))).code).toBe(1);
    }
    expect(fake.opened).toHaveLength(0);
  });
});

describe("strata extract: failures", () => {
  it("go on with the next image, end in a list and exit code 1", async () => {
    writeFileSync(at("in/bad.png"), "no image");
    writeFileSync(
      at("list"),
      `\uFEFF# images\r\n\r\n${at("in/bad.png")}\r\n${at("in/missing.png")}\n  ${at("in/b.png")}`,
    );
    const { code, err, json } = await run("--list", at("list"), "--out", at("out"));
    expect(code).toBe(1);
    expect(json).toMatchObject({ images: 3, extracted: 1 });
    expect(json.failed.map(({ code: kind }: { code: string }) => kind).sort()).toEqual(["E_FORMAT", "E_IO"]);
    expect(err).toMatch(/2 of 3 images failed:\n.*missing\.png\n.*bad\.png\n$/);
    expect(existsSync(at("out/b.png.strata.npz"))).toBe(true);
  });

  it("of the extractor are the image's; a bug is called one, and its stack shown only with --debug", async () => {
    fake.onImage = ({ data }) => {
      if (data[0] === 100) throw new FormatError("cannot be seen");
      if (data[0] === 50) throw new TypeError("x is not a function");
    };
    const { code, json, err } = await run(...everything());
    expect([code, json.extracted]).toEqual([1, 1]);
    expect(err).toMatch(/a\.png: cannot be seen/);
    expect(err).toMatch(/sub\/a\.png: unexpected error: x is not a function .*--debug/);
    expect(err).not.toMatch(/\n\s+at /);
    expect((await run(...everything(), "--debug")).err).toMatch(/\n\s+at /);
    expect(fake.disposed).toBe(2);
  });

  it("a full disk ends the run and says how to go on", async () => {
    fake.onImage = () => {
      throw new FormatError("no room", { cause: { code: "ENOSPC" } });
    };
    const { code, err } = await run(...everything());
    expect(code).toBe(1);
    expect(err).toMatch(/stopped; 0 of 3 images are finished.*--resume[\s\S]*no room/);
  });

  it("nothing to do is said: no inputs, an empty list, an empty folder", async () => {
    writeFileSync(at("list"), "# nothing\n");
    mkdirSync(at("empty"));
    expect((await run()).err).toMatch(/no images named/);
    expect((await run("--list", at("list"))).err).toMatch(/names no images/);
    const { code, err } = await run(at("empty"));
    expect([code, err]).toEqual([1, `strata: there are no images in ${at("empty")}\n`]);
  });

  it("no keypoints are a result", async () => {
    await savePlain(at("in/black.png"), 0);
    const { code, json } = await run(at("in/black.png"), "--out", at("out"));
    expect([code, json.keypoints, json.empty]).toEqual([0, 0, [at("in/black.png")]]);
    expect(x(at("out/black.png.strata.npz"))).toBeNull();
  });
});

describe("strata extract --resume", () => {
  it.each(["npz", "mat", "json"])(
    "does again only what is missing, damaged, older than its image or made otherwise: %s",
    async (format) => {
      const resume = async (...more: string[]) => {
        const { code, json } = await run(...everything(), "--format", format, "--resume", ...more);
        expect([code, json.extracted + json.skipped]).toEqual([0, 3]);
        return json.extracted;
      };
      expect(await resume()).toBe(3);
      expect(await resume()).toBe(0);
      // Where and how fast it is computed does not matter.
      expect(await resume("--threads", "1", "--backend", "cpu")).toBe(0);
      const output = at(`out/b.png.strata.${format}`);
      writeFileSync(output, readFileSync(output).subarray(0, -30));
      expect(await resume()).toBe(1);
      copyFileSync(at(`out/a.png.strata.${format}`), output);
      expect(await resume()).toBe(1);
      utimesSync(at("in/a.png"), new Date(), new Date(Date.now() + 5000));
      expect(await resume()).toBe(1);
      utimesSync(at("in/a.png"), new Date(), new Date(Date.now() - 5000));
      expect(await resume("--max-features", "7")).toBe(3);
      expect(await resume("--max-features", "7", "--no-orientation")).toBe(3);
      if (format !== "json") expect(await resume("--max-features", "7", "--no-orientation", "--append")).toBe(3);
      fake.sha256 = "ff";
      expect(await resume()).toBe(3);
    },
  );

  it("after an interruption goes on where it stopped; what was written is whole", async () => {
    fake.interruptAfter = 1;
    const stopped = await run(...everything());
    expect([stopped.code, stopped.out]).toEqual([130, ""]);
    expect(stopped.err).toMatch(/interrupted; 1 of 3 images .*--resume/);
    expect(readdirSync(at("out")).filter((name) => /\.(npz|tmp)$/.test(name))).toHaveLength(1);
    fake.interruptAfter = Infinity;
    expect((await run(...everything(), "--resume")).json).toMatchObject({ extracted: 2, skipped: 1 });
  });
});

describe("strata extract --format h5", () => {
  const h5 = (...more: string[]) => run(at("in"), "--recursive", "--format", "h5", "--out", at("all.h5"), ...more);
  const stored = async () => {
    const images = await readHlocFeatures(readFileSync(at("all.h5")));
    return Object.fromEntries([...images].map(([name, { keypoints }]) => [name, Math.round(100 * keypoints[0])]));
  };

  it("holds all images by their paths below the root, and leaves no parts", async () => {
    expect((await h5()).json.outputs).toEqual([at("all.h5")]);
    expect(await stored()).toEqual({ "a.png": 100, "b.png": 200, "sub/a.png": 50 });
    expect(readdirSync(at(".")).sort()).toEqual(["all.h5", "all.h5.strata.json", "in"]);
  });

  it("interrupted, it keeps finished images as parts and makes the file in the end", async () => {
    fake.interruptAfter = 2;
    const stopped = await h5();
    expect(stopped.code).toBe(130);
    expect(stopped.err).toMatch(/2 of 3 images are finished and kept in .*all\.h5\.parts/);
    expect(existsSync(at("all.h5"))).toBe(false);
    fake.interruptAfter = Infinity;
    expect((await h5("--resume")).json).toMatchObject({ extracted: 1, skipped: 2 });
    expect(Object.keys(await stored())).toHaveLength(3);
  });

  it("resumed, it adds new and changed images to the file; without, or made otherwise, it begins anew", async () => {
    await h5();
    await savePlain(at("in/c.png"), 10);
    await savePlain(at("in/b.png"), 220);
    utimesSync(at("in/b.png"), new Date(), new Date(Date.now() + 5000));
    expect((await h5("--resume")).json).toMatchObject({ extracted: 2, skipped: 2 });
    expect(await stored()).toEqual({ "a.png": 100, "b.png": 220, "c.png": 10, "sub/a.png": 50 });
    // Images that this run does not name stay in the file.
    await savePlain(at("in/d.png"), 30);
    await run(at("in/d.png"), "--root", at("in"), "--format", "h5", "--out", at("all.h5"), "--resume");
    expect(Object.keys(await stored())).toHaveLength(5);
    expect((await h5("--resume", "--max-features", "3")).json.extracted).toBe(5);
    await run(at("in/d.png"), "--root", at("in"), "--format", "h5", "--out", at("all.h5"));
    expect(await stored()).toEqual({ "d.png": 30 });
  });

  it("a file that is not the manifest's is not believed", async () => {
    await h5();
    writeFileSync(at("all.h5"), readFileSync(at("all.h5")).subarray(0, 900));
    expect((await h5("--resume")).json.extracted).toBe(3);
    writeFileSync(at("all.h5.strata.json"), '{"images": 3}');
    expect((await h5("--resume")).json.extracted).toBe(3);
    expect(Object.keys(await stored())).toHaveLength(3);
  });

  it("writes no file where every image failed", async () => {
    writeFileSync(at("bad.png"), "no image");
    expect((await run(at("bad.png"), "--format", "h5", "--out", at("all.h5"))).code).toBe(1);
    expect(readdirSync(at(".")).sort()).toEqual(["bad.png", "in"]);
  });
});
