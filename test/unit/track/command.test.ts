/** `strata target` and `strata track` in this process, over a fake engine; videos by a fake ffmpeg. */

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { imageCorners, projectPoints } from "../../../src/geometry/matrix3.js";
import { loadImage, saveImage } from "../../../src/node/images.js";
import { naturalOrder } from "../../../src/node/track/frames.js";
import { compileTarget, writeTarget } from "../../../src/track/index.js";
import { meanCornerDistance } from "../../../src/track/plane.js";
import { fakeStrata, temporaryFolder } from "../cli/fake.js";
import { cornerExtractor, cornerFeatures, drawPoster, placed, showPoster } from "./drawn.js";

const folder = temporaryFolder();
const at = folder.path;
const strata = fakeStrata();
strata.features = cornerFeatures;
const poster = drawPoster(1);
const way = (k: number) => placed(poster, 130 + 5 * k, 120, 0.75);
const path = process.env.PATH;

beforeAll(async () => {
  await saveImage(at("poster.png"), poster);
  mkdirSync(at("frames"));
  // Written so that letters alone would put 10 before 9.
  for (let k = 8; k < 12; k++)
    await saveImage(at("frames", `f${k}.png`), showPoster(poster, k === 11 ? null : way(k - 8)));
  writeFileSync(at("frames", "notes.txt"), "no frame");
});
afterAll(() => {
  process.env.PATH = path;
  folder.remove();
});

describe("strata target", () => {
  it("compiles a picture, and says what is in a target", async () => {
    const { code, out, err } = await strata.run("target", "compile", at("poster.png"), "--width", "0.5");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain('target "poster" of a picture of 240×180');
    const info = await strata.run("target", "info", at("poster.strata"), "--json");
    expect(JSON.parse(info.out)).toMatchObject({
      version: 1,
      name: "poster",
      width: 240,
      physicalWidth: 0.5,
      model: { sha256: "00" },
      quality: { reason: null },
    });
  });

  it("reads image targets of 8th Wall", async () => {
    const properties = {
      left: 0,
      top: 0,
      width: 240,
      height: 180,
      originalWidth: 240,
      originalHeight: 180,
      isRotated: false,
    };
    const json = { imagePath: "image-targets/poster.png", name: "wall", type: "PLANAR", properties };
    writeFileSync(at("wall.json"), JSON.stringify(json));
    expect(await strata.run("target", "compile", at("wall.json"), "--json")).toMatchObject({ code: 0 });
    expect((await strata.run("target", "info", at("wall.strata"))).out).toContain('"wall"');
    writeFileSync(at("can.json"), JSON.stringify({ ...json, type: "CYLINDER" }));
    expect(await strata.run("target", "compile", at("can.json"))).toMatchObject({
      code: 1,
      err: expect.stringContaining("a curved target"),
    });
    writeFileSync(at("gone.json"), JSON.stringify({ ...json, imagePath: "x/gone.png" }));
    expect(await strata.run("target", "compile", at("gone.json"))).toMatchObject({
      code: 1,
      err: expect.stringContaining("its picture x/gone.png is not there"),
    });
  });

  it("refuses a picture that is too poor, and writes nothing", async () => {
    await saveImage(at("grey.png"), { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).fill(90) });
    const { code, err } = await strata.run("target", "compile", at("grey.png"));
    expect([code, err]).toEqual([2, expect.stringContaining("too poor to track: too little texture")]);
    expect(existsSync(at("grey.strata"))).toBe(false);
  });
});

