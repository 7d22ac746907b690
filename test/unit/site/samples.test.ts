/** The site's samples run as they are printed, in a folder of small drawn pictures. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { drawDemoPair } from "../../../demo/draw.js";
import { openInterrupt } from "../../../src/cli/context.js";
import { nodeEngine } from "../../../src/cli/engine.js";
import { main } from "../../../src/cli/main.js";
import { compose, inverse3x3 } from "../../../src/geometry/matrix3.js";
import { resizeImage } from "../../../src/image/resize.js";
import { saveImage, warpImage } from "../../../src/node/index.js";
import { noiseImage } from "../../models.js";
import { words } from "./pages.js";

const SAMPLES = fileURLToPath(new URL("../../../site/samples/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "strata-samples-"));
const before = process.cwd();

beforeAll(async () => {
  process.chdir(folder);
  for (const name of ["photos", "frames", "sequences", "sequences/v_drawn"]) mkdirSync(name);
  const drawn = drawDemoPair(7);
  const [a, b] = [drawn.a, drawn.b].map((image) => resizeImage(image, 320, 240));
  for (const [path, image] of Object.entries({
    ...{ "a.jpg": a, "b.jpg": b, "poster.jpg": a, "query.jpg": b },
    ...{ "photos/1.jpg": a, "photos/2.jpg": noiseImage(320, 240, 2) },
    ...{ "sequences/v_drawn/1.png": a, "sequences/v_drawn/2.png": b },
  }))
    await saveImage(path, image);
  writeFileSync("sequences/v_drawn/H_1_2", Array.from(halved(drawn.truth)).join(" "));
  for (let k = 0; k < 3; k++) {
    const place = [0.8, 0, 100 + 8 * k, 0, 0.8, 80, 0, 0, 1];
    await saveImage(`frames/${k}.png`, warpImage(a, place, { width: 480, height: 360, fill: [90, 90, 90] }));
  }
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

/** The homography between two images after both are halved: pixel p becomes (p + 0.5) / 2 − 0.5. */
function halved(h: Float64Array): Float64Array {
  const half = Float64Array.of(0.5, 0, -0.25, 0, 0.5, -0.25, 0, 0, 1);
  return compose(compose(half, h), inverse3x3(half) as Float64Array);
}

/** What a sample prints. */
async function printed(name: string): Promise<string> {
  const lines: unknown[][] = [];
  const log = vi.spyOn(console, "log").mockImplementation((...line) => void lines.push(line));
  try {
    await import(/* @vite-ignore */ `${SAMPLES}${name}`);
  } finally {
    log.mockRestore();
  }
  return lines.map((line) => line.map(String).join(" ")).join("\n");
}

/** Runs the commands of a sample, the first one with `more` flags, and gives what each printed. */
async function commands(name: string, ...more: string[]): Promise<string[]> {
  const outputs: string[] = [];
  for (const line of readFileSync(`${SAMPLES}${name}`, "utf8").split("\n")) {
    const [program, ...args] = words(line);
    if (program === undefined) continue;
    expect(program).toBe("strata");
    let [out, err] = ["", ""];
    const code = await main(outputs.length === 0 ? [...args, ...more] : args, {
      engine: nodeEngine,
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      terminal: false,
      listenForInterrupt: () => openInterrupt(),
    });
    expect(code, `${line}\n${err}`).toBe(0);
    outputs.push(out);
  }
  return outputs;
}

describe("samples in TypeScript", () => {
  it("match.ts", async () => {
    expect(await printed("match.ts")).toMatch(/^\d{3,} matches, \d{3,} of them in one plane\nsame 0\.9\d+\n[-\d.e,]+$/);
    expect(readFileSync("matches.svg", "utf8")).toMatch(/^<svg/);
  });

  it("features.ts", async () => {
    expect(await printed("features.ts")).toMatch(/^500 keypoints, the best one at [\d.]+, [\d.]+\n.*: 64 numbers/);
    expect(readFileSync("features.h5").subarray(1, 4).toString()).toBe("HDF");
    rmSync("features.h5");
  });

  it("search.ts", async () => {
    expect(await printed("search.ts")).toMatch(
      /^2 pictures added\nphotos\/1\.jpg: \d+ points agree, probability [01]\.\d+$/,
    );
    rmSync("photos.index", { recursive: true });
  });

  it("track.ts", async () => {
    expect(await printed("track.ts")).toMatch(
      /^quality [01]\.\d\d\n0 found 100 80 355 80 355 271 100 271\n1 tracked 108 80 .*\n2 tracked 116 80 .*$/,
    );
  });
});

describe("samples of commands", () => {
  it("node.sh", async () => {
    const [, json] = await commands("node.sh");
    expect(JSON.parse(json)).toMatchObject({ verdict: "same" });
  });

  it("search.sh", async () => {
    const [, , json] = await commands("search.sh");
    expect(JSON.parse(json).results[0]).toMatchObject({ id: expect.stringMatching(/1\.jpg$/), found: true });
  });

  it("ar.sh", async () => {
    const [, , lines] = await commands("ar.sh");
    expect(
      lines
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).targets[0].state),
    ).toEqual(["found", "tracked", "tracked"]);
  });

  it("colmap.sh", async () => {
    await commands("colmap.sh");
    expect(readFileSync("database.db").subarray(0, 13).toString()).toBe("SQLite format");
  });

  it("benchmark.sh", async () => {
    const [table] = await commands("benchmark.sh");
    expect(table).toMatch(/strata-xs[\s\S]*strata-t/);
    expect(readFileSync("report.html", "utf8")).toMatch(/^<!doctype html>/i);
  });

  it("training.sh", async () => {
    // As printed it would train for hours.
    await commands("training.sh", "--steps", "1", "--batch", "1", "--no-validation", "--threads", "1");
    expect(readFileSync("runs/mine.html", "utf8")).toMatch(/^<!doctype html>/i);
  });
});
