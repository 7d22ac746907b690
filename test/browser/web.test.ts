/** The web door as it is packed, on a plain server without a bundler: workers, sources, the model's files, backends. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { drawProbe } from "../../src/extract/probe.js";
import { openExtractor } from "../../src/node/index.js";
import { agreement } from "../agreement.js";
import { DOOR, ISOLATED, type PackageServer, ROOT, servePackage, TRACK } from "./files.js";
import { describeBrowser, launch, openPage } from "./page.js";
import type * as InPage from "./web-page.js";

type Functions = typeof InPage;
type Returned<F extends keyof Functions> = Awaited<ReturnType<Functions[F]>>;

/** Calls a function of web-page.ts in the page; the door is its first argument. */
const call = <F extends keyof Functions>(page: Page, name: F, ...args: unknown[]): Promise<Returned<F>> =>
  page.evaluate(
    `Promise.all([import("/page.js"), import("${DOOR}")]).then(([page, door]) => page.${name}(door, ...${JSON.stringify(args)}))`,
  ) as Promise<Returned<F>>;

/** The same for functions whose second argument is the door of tracking. */
const callTrack = <F extends keyof Functions>(page: Page, name: F, ...args: unknown[]): Promise<Returned<F>> =>
  page.evaluate(
    `Promise.all([import("/page.js"), import("${DOOR}"), import("${TRACK}")]).then(([page, door, track]) => page.${name}(door, track, ...${JSON.stringify(args)}))`,
  ) as Promise<Returned<F>>;

const floats = ({
  count,
  ...lists
}: {
  count: number;
  keypoints: number[];
  scores: number[];
  descriptors: number[];
}) => ({
  count,
  keypoints: Float32Array.from(lists.keypoints),
  scores: Float32Array.from(lists.scores),
  descriptors: Float32Array.from(lists.descriptors),
});

const image = drawProbe(320, 240);
const sent = { ...image, data: [...image.data] };

/** What Node finds in the picture. */
async function inNode() {
  const extractor = await openExtractor({ model: "strata-xs", maxFeatures: 500 });
  const features = await extractor.extract(image);
  await extractor.dispose();
  return features;
}

