/** What a stranger meets: an install that ends well, doors that open, types that fit, bundles that run. */
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import { cornerError } from "../../src/geometry/index.js";
import { saveImage } from "../../src/node/images.js";
import { PEERS } from "../../src/peers.js";
import { describeBrowser, launch, openPage } from "../browser/page.js";
import { BUNDLERS, serveByVite, serveFolder } from "./bundles.js";
import { type Installed, install, ROOT } from "./installed.js";

const DOORS = ["", "/node", "/web", "/search", "/jobs", "/train", "/bench"];
const pair = drawDemoPair(7);

let installed: Installed;
beforeAll(async () => {
  installed = install();
  await saveImage(join(installed.folder, "a.png"), pair.a);
  await saveImage(join(installed.folder, "b.png"), pair.b);
});
afterAll(() => installed?.remove());

const has = (name: string): boolean => existsSync(join(installed.folder, "node_modules", name));

describe("npm install with scripts, where no feed of GPU files answers", () => {
  it("ends well, without what is rarely needed, and with a command that works", () => {
    const { bytes, seconds } = installed;
    console.log(`npm install: ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(0)} s`);
    for (const name of [...Object.keys(PEERS), "@techstark/opencv-js", "opencv-js-4"])
      expect(has(name), name).toBe(false);
    const { code, out, err } = installed.strata("match", "a.png", "b.png", "--json");
    expect(code, err).toBe(0);
    const { matches, homography, info } = JSON.parse(out);
    expect(matches).toBeGreaterThan(50);
    expect(cornerError(homography, pair.truth, [pair.a.width, pair.a.height])).toBeLessThan(2);
    expect(info.graph).toEqual({ prepared: true });
    expect(info.backend).toBe(has("onnxruntime-node") ? "cpu" : "wasm");
  });

  it("without the native runtime says so once, with its remedy, and in info always", () => {
    // On machines for which the script fetches nothing it is there, and nothing is said.
    const expected = has("onnxruntime-node") ? 0 : 1;
    const { err } = installed.strata("match", "a.png", "b.png");
    expect(err.split("npm install onnxruntime-node@").length - 1).toBe(expected);
    const { out } = installed.strata("info");
    expect(out).toMatch(expected ? /WebAssembly.*npm install onnxruntime-node@/ : /runs on +onnxruntime-node \d/);
    if (process.platform === "linux" && process.arch === "x64") expect(expected).toBe(1);
  });

  it("says which package a rare format needs, before any work", () => {
    const { code, err } = installed.strata("extract", "a.png", "--format", "h5", "--out", "f.h5");
    expect(code).toBe(1);
    expect(err).toBe(
      `strata: HDF5 files need the package h5wasm ^${PEERS.h5wasm.version}, which is not installed; run "npm install h5wasm@${PEERS.h5wasm.version}"\n`,
    );
    expect(existsSync(join(installed.folder, "f.h5"))).toBe(false);
  });
});

describe("doors", () => {
  const names = (text: string) => JSON.parse(text) as Record<string, number>;

  it("open by import and by require, to the same names", () => {
    const list = JSON.stringify(DOORS);
    const count = "out[door] = Object.keys(module).length";
    writeFileSync(
      join(installed.folder, "doors.mjs"),
      `const out = {}; for (const door of ${list}) { const module = await import("strata-features" + door); ${count}; } console.log(JSON.stringify(out));`,
    );
    writeFileSync(
      join(installed.folder, "doors.cjs"),
      `const out = {}; for (const door of ${list}) { const module = require("strata-features" + door); ${count}; } console.log(JSON.stringify(out));`,
    );
    const imported = installed.node("doors.mjs");
    expect(imported.err).toBe("");
    const found = names(imported.out);
    expect(Object.keys(found)).toEqual(DOORS);
    for (const door of DOORS) expect(found[door], door).toBeGreaterThan(10);
    // Node 20 asks for a flag before 20.19.
    const required = installed.node("--experimental-require-module", "--no-warnings", "doors.cjs");
    expect(required.err).toBe("");
    expect(names(required.out)).toEqual(found);
  });

  it("package.json and models are exported", () => {
    const paths = [
      "package.json",
      "models/strata-s/model.safetensors",
      "models/strata-s/graph.onnx",
      "data/models.json",
    ];
    const script = `for (const path of ${JSON.stringify(paths)}) console.log(require("node:fs").statSync(require.resolve("strata-features/" + path)).size > 0)`;
    expect(installed.node("-e", script)).toMatchObject({ code: 0, out: "true\n".repeat(paths.length) });
  });

  it.each([
    ["commonjs", "node10"],
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])("have types under --module %s --moduleResolution %s, libraries' own checked", (module, resolution) => {
    cpSync(join(ROOT, "node_modules/@types/node"), join(installed.folder, "node_modules/@types/node"), {
      recursive: true,
    });
    cpSync(join(ROOT, "node_modules/undici-types"), join(installed.folder, "node_modules/undici-types"), {
      recursive: true,
    });
    const imports = DOORS.map((door, i) => `import * as door${i} from "strata-features${door}";\n`).join("");
    writeFileSync(
      join(installed.folder, "stranger.ts"),
      `${imports}export const opened: Promise<door0.Extractor> = door1.openExtractor({ maxFeatures: 10 });\nexport const all = [${DOORS.map((_, i) => `door${i}`)}];\n`,
    );
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--types", "node"];
    const old = resolution === "node10" ? ["--ignoreDeprecations", "6.0"] : [];
    const checked = installed.node(
      tsc,
      ...options,
      "--module",
      module,
      "--moduleResolution",
      resolution,
      ...old,
      "stranger.ts",
    );
    expect(checked).toMatchObject({ code: 0, out: "" });
  });
});

