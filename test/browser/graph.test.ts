/** The contract table of lowered graphs in headless Chromium, and what the web runtime says about where it runs. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SessionInfo } from "../../src/graph/session.js";
import { GROUPS } from "../contract/graph/cases.js";
import type { GroupReport } from "../contract/graph/failures.js";
import { describeBrowser, type Served, servePage } from "./page.js";

const RUNTIME = 'import("/src/web/runtime.ts")';
const TABLE = 'import("/test/contract/graph/failures.ts")';
const COMPILE = 'import("/src/graph/compile.ts")';

describeBrowser("lowered graphs in Chromium", () => {
  let served: Served;
  beforeAll(async () => {
    served = await servePage();
  });
  afterAll(() => served?.close());

  const evaluate = <T>(script: string): Promise<T> => served.page.evaluate(script) as Promise<T>;
  /** The info of a session that was opened with these options, and what x + 1 is there. */
  const open = (options: string) =>
    evaluate<{ info: SessionInfo; result: number[] }>(`Promise.all([${COMPILE}, ${RUNTIME}]).then(
      async ([{ compile, input }, { webRuntime }]) => {
        const compiled = await compile((x) => x.add(1), input([2]), { runtime: webRuntime, ...${options} });
        const { out } = await compiled.run({ in: Float32Array.of(1, 2) });
        await compiled.dispose();
        return { info: compiled.info, result: [...out.data] };
      })`);

  describe("agree with jax-js on wasm", () => {
    for (const group of Object.keys(GROUPS)) {
      it(group, async () => {
        const call = `runGroup(${JSON.stringify(group)}, "web-wasm", runtime.webRuntime, { threads: 1 })`;
        const report = await evaluate<GroupReport>(
          `Promise.all([${TABLE}, ${RUNTIME}]).then(([table, runtime]) => table.${call})`,
        );
        expect(report.failures).toEqual([]);
        expect(report.rows).toBeGreaterThan(0);
      });
    }
  });

  it("leave no error in the console", () => {
    expect(served.errors).toEqual([]);
  });

  it("take threads in cross-origin isolated pages only, as many as the first session asks for", async () => {
    // Files that Vite serves carry the headers of an isolated page.
    await served.page.goto(new URL("/package.json", served.page.url()).href);
    expect(await evaluate<boolean>("crossOriginIsolated")).toBe(true);
    const first = await open("{ threads: 2 }");
    expect(first.info).toMatchObject({ backend: "wasm", threads: 2 });
    expect(first.info.fallback).toBeUndefined();
    expect(first.result).toEqual([2, 3]);
    expect((await open("{ threads: 1 }")).info.threads).toBe(2);

    await served.page.goto(new URL("/blank", served.page.url()).href);
    const isolated = await evaluate<boolean>("crossOriginIsolated");
    expect((await open("{ threads: 2 }")).info.threads).toBe(isolated ? 2 : 1);
  });

  it("run on wasm and say so where WebGPU is not to be had", async () => {
    const { info, result } = await open('{ backend: "webgpu" }');
    expect(info.backend).toBe("wasm");
    expect(info.fallback).toMatch(/webgpu is not to be had here .*adapter/);
    expect(result).toEqual([2, 3]);
  });
});
