/**
 * `npm run screenshots [-- NAME…]`: the app and the site at 1280 and 390 px, light and dark. All are left in site/generated/screenshots
 * to be looked at; those that README and site show are written to site/public/pictures. The app draws its own samples.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { launch, openPage } from "../test/browser/serve.js";
import { serveFolder } from "../test/package/bundles.js";

const SITE = fileURLToPath(new URL("./", import.meta.url));
const LOOK = `${SITE}generated/screenshots`;
const KEEP = `${SITE}public/pictures`;

/** Most bytes of a picture that is kept. */
const LIMIT = 150_000;

interface Shot {
  name: string;
  path: string;
  /** What is waited for, and done, before the picture is taken. */
  ready(page: Page): Promise<unknown>;
  /** Which of its pictures are kept. */
  keep?: readonly string[];
}

const app = (view: string, ready: Shot["ready"]): Shot => ({
  ...{ name: view, path: `app/index.html#/${view}?model=strata-s`, ready },
});
const page = (name: string, path: string): Shot => ({ name, path, ready: (page) => page.waitForSelector("h1") });

const SHOTS: readonly Shot[] = [
  app("match", (page) => page.waitForSelector(".verdict")),
  {
    // What was found; without the times, which are those of this machine in this minute.
    ...app("match", async (page) => {
      await page.waitForSelector(".verdict");
      await page.locator(".counts").evaluate((counts) => counts.parentElement?.scrollIntoView());
    }),
    ...{ name: "match-result", keep: ["1280-light", "1280-dark"] },
  },
  app("align", (page) => page.waitForSelector(".layers img + img")),
  {
    ...app("align", async (page) => {
      await page.waitForSelector(".layers img + img");
      await page.locator(".verdict").evaluate((verdict) => verdict.scrollIntoView());
    }),
    ...{ name: "align-result", keep: ["390-dark"] },
  },
  app("track", (page) => page.waitForSelector("main h1")),
  app("search", (page) => page.waitForSelector("main h1")),
  app("models", (page) => page.waitForSelector("dl")),
  page("site-first", "index.html"),
  page("site-guide", "guide/node.html"),
  page("site-commands", "commands/strata-match.html"),
  page("site-api", "api/track.html"),
];

const WIDTHS = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];

async function main(folder: string, only: readonly string[]): Promise<void> {
  for (const path of [LOOK, KEEP]) await mkdir(path, { recursive: true });
  const files = await serveFolder(folder);
  const browser = await launch();
  try {
    for (const viewport of WIDTHS) {
      for (const colorScheme of ["light", "dark"] as const) {
        const opened = await openPage(browser, { viewport, colorScheme, reducedMotion: "reduce" });
        for (const { name, path, ready, keep } of SHOTS) {
          if (only.length > 0 && !only.includes(name)) continue;
          const kind = `${viewport.width}-${colorScheme}`;
          await opened.goto("about:blank");
          await opened.goto(`${files.address}/${path}`);
          await ready(opened);
          await opened.waitForLoadState("networkidle");
          const png = await opened.screenshot();
          await writeFile(`${LOOK}/${name}-${kind}.png`, png);
          if (keep?.includes(kind)) await save(`${KEEP}/${name}-${kind}.webp`, png);
          console.log(`${name}-${kind}`);
        }
        await opened.close();
      }
    }
  } finally {
    await browser.close();
    await files.close();
  }
}

/** As WebP, as good as the limit allows. */
async function save(path: string, png: Uint8Array): Promise<void> {
  for (const quality of [85, 75, 65, 50, 35]) {
    const bytes = await sharp(png).webp({ quality }).toBuffer();
    if (bytes.length <= LIMIT) return writeFile(path, bytes);
  }
  throw new Error(`${path}: more than ${LIMIT} bytes at every quality`);
}

await main(`${SITE}dist`, process.argv.slice(2));
