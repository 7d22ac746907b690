/**
 * `strata export` from its command line: the file gives the library's points on every runtime there is, and what is wrong
 * is said plainly and leaves nothing behind.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/formats/safetensors.js";
import type { CheckReport } from "../../src/node/export.js";
import { saveImage } from "../../src/node/images.js";
import { writeModelFolder } from "../../src/node/model-folder.js";
import { noiseImage, strataTensors, TINY } from "../models.js";
import { fakeStrata } from "../unit/cli/fake.js";
import { runOnWebGpu, skipWithoutGpu } from "./webgpu-process.js";

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strata-export-"));
  const weights = writeSafetensors(strataTensors());
  const scales = [0.8, 0.4];
  await writeModelFolder(at("model"), weights, { ...TINY, detection: { ...TINY.detection, scales } });
  mkdirSync(at("images"));
  for (const [width, height] of [
    [90, 61],
    [17, 16],
    [1, 1],
  ]) {
    await saveImage(at("images", `${width}x${height}.png`), noiseImage(width, height));
  }
  writeFileSync(at("there.onnx"), "something");
  writeFileSync(at("text.png"), "not an image");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const strata = (...argv: string[]) => fakeStrata().run(...argv);

describe("strata export", () => {
  it("writes a file that gives the library's points on onnxruntime-node and onnxruntime-web", async () => {
    const out = at("new", "tiny.onnx");
    const {
      code,
      out: text,
      err,
    } = await strata(
      ...[
        "export",
        "--model",
        at("model"),
        "--out",
        out,
        "--check",
        at("images"),
        "--threads",
        "1",
        "--json",
        "--quiet",
      ],
    );
    expect(err).toBe("");
    expect(code).toBe(0);
    const report = JSON.parse(text) as { bytes: number; slots: number; check: CheckReport[] };
    expect(report).toMatchObject({ out, slots: 500, dim: 8, input: "uint8", precision: "fp32", size: null });
    expect(report).toMatchObject({ model: { name: "tiny" }, options: { scales: [0.8, 0.4], maxFeatures: 500 } });
    expect(report.bytes).toBe(readFileSync(out).length);
    expect(report.check.map(({ runtime }) => runtime.replace(/ [\d.]+/, ""))).toEqual([
      "onnxruntime-node, cpu",
      "onnxruntime-web, wasm",
    ]);
    for (const { images, total, same } of report.check) {
      expect(images.map(({ size }) => size.join("x")).sort()).toEqual(["17x16", "1x1", "90x61"]);
      expect(total.points).toBeGreaterThan(20);
      expect(total.same).toBe(total.points);
      expect(total.cosine).toBeGreaterThan(0.9999);
      expect(same).toBe(true);
    }
    expect(readdirSync(at("new"))).toEqual(["tiny.onnx"]);
  });

  it("writes what COLMAP runs, checked as COLMAP feeds it, and refuses flags that COLMAP has the say of", async () => {
    const out = at("colmap", "tiny.onnx");
    const plain = ["export", "--model", at("model"), "--format", "colmap", "--out", out];
    const checked = ["--check", at("images"), "--threads", "1", "--json", "--quiet"];
    const { code, out: text } = await strata(...plain, ...checked);
    expect(code).toBe(0);
    const report = JSON.parse(text) as { check: CheckReport[] };
    expect(report).toMatchObject({ format: "colmap", slots: null, dim: 8, input: "float32", batch: 1 });
    for (const { total, same } of report.check) {
      expect(total.points).toBeGreaterThan(20);
      expect(total.same).toBe(total.points);
      expect(same).toBe(true);
    }
    for (const flags of [
      ["--size", "64x64"],
      ["--batch", "1"],
      ["--input", "uint8"],
      ["--max-features", "9"],
    ]) {
      const refused = await strata(...plain, "--force", ...flags);
      expect(refused.code).toBe(2);
      expect(refused.err).toContain(`${flags[0]} does not go with --format colmap`);
    }
    expect((await strata("export", "--matcher", "--format", "colmap", "--out", at("m.onnx"))).err).toContain(
      "--format does not go with --matcher",
    );
  });

  it("prints facts and tables, of rounded weights what they cost, at a fixed size and batch", async () => {
    const out = at("small.onnx");
    const { code, out: text } = await strata(
      ...["export", "--model", at("model"), "--out", out, "--int8", "--size", "80x64", "--batch", "2"],
      ...["--input", "float32", "--max-features", "40", "--scales", "1", "--check", at("images/90x61.png")],
      ...["--runtimes", "node", "--against", "same"],
    );
    expect(code).toBe(0);
    expect(text).toContain("image [2, 64, 80, 3], float32");
    expect(text).toContain("keypoints [2, 40, 2], scores [2, 40], descriptors [2, 40, 8]");
    expect(text).toMatch(/90x61\.png +80x64 +40 /);
    expect(text).toMatch(/int8/);
  });

  it("fails where the file does not give the library's points", async () => {
    // The 8-bit file as if it were exact: what is judged is the file, not how it was made.
    const { checkExport, exportModel } = await import("../../src/node/export.js");
    const open = { model: at("model") };
    const report = await exportModel(at("rounded.onnx"), { ...open, precision: "int8" });
    const images = [{ name: "noise", read: async () => noiseImage(120, 90) }];
    const [own] = await checkExport(readFileSync(report.out), report, open, images, {
      runtimes: ["web"],
      against: "same",
    });
    expect(own).toMatchObject({ same: false, total: { points: own.images[0].points } });
    const [{ same, total }] = await checkExport(readFileSync(report.out), report, open, images, { runtimes: ["node"] });
    expect(total.points).toBeGreaterThan(20);
    expect(same).toBe(false);
  });

  it("writes the matcher", async () => {
    const out = at("matcher.onnx");
    const { code, out: text } = await strata("export", "--matcher", "--dim", "8", "--out", out, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ out, dim: 8, bytes: readFileSync(out).length });
    expect((await strata("export", "--matcher", "--out", out, "--force")).out).toContain("pairs [P, 2]");
  });

  it("replaces a file only with --force", async () => {
    const again = ["export", "--model", at("model"), "--out", at("there.onnx")];
    const refused = await strata(...again);
    expect(refused).toMatchObject({ code: 2, out: "" });
    expect(refused.err).toMatch(/there\.onnx is there already; give another name, or --force/);
    expect(readFileSync(at("there.onnx"), "utf8")).toBe("something");
    expect((await strata(...again, "--force", "--quiet")).code).toBe(0);
    expect(readFileSync(at("there.onnx")).length).toBeGreaterThan(10_000);
  });

  it.each<[string, number, RegExp, string[]]>([
    ["an unknown model", 2, /no model "nothing"/, ["--model", "nothing"]],
    ["an output that is no .onnx", 2, /must be a file \.onnx, got "a\.txt"/, ["--out", "a.txt"]],
    ["a folder that cannot be", 1, /cannot write into .*: a part of the path is a file/, ["--out", "text.png/a.onnx"]],
    ["a size of nothing", 2, /"size" must be a whole number ≥ 1/, ["--size", "0x480"]],
    ["a size beyond all images", 2, /"size" must be a whole number .* ≤ 65535, got 70000/, ["--size", "70000x2"]],
    ["a size that is none", 2, /"--size" must be WIDTHxHEIGHT, like 640x480, got 640/, ["--size", "640"]],
    ["no images at a time", 2, /"--batch" must be a whole number ≥ 1/, ["--batch", "0"]],
    ["scales above 1", 2, /"scales" must be 1 to 16 different numbers above 0/, ["--scales", "1,2"]],
    ["too many rows", 2, /"maxFeatures" must be a whole number .* ≤ 1000000/, ["--max-features", "2000000"]],
    ["a matcher of a model", 2, /--model does not go with --matcher/, ["--matcher", "--model", "strata-s"]],
    ["a matcher with a size", 2, /--size does not go with --matcher/, ["--matcher", "--size", "4x4"]],
    ["a matcher of floats", 2, /--input does not go with --matcher/, ["--matcher", "--input", "float32"]],
    ["--dim without a matcher", 2, /--dim is for --matcher/, ["--dim", "64"]],
    ["two precisions", 2, /--int8 and --precision fp16 do not go together/, ["--int8", "--precision", "fp16"]],
    ["--runtimes without --check", 2, /--runtimes is for --check/, ["--runtimes", "web"]],
    ["a runtime that is none", 2, /"--runtimes" must name some of node, web, webgpu/, ["--runtimes", "cuda"]],
    ["images that are not there", 2, /nothing was written/, ["--check", "missing.png"]],
    ["a flag of extraction alone", 2, /unknown option '--max-edge'/, ["--max-edge", "800"]],
  ])("refuses %s", async (_, code, message, flags) => {
    const own = flags.map((flag) => (/^(text\.png|a\.txt|missing)/.test(flag) ? at(flag) : flag));
    const model = flags.includes("--model") || flags.includes("--matcher") ? [] : ["--model", at("model")];
    const result = await strata("export", "--out", at("never.onnx"), ...model, ...own);
    expect(result.err.replaceAll(`${folder}/`, "")).toMatch(message);
    expect(result).toMatchObject({ code, out: "" });
    expect(existsSync(at("never.onnx"))).toBe(false);
  });

  it("keeps the file and says so when an image of the check cannot be read", async () => {
    const out = at("kept.onnx");
    const result = await strata("export", "--model", at("model"), "--out", out, "--check", at("text.png"));
    expect(result.code).toBe(1);
    expect(result.err).toMatch(/text\.png/);
    expect(existsSync(out)).toBe(true);
  });

  it("gives the library's points on WebGPU", async ({ skip }) => {
    const { lines, end } = await runOnWebGpu(new URL("./export-webgpu-child.ts", import.meta.url));
    expect(end).toBe("");
    const [report] = lines.map((line) => JSON.parse(line) as CheckReport & { absent?: string });
    skipWithoutGpu("strata export on WebGPU", report?.absent, skip);
    expect(report.runtime).toMatch(/webgpu$/);
    expect(report.total.points).toBeGreaterThan(10);
    expect(report.same).toBe(true);
  });
});
