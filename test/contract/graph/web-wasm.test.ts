/** The table on onnxruntime-web's WebAssembly, in Node; test/browser runs it in Chromium. */
import { describe, expect, it } from "vitest";
import { webRuntime } from "../../../src/web/runtime.js";
import { GROUPS } from "./cases.js";
import { runGroup } from "./failures.js";

describe("lowered graphs on web-wasm", () => {
  for (const group of Object.keys(GROUPS)) {
    it(group, async () => {
      const report = await runGroup(group, "web-wasm", webRuntime, { threads: 1 });
      expect(report.failures).toEqual([]);
      expect(report.rows).toBeGreaterThan(0);
    });
  }
});
