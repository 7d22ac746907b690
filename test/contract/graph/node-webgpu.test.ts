/** The table on onnxruntime-node's WebGPU. Skipped with a message where there is neither a GPU nor SwiftShader. */
import { describe, expect, it } from "vitest";
import { runOnWebGpu, skipWithoutGpu } from "../webgpu-process.js";
import { GROUPS } from "./cases.js";
import type { GroupReport } from "./failures.js";

describe("lowered graphs on node-webgpu", () => {
  it("hold for the whole table", async ({ skip }) => {
    const { lines, end } = await runOnWebGpu(new URL("./webgpu-child.ts", import.meta.url));
    expect(end).toBe("");
    const reports = lines.map((line) => JSON.parse(line) as GroupReport & { absent?: string });
    skipWithoutGpu("lowered graphs on node-webgpu", reports[0]?.absent, skip);
    expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
    expect(reports.map(({ group }) => group)).toEqual(Object.keys(GROUPS));
  });
});