describeBrowser("the web door in Chromium", () => {
  let server: PackageServer;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];
  beforeAll(async () => {
    server = await servePackage(
      {},
      { "/example.html": readFileSync(join(ROOT, "examples/web-html/index.html"), "utf8") },
    );
    browser = await launch();
    page = await openPage(browser);
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(server.address);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  it("opens a model of the package by name in a worker, and finds what Node finds", async () => {
    const there = await call(page, "extractByName", sent, {});
    const same = agreement(floats(there), await inNode(), { position: 0.05, descriptor: 1e-3 });
    expect(same.share, JSON.stringify(same)).toBeGreaterThanOrEqual(0.995);
    const { worker, choice, graph, session } = there.info;
    expect(worker).toEqual({ used: true });
    expect(choice).toEqual({ backend: "wasm", checked: true, reason: "this browser has no WebGPU adapter" });
    expect(graph).toEqual({ prepared: true });
    // No headers, no threads.
    expect(session).toMatchObject({ backend: "wasm", threads: 1 });
    const ends = there.progress.filter(({ loaded, total }) => loaded === total);
    expect(ends.map(({ file }) => file.split("/").at(-1)).sort()).toEqual([
      "config.json",
      "graph.onnx",
      "model.safetensors",
    ]);
    expect(server.asked.join()).not.toMatch(/jax|opencv/);
    expect(errors).toEqual([]);
  });

  it("fetches weights and graph once, and works without a network", async () => {
    await call(page, "extractByName", sent, {});
    server.asked.length = 0;
    const again = await call(page, "extractByName", sent, {});
    expect(again.progress.filter(({ cached }) => cached)).toHaveLength(2);
    const models = () => server.asked.filter((path) => path.includes("/models/")).map((path) => path.split("/").at(-1));
    expect(models()).toEqual(["config.json"]);
    server.fail = [{ pattern: /\/models\//, how: "cut" }];
    expect((await call(page, "extractByName", sent, {})).count).toBe(again.count);
    server.fail = [];
    server.asked.length = 0;
    await call(page, "extractByName", sent, { cache: false });
    expect(models().sort()).toEqual(["config.json", "graph.onnx", "model.safetensors"]);
  });

  it("takes what a page can draw, copies unless it is given over, and says what is wrong with the rest", async () => {
    const { found, kept, gone, errors: said, after, disposed } = await call(page, "everySource");
    const [first, ...others] = Object.entries(found);
    expect(first[1].split(",").length).toBeGreaterThan(60);
    for (const [name, points] of others) expect(points, name).toBe(first[1]);
    expect({ kept, gone }).toEqual({ kept: [true, true], gone: [true, true] });
    expect(said).toEqual({
      closedFrame: expect.stringMatching(/^E_SHAPE extract: a frame of 0×0 pixels .*was closed/),
      closedBitmap: expect.stringMatching(/^E_SHAPE .*given away before/),
      emptyCanvas: expect.stringMatching(/^E_SHAPE .*0×150 .*give it a size/),
      video: expect.stringMatching(/^E_SHAPE .*wait for its event "loadeddata"/),
      noImage: expect.stringMatching(/^E_OPTION .*no image/),
      floats: expect.stringMatching(/^E_SHAPE .*Uint8Array/),
      noFile: expect.stringMatching(/^E_FORMAT .*cannot decode/),
      aborted: expect.stringMatching(/aborted/),
      option: expect.stringMatching(/^E_OPTION .*"signals"/),
      abortedLate: "Error enough",
    });
    expect(after).toBe(60);
    expect(disposed).toEqual(Array(2).fill(expect.stringMatching(/^E_STATE .*disposed/)));
  });

  it("says in plain words what does not arrive, or is another's", async () => {
    const said: Record<string, string> = {};
    const attempt = async (name: string, fail: PackageServer["fail"], options: object = {}) => {
      server.fail = fail;
      said[name] = await call(page, "openingError", { cache: false, ...options });
      server.fail = [];
    };
    const weights = /model\.safetensors/;
    await attempt("missing", [{ pattern: weights, how: "missing" }]);
    await attempt("cut", [{ pattern: weights, how: "cut" }]);
    await attempt("page", [{ pattern: weights, how: "page" }]);
    await attempt("damaged", [{ pattern: weights, how: "damaged" }]);
    await attempt("noGraph", [{ pattern: /graph\.onnx/, how: "missing" }]);
    await attempt("badGraph", [{ pattern: /graph\.onnx/, how: "damaged" }]);
    await attempt("noRuntime", [{ pattern: /\.wasm$/, how: "missing" }]);
    await attempt("noFolder", [], { model: "/no/such/folder" });
    await attempt("grid", [], { refine: "grid" });
    await attempt("noWorker", [{ pattern: /worker/, how: "missing" }]);
    await attempt("inPage", [], { worker: false });
    const file = "http://.*/model.safetensors";
    expect(said).toEqual({
      missing: expect.stringMatching(`^E_IO cannot fetch ${file}: the server answers 404`),
      cut: expect.stringMatching(`^E_IO cannot fetch ${file}`),
      page: expect.stringMatching(`^E_IO cannot fetch ${file}: the server answers with a web page`),
      damaged: expect.stringMatching(`^E_FORMAT ${file}: the weights have SHA-256 [0-9a-f]{64}, .* damaged`),
      noGraph: expect.stringMatching(/^E_UNSUPPORTED extract: there is no graph to run.*give "compile"/),
      badGraph: expect.stringMatching(/^E_UNSUPPORTED .*damaged; give "compile"/),
      noRuntime: expect.stringMatching(/^E_IO cannot load the runtime's WebAssembly .*setWasmPaths/),
      noFolder: expect.stringMatching(/^E_IO .*\/no\/such\/folder\/config\.json: the server answers 404/),
      grid: expect.stringMatching(/^E_UNSUPPORTED .*none was prepared for strata-xs with these options/),
      noWorker: expect.stringMatching(/^opened, {"used":false,"reason":"no worker can be started here/),
      inPage: 'opened, {"used":false}',
    });
    const simd = await page.evaluate(
      `Promise.all([import("/page.js"), import("${DOOR}")]).then(async ([page, door]) => {
        const { validate } = WebAssembly;
        WebAssembly.validate = () => false;
        const said = await page.openingError(door, { worker: false });
        WebAssembly.validate = validate;
        return said;
      })`,
    );
    expect(simd).toMatch(/^E_UNSUPPORTED this browser has no WebAssembly with SIMD/);
  });

  it("gives up a download when it is told to", async () => {
    server.fail = [{ pattern: /model\.safetensors/, how: "slow" }];
    const said = await page.evaluate(
      `import("${DOOR}").then((door) => {
        const control = new AbortController();
        const onProgress = ({ file }) => file.endsWith("safetensors") && control.abort(new Error("too slow"));
        return door.openExtractor({ model: "strata-s", signal: control.signal, onProgress }).then(() => "", String);
      })`,
    );
    server.fail = [];
    expect(said).toBe("Error: too slow");
  });

  it("runs the example without a bundler", async () => {
    const page = await openPage(browser);
    await page.goto(`${server.address}example.html`);
    await page.waitForFunction('/matches|E_|cannot|Error/.test(document.querySelector("#result").textContent)');
    const said = await page.evaluate('document.querySelector("#result").textContent');
    const [, matches, inliers] = /^(\d+) matches, (\d+) of them in one geometry \(wasm\)$/.exec(String(said)) ?? [];
    expect(Number(inliers), String(said)).toBeGreaterThan(100);
    expect(Number(matches)).toBeGreaterThanOrEqual(Number(inliers));
    await page.close();
  });

  it("has threads in pages that are isolated", async () => {
    const isolated = await servePackage(ISOLATED);
    const page = await openPage(browser);
    await page.goto(isolated.address);
    const there = await call(page, "extractByName", sent, { threads: 2 });
    expect(there.info.session).toMatchObject({ backend: "wasm", threads: 2 });
    expect(agreement(floats(there), await inNode(), { position: 0.05, descriptor: 1e-3 }).share).toBeGreaterThanOrEqual(
      0.995,
    );
    await page.close();
    await isolated.close();
  });

  it("reads a large bitmap part by part, and finds what it finds in its pixels", async () => {
    const { list, kept, gone } = await call(page, "largeBitmap");
    const [first, bitmap, pixels, file, last] = list;
    expect(bitmap.count).toBe(200);
    expect(bitmap).toEqual(pixels);
    expect(file).toEqual(pixels);
    expect(last).toEqual(first);
    expect({ kept, gone }).toEqual({ kept: true, gone: true });
  });

  it("looks for targets in the worker, while the page follows", async () => {
    const { states, searched, corner, ...rest } = await callTrack(page, "searchInWorker", sent);
    expect(states).toEqual(["lost", "found", "tracked"]);
    expect(searched.filter(Boolean).length).toBeLessThan(searched.length);
    const [x, y, left] = corner;
    expect(Math.hypot(x - left, y - 40)).toBeLessThan(3);
    expect(rest).toEqual({
      extracted: 0,
      again: ["found", "tracked"],
      disposed: expect.stringMatching(/^E_STATE .*disposed/),
    });
  });

  it("grows neither its heap nor the runtime's memory over 1,000 frames and 200 pairs", async () => {
    // Another page: the runtime's memory is counted from its beginning.
    const page = await openPage(browser);
    await page.goto(server.address);
    const session = await page.context().newCDPSession(page);
    const heap: Record<string, number> = {};
    await page.exposeFunction("heapNow", async (when: string) => {
      await session.send("HeapProfiler.collectGarbage");
      heap[when] = (await session.send("Runtime.getHeapUsage")).usedSize;
    });
    const { early, late, memories } = await call(page, "manyFrames", 1000, 200);
    expect(memories).toBeGreaterThan(0);
    expect(early).toBeGreaterThan(2 ** 20);
    expect(late).toBe(early);
    // What the engine itself keeps of code that gets warm.
    expect(heap.late - heap.early).toBeLessThan(2 ** 20);
  });
});

describeBrowser("the web door on a GPU in software", () => {
  it("finds what Node finds, outlives a lost device, and ends on WebAssembly where no other is given", async ({
    skip,
  }) => {
    const server = await servePackage();
    const browser = await launch([
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--enable-features=Vulkan",
    ]);
    try {
      const page = await openPage(browser);
      await page.goto(server.address);
      if (!(await page.evaluate("navigator.gpu?.requestAdapter().then((adapter) => adapter !== null) ?? false"))) {
        console.warn("skipped: this Chromium has no WebGPU adapter, not even in software");
        skip();
      }
      const there = await call(page, "extractByName", sent, { backend: "webgpu" });
      expect(there.info.choice).toEqual({ backend: "webgpu", checked: true, reason: "asked for" });
      expect(there.info.session?.backend).toBe("webgpu");
      const same = agreement(floats(there), await inNode(), { position: 0.05, descriptor: 1e-3 });
      expect(same.share, JSON.stringify(same)).toBeGreaterThanOrEqual(0.99);
      // Nobody is given a GPU that is none without asking.
      const auto = await call(page, "extractByName", sent, {});
      expect(auto.info.choice).toMatchObject({ backend: "wasm", reason: "WebGPU is computed by the CPU here" });

      const { runs, opened } = await call(page, "loseDevice");
      expect(opened).toBe(2);
      expect(runs.map(({ backend }) => backend)).toEqual(["webgpu", "webgpu", "wasm"]);
      expect(runs[1].fallback).toBeUndefined();
      expect(runs[2].fallback).toMatch(/the GPU was lost .*no device is given.*using wasm/);
      for (const { keypoints } of runs.slice(1)) {
        expect(keypoints).toHaveLength(runs[0].keypoints.length);
        const off = keypoints.filter((value, i) => Math.abs(value - runs[0].keypoints[i]) > 0.1);
        expect(off.length).toBeLessThan(0.05 * keypoints.length);
      }
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