describe("strata track", () => {
  const lines = (out: string) =>
    out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));

  it("prints a JSON line per frame, in natural order, and draws", async () => {
    const { code, out, err } = await strata.run(
      "track",
      at("poster.strata"),
      at("frames"),
      "--json",
      "--out",
      at("drawn"),
    );
    expect([code, err]).toEqual([0, ""]);
    const frames = lines(out);
    expect(frames.map(({ frame, targets }) => [frame, targets[0].target, targets[0].state])).toEqual([
      [0, 0, "found"],
      [1, 0, "tracked"],
      [2, 0, "tracked"],
      [3, 0, "tracked"],
    ]);
    for (let k = 0; k < 3; k++) {
      expect(Object.keys(frames[k])).toEqual(["frame", "targets", "ms"]);
      expect(Object.keys(frames[k].targets[0])).toEqual(["target", "state", "corners", "confidence"]);
      expect(
        meanCornerDistance(projectPoints(way(k), imageCorners([240, 180])), frames[k].targets[0].corners),
      ).toBeLessThan(0.7);
    }
    expect(frames[3].targets[0]).toMatchObject({ corners: null, confidence: 0 });
    expect(readdirSync(at("drawn")).sort()).toEqual(["f10.png", "f11.png", "f8.png", "f9.png"]);
    const [before, after] = await Promise.all([loadImage(at("frames", "f8.png")), loadImage(at("drawn", "f8.png"))]);
    const differing = after.data.filter((value, i) => value !== before.data[i]).length;
    expect(differing).toBeGreaterThan(1000);
    expect((await loadImage(at("drawn", "f11.png"))).data).toEqual((await loadImage(at("frames", "f11.png"))).data);
  });

  it("takes pictures as targets, several at once, and tells people what it saw", async () => {
    await saveImage(at("other.png"), drawPoster(2));
    const { code, out } = await strata.run(
      "track",
      at("poster.png"),
      at("other.png"),
      at("frames"),
      "--intrinsics",
      "300,300,159.5,119.5",
    );
    expect(code).toBe(0);
    expect(out).toContain("frame 0 (f8): poster found");
    expect(out).toContain("poster: seen in 3 of 4 frames");
    expect(out).toContain("other: seen in 0 of 4 frames");
    expect(out).not.toContain("assume");
  });

  it.each([
    [["poster.strata"], 2, /needs a target or more, and the frames/],
    [["poster.strata", "nowhere"], 1, /nowhere: there is no such file or folder/],
    [["gone.strata", "frames"], 1, /gone.strata: there is no such file/],
    [
      ["poster.strata", "frames", "--intrinsics", "1,2,3"],
      2,
      /--intrinsics" must be fx,fy,cx,cy in pixels, .* got 1,2,3/,
    ],
    [["poster.strata", "frames", "--intrinsics", "500,-1,3,4"], 2, /--intrinsics/],
    [["poster.strata", "frames", "--intrinsics", "a,b,c,d"], 2, /--intrinsics/],
    [["poster.strata", "frames", "--max-track", "0"], 2, /--max-track/],
    [["poster.strata", "frames", "--out", "frames"], 2, /is where the frames are read from/],
  ])("%j ends with %d", async (args, code, message) => {
    const named = args.map((arg) => (/^(poster|gone|frames|nowhere)/.test(arg) ? at(arg) : arg));
    const result = await strata.run("track", ...named);
    expect([result.code, result.err]).toEqual([code, expect.stringMatching(message)]);
  });

  it("refuses a folder without images, and a target of another model", async () => {
    mkdirSync(at("empty"));
    expect((await strata.run("track", at("poster.strata"), at("empty"))).err).toContain(
      "there are no frames: the folder has no images",
    );
    strata.sha256 = "11";
    const { code, err } = await strata.run("track", at("poster.strata"), at("frames"));
    strata.sha256 = "00";
    expect([code, err]).toEqual([2, expect.stringContaining("was compiled with the model")]);
  });

  it("opens the model that its targets were compiled with, unless a flag names one", async () => {
    const opened = async (...flags: string[]) => {
      await strata.run("track", at("poster.png"), at("named.strata"), at("frames"), "--quiet", ...flags);
      return strata.opened.at(-1)?.model;
    };
    const compiled = await compileTarget(poster, cornerExtractor());
    const write = (name: string) =>
      writeFileSync(at("named.strata"), writeTarget({ ...compiled, model: { name, sha256: "00" } }));
    write("strata-xs");
    expect(await opened()).toBe("strata-xs");
    expect(await opened("--model", "strata-s")).toBe("strata-s");
    // What a file says is no path to open.
    write("/tmp/some-model");
    expect(await opened()).toBe("strata-t");
  });

  it("stops when it is interrupted", async () => {
    strata.interruptAfter = 0;
    const { code, err } = await strata.run("track", at("poster.strata"), at("frames"), "--json");
    strata.interruptAfter = Number.POSITIVE_INFINITY;
    expect([code, err]).toEqual([130, "strata: interrupted\n"]);
  });
});

