/** The benchmark's report in Chromium, from a file as people open it: light, dark, wide, on a telephone, in print. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import { benchReportHtml, type ReportInput } from "../../src/bench/report/index.js";
import { benchGallery } from "../../src/node/bench/pictures.js";
import { publishedCurves } from "../../src/node/bench/published.js";
import { openExtractor } from "../../src/node/extractor.js";
import { alpha, beta } from "../unit/bench/report/runs.js";
import { describeBrowser, launch, openPage } from "./page.js";

/** Where screenshots are kept for looking at them; nowhere unless asked. */
const SHOTS = process.env.STRATA_SCREENSHOTS;

describeBrowser("the report of a benchmark", () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-bench-report-"));
  const path = join(folder, "report.html");
  let browser: Browser;
  let complaints: string[] = [];
  let fetched: string[] = [];

  beforeAll(async () => {
    const [started, html] = await Promise.all([launch(), fullInput().then(benchReportHtml)]);
    browser = started;
    writeFileSync(path, html);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    expect(complaints).toEqual([]);
    expect(fetched.filter((address) => !/^(data|file):/.test(address))).toEqual([]);
  });

  async function open(width: number, colorScheme: "light" | "dark" = "light"): Promise<Page> {
    complaints = [];
    fetched = [];
    const page = await openPage(browser, { viewport: { width, height: 900 }, colorScheme });
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => fetched.push(request.url()));
    await page.goto(pathToFileURL(path).href);
    if (SHOTS) await page.screenshot({ path: join(SHOTS, `bench-${width}-${colorScheme}.png`), fullPage: true });
    return page;
  }

  /** What reaches beyond the window, regions that scroll by themselves left out. */
  const outside = (page: Page) =>
    page.evaluate(() =>
      [...document.body.querySelectorAll(":not(.scroll *)")]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
        .map((element) => element.outerHTML.slice(0, 80)),
    );

  it.each([1280, 390, 375])("is nowhere wider than a window of %i px", async (width) => {
    const page = await open(width);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    expect(await outside(page)).toEqual([]);
  });

  it("shows every picture and every photograph", async () => {
    const page = await open(1280);
    const sizes = await page.evaluate(() =>
      [...document.querySelectorAll("img")].map(({ complete, naturalWidth }) => complete && naturalWidth > 0),
    );
    expect(sizes.length).toBeGreaterThan(6);
    expect(sizes.every(Boolean)).toBe(true);
    const pair = page.locator(".pair svg").first();
    const box = (await pair.boundingBox())!;
    expect(box.height).toBeGreaterThan(100);
    // The drawn wall is in the drawing: far more colours than lines and ground have.
    const colours = await coloursOf(page, await pair.screenshot());
    expect(colours).toBeGreaterThan(200);
  });

  it("follows the reader's light or dark, plots included", async () => {
    const paint = (page: Page) =>
      page.evaluate(() => {
        const style = (selector: string) => getComputedStyle(document.querySelector(selector)!);
        return {
          ground: style("body").backgroundColor,
          text: style("#comparison-figure svg text").fill,
          curve: style('#comparison-figure svg g[aria-label="line"]').stroke,
        };
      });
    const light = await paint(await open(1280));
    const dark = await paint(await open(1280, "dark"));
    expect(light.ground).toBe("rgb(250, 250, 250)");
    expect(dark.ground).toBe("rgb(20, 23, 26)");
    expect(dark.text).not.toBe(light.text);
    expect(dark.curve).not.toBe(light.curve);
    expect(light.curve).toMatch(/^rgb/);
  });

  it("lets wide tables scroll, with the method in sight, by keyboard too", async () => {
    const page = await open(375);
    const region = page.locator(".scroll").first();
    await region.focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => region.evaluate((element) => element.scrollLeft)).toBeGreaterThan(0);
    const header = (await region.locator("tbody th[scope=row]").first().boundingBox())!;
    const edge = (await region.boundingBox())!;
    expect(header.x).toBeGreaterThanOrEqual(edge.x);
    expect(header.x).toBeLessThan(edge.x + 4);
  });

  it("goes to its chapters", async () => {
    const page = await open(1280);
    for (const link of await page.locator("nav a").all()) {
      await link.click();
      const hash = await page.evaluate(() => location.hash);
      expect(await page.locator(hash).isVisible()).toBe(true);
    }
  });

  it("fits on paper", async () => {
    // A4 with margins of 14 mm at 96 dots an inch.
    const page = await open(688, "dark");
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(688);
    const cut = await page.evaluate(
      () =>
        [...document.querySelectorAll("table")].filter(
          (table) => table.getBoundingClientRect().right > innerWidth + 0.5,
        ).length,
    );
    expect(cut).toBe(0);
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe("rgb(255, 255, 255)");
    expect(await page.isVisible("nav")).toBe(false);
    if (SHOTS) await page.screenshot({ path: join(SHOTS, "bench-print.png"), fullPage: true });
  });
});

/** Number of different colours in a screenshot. */
function coloursOf(page: Page, png: Buffer): Promise<number> {
  return page.evaluate(
    async (href) => {
      const image = new Image();
      image.src = href;
      await image.decode();
      const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
      const context = canvas.getContext("2d")!;
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      const seen = new Set<number>();
      for (let k = 0; k < data.length; k += 4) seen.add((data[k] << 16) | (data[k + 1] << 8) | data[k + 2]);
      return seen.size;
    },
    `data:image/png;base64,${png.toString("base64")}`,
  );
}

/** Everything that a page can have: long names, published and cached curves, changes, pictures of drawn photographs. */
async function fullInput(): Promise<ReportInput> {
  const { a, b, truth } = drawDemoPair(3);
  const runs = [alpha(), beta(), beta({ key: "long", method: "a_method_whose_name_has_no_space_".repeat(3) })];
  const published = await publishedCurves();
  const extractor = await openExtractor({ threads: 2, maxFeatures: 400 });
  try {
    const [fromA, fromB] = [await extractor.extract(a), await extractor.extract(b)];
    const gallery = await benchGallery(runs, {
      image: async (_, number) => (number === 1 ? a : b),
      features: async (_, __, number) => (number === 1 ? fromA : fromB),
      homography: () => truth,
      extractor: async ({ info }) => (info.method === "alpha" ? extractor : null),
    });
    const values = Array.from({ length: 25 }, (_, i) => 15 * i);
    const zooms = Array.from({ length: 13 }, (_, i) => 2 ** ((i - 6) / 3));
    const changes = (["rotation", "scale"] as const).map((change) => {
      const at = change === "rotation" ? values : zooms;
      const scores = at.map((_, i) => Math.abs(Math.cos(i / 4)));
      return {
        method: "alpha",
        protocol: "own",
        change,
        photos: ["v_x/1.png"],
        values: at,
        mma3: scores,
        homography3: scores,
        matches: at,
      };
    });
    return {
      date: "2026-01-02",
      command: `strata bench hpatches --data ${"a/rather/long/path/".repeat(12)} --report report.html`,
      full: true,
      runs,
      cached: [{ ...published[0], name: "their_method_without_a_space_".repeat(4) }],
      published,
      changes,
      gallery,
      notes: ["Left out: v_london (image 4 is missing)."],
    };
  } finally {
    await extractor.dispose();
  }
}
