/** The command line as people run it: bin/strata.js in a process of its own, over good input and every kind of bad input. */
import { type StdioOptions, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import { readFeatures } from "../../src/formats/features.js";
import { readHlocFeatures } from "../../src/formats/hloc.js";
import { readMat } from "../../src/formats/mat.js";
import { readNpz } from "../../src/formats/npz.js";
import { resizeImage } from "../../src/image/resize.js";
import { encodePng, saveImage } from "../../src/node/images.js";
import { BIN, runStrata, startStrata, until } from "./command.js";

const MODEL = fileURLToPath(new URL("../../models/strata-s0", import.meta.url));
let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strata-cli-"));
  mkdirSync(at("photos"));
  const { a, b } = drawDemoPair(7);
  await saveImage(at("photos/a.png"), resizeImage(a, 320, 240));
  await saveImage(at("photos/b.png"), resizeImage(b, 320, 240));
  await saveImage(at("photos/c.png"), resizeImage(b, 160, 120));
  const grey = { width: 64, height: 48, data: new Uint8Array(3 * 64 * 48).fill(128) };
  await saveImage(at("grey.png"), grey);
  writeFileSync(at("empty.jpg"), "");
  writeFileSync(at("text.jpg"), "not an image");
  const png = await encodePng(resizeImage(a, 320, 240));
  writeFileSync(at("truncated.png"), png.subarray(0, png.length / 3));
  writeFileSync(at("huge.pgm"), "P5 200000 200000 255\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const strata = (...args: string[]) => runStrata(folder, args);

describe("results that do not arrive", () => {
  it.skipIf(!existsSync("/dev/full"))("on a full disk are an error, and what goes to other files is written", () => {
    const full = openSync("/dev/full", "w");
    const run = (stdio: StdioOptions, ...args: string[]) =>
      spawnSync(process.execPath, [BIN, ...args], { encoding: "utf8", cwd: folder, stdio });
    const args = ["extract", "photos", "--out", "undelivered", "--max-features", "50"];
    for (const command of [["--version"], ["info", "--json"], args]) {
      const { status, stderr } = run(["ignore", full, "pipe"], ...command);
      expect([status, stderr], command.join(" ")).toEqual([
        1,
        "strata: cannot write to standard output: the disk is full\n",
      ]);
    }
    expect(readdirSync(at("undelivered"))).toHaveLength(3);
    // Notes that are lost on standard error change nothing, and the code of a wrong command line stays.
    expect(run(["ignore", "pipe", full], "--version").status).toBe(0);
    expect(run(["ignore", full, full], "nonsense").status).toBe(2);
    closeSync(full);
  });

  it("in a pipe that its reader has closed are an error", async () => {
    const running = startStrata(folder, ["info", "--json"]);
    running.child.stdout?.destroy();
    expect(await running.ended).toBe(1);
    expect(running.text()).toBe("strata: cannot write to standard output: its reader has closed it\n");
  });
});

describe("strata match", () => {
  it("prints the whole result as JSON and writes every format", () => {
    const outs = ["m.svg", "m.png", "m.json", "m.npz", "m.html"];
    const { code, out } = strata(
      "match",
      "photos/a.png",
      "photos/b.png",
      "--json",
      ...outs.flatMap((o) => ["--out", o]),
    );
    expect(code).toBe(0);
    const json = JSON.parse(out);
    expect(json.keypoints).toHaveLength(2);
    expect(json.homography).toHaveLength(9);
    expect(json.inliers).toBeGreaterThan(50);
    expect(json.matches).toBeGreaterThanOrEqual(json.inliers);
    expect(json.info).toMatchObject({ model: "strata-s", backend: "cpu" });
    expect(json.info.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(json.seconds.total).toBeGreaterThan(0);
    const arrays = readNpz(readFileSync(at("m.npz")));
    expect(arrays.matches.shape).toEqual([json.matches, 2]);
    expect([...(arrays.homography.data as Float64Array)]).toEqual(json.homography);
    expect(readFileSync(at("m.svg"), "utf8")).toMatch(/^<svg/);
    expect(readFileSync(at("m.html"), "utf8")).toContain("</html>");
    expect(readFileSync(at("m.png")).subarray(1, 4).toString()).toBe("PNG");
    expect(JSON.parse(readFileSync(at("m.json"), "utf8")).points).toHaveLength(json.matches);
  });

  it("gives the same answer again, and zero keypoints are an answer", () => {
    const once = () =>
      JSON.parse(strata("match", "photos/a.png", "photos/b.png", "--json", "--seed", "3").out).homography;
    expect(once()).toEqual(once());
    const { code, out } = strata("match", "grey.png", "photos/b.png", "--json", "--thresh", "0.5");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ matches: 0, inliers: 0, homography: null });
    expect(strata("match", "grey.png", "grey.png", "--thresh", "0.5").out).toMatch(/no keypoints[\s\S]*no matches/);
  });

  it.each([
    [["missing.jpg"], 1, /missing\.jpg: there is no such file/],
    [["empty.jpg"], 1, /empty\.jpg is empty/],
    [["truncated.png"], 1, /truncated\.png: .*truncated or damaged/],
    [["text.jpg"], 1, /text\.jpg: not an image/],
    [["huge.pgm"], 1, /200000×200000 .* over the limit/],
    [["photos"], 1, /photos: it is a folder/],
    [["photos/b.png", "--model", "nope"], 2, /no model "nope".*strata-s/],
    [["photos/b.png", "--model", "photos"], 2, /no model\.safetensors/],
    [["photos/b.png", "--modle", "x"], 2, /unknown option '--modle'/],
    [["photos/b.png", "--thresh", "high"], 2, /--thresh.*got high/],
    [["photos/b.png", "--refine", "much"], 2, /subpixel, grid/],
    [["photos/b.png", "--first-stride", "3"], 2, /--first-stride/],
    [["photos/b.png", "--nouse_nms"], 2, /--nms/],
    [["photos/b.png", "--out", "m.bmp"], 2, /ending must be one of/],
    [["photos/b.png", "--out", "grey.png/x/m.svg"], 1, /grey\.png/],
    [
      ["photos/b.png", "--out", "./photos/b.png"],
      2,
      /\.\/photos\/b\.png is one of the images and would be overwritten/,
    ],
    [["photos/b.png", "--first-stride", "2"], 2, /reference network/],
  ])("says plainly what is wrong: %j", (rest, code, message) => {
    const result = strata("match", "photos/a.png", ...rest);
    expect(result.err).toMatch(message);
    expect(result.code).toBe(code);
    expect(result.out).toBe("");
  });

  it("names what is wrong with a model", () => {
    mkdirSync(at("damaged"));
    const config = readFileSync(join(MODEL, "config.json"), "utf8");
    const weights = readFileSync(join(MODEL, "model.safetensors"));
    const cases: [Uint8Array, string, RegExp][] = [
      [weights.subarray(0, 5000), config, /damaged/],
      [
        weights,
        config.replace('"descriptorDim": 64', '"descriptorDim": 32'),
        /encoders\.1\.weight" has shape \[64,32,1,1\]/,
      ],
      [weights, config.replace("cd2f28", "000000"), /SHA-256/],
      [weights, "{", /config\.json/],
    ];
    for (const [bytes, json, message] of cases) {
      writeFileSync(at("damaged/model.safetensors"), bytes);
      writeFileSync(at("damaged/config.json"), json);
      const { code, err } = strata("match", "photos/a.png", "photos/b.png", "--model", "damaged");
      expect(err).toMatch(message);
      expect(code).toBe(1);
    }
    writeFileSync(at("foreign.ckpt"), Buffer.from("\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.", "latin1"));
    const foreign = strata("match", "photos/a.png", "photos/b.png", "--model", "foreign.ckpt");
    expect(foreign.code).toBe(1);
  });
});

describe("strata extract", () => {
  it("writes npz, mat and json that read back, reports a bad image, goes on and ends with 1", () => {
    for (const format of ["npz", "mat", "json"] as const) {
      const result = strata(
        "extract",
        "photos",
        "truncated.png",
        "--format",
        format,
        "--out",
        `out-${format}`,
        "--json",
      );
      expect(result.code).toBe(1);
      expect(result.err).toMatch(/truncated\.png/);
      const json = JSON.parse(result.out);
      expect(json).toMatchObject({ images: 4, extracted: 3, skipped: 0 });
      expect(json.failed).toHaveLength(1);
      expect(json.outputs).toHaveLength(3);
      const bytes = readFileSync(at(json.outputs.find((path: string) => /a\.png/.test(path))));
      const features = readFeatures(format, bytes, {});
      expect(features.count).toBeGreaterThan(100);
      expect(features.imageSize).toEqual([320, 240]);
      if (format === "mat") expect(readMat(bytes).descriptors.shape).toEqual([features.count, 64]);
    }
  });

  it("h5: one file, finished images are not done again, changed options never mix", async () => {
    expect(strata("extract", "photos", "--format", "h5", "--out", "all.h5").code).toBe(0);
    const all = await readHlocFeatures(readFileSync(at("all.h5")));
    expect([...all.keys()].sort()).toEqual(["a.png", "b.png", "c.png"]);
    const again = JSON.parse(
      strata("extract", "photos", "--format", "h5", "--out", "all.h5", "--resume", "--json").out,
    );
    expect(again).toMatchObject({ extracted: 0, skipped: 3 });
    const changed = strata(
      "extract",
      "photos",
      "--format",
      "h5",
      "--out",
      "all.h5",
      "--resume",
      "--max-features",
      "50",
      "--json",
    );
    if (changed.code === 0) expect(JSON.parse(changed.out)).toMatchObject({ extracted: 3, skipped: 0 });
    else expect(changed.err).toMatch(/options/);
  });

  it("resumes what is finished; a damaged output is made again", () => {
    const run = (...more: string[]) => JSON.parse(strata("extract", "photos", "--out", "r", "--json", ...more).out);
    const { outputs } = run();
    writeFileSync(at(outputs[0]), readFileSync(at(outputs[0])).subarray(0, 500));
    rmSync(at(outputs[1]));
    expect(run("--resume")).toMatchObject({ extracted: 2, skipped: 1 });
    expect(run("--resume")).toMatchObject({ extracted: 0, skipped: 3 });
    expect(run("--resume", "--max-features", "20")).toMatchObject({ extracted: 3, skipped: 0 });
  });

  it("stopped in the middle it leaves whole files only, and goes on with --resume", async () => {
    mkdirSync(at("many"));
    for (let i = 0; i < 40; i++) writeFileSync(at("many", `${i}.png`), readFileSync(at("photos/a.png")));
    const running = startStrata(folder, ["extract", "many", "--out", "stopped"]);
    await until(
      running,
      () => existsSync(at("stopped")) && readdirSync(at("stopped")).filter((f) => f.endsWith(".npz")).length >= 3,
    );
    running.child.kill("SIGINT");
    expect(await running.ended).toBe(130);
    expect(running.text()).toMatch(/--resume/);
    const files = readdirSync(at("stopped"));
    expect(files.filter((name) => name.endsWith(".tmp"))).toEqual([]);
    const finished = files.filter((name) => name.endsWith(".npz"));
    expect(finished.length).toBeLessThan(40);
    for (const name of finished)
      expect(readFeatures("npz", readFileSync(at("stopped", name)), {}).count).toBeGreaterThan(0);
    const json = JSON.parse(strata("extract", "many", "--out", "stopped", "--resume", "--json").out);
    expect(json.skipped).toBeGreaterThanOrEqual(finished.length);
    expect(json.skipped + json.extracted).toBe(40);
  });

  it("stopped by a polite kill while it makes an h5 it keeps parts, and --resume makes the file of them", async () => {
    const args = ["extract", "many", "--format", "h5", "--out", "stopped.h5"];
    const running = startStrata(folder, args);
    const parts = () => (existsSync(at("stopped.h5.parts")) ? readdirSync(at("stopped.h5.parts")) : []);
    await until(running, () => parts().filter((name) => name.endsWith(".npz")).length >= 3);
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(130);
    expect(running.text()).toMatch(/interrupted; \d+ of 40 images are finished .*stopped\.h5\.parts.*--resume/);
    expect(existsSync(at("stopped.h5"))).toBe(false);
    const finished = parts().length;
    expect(parts().filter((name) => name.endsWith(".tmp"))).toEqual([]);
    const json = JSON.parse(strata(...args, "--resume", "--json").out);
    expect([json.skipped, json.extracted]).toEqual([finished, 40 - finished]);
    expect((await readHlocFeatures(readFileSync(at("stopped.h5")))).size).toBe(40);
    expect(existsSync(at("stopped.h5.parts"))).toBe(false);
  });

  it("takes lists, the reference's flags and flat images; refuses what would overwrite or cannot be written", () => {
    writeFileSync(at("list.txt"), "# two images\nphotos/a.png\n\nphotos/missing.png\n");
    const listed = strata(
      "extract",
      "--image_list_file",
      "list.txt",
      "--out",
      "l",
      "--output_extension",
      ".our-model",
      "--max_edge",
      "100",
    );
    expect(listed.code).toBe(1);
    expect(listed.err).toMatch(/missing\.png/);
    expect(readdirSync(at("l")).some((name) => name === "a.png.our-model")).toBe(true);

    const flat = JSON.parse(strata("extract", "grey.png", "--thresh", "0.5", "--out", "g", "--json").out);
    expect(flat).toMatchObject({ extracted: 1, keypoints: 0 });
    expect(readFeatures("npz", readFileSync(at(flat.outputs[0])), {}).count).toBe(0);

    mkdirSync(at("other"));
    writeFileSync(at("other/a.png"), readFileSync(at("photos/b.png")));
    const both = JSON.parse(strata("extract", "photos/a.png", "other/a.png", "--out", "same", "--json").out);
    expect(new Set(both.outputs).size).toBe(2);

    const blocked = strata("extract", "photos", "--out", "grey.png");
    expect(blocked.code).not.toBe(0);
    expect(blocked.err).toMatch(/grey\.png/);
    expect(statSync(at("grey.png")).isFile()).toBe(true);
    expect(strata("extract", "nothing-here/*.png").code).not.toBe(0);
  });
});

describe("strata info and help", () => {
  it("describes the default model, for people and as JSON", () => {
    const { out } = strata("info", "--json");
    expect(JSON.parse(out)).toMatchObject({ name: "strata-s", kind: "strata", parameters: 356008 });
    expect(strata("info").out).toMatch(/356,008/);
  });

  it("helps with examples, and shows a stack only when asked", () => {
    for (const args of [[], ["extract"], ["match"], ["info"]]) {
      const { code, out } = strata(...args, "--help");
      expect(code).toBe(0);
      expect(out).toMatch(/Examples:[\s\S]*strata /);
    }
    expect(strata("match", "missing.jpg", "missing.jpg", "--debug").err).toMatch(/\n\s+at /);
    expect(strata("--version").out.trim()).toMatch(/^\d+\.\d+\.\d+/);
  });
});
