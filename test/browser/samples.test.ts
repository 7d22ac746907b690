/** The site's pages without a bundler, and the component of examples/web-next, in Chromium; the latter on a server first. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import { drawPoster } from "../../examples/web-three/poster.js";
import { warpImage } from "../../src/image/warp.js";
import { encodePng } from "../../src/node/images.js";
import { fakeCamera, rawVideo } from "./camera-file.js";
import { type PackageServer, ROOT, servePackage } from "./files.js";
import { describeBrowser, launch, openPage } from "./page.js";

const sample = (name: string): string => readFileSync(join(ROOT, "site/samples", name), "utf8");

/** The component of the example as Next.js bundles it, with Preact in the place of React. */
async function bundleNext(): Promise<string> {
  const { outputFiles } = await esbuild.build({
    stdin: {
      contents: `
        import { h, render } from "preact";
        import { setWasmPaths } from "strata-features/web";
        import { Matcher } from "./examples/web-next/app/matcher.jsx";
        export { Matcher };
        export function mount() {
          setWasmPaths("/node_modules/onnxruntime-web/dist/");
          render(h(Matcher), document.body);
        }`,
      resolveDir: ROOT,
    },
    ...{ bundle: true, write: false, format: "esm", jsx: "automatic", jsxImportSource: "preact", logLevel: "silent" },
    // The example is a package of its own, to which ours is one that was installed.
    alias: { react: "preact/compat", "strata-features/web": join(ROOT, "dist/web/index.js") },
  });
  return outputFiles[0].text;
}

describeBrowser("pages of the site's guides", () => {
  const folder = mkdtempSync(join(tmpdir(), "strata-pages-"));
  let server: PackageServer;
  let browser: Browser;
  let next: string;
  const errors: string[] = [];
  const pictures: { name: string; mimeType: string; buffer: Buffer }[] = [];

  beforeAll(async () => {
    next = await bundleNext();
    const { rgba, ...size } = drawPoster();
    const poster = { ...size, data: Uint8Array.from(rgba).filter((_, i) => i % 4 < 3) };
    const seen = warpImage(poster, [0.8, 0, 150, 0, 0.8, 120, 0, 0, 1], {
      width: 640,
      height: 480,
      fill: [90, 90, 90],
    });
    const video = join(folder, "camera.y4m");
    writeFileSync(video, rawVideo([seen]));
    const { a, b } = drawDemoPair(7);
    for (const image of [a, b]) {
      const buffer = Buffer.from(await encodePng(image));
      pictures.push({ name: `${pictures.length}.png`, mimeType: "image/png", buffer });
    }
    server = await servePackage(
      {},
      {
        ...{ "/match.html": sample("match.html"), "/track.html": sample("track.html") },
        ...{ "/poster.png": await encodePng(poster), "/next.js": next },
        "/next.html": `<!doctype html><link rel=icon href=data:,><body><script type=module>import("/next.js").then(({ mount }) => mount())</script>`,
      },
    );
    browser = await launch(fakeCamera(video));
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(path: string): Promise<Page> {
    const page = await openPage(browser);
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`${server.address}${path}`);
    return page;
  }
  /** What the page says at last: errors come in the same place as results. */
  async function said(page: Page, before = /^(?:|Loading …|Opening the model …|Choose two pictures\.|lost|found)$/) {
    const settled = ([source]: string[]) => {
      const text = document.querySelector("output")?.textContent ?? "";
      return !new RegExp(source).test(text) && text;
    };
    return (await page.waitForFunction(settled, [before.source])).jsonValue();
  }

  it("match.html tells that two files show the same", async () => {
    const page = await open("match.html");
    await page.waitForFunction(() => document.querySelector("input")?.onchange);
    await page.setInputFiles("input", pictures);
    expect(await said(page)).toMatch(/^same: \d{3,} points agree$/);
    await page.close();
  });

  it("track.html follows its poster, with what its import map names", async () => {
    const page = await open("track.html");
    expect(await said(page)).toBe("tracked");
    await page.close();
  });

  it("examples/web-next is imported by a server without a browser's objects, and works in the browser", async () => {
    const file = join(folder, "server.mjs");
    writeFileSync(file, next);
    const script = `
      for (const name of ["Worker", "WebAssembly", "fetch"]) globalThis[name] = new Proxy(class {}, {
        construct() { throw new Error(name + " was used") }, get() { throw new Error(name + " was used") }, apply() { throw new Error(name + " was used") },
      });
      const { Matcher } = await import(${JSON.stringify(pathToFileURL(file).href)});
      console.log(typeof Matcher, typeof window, typeof document);`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(stdout).toBe("function undefined undefined\n");
    const page = await open("next.html");
    expect(await said(page, /^(?:|Loading …)$/)).toBe("Choose two pictures.");
    await page.setInputFiles("input", pictures);
    expect(await said(page)).toMatch(/^same: \d{3,} points agree$/);
    await page.close();
    expect(errors).toEqual([]);
  });
});