/**
 * Most bytes, compressed, that a page loads to track, and what matching adds; of scripts with a bundler that copies workers,
 * and with one whose worker comes as a text. The model is strata-t, the tracker's.
 */
const LIMITS = { scripts: 120_000, matching: 30_000, withText: 200_000, runtime: 3_800_000, model: 300_000 };

/** A script of so few bytes is not a part of its own: it names one that is there already. */
const SMALL = 2000;

/** A message that only jax-js has: minifiers leave it. */
const OF_JAX = "outTree was not set in makeJaxpr";

describeBrowser("bundles in Chromium", () => {
  it.each(Object.entries(BUNDLERS))("%s makes one without configuration, and it runs", async (name, bundle) => {
    const { page: path, wasm } = await bundle(installed.folder);
    const files = await serveFolder(installed.folder);
    const browser = await launch();
    try {
      const page = await openPage(browser);
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.goto(files.address + path);
      await page.waitForFunction("globalThis.trackPicture");
      const base = wasm && files.address + wasm;
      expect(await page.evaluate(`trackPicture("/a.png", "/b.png", ${JSON.stringify(base)})`)).toEqual({
        ...{ graph: { prepared: true }, backend: "wasm", worker: { used: true }, checked: true, state: "found" },
      });
      const { scripts, runtime, model, texts } = files.taken();
      const result = (await page.evaluate('matchPair("/a.png", "/b.png")')) as { matches: number; matrix: number[] };
      const more = files.taken();
      expect(result.matches).toBeGreaterThan(50);
      expect(cornerError(result.matrix, pair.truth, [pair.a.width, pair.a.height])).toBeLessThan(2);
      expect(errors).toEqual([]);
      const kB = [scripts, runtime, model].map((bytes) => (bytes / 1000).toFixed(0));
      console.log(
        `${name}: ${kB[0]} kB of scripts, ${kB[1]} of the runtime, ${kB[2]} of the model; ${(more.scripts / 1000).toFixed(0)} kB for matching`,
      );
      expect(scripts).toBeGreaterThan(10_000);
      // webpack puts what both parts need into the first: there they are counted together.
      const most = more.scripts > SMALL ? LIMITS.scripts : LIMITS.scripts + LIMITS.matching;
      expect(scripts).toBeLessThan(wasm ? LIMITS.withText : most);
      expect(more.scripts).toBeLessThan(LIMITS.matching);
      expect(runtime).toBeGreaterThan(10_000);
      expect(runtime).toBeLessThan(LIMITS.runtime);
      expect(model).toBeLessThan(LIMITS.model);
      // Neither jax-js nor OpenCV is in what the page loads. (esbuild puts our own tracing, 5 kB, beside what is used.)
      const jax = readFileSync(join(installed.folder, "node_modules/@jax-js/jax/dist/index.js"), "utf8");
      expect(jax).toContain(OF_JAX);
      for (const text of [...texts, ...more.texts])
        expect(text.includes(OF_JAX) || /findHomography|TensorProto/.test(text)).toBe(false);
    } finally {
      await browser.close();
      await files.close();
    }
  });

  it("runs the example with Vite's development server, in a worker", async () => {
    cpSync(join(ROOT, "examples/web-vite"), join(installed.folder, "example"), { recursive: true });
    const { address, close } = await serveByVite(installed.folder);
    const browser = await launch();
    try {
      const page = await openPage(browser);
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.goto(`${address}example/`);
      await page.waitForFunction('/keypoints|cannot|rror/.test(document.querySelector("#result").textContent)');
      expect(await page.evaluate('document.querySelector("#result").textContent')).toMatch(
        /^[1-9]\d+ keypoints \(wasm, in a worker\)$/,
      );
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
      await close();
    }
  });
});
