/** The page of matches in Chromium, from a file as people open it: pointer, touch sizes, keyboard, overlay. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { projectPoints } from "../../src/geometry/matrix3.js";
import { matchesHtml, type PictureInput } from "../../src/picture/index.js";
import { pair, SIZE_A, SIZE_B, TRUTH } from "../unit/picture/pair.js";
import { describeBrowser, launch, openPage } from "./page.js";

describeBrowser("the page of matches", () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-report-"));
  let browser: Browser;
  let input: PictureInput;
  let complaints: string[] = [];
  let fetched: string[] = [];

  beforeAll(async () => {
    [browser, input] = await Promise.all([launch(), pair()]);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    expect(complaints).toEqual([]);
    expect(fetched.filter((address) => !/^(data|file):/.test(address))).toEqual([]);
  });

  async function open(change: Partial<PictureInput> = {}, [width, height] = [1280, 800]): Promise<Page> {
    complaints = [];
    fetched = [];
    const page = await openPage(browser, { viewport: { width, height } });
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => fetched.push(request.url()));
    const path = join(folder, "page.html");
    writeFileSync(path, matchesHtml({ ...input, ...change }));
    await page.goto(pathToFileURL(path).href);
    await page.waitForSelector("html[data-ready]");
    return page;
  }

  /** Pixels of the canvas near a colour, after the next frame. */
  const pixels = (page: Page, colour: readonly number[]) =>
    page.evaluate(async (wanted) => {
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const canvas = document.querySelector("canvas") as HTMLCanvasElement;
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let k = 0; k < data.length; k += 4) {
        if (wanted.every((value, c) => Math.abs(data[k + c] - value) < 16)) count++;
      }
      return count;
    }, colour);
  const BLUE = [86, 180, 233];
  const YELLOW = [240, 228, 66];
  const WHITE = [255, 255, 255];
  const shown = (page: Page) => page.textContent("#shown");
  const detail = (page: Page) => page.textContent("#detail");

  it("draws lines, dots and frame, and each toggle takes its own away", async () => {
    const page = await open();
    expect(await shown(page)).toBe("42 shown");
    for (const [id, colour, left] of [
      ["inliers", BLUE, "12 shown"],
      ["outline", YELLOW, "42 shown"],
      ["keypoints", WHITE, "42 shown"],
    ] as const) {
      const before = await pixels(page, colour);
      await page.uncheck(`#${id}`);
      expect(await pixels(page, colour), id).toBeLessThan(0.7 * before);
      expect(await shown(page)).toBe(left);
      await page.check(`#${id}`);
      expect(await pixels(page, colour), id).toBe(before);
    }
    await page.uncheck("#outliers");
    expect(await shown(page)).toBe("30 shown");
  });

  it("opens with maxLines matches; the slider goes from all to the best", async () => {
    const page = await open({ options: { maxLines: 10 } });
    expect(await shown(page)).toBe("10 shown");
    await page.focus("#least");
    await page.keyboard.press("Home");
    expect(await shown(page)).toBe("42 shown");
    await page.keyboard.press("End");
    expect(await shown(page)).toBe("1 shown");
    expect(await page.textContent("#leastValue")).toBe("0.990");
  });

  it("tells of the match under the pointer, holds it on a click, and lets it go", async () => {
    const page = await open();
    const box = (await page.locator("#stage").boundingBox())!;
    // Side by side at full width: A's pixel (x, y) is at (x + ½)·zoom below the space that is left over.
    const zoom = box.width / (SIZE_A[0] + 0.012 * SIZE_A[0] + SIZE_B[0]);
    const [x, y] = [...input.featuresA.keypoints.subarray(0, 2)].map((v) => (v + 0.5) * zoom);
    const top = box.y + (box.height - SIZE_A[1] * zoom) / 2;
    await page.mouse.move(box.x + x, top + y);
    expect(await detail(page)).toMatch(
      /^Match 1 of 42 by similarity: 0.990, inlier\. Keypoint 0 of A at \(.*→ 0 of B.*0\.00 px/,
    );
    const [px, py] = input.featuresA.keypoints;
    expect(await detail(page)).toContain(`(${px.toFixed(1)}, ${py.toFixed(1)})`);
    await page.mouse.down();
    await page.mouse.up();
    await page.mouse.move(5, 5);
    expect(await detail(page)).toMatch(/^Match 1 of 42/);
    await page.focus("#stage");
    await page.keyboard.press("Escape");
    expect(await detail(page)).toMatch(/^Point at a match/);
  });

  it("is reached and worked by the keyboard alone", async () => {
    const page = await open();
    for (let k = 0; k < 12; k++) {
      await page.keyboard.press("Tab");
      if (await page.evaluate(() => document.activeElement?.id === "stage")) break;
    }
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("stage");
    await page.keyboard.press("ArrowRight");
    expect(await detail(page)).toMatch(/^Match 1 of/);
    await page.keyboard.press("ArrowLeft");
    expect(await detail(page)).toMatch(/^Match 42 of/);
    const before = await pixels(page, YELLOW);
    for (let k = 0; k < 3; k++) await page.keyboard.press("+");
    const zoomed = await pixels(page, YELLOW);
    expect(zoomed).not.toBe(before);
    await page.keyboard.press("Shift+ArrowDown");
    expect(await pixels(page, YELLOW)).not.toBe(zoomed);
    await page.keyboard.press("0");
    expect(await pixels(page, YELLOW)).toBe(before);
  });

  it("zooms by wheel and moves by dragging without scrolling the page", async () => {
    const page = await open();
    const before = await pixels(page, WHITE);
    await page.mouse.move(600, 450);
    await page.mouse.wheel(0, -400);
    await expect.poll(() => pixels(page, WHITE)).not.toBe(before);
    const zoomed = await pixels(page, WHITE);
    await page.mouse.down();
    await page.mouse.move(300, 300, { steps: 4 });
    await page.mouse.up();
    expect(await pixels(page, WHITE)).not.toBe(zoomed);
    expect(await page.evaluate(() => window.scrollY)).toBe(0);
    await page.click("#fit");
    expect(await pixels(page, WHITE)).toBeGreaterThan(0.9 * before);
  });

  it("lays A over B where the homography says, at every zoom", async () => {
    const page = await open();
    await page.check("input[value=overlay]");
    const [w, h] = SIZE_A;
    const corners = projectPoints(TRUTH, [-0.5, -0.5, w - 0.5, -0.5, w - 0.5, h - 0.5, -0.5, h - 0.5]);
    const across = corners.filter((_, k) => k % 2 === 0);
    const down = corners.filter((_, k) => k % 2 === 1);
    for (const key of ["0", "+", "+"]) {
      await page.press("#stage", key);
      await pixels(page, WHITE); // a frame
      const [a, b] = await page.evaluate(() =>
        ["image0", "image1"].map((id) => {
          const { left, top, right, bottom } = document.getElementById(id)!.getBoundingClientRect();
          return { left, top, right, bottom };
        }),
      );
      const zoom = (b.right - b.left) / SIZE_B[0];
      expect(a.left).toBeCloseTo(b.left + (Math.min(...across) + 0.5) * zoom, 0);
      expect(a.right).toBeCloseTo(b.left + (Math.max(...across) + 0.5) * zoom, 0);
      expect(a.top).toBeCloseTo(b.top + (Math.min(...down) + 0.5) * zoom, 0);
      expect(a.bottom).toBeCloseTo(b.top + (Math.max(...down) + 0.5) * zoom, 0);
    }
    const opacity = () => page.evaluate(() => Number(document.getElementById("image0")!.style.opacity));
    await page.fill("#mix", "0.2");
    await expect.poll(opacity).toBe(0.2);
    await page.click("#blink");
    await expect.poll(opacity).toBe(1);
    await expect.poll(opacity).toBe(0);
    await page.click("#blink");
    await expect.poll(opacity).toBe(0.2);
    await page.check("input[value=side]");
    expect(await page.isVisible("#mixing")).toBe(false);
  });

  it("fits a telephone: nothing is wider than 390 px, the images stand one above the other", async () => {
    const name = `${"a_very_long_name_without_a_space_".repeat(5)}.png`;
    const page = await open({ imageA: { ...input.imageA, name } }, [390, 844]);
    for (const view of ["side", "overlay"]) {
      await page.check(`input[value=${view}]`);
      const wide = await page.evaluate(() => {
        const outside = [...document.body.querySelectorAll(":not(#stage *)")]
          .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
          .map((element) => element.outerHTML.slice(0, 60));
        return { width: document.documentElement.scrollWidth, outside };
      });
      expect(wide).toEqual({ width: 390, outside: [] });
    }
    for (const id of ["#in", "#out", "#fit", "#blink"]) {
      expect((await page.locator(id).boundingBox())!.height).toBeGreaterThanOrEqual(40);
    }
  });

  it("runs no name as script and shows it as it is", async () => {
    const name = `<script>window.hacked=1</script><img src=x onerror="window.hacked=2">'"&</title>`;
    const page = await open({ imageA: { ...input.imageA, name }, imageB: { ...input.imageB, name } });
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    expect(await page.textContent("h1")).toBe(`${name} and ${name}`);
    expect(await page.title()).toContain(name);
  });

  it("is whole without matches or a homography, in either colour scheme", async () => {
    const nothing = {
      matches: { count: 0, pairs: new Uint32Array(0), scores: new Float32Array(0) },
      homography: { matrix: null, inliers: new Uint32Array(0) },
    };
    const page = await open(nothing);
    expect(await detail(page)).toBe("There are no matches.");
    for (const control of ["input[value=overlay]", "#least", "#outline"])
      expect(await page.isDisabled(control)).toBe(true);
    await page.press("#stage", "ArrowRight");
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await ground()).not.toBe(light);
  });
});
