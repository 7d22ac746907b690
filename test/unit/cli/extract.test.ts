import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { emptyFeatures } from "../../../src/features.js";
import { inspectHloc, readHlocFeatures, writeHlocFeatures } from "../../../src/formats/hloc.js";
import { decodeRecord, encodeRecord } from "../../../src/formats/record.js";
import { encodeJpeg } from "../../../src/node/images.js";
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

  it("takes the longest names that a folder takes, as outputs and for an h5", async () => {
    const image = `${"ä".repeat(120)}.png`;
    await savePlain(at("in", image), 30);
    const { code } = await run(at("in", image), "--out", at("out"), "--output-extension", ".strata.npz");
    expect([code, x(at("out", `${image}.strata.npz`))]).toEqual([0, 30]);
    const h5 = at(`${"l".repeat(252)}.h5`);
    fake.interruptAfter = 1;
    expect((await run(at("in"), "--format", "h5", "--out", h5)).code).toBe(130);
    fake.interruptAfter = Infinity;
    const again = await run(at("in"), "--format", "h5", "--out", h5, "--resume");
    expect([again.err, again.json?.skipped]).toEqual(["", 1]);
    expect(readdirSync(at(".")).sort()).toEqual(["in", `${"l".repeat(252)}.h5`, "out"]);
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

  it("of one folder or one name stop no other image", async () => {
    mkdirSync(at("out"));
    // A file stands where the folder of sub/a.png would go, a folder where b.png's file would.
    writeFileSync(at("out/sub"), "");
    mkdirSync(at("out/b.png.strata.npz/x"), { recursive: true });
    const long = `${"l".repeat(248)}.png`;
    copyFileSync(at("in/b.png"), at("in", long));
    const { code, json, err } = await run(...everything());
    expect([code, json.images, json.extracted, json.failed.length]).toEqual([1, 4, 1, 3]);
    expect(json.failed.map(({ code: kind }: { code: string }) => kind)).toEqual(["E_IO", "E_IO", "E_IO"]);
    expect(err).toMatch(/cannot write into .*out\/sub: /);
    expect(err).toMatch(/the name is too long/);
    expect(existsSync(at("out/a.png.strata.npz"))).toBe(true);
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
    "does again only what is missing, damaged, of another picture or made otherwise: %s",
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
      // A date says nothing: a touched image is the same, one with an older date may be another.
      utimesSync(at("in/a.png"), new Date(), new Date(Date.now() + 5000));
      expect(await resume()).toBe(0);
      await savePlain(at("in/a.png"), 120);
      utimesSync(at("in/a.png"), new Date(0), new Date(0));
      expect(await resume()).toBe(1);
      expect(x(at(`out/a.png.strata.${format}`), format as "npz")).toBe(120);
      expect(await resume("--max-features", "7")).toBe(3);
      expect(await resume("--max-features", "7", "--no-orientation")).toBe(3);
      if (format !== "json") expect(await resume("--max-features", "7", "--no-orientation", "--append")).toBe(3);
      fake.sha256 = "ff";
      expect(await resume()).toBe(3);
    },
  );

  it("of another folder's image of the same name is made, though older than the output", async () => {
    mkdirSync(at("day2"));
    await savePlain(at("day2/a.png"), 70);
    utimesSync(at("day2/a.png"), new Date(0), new Date(0));
    await run(at("in/a.png"), "--out", at("out"));
    const { json } = await run(at("day2/a.png"), "--out", at("out"), "--resume");
    expect([json.extracted, x(at("out/a.png.strata.npz"))]).toEqual([1, 70]);
  });

  it("of an earlier version, which kept no digest, is made again and told once", async () => {
    await run(...everything());
    for (const name of ["a.png", "b.png"]) {
      const path = at(`out/${name}.strata.npz`);
      const { features, provenance } = decodeRecord("npz", readFileSync(path));
      const { imageSha256: _, ...before } = provenance as Record<string, unknown>;
      writeFileSync(path, encodeRecord("npz", features, before));
    }
    const { json, err } = await run(...everything(), "--resume");
    expect([json.extracted, json.skipped]).toEqual([2, 1]);
    expect(err.match(/earlier version/g)).toHaveLength(1);
  });

  it("tells where names start from another folder than before, and how to go on", async () => {
    await run(at("in/sub"), "--out", at("out"));
    const up = await run(...everything(), "--resume");
    expect(up.json.extracted).toBe(3);
    expect(up.err).toMatch(
      /holds .*sub\/a\.png as "a\.png", this run calls it "sub\/a\.png": the root of names has moved/,
    );
    expect(up.err).toContain(`--root ${at("in/sub")} keeps`);
    const down = await run(at("in/sub"), "--out", at("out"), "--resume");
    expect([down.json.extracted, down.err]).toEqual([1, expect.stringContaining(`--root ${at("in")} keeps`)]);
    // Two copies of one picture are no moved root.
    copyFileSync(at("in/b.png"), at("in/sub/b.png"));
    expect((await run(...everything(), "--resume")).err).not.toContain("moved");
    // Beside the images the file is in its place, and its name within is made right.
    await run(at("in/sub"));
    expect((await run(at("in"), "--recursive", "--resume")).err).toContain("the root of names has moved");
  });

  it("and --force together are refused", async () => {
    expect((await run(...everything(), "--resume", "--force")).code).toBe(2);
  });

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
    expect(readdirSync(at(".")).sort()).toEqual(["all.h5", "in"]);
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

  it("that is there already asks for --resume or --force, and stays", async () => {
    await h5();
    const before = readFileSync(at("all.h5"));
    const { code, err } = await h5();
    expect([code, err]).toEqual([2, expect.stringMatching(/all\.h5 is there already: --resume .* --force/)]);
    expect(readFileSync(at("all.h5"))).toEqual(before);
    const one = [at("in/b.png"), "--root", at("in"), "--format", "h5", "--out", at("all.h5")];
    expect((await run(...one, "--force")).code).toBe(0);
    expect(await stored()).toEqual({ "b.png": 200 });
    rmSync(at("all.h5"));
    fake.interruptAfter = 1;
    await h5();
    fake.interruptAfter = Infinity;
    const parts = await h5();
    expect([parts.code, parts.err]).toEqual([2, expect.stringMatching(/keeps 1 finished images .*--resume .*--force/)]);
    expect((await h5("--force")).json.extracted).toBe(3);
    expect(readdirSync(at(".")).sort()).toEqual(["all.h5", "in"]);
    // What holds nothing is not in the way.
    writeFileSync(at("all.h5"), "");
    expect((await h5()).json.extracted).toBe(3);
  });

  it("resumed, it adds new images and replaces changed ones; what is not named stays", async () => {
    await h5();
    await savePlain(at("in/c.png"), 10);
    await savePlain(at("in/b.png"), 220);
    utimesSync(at("in/b.png"), new Date(0), new Date(0));
    utimesSync(at("in/a.png"), new Date(), new Date(Date.now() + 5000));
    expect((await h5("--resume")).json).toMatchObject({ extracted: 2, skipped: 2 });
    expect(await stored()).toEqual({ "a.png": 100, "b.png": 220, "c.png": 10, "sub/a.png": 50 });
    await savePlain(at("in/d.png"), 30);
    await run(at("in/d.png"), "--root", at("in"), "--format", "h5", "--out", at("all.h5"), "--resume");
    expect(Object.keys(await stored())).toHaveLength(5);
  });

  it("made with other options it is replaced as a whole or not at all", async () => {
    await h5();
    const before = readFileSync(at("all.h5"));
    await savePlain(at("in/d.png"), 30);
    const one = [at("in/d.png"), "--root", at("in"), "--format", "h5", "--out", at("all.h5"), "--resume"];
    const refused = await run(...one, "--max-features", "3");
    expect([refused.code, refused.err]).toEqual([2, expect.stringMatching(/holds "a\.png".*other options/)]);
    // An image that cannot be made anew keeps the others from taking its place.
    const good = readFileSync(at("in/a.png"));
    writeFileSync(at("in/a.png"), "no image");
    const failed = await h5("--resume", "--max-features", "3");
    expect([failed.code, failed.err]).toEqual([1, expect.stringMatching(/stays as it was: it holds "a\.png"/)]);
    expect(readFileSync(at("all.h5"))).toEqual(before);
    writeFileSync(at("in/a.png"), good);
    expect((await h5("--resume", "--max-features", "3")).json).toMatchObject({ extracted: 1, skipped: 3 });
    expect(Object.keys(await stored())).toHaveLength(4);
    expect(existsSync(at("all.h5.parts"))).toBe(false);
  });

  it("of another program, or damaged, is not touched without --force", async () => {
    const features = { ...emptyFeatures([8, 6], 4) };
    const foreign = await writeHlocFeatures([["x.png", features]]);
    await h5();
    const own = readFileSync(at("all.h5"));
    const mixed = await writeHlocFeatures([["x.png", features]], { base: own });
    for (const content of [foreign, mixed, own.subarray(0, 900), Buffer.from("text")]) {
      writeFileSync(at("all.h5"), content);
      const { code, err } = await h5("--resume");
      expect([code, err]).toEqual([2, expect.stringContaining("--force")]);
      expect(readFileSync(at("all.h5"))).toEqual(Buffer.from(content));
    }
    expect((await h5("--force")).json.extracted).toBe(3);
    expect(Object.keys(await stored())).toHaveLength(3);
  });

  it("of an earlier version, with its manifest, is gone on with; its images that are named are made again", async () => {
    await h5();
    const { images } = await inspectHloc(readFileSync(at("all.h5")));
    const { image: _i, imageSha256: _d, ...provenance } = images.get("a.png") as Record<string, unknown>;
    const content = await writeHlocFeatures(await readHlocFeatures(readFileSync(at("all.h5"))));
    writeFileSync(at("all.h5"), content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const manifest = JSON.stringify({ provenance, sha256, images: [...images.keys()] });
    writeFileSync(at("all.h5.strata.json"), manifest);
    const two = await run(at("in/a.png"), at("in/b.png"), "--format", "h5", "--out", at("all.h5"), "--resume");
    expect(two.json).toMatchObject({ extracted: 2, skipped: 0 });
    expect(two.err.match(/earlier version/g)).toHaveLength(1);
    expect(Object.keys(await stored())).toHaveLength(3);
    expect(existsSync(at("all.h5.strata.json"))).toBe(false);
    expect((await h5("--resume")).json).toMatchObject({ extracted: 1, skipped: 2 });
    // Without its manifest nothing is known of it.
    writeFileSync(at("all.h5"), content);
    expect((await h5("--resume")).code).toBe(2);
  });

  it("tells where the root of names moved; parts of a stopped run do not come in twice", async () => {
    const sub = (...more: string[]) => run(at("in/sub"), "--format", "h5", "--out", at("all.h5"), ...more);
    await sub();
    const moved = await h5("--resume");
    expect(moved.err).toContain(`--root ${at("in/sub")} keeps`);
    expect(Object.keys(await stored()).sort()).toEqual(["a.png", "b.png", "sub/a.png"]);
    rmSync(at("all.h5"));
    await savePlain(at("in/sub/y.png"), 77);
    await savePlain(at("in/sub/z.png"), 88);
    fake.interruptAfter = 2;
    await sub();
    fake.interruptAfter = Infinity;
    const parts = await h5("--resume");
    expect(parts.err).toMatch(/held "y\.png", which this run calls "sub\/y\.png"/);
    expect(await stored()).toEqual({ "a.png": 100, "b.png": 200, "sub/a.png": 50, "sub/y.png": 77, "sub/z.png": 88 });
  });

  it("parts of a stopped run that the next one does not name go into the file as well", async () => {
    fake.interruptAfter = 2;
    await h5();
    fake.interruptAfter = Infinity;
    const rest = [at("in/sub/a.png"), "--root", at("in"), "--format", "h5", "--out", at("all.h5"), "--resume"];
    expect((await run(...rest)).json.extracted).toBe(1);
    expect(Object.keys(await stored()).sort()).toEqual(["a.png", "b.png", "sub/a.png"]);
    expect(readdirSync(at(".")).sort()).toEqual(["all.h5", "in"]);
  });

  it("one process at a time: the other is refused and disturbs nothing, through a link as well", async () => {
    let second: Promise<{ code: number; err: string }> | undefined;
    fake.onImage = () => {
      fake.onImage = undefined;
      second = fakeStrata().run("extract", at("in"), "--format", "h5", "--out", at("link.h5"), "--force");
    };
    writeFileSync(at("real.h5"), "");
    symlinkSync(at("real.h5"), at("link.h5"));
    const first = await run(at("in"), "--format", "h5", "--out", at("real.h5"));
    const other = await second;
    expect([first.code, other?.code]).toEqual([0, 1]);
    expect(other?.err).toMatch(/another strata .* is at work in .*link\.h5/);
    expect([...(await readHlocFeatures(readFileSync(at("link.h5")))).keys()]).toEqual(["a.png", "b.png"]);
    expect(readdirSync(at(".")).sort()).toEqual(["in", "link.h5", "real.h5"]);
  });

  it("writes no file where every image failed", async () => {
    writeFileSync(at("bad.png"), "no image");
    expect((await run(at("bad.png"), "--format", "h5", "--out", at("all.h5"))).code).toBe(1);
    expect(readdirSync(at(".")).sort()).toEqual(["bad.png", "in"]);
  });
});

describe("strata extract: damaged images", () => {
  it("that can be shown are read with a warning, told once and listed", async () => {
    const whole = await encodeJpeg({ width: 8, height: 6, data: new Uint8Array(144).fill(90) });
    writeFileSync(at("in/b.jpg"), whole.subarray(0, whole.length - 2));
    const { code, json, err } = await run(...everything());
    const message = `${at("in/b.jpg")}: the JPEG file is damaged: the end marker is missing`;
    expect([code, json.extracted, json.failed]).toEqual([0, 4, []]);
    expect(json.warnings).toEqual([{ path: at("in/b.jpg"), message }]);
    expect(err).toBe(`strata: warning: ${message}\n`);
    const again = await run(...everything(), "--quiet");
    expect([again.json.warnings.length, again.err]).toEqual([1, ""]);
    expect((await run(...everything(), "--resume")).json.warnings).toEqual([]);
    const matched = await fake.run("match", at("in/b.jpg"), at("in/a.png"), "--json");
    expect(JSON.parse(matched.out).warnings).toEqual([{ path: at("in/b.jpg"), message }]);
    expect(matched.err).toBe(`strata: warning: ${message}\n`);
  });
});

describe("strata match", () => {
  it("searches matches a second time where --guided asks for it, and says so; without a homography as well", async () => {
    const [a, b] = [at("first.ppm"), at("second.ppm")];
    for (const path of [a, b])
      writeFileSync(path, Buffer.concat([Buffer.from("P6\n4 4\n255\n"), Buffer.alloc(48, 90)]));
    for (const guided of [true, false]) {
      const { out, err } = await fake.run("match", a, b, "--json", ...(guided ? ["--guided"] : []));
      expect(err).toBe("");
      const { info, homography, matches } = JSON.parse(out);
      expect([info.guided, homography, matches]).toEqual([guided, null, 1]);
    }
  });

  it("reads both images at once, and tells of the first one's fault first", async () => {
    const whole = await encodeJpeg({ width: 8, height: 6, data: new Uint8Array(144).fill(90) });
    const [large, small] = [at("large.jpg"), at("small.jpg")];
    writeFileSync(
      large,
      (await encodeJpeg({ width: 600, height: 400, data: new Uint8Array(720_000) })).subarray(0, -2),
    );
    writeFileSync(small, whole.subarray(0, -2));
    const { out, err } = await fake.run("match", large, small, "--json");
    const told = [large, small].map((path) => `${path}: the JPEG file is damaged: the end marker is missing`);
    expect(err).toBe(told.map((message) => `strata: warning: ${message}\n`).join(""));
    expect(JSON.parse(out).warnings).toEqual([large, small].map((path, i) => ({ path, message: told[i] })));
    writeFileSync(large, new Uint8Array(600_000).fill(65));
    const failed = await fake.run("match", large, at("nothing.png"));
    expect([failed.code, failed.out, failed.err]).toEqual([1, "", expect.stringContaining(large)]);
  });
});
