/** The report of trainings in Chromium, from a file as people open it: light, dark, wide, on a telephone, in print. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { trainReportHtml } from "../../src/train/report/index.js";
import { madeRun } from "../unit/train/runs.js";
import { describeBrowser, launch, openPage } from "./page.js";

/** Where screenshots are kept for looking at them; nowhere unless asked. */
const SHOTS = process.env.STRATA_SCREENSHOTS;
const DATE = "2026-01-02 05:00 UTC";

describeBrowser("the report of trainings", () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-train-report-"));
  let browser: Browser;
  let complaints: string[] = [];
  let fetched: string[] = [];

  beforeAll(async () => {
    browser = await launch();
    const one = { folder: "runs/attention", log: madeRun({ updates: 4000, perEpoch: 400 }) };
    writeFileSync(join(folder, "one.html"), await trainReportHtml({ date: DATE, runs: [one] }));
    const names = ["d2net", "distinctiveness", "a_name_without_a_space_".repeat(4), "late"];
    const runs = names.map((name, i) => ({
      folder: `runs/${name}`,
      log: madeRun({ name, level: 1 + 0.5 * i, seed: i, updates: i === 3 ? 120 : 400, total: 400, finished: i !== 3 }),
    }));
    writeFileSync(join(folder, "many.html"), await trainReportHtml({ date: DATE, runs }));
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    expect(complaints).toEqual([]);
    expect(fetched.filter((address) => !/^(data|file):/.test(address))).toEqual([]);
  });

  async function open(name: string, width: number, colorScheme: "light" | "dark" = "light"): Promise<Page> {
    complaints = [];
    fetched = [];
    const page = await openPage(browser, { viewport: { width, height: 900 }, colorScheme });
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => fetched.push(request.url()));
    await page.goto(pathToFileURL(join(folder, `${name}.html`)).href);
    if (SHOTS)
      await page.screenshot({ path: join(SHOTS, `train-${name}-${width}-${colorScheme}.png`), fullPage: true });
    return page;
  }

  it.each(["one", "many"].flatMap((name) => [1280, 390, 375].map((width) => [name, width] as const)))(
    "of %s is nowhere wider than a window of %i px",
    async (name, width) => {
      const page = await open(name, width);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      const outside = await page.evaluate(() =>
        [...document.body.querySelectorAll(":not(.scroll *):not(svg *)")]
          .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
          .map((element) => element.outerHTML.slice(0, 80)),
      );
      expect(outside).toEqual([]);
    },
  );

  it("follows the reader's light or dark, curves included", async () => {
    const paint = (page: Page) =>
      page.evaluate(() => {
        const style = (selector: string) => getComputedStyle(document.querySelector(selector)!);
        return {
          ground: style("body").backgroundColor,
          curve: style('#loss-figure svg g[aria-label="line"]').stroke,
        };
      });
    const light = await paint(await open("many", 1280));
    const dark = await paint(await open("many", 1280, "dark"));
    expect(light.ground).toBe("rgb(250, 250, 250)");
    expect(dark.ground).toBe("rgb(20, 23, 26)");
    expect(light.curve).toMatch(/^rgb/);
    expect(dark.curve).not.toBe(light.curve);
  });

  it("has no labels of an axis on top of each other", async () => {
    const page = await open("one", 1280);
    const overlaps = await page.evaluate(() =>
      [...document.querySelectorAll('svg g[aria-label$="tick label"]')].flatMap((axis) => {
        const boxes = [...axis.querySelectorAll("text")].map((text) => text.getBoundingClientRect());
        return boxes.flatMap((a, i) =>
          boxes
            .slice(i + 1)
            .filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom),
        );
      }),
    );
    expect(overlaps).toEqual([]);
  });

  it("fits on paper", async () => {
    // A4 with margins of 14 mm at 96 dots an inch.
    const page = await open("many", 688, "dark");
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
    if (SHOTS) await page.screenshot({ path: join(SHOTS, "train-print.png"), fullPage: true });
  });
});
