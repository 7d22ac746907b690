/**
 * The app in a page, as `npm run bench app` measures it: bytes and times of the first visit, memory over 200 pairs and 1,000
 * tracked frames, and the facts that audits ask of a page. `-- --pairs 50 --frames 200` is for a look.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CDPSession, Page } from "playwright-core";
import { drawDemoPair } from "../demo/draw.js";
import { cropImage } from "../src/image/crop.js";
import { encodePng } from "../src/node/images.js";
import { axeFaults } from "../test/browser/axe.js";
import { launch } from "../test/browser/serve.js";
import { watchPages } from "../test/browser/watched-page.js";
import { serveFolder } from "../test/package/bundles.js";

export interface AppFigures {
  /** Bytes as gzip has them, until the samples' result is on the screen. */
  bytes: { scripts: number; runtime: number; model: number; rest: number };
  /** Of the first visit, with an empty cache. */
  first: VisitFigures;
  /** Milliseconds to the samples' result on the second visit, without a network. */
  offline: number;
  /** Bytes of JavaScript's heap after a tenth, half and all of the work, with the garbage collected. */
  pairs: { count: number; heap: Heaps };
  frames: { count: number; heap: Heaps };
  /** What an audit would object to, by view; none: nothing. */
  faults: string[];
}

type Heaps = [tenth: number, half: number, all: number];

/** Milliseconds since the page was asked for, as the page itself tells them. */
interface VisitFigures {
  /** A control is there, and the page answers. */
  interactive: number;
  /** The samples' result is on the screen. */
  result: number;
  /** Largest contentful paint. */
  largest: number;
  /** Sum of what tasks took beyond 50 ms each, until the result. */
  blocked: number;
  /** Sum of layout shifts. */
  shift: number;
}

const PAIRS = 200;
const FRAMES = 1000;
const VIEWS = ["match", "align", "track", "search", "models"];

export async function measureApp({ pairs = PAIRS, frames = FRAMES } = {}): Promise<AppFigures> {
  const folder = mkdtempSync(join(tmpdir(), "strata-app-speed-"));
  const { build } = await import("vite");
  const configFile = fileURLToPath(new URL("../app/vite.config.ts", import.meta.url));
  await build({ configFile, logLevel: "error", build: { outDir: folder, emptyOutDir: true } });
  const files = await serveFolder(folder);
  const browser = await launch(["--js-flags=--expose-gc", "--enable-precise-memory-info"]);
  const watched = watchPages();
  try {
    const page = await watched.open(browser, { viewport: { width: 1280, height: 900 } });
    const first = await firstVisit(page, files.address);
    const { texts: _, ...bytes } = files.taken();
    const figures = {
      ...{ bytes, first, offline: await secondVisit(page) },
      pairs: { count: pairs, heap: await matchPairs(page, files.address, pairs) },
      frames: { count: frames, heap: await trackFrames(page, files.address, frames) },
    };
    const faults = await audit(page, files.address);
    const others = [...watched.hosts].filter((host) => host !== new URL(files.address).host);
    return { ...figures, faults: [...faults, ...watched.errors, ...others.map((host) => `asks ${host}`)] };
  } finally {
    await browser.close();
    await files.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs in the page from its beginning, and keeps the figures in `visit`. */
function watchVisit(): void {
  const visit: VisitFigures = { interactive: 0, result: 0, largest: 0, blocked: 0, shift: 0 };
  Object.assign(globalThis, { visit });
  const watch = (type: string, take: (entry: PerformanceEntry & { value: number; hadRecentInput: boolean }) => void) =>
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) take(entry as Parameters<typeof take>[0]);
    }).observe({ type, buffered: true });
  watch("layout-shift", ({ value, hadRecentInput }) => {
    if (!hadRecentInput) visit.shift += value;
  });
  watch("largest-contentful-paint", ({ startTime }) => {
    visit.largest = startTime;
  });
  watch("longtask", ({ duration, startTime }) => {
    if (!visit.result || startTime < visit.result) visit.blocked += duration - 50;
  });
  let seen = false;
  new MutationObserver(() => {
    if (!seen && document.querySelector("select")) {
      seen = true;
      setTimeout(() => {
        visit.interactive = performance.now();
      });
    }
    if (!visit.result && document.querySelector(".verdict")) visit.result = performance.now();
  }).observe(document, { subtree: true, childList: true });
}

const visitOf = async (page: Page): Promise<VisitFigures> => {
  await page.waitForSelector(".verdict");
  return page.evaluate(() => (globalThis as unknown as { visit: VisitFigures }).visit);
};

async function firstVisit(page: Page, address: string): Promise<VisitFigures> {
  // Bundlers may name what is defined within the function by a helper that the page lacks.
  await page.addInitScript("globalThis.__name = (value) => value;");
  await page.addInitScript(watchVisit);
  await page.goto(address);
  return visitOf(page);
}

async function secondVisit(page: Page): Promise<number> {
  // Once more with the network, so that the service worker has seen everything.
  await page.reload();
  await visitOf(page);
  await page.context().setOffline(true);
  await page.reload();
  const { result } = await visitOf(page);
  await page.context().setOffline(false);
  return result;
}

