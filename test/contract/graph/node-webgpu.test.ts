/**
 * The table on onnxruntime-node's WebGPU, in a child process: on the machine's GPU, or on the SwiftShader that comes
 * with Chromium. Skipped with a message where there is neither.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { GROUPS } from "./cases.js";
import type { GroupReport } from "./failures.js";

const CHROMIUM = "/usr/lib/chromium";
const SWIFTSHADER = `${CHROMIUM}/vk_swiftshader_icd.json`;

/** Vulkan by way of SwiftShader, unless the environment names a driver. */
function environment(): NodeJS.ProcessEnv {
  const { VK_DRIVER_FILES, LD_LIBRARY_PATH, XDG_RUNTIME_DIR, ...rest } = process.env;
  if (VK_DRIVER_FILES || !existsSync(SWIFTSHADER)) return process.env;
  return {
    ...rest,
    VK_DRIVER_FILES: SWIFTSHADER,
    // Chromium brings the Vulkan loader too.
    LD_LIBRARY_PATH: LD_LIBRARY_PATH ? `${LD_LIBRARY_PATH}:${CHROMIUM}` : CHROMIUM,
    XDG_RUNTIME_DIR: XDG_RUNTIME_DIR ?? "/tmp",
  };
}

/** What the child printed, and how it ended. */
function runChild(): Promise<{ lines: string[]; end: string }> {
  const script = fileURLToPath(new URL("./webgpu-child.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script], { env: environment() });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (data) => {
    out += data;
  });
  child.stderr.on("data", (data) => {
    errors += data;
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      const lines = out.split("\n").filter((line) => line.startsWith("{"));
      resolve({ lines, end: code === 0 ? "" : `${signal ?? code}: ${errors.slice(-2000)}` });
    });
  });
}

describe("lowered graphs on node-webgpu", () => {
  it("hold for the whole table", { timeout: 600_000 }, async ({ skip }) => {
    const { lines, end } = await runChild();
    expect(end).toBe("");
    const reports = lines.map((line) => JSON.parse(line) as GroupReport & { absent?: string });
    const absent = reports[0]?.absent;
    if (absent) {
      if (process.env.CI) throw new Error(absent);
      console.warn(`skipped "lowered graphs on node-webgpu": ${absent}`);
      skip(absent);
    }
    expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
    expect(reports.map(({ group }) => group)).toEqual(Object.keys(GROUPS));
  });
});
