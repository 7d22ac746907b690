/** `strata bench verdict` and what it does to `strata match`, as people run them. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import type { Image } from "../../src/image/image.js";
import { loadImage, saveImage } from "../../src/node/images.js";
import { Random } from "../../src/random.js";
import { runStrata } from "./command.js";

const here = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strata-verdict-"));
  mkdirSync(at("photos"));
  for (const seed of [1, 2, 3]) {
    const { a, b } = drawDemoPair(seed);
    await saveImage(at("photos", `${seed}.png`), a);
    if (seed === 1) await saveImage(at("again.png"), b);
    // Drawn scenes hang alike, so one is turned over: else their frames would agree on a homography.
    if (seed === 2) await saveImage(at("other.png"), mirrored(a));
  }
  cpSync(here("models/strata-xs"), at("own"), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function mirrored({ width, height, data }: Image): Image {
  const turned = new Uint8Array(data.length);
  for (let i = 0; i < width * height; i++) {
    const from = 3 * (i - (i % width) + width - 1 - (i % width));
    turned.set(data.subarray(from, from + 3), 3 * i);
  }
  return { width, height, data: turned };
}

const strata = (...args: string[]) => runStrata(folder, args);

describe("the verdict on two images", () => {
  it("of the default model: a scene seen again is the same, another one is not", () => {
    const same = strata("match", "photos/1.png", "again.png", "--json");
    expect(JSON.parse(same.out)).toMatchObject({ verdict: "same" });
    expect(JSON.parse(same.out).probability).toBeGreaterThan(0.9);
    expect(strata("match", "photos/1.png", "again.png").out).toMatch(
      /^same: the homography is right with probability /m,
    );
    const other = JSON.parse(strata("match", "photos/1.png", "other.png", "--json").out);
    expect(other.verdict).not.toBe("same");
  });

  it("a printed frame is something that both show, a watermark alone is not", async () => {
    const random = new Random(5);
    const cells = Uint8Array.from({ length: 160 * 120 }, () => 40 + random.integer(200));
    const inFrame = (x: number, y: number) => Math.min(x, y, 639 - x, 479 - y) < 24;
    const inMark = (x: number, y: number) => x > 500 && x < 608 && y > 420 && y < 450;
    for (const [name, isPrinted] of Object.entries({ frame: inFrame, mark: inMark })) {
      for (const picture of [at("photos/1.png"), at("other.png")]) {
        const { width, height, data } = await loadImage(picture);
        const printed = Uint8Array.from(data);
        for (let i = 0; i < width * height; i++) {
          const [x, y] = [i % width, Math.floor(i / width)];
          if (isPrinted(x, y)) printed.fill(cells[(y >> 2) * 160 + (x >> 2)], 3 * i, 3 * i + 3);
        }
        await saveImage(at(`${name}-${picture.endsWith("other.png") ? 2 : 1}.png`), { width, height, data: printed });
      }
    }
    const verdict = (name: string) =>
      JSON.parse(strata("match", `${name}-1.png`, `${name}-2.png`, "--json").out).verdict;
    expect(verdict("frame")).toBe("same");
    expect(verdict("mark")).not.toBe("same");
  });

  it("is fitted on photographs, told, drawn and written into the model's configuration", () => {
    const sizes = ["--pairs", "12", "--different", "12"];
    const { code, out, err } = strata(
      ...["bench", "verdict", "--photos", "photos", ...sizes, "--into", "own", "--figure", "r.svg", "--json"],
    );
    expect(err).not.toMatch(/strata:/);
    expect(code).toBe(0);
    const { verdict, fitted, tested } = JSON.parse(out);
    expect(tested).toBeNull();
    // Each pair is judged by its best 15, 50, 200 and by all keypoints.
    expect(fitted).toMatchObject({ pairs: 48, unrelated: 48 });
    expect(fitted.right).toBeGreaterThan(0);
    expect(fitted.curve.reduce((sum: number, { count }: { count: number }) => sum + count, 0)).toBe(96);
    const before = JSON.parse(readFileSync(here("models/strata-xs/config.json"), "utf8"));
    const config = JSON.parse(readFileSync(at("own/config.json"), "utf8"));
    // What is fitted for scenes with depth stays.
    expect(config).toEqual({ ...before, verdict: { ...before.verdict, ...verdict } });
    expect(config.verdict.fitted.data).toMatch(/^[0-9a-f]{64}$/);
    expect(readFileSync(at("r.svg"), "utf8")).toMatch(/^<svg .*<circle/s);
    const found = JSON.parse(strata("match", "photos/1.png", "again.png", "--model", "own", "--json").out);
    expect(["same", "uncertain"]).toContain(found.verdict);
  });

  it("is fitted on scenes with depth, and stands beside that on homographies", () => {
    const before = JSON.parse(readFileSync(at("own/config.json"), "utf8"));
    const sizes = ["--pairs", "12", "--different", "12", "--geometry", "fundamental"];
    const { code, out } = strata("bench", "verdict", "--photos", "photos", ...sizes, "--into", "own", "--json");
    expect(code).toBe(0);
    const { verdict, fitted } = JSON.parse(out);
    expect(fitted).toMatchObject({ pairs: 48, unrelated: 48 });
    expect(fitted.right).toBeGreaterThan(0);
    const config = JSON.parse(readFileSync(at("own/config.json"), "utf8"));
    expect(config).toEqual({ ...before, verdict: { ...before.verdict, fundamental: verdict } });
    const again = strata("match", "photos/1.png", "again.png", "--model", "own", "--json");
    expect(JSON.parse(again.out).verdict).toMatch(/^(same|uncertain)$/);
  });

  it.each<[string, string[], number, RegExp]>([
    ["a geometry that is none", ["--photos", "photos", "--geometry", "affine"], 2, /--geometry/],
    ["no photographs", ["--photos", "absent"], 1, /absent/],
    ["a model that is not there", ["--photos", "photos", "--into", "absent"], 1, /absent.config\.json/],
    [
      "thresholds the wrong way round",
      ["--photos", "photos", "--same", "0.1", "--unlike", "0.5"],
      2,
      /--unlike must be at most/,
    ],
    ["too few pairs", ["--photos", "photos", "--pairs", "2"], 2, /--pairs/],
    ["nowhere to draw", ["--photos", "photos", "--figure", "again.png/r.svg"], 1, /again\.png/],
  ])("refuses %s", (_, args, code, message) => {
    const done = strata("bench", "verdict", ...args);
    expect(done.err).toMatch(message);
    expect(done.code).toBe(code);
  });
});