/** Heap in bytes once the garbage is collected. */
async function heapOf(page: Page, session: CDPSession): Promise<number> {
  await session.send("HeapProfiler.collectGarbage");
  return page.evaluate(() => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize);
}

/** Small parts of one drawn pair, each from another place: pictures that were not there before, in turn as A and as B. */
async function matchPairs(page: Page, address: string, count: number): Promise<Heaps> {
  const session = await page.context().newCDPSession(page);
  const { a, b } = drawDemoPair(7);
  await page.goto(`${address}/#/match?model=strata-t&count=300`);
  await page.waitForSelector(".verdict");
  const heaps: number[] = [];
  for (let i = 0; i < count; i++) {
    if (i === Math.ceil(count / 10) || i === Math.ceil(count / 2)) heaps.push(await heapOf(page, session));
    const part = cropImage(i % 2 ? b : a, (37 * i) % 320, (23 * i) % 240, 320, 240);
    const name = `part ${i}.png`;
    const file = { name, mimeType: "image/png", buffer: Buffer.from(await encodePng(part)) };
    await page.setInputFiles(`input[type=file] >> nth=${i % 2}`, file);
    await page.waitForFunction(
      (wanted) =>
        [...document.querySelectorAll("section div")].some((one) => one.shadowRoot?.textContent.includes(wanted)),
      name,
    );
  }
  return [...heaps, await heapOf(page, session)] as Heaps;
}

async function trackFrames(page: Page, address: string, count: number): Promise<Heaps> {
  const session = await page.context().newCDPSession(page);
  await page.goto(`${address}/#/track`);
  await page.getByRole("button", { name: "Show a sample" }).click();
  const reach = (frames: number) =>
    page.waitForFunction(
      (wanted) => Number(document.querySelector<HTMLElement>(".stage")?.dataset.frames ?? 0) >= wanted,
      frames,
    );
  const heaps: number[] = [];
  for (const share of [0.1, 0.5, 1]) {
    await reach(Math.ceil(share * count));
    heaps.push(await heapOf(page, session));
  }
  await page.getByRole("button", { name: "Stop" }).click();
  return heaps as Heaps;
}

/** Facts of every view: names, language, meta, sizes of what is touched, pictures with a description; and what axe finds. */
async function audit(page: Page, address: string): Promise<string[]> {
  const faults: string[] = [];
  await page.setViewportSize({ width: 390, height: 844 });
  for (const view of VIEWS) {
    await page.goto(`${address}/#/${view}`);
    await page.waitForFunction((name) => document.title.toLowerCase().startsWith(name), view);
    await page.waitForSelector("h1");
    const found = await page.evaluate(() => {
      const all: string[] = [];
      if (!document.documentElement.lang) all.push("no language");
      const head = ["charset", "name=description", "name=viewport", "http-equiv=Content-Security-Policy"];
      for (const wanted of [...head.map((name) => `meta[${name}]`), "link[rel=manifest]", "link[rel=icon]"])
        if (!document.querySelector(wanted)) all.push(`no ${wanted}`);
      if (document.querySelectorAll("h1").length !== 1) all.push("not one h1");
      if (!document.doctype) all.push("no doctype");
      for (const image of document.querySelectorAll("img"))
        if (!image.hasAttribute("alt")) all.push("an image without alt");
      for (const one of document.querySelectorAll<HTMLElement>("a, button, select, label.button, summary")) {
        const { width, height } = one.getBoundingClientRect();
        if (width > 0 && one.className !== "skip" && (width < 24 || height < 24))
          all.push(`${one.textContent} is ${width.toFixed(0)} × ${height.toFixed(0)} pixels`);
      }
      return all;
    });
    faults.push(...found.map((what) => `${view}: ${what}`));
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      faults.push(...(await axeFaults(page)).map((what) => `${view}, ${colorScheme}: ${what}`));
    }
  }
  return faults;
}

export function appTable({ bytes, first, offline, pairs, frames, faults }: AppFigures): string {
  const mb = (value: number) => `${(value / 1e6).toFixed(2)} MB`;
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const { scripts, runtime, model, rest } = bytes;
  const heap = ({ count, heap: [tenth, half, all] }: AppFigures["pairs"], what: string) =>
    `${count} ${what}: heap ${mb(tenth)} after a tenth, ${mb(half)} after half, ${mb(all)} at the end`;
  return [
    `first visit: ${mb(scripts)} of scripts, ${mb(runtime)} of runtime, ${mb(model)} of model, ${mb(rest)} of the rest: ` +
      `${mb(scripts + runtime + model + rest)} in all`,
    `it answers after ${ms(first.interactive)}, the samples' result after ${ms(first.result)}; without a network ${ms(offline)}`,
    `largest paint after ${ms(first.largest)}, blocked for ${ms(first.blocked)}, layout shift ${first.shift.toFixed(3)}`,
    heap(pairs, "pairs matched"),
    heap(frames, "frames tracked"),
    faults.length
      ? faults.join("\n")
      : "no fault of names, meta, sizes of targets, contrast, width; no error, no other host",
  ].join("\n");
}
