/**
 * The contract table on onnxruntime-web's WebGPU, in Chromium with its software GPU (SwiftShader), one row of each kind: it
 * takes minutes to compile shaders for all, and Node's WebGPU, whose kernels are the same, runs the whole table
 * (test/contract/graph). WHOLE_TABLE=1 runs it here too.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { GROUPS } from "../contract/graph/cases.js";
import type { GroupReport } from "../contract/graph/failures.js";
import { describeBrowser, launch, openPage, type Served, servePage } from "./page.js";

describeBrowser("lowered graphs in Chromium on WebGPU", () => {
  let served: Served;
  let browser: Browser;
  let page: Page;
  let absent = "";
  beforeAll(async () => {
    served = await servePage();
    browser = await launch(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]);
    page = await openPage(browser);
    await page.goto(served.page.url());
    const present = await page.evaluate("navigator.gpu?.requestAdapter().then((adapter) => adapter !== null) ?? false");
    if (!present) absent = "this Chromium has no WebGPU adapter, not even in software";
  });
  afterAll(async () => {
    await browser?.close();
    await served?.close();
  });

  for (const group of Object.keys(GROUPS)) {
    it(group, async ({ skip }) => {
      if (absent) {
        console.warn(`skipped: ${absent}`);
        skip(absent);
      }
      const call = `runGroup(${JSON.stringify(group)}, "web-webgpu", runtime.webRuntime, { backend: "webgpu" }, ${!process.env.WHOLE_TABLE})`;
      const report = (await page.evaluate(
        `Promise.all([import("/test/contract/graph/failures.ts"), import("/src/web/runtime.ts")])
          .then(([table, runtime]) => table.${call})`,
      )) as GroupReport;
      expect(report.failures).toEqual([]);
      expect(report.rows).toBeGreaterThan(0);
    });
  }
});
