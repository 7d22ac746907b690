/** The site as it is built, in a folder that is not the server's root: its links, its samples' pages, its demo. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { program } from "../../site/commands.js";
import { type Files, serveFolder } from "../package/bundles.js";
import { axeFaults } from "./axe.js";
import { describeBrowser, launch, type openPage } from "./page.js";
import { watchPages } from "./watched-page.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const unescapeHtml = (html: string): string =>
  html
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replace(
      /&(lt|gt|quot|amp);/g,
      (_, name: "lt" | "gt" | "quot" | "amp") => ({ lt: "<", gt: ">", quot: '"', amp: "&" })[name],
    );

/** Where the site lies on its server. */
const PLACE = "docs/of/strata/";

describeBrowser("the site", () => {
  const top = mkdtempSync(join(tmpdir(), "strata-site-"));
  const folder = join(top, PLACE);
  let files: Files;
  let browser: Browser;
  let page: Page;
  const { errors, hosts, open: openWatched } = watchPages();

  beforeAll(async () => {
    const build = [join(ROOT, "node_modules/tsx/dist/cli.mjs"), join(ROOT, "site/main.ts"), "build", folder];
    const { status, stdout, stderr } = spawnSync(process.execPath, build, { cwd: ROOT, encoding: "utf8" });
    expect(status, stdout + stderr).toBe(0);
    expect(stdout + stderr).not.toMatch(/warn|\(!\)|deprecat|dead link/i);
    files = await serveFolder(top);
    browser = await launch();
    page = await open();
  });
  afterAll(async () => {
    await browser?.close();
    await files?.close();
    rmSync(top, { recursive: true, force: true });
  });

  const open = (options: Parameters<typeof openPage>[1] = {}): Promise<Page> => openWatched(browser, options);

  const address = (path: string): string => `${files.address}/${PLACE}${path}`;

  it("has no dead link: every page, anchor, picture and script that a page names is there", () => {
    const pages = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".html"));
    expect(pages.length).toBeGreaterThan(60);
    const ids = new Map<string, Set<string>>();
    const links: [from: string, to: string, fragment: string][] = [];
    for (const from of pages.filter((path) => !path.startsWith("app"))) {
      const html = readFileSync(join(folder, from), "utf8");
      ids.set(from, new Set([...html.matchAll(/<[^<>]* id="([^"]*)"/g)].map(([, id]) => unescapeHtml(id))));
      for (const [, found] of html.matchAll(/<[^<>]* (?:href|src)="([^"]*)"/g)) {
        const link = unescapeHtml(found);
        if (/^(?:https?:|data:|mailto:)/.test(link)) continue;
        const [path, fragment = ""] = link.split("#");
        const target = path === "" ? from : relative(folder, resolve(folder, dirname(from), decodeURIComponent(path)));
        links.push([from, target, decodeURIComponent(fragment)]);
      }
    }
    const dead = links.filter(([from, target, fragment]) => {
      const path = join(folder, target);
      // The page for addresses that are not there has no place of its own.
      if (from === "404.html") return false;
      if (!existsSync(path) || !statSync(path).isFile()) return true;
      return fragment !== "" && ids.has(target) && !ids.get(target)?.has(fragment);
    });
    expect(dead.map((parts) => parts.join(" → "))).toEqual([]);
    expect(links.length).toBeGreaterThan(5000);
  });

  it("has a page for every command with every option, and one for every door", () => {
    for (const command of program().commands.filter((command) => command.name() !== "help")) {
      const html = readFileSync(join(folder, `commands/strata-${command.name()}.html`), "utf8");
      const text = unescapeHtml(html.replace(/<[^<>]*>/g, ""));
      for (const of of [command, ...command.commands])
        for (const { flags, hidden } of of.options) if (!hidden) expect(text, command.name()).toContain(flags);
    }
    const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const doors = Object.entries<{ types?: string }>(exports).filter(([, { types }]) => types);
    expect(doors.length).toBeGreaterThan(8);
    const api = readFileSync(join(folder, "api/index.html"), "utf8");
    for (const [path] of doors) {
      if (path !== "./web/standalone") expect(api).toContain(`strata-features${path.slice(1)}<`);
    }
  });

  it("shows its first page and matches two pictures there", async () => {
    await page.goto(address("index.html"));
    expect(await axeFaults(page)).toEqual([]);
    await page.getByRole("button", { name: /^Run it here/ }).click();
    const verdict = page.frameLocator("iframe").locator(".verdict");
    await verdict.waitFor();
    expect(await verdict.textContent()).toMatch(/^same/);
  });

  it("is read by keyboard: from page to page, and by its search", async () => {
    await page.goto(address("index.html"));
    const link = page.getByRole("link", { name: "In Node", exact: true });
    await link.focus();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/guide/node.html");
    expect(new URL(page.url()).pathname).toBe(`/${PLACE}guide/node.html`);
    await page.getByRole("heading", { level: 1, name: /^In Node/ }).waitFor();
    expect(await axeFaults(page)).toEqual([]);
    await page.keyboard.press("Control+k");
    await page.keyboard.type("homography");
    await page.locator("#localsearch-list a").first().waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => !url.pathname.endsWith("guide/node.html"));
    expect(new URL(page.url()).pathname.startsWith(`/${PLACE}`)).toBe(true);
    await page.getByRole("heading", { level: 1 }).waitFor();
  });

  it("fits a small telephone in the dark", async () => {
    const phone = await open({ viewport: { width: 360, height: 740 }, hasTouch: true, colorScheme: "dark" });
    for (const path of ["index.html", "guide/node.html", "docs/benchmark.html", "api/track.html"]) {
      await phone.goto(address(path));
      await phone.getByRole("heading", { level: 1 }).first().waitFor();
      const [wide, window] = await phone.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      expect(wide, path).toBeLessThanOrEqual(window);
    }
    await phone.goto(address("guide/node.html"));
    expect(await axeFaults(phone)).toEqual([]);
    await phone.close();
  });

  it("asks no other host for anything, and reports no error", () => {
    expect([...hosts]).toEqual([new URL(files.address).host]);
    expect(errors).toEqual([]);
  });
});
