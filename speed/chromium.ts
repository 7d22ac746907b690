/** Extraction in headless Chromium, timed inside the page: what the runtime of the web makes of the same graph. */
import { openPage, servePage } from "../test/browser/serve.js";
import type { ColdTimes } from "./cold-page.js";
import { summarize, type Timing } from "./harness.js";

/** `model` is the address of a folder below the repository's root. */
export async function timeInChromium(model: string): Promise<{ timing: Timing; note: string }> {
  const served = await servePage();
  try {
    const { times, count, session } = await served.page.evaluate(async (address) => {
      const path = "/speed/in-page.ts";
      const { timeExtraction } = (await import(path)) as typeof import("./in-page.js");
      return timeExtraction(address, [640, 480], { warmup: 2, repeats: 7 });
    }, model);
    const where = `${session?.backend}, ${session?.threads} threads`;
    return { timing: summarize(times), note: `${count} keypoints; ${where}` };
  } finally {
    await served.close();
  }
}

/** Fresh pages that are timed. */
const PAGES = 5;
const RUNTIME = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];

/**
 * The first extraction of a page from the built door, opening and download included, in fresh pages with empty caches; a page
 * before them has Vite prepare what it serves. `model` is as above.
 */
export async function timeFirstInChromium(model: string): Promise<{ timing: Timing; note: string }> {
  const served = await servePage();
  const browser = served.page.context().browser();
  if (!browser) throw new Error("the page has no browser");
  const all: ColdTimes[] = [];
  try {
    for (let i = 0; i <= PAGES; i++) {
      const page = await openPage(browser);
      await page.goto(served.page.url());
      const times = await page.evaluate(
        async ([address, runtime]) => {
          const path = "/speed/cold-page.ts";
          const { timeFirstExtraction } = (await import(path)) as typeof import("./cold-page.js");
          return timeFirstExtraction("/dist/web/index.js", address, runtime, [640, 480]);
        },
        [model, RUNTIME.map((file) => `/node_modules/onnxruntime-web/dist/${file}`)] as const,
      );
      if (i > 0) all.push(times);
      await page.close();
    }
  } finally {
    await served.close();
  }
  if (!all.every(({ prepared }) => prepared)) throw new Error("the graph was not opened as it was prepared");
  const median = (of: (times: ColdTimes) => number): number => summarize(all.map(of)).median;
  const [download, open, first, warm] = [
    median((times) => times.download),
    median((times) => times.open),
    median((times) => times.first),
    median((times) => times.warm),
  ];
  const share = (open + first) / (1.5 * warm + download);
  return {
    timing: summarize(all.map((times) => times.open + times.first)),
    note:
      `download ${download.toFixed(0)} ms from loopback, opening ${open.toFixed(0)}, first extraction ${first.toFixed(0)}, ` +
      `later ones ${warm.toFixed(0)}: ${share.toFixed(2)} of 1.5 × warm + download`,
  };
}