describe("videos", () => {
  /** Another ffmpeg before all others: it writes the frames as PPM, or keeps what it is given. */
  function fakeFfmpeg(script: string): void {
    mkdirSync(at("bin"), { recursive: true });
    writeFileSync(at("bin", "ffmpeg"), `#!${process.execPath}\n${script}`);
    chmodSync(at("bin", "ffmpeg"), 0o755);
    process.env.PATH = `${at("bin")}${delimiter}${path}`;
  }

  it("are read frame by frame, whatever pieces they come in", async () => {
    const frames = [0, 1, 2].map((k) => showPoster(poster, way(k)));
    const ppm = Buffer.concat(
      frames.map(({ width, height, data }) => Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), data])),
    );
    writeFileSync(at("frames.ppms"), ppm);
    writeFileSync(at("film.mp4"), "film");
    const write = `const b = require("fs").readFileSync(${JSON.stringify(at("frames.ppms"))});
      for (let i = 0; i < b.length; i += 70001) process.stdout.write(b.subarray(i, i + 70001));`;
    fakeFfmpeg(write);
    const { code, out } = await strata.run("track", at("poster.strata"), at("film.mp4"), "--json");
    expect(code).toBe(0);
    expect(out.trim().split("\n")).toHaveLength(3);
    // One before 5.1 has another word for "each frame once".
    fakeFfmpeg(`if (process.argv.includes("-fps_mode")) { console.error("Unrecognized option 'fps_mode'."); process.exit(1); }
      ${write}`);
    const old = await strata.run("track", at("poster.strata"), at("film.mp4"), "--json");
    expect([old.code, old.out.trim().split("\n").length]).toEqual([0, 3]);
  });

  it("are written at the rate that they are read with, unless another is given", async () => {
    fakeFfmpeg(`const { argv } = process, fs = require("fs");
      if (argv.includes("ppm")) process.stdout.write(fs.readFileSync(${JSON.stringify(at("frames.ppms"))}));
      else if (argv.includes("rawvideo")) process.stdin.on("data", () => {}).on("end", () =>
        fs.writeFileSync(argv.at(-1).replace(/^file:/, ""), argv[argv.indexOf("-r") + 1]));
      else { console.error("  Stream #0:0: Video: h264, 320x240, 797 kb/s, 23.98 fps, 25 tbr"); process.exit(1); }`);
    for (const [flags, rate] of [
      [[], "23.98"],
      [["--rate", "12"], "12"],
    ] as const) {
      await strata.run("track", at("poster.strata"), at("film.mp4"), "--out", at("rated.mp4"), "--quiet", ...flags);
      expect(readFileSync(at("rated.mp4"), "utf8")).toBe(rate);
    }
  });

  const ffmpeg = (...args: string[]) =>
    spawnSync("ffmpeg", ["-v", "error", "-y", ...args], { env: { ...process.env, PATH: path } }).status === 0;
  it.skipIf(!ffmpeg("-version"))("of ten bits and uneven times are read by the real ffmpeg, and written", async () => {
    process.env.PATH = path;
    const uneven = "setpts=PTS+gte(N\\,2)*9/25/TB";
    const codec = ["-vf", uneven, "-vsync", "vfr", "-c:v", "ffv1", "-pix_fmt", "yuv420p10le"];
    const input = ["-framerate", "25", "-start_number", "8", "-i", at("frames", "f%d.png")];
    expect(ffmpeg(...input, ...codec, at("-ten bits.mkv"))).toBe(true);
    const out = at("drawn.mkv");
    const tracked = await strata.run("track", at("poster.strata"), at("-ten bits.mkv"), "--json", "--out", out);
    const states = tracked.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).targets[0].corners !== null);
    expect([tracked.err, states]).toEqual(["", [true, true, true, false]]);
    const again = await strata.run("track", at("poster.strata"), out, "--json");
    expect(again.out.trim().split("\n")).toHaveLength(4);
  });

  it("are written whole or not at all", async () => {
    fakeFfmpeg(`const out = process.argv.at(-1); let n = 0;
      process.stdin.on("data", (c) => { n += c.length; }).on("end", () => require("fs").writeFileSync(out.replace(/^file:/, ""), String(n)));`);
    expect(
      (await strata.run("track", at("poster.strata"), at("frames"), "--out", at("film-out.mp4"), "--quiet")).code,
    ).toBe(0);
    expect(readFileSync(at("film-out.mp4"), "utf8")).toBe(String(4 * 3 * 320 * 240));
    fakeFfmpeg(`console.error("Unknown encoder"); process.exit(3);`);
    const failed = await strata.run("track", at("poster.strata"), at("frames"), "--out", at("bad.mp4"), "--quiet");
    expect([failed.code, failed.err]).toEqual([
      1,
      expect.stringContaining("ffmpeg failed (exit code 3): Unknown encoder"),
    ]);
    expect(readdirSync(at()).filter((name) => name.includes("bad.mp4"))).toEqual([]);
  });

  it("need ffmpeg, which is said; a broken one is an error", async () => {
    fakeFfmpeg(`console.error("moov atom not found"); process.exit(1);`);
    expect(await strata.run("track", at("poster.strata"), at("film.mp4"))).toMatchObject({
      code: 1,
      err: expect.stringContaining("moov atom not found"),
    });
    fakeFfmpeg("");
    expect((await strata.run("track", at("poster.strata"), at("film.mp4"))).err).toContain("no frames");
    process.env.PATH = at("nowhere");
    const { code, err } = await strata.run("track", at("poster.strata"), at("film.mp4"));
    expect([code, err]).toEqual([1, expect.stringContaining("needs the program ffmpeg, which is not installed")]);
  });
});

it("orders names as people count", () => {
  const names = ["f10.png", "f9.png", "f09.png", "a2b10", "a2b9", "10", "2", "02"];
  expect([...names].sort(naturalOrder)).toEqual(["02", "2", "10", "a2b9", "a2b10", "f09.png", "f9.png", "f10.png"]);
});
