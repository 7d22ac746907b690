/**
 * The app in a page, as `npm run bench app` measures it: bytes and times of the first visit, memory over 200 pairs and 1,000
 * tracked frames, and the facts that audits ask of a page.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, CDPSession, Page } from "playwright-core";
import { launch, openPage } from "../test/browser/serve.js";
import { serveFolder } from "../test/package/bundles.js";

export interface AppFigures {
  /** Bytes as gzip has them, until the samples' result is on the screen. */
  bytes: { scripts: number; runtime: number; model: number };
  /** Milliseconds from the address to the first control, and to the samples' result. */
  interactive: number;
  result: number;
  /** The same on the second visit, without a network. */
  offline: number;
  /** Sum of layout shifts of the first visit. */
  shift: number;
  /** Bytes of JavaScript's heap after a tenth of the work and after all of it, with the garbage collected. */
  pairs: { count: number; heap: [early: number, late: number] };
  frames: { count: number; heap: [early: number, late: number] };
  /** What an audit would object to, by view; none: nothing. */
  faults: string[];
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
  try {
    const first = await firstVisit(browser, files.address);
    const { scripts, runtime, model } = files.taken();
    const { page } = first;
    return {
      bytes: { scripts, runtime, model },
      ...first.times,
      pairs: { count: pairs, heap: await matchPairs(page, files.address, pairs) },
      frames: { count: frames, heap: await trackFrames(page, files.address, frames) },
      faults: await audit(page, files.address),
    };
  } finally {
    await browser.close();
    await files.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function firstVisit(browser: Browser, address: string) {
  const page = await openPage(browser, { viewport: { width: 1280, height: 900 } });
  await page.addInitScript(() => {
    Object.assign(globalThis, { shift: 0 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[])
        if (!entry.hadRecentInput) (globalThis as unknown as { shift: number }).shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  const visit = async (): Promise<[number, number]> => {
    const started = performance.now();
    await page.waitForSelector("select");
    const interactive = performance.now() - started;
    await page.waitForSelector(".verdict");
    return [interactive, performance.now() - started];
  };
  const going = page.goto(address);
  const [interactive, result] = await visit();
  await going;
  const shift = await page.evaluate(() => (globalThis as unknown as { shift: number }).shift);
  // Once more, so that the service worker has seen everything.
  await page.reload();
  await visit();
  await page.context().setOffline(true);
  const again = page.reload();
  const [, offline] = await visit();
  await again;
  await page.context().setOffline(false);
  return { page, times: { interactive, result, offline, shift } };
}

/** Heap in bytes once the garbage is collected. */
async function heapOf(page: Page, session: CDPSession): Promise<number> {
  await session.send("HeapProfiler.collectGarbage");
  return page.evaluate(() => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize);
}

async function matchPairs(page: Page, address: string, count: number): Promise<[number, number]> {
  const session = await page.context().newCDPSession(page);
  await page.goto(`${address}/#/match?model=strata-t&count=300`);
  await page.waitForSelector(".verdict");
  let early = 0;
  for (let i = 0; i < count; i++) {
    if (i === Math.ceil(count / 10)) early = await heapOf(page, session);
    const before = await page.textContent(".times");
    await page.getByRole("button", { name: "Other samples" }).click();
    await page.waitForFunction((old) => document.querySelector(".times")?.textContent !== old, before);
  }
  return [early, await heapOf(page, session)];
}

async function trackFrames(page: Page, address: string, count: number): Promise<[number, number]> {
  const session = await page.context().newCDPSession(page);
  await page.goto(`${address}/#/track`);
  await page.getByRole("button", { name: "Show a sample" }).click();
  const reach = (frames: number) =>
    page.waitForFunction(
      (wanted) => Number(document.querySelector<HTMLElement>(".stage")?.dataset.frames ?? 0) >= wanted,
      frames,
    );
  await reach(Math.ceil(count / 10));
  const early = await heapOf(page, session);
  await reach(count);
  const late = await heapOf(page, session);
  await page.getByRole("button", { name: "Stop" }).click();
  return [early, late];
}

/** Facts of every view: names, language, meta, sizes of what is touched, pictures with a size or a description. */
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
      for (const wanted of ["meta[name=description]", "meta[name=viewport]", "link[rel=manifest]"])
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
      if (document.documentElement.scrollWidth > innerWidth) all.push("wider than the window");
      return all;
    });
    faults.push(...found.map((what) => `${view}: ${what}`));
  }
  return faults;
}

export function appTable({ bytes, interactive, result, offline, shift, pairs, frames, faults }: AppFigures): string {
  const mb = (value: number) => `${(value / 1e6).toFixed(2)} MB`;
  const total = bytes.scripts + bytes.runtime + bytes.model;
  const heap = ({ count, heap: [early, late] }: AppFigures["pairs"], what: string) =>
    `${count} ${what}: heap ${mb(early)} after a tenth, ${mb(late)} at the end`;
  return [
    `first visit: ${mb(bytes.scripts)} of scripts, ${mb(bytes.runtime)} of runtime, ${mb(bytes.model)} of model: ${mb(total)} in all`,
    `a control after ${interactive.toFixed(0)} ms, the samples' result after ${result.toFixed(0)} ms; without a network ${offline.toFixed(0)} ms`,
    `layout shift ${shift.toFixed(3)}`,
    heap(pairs, "pairs matched"),
    heap(frames, "frames tracked"),
    faults.length ? faults.join("\n") : "no fault of names, meta, sizes of targets, width",
  ].join("\n");
}
