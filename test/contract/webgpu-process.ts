/**
 * Scripts that compute on onnxruntime-node's WebGPU, each in a child process, for it may crash: on the machine's GPU, or
 * on the SwiftShader that comes with Chromium.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const CHROMIUM = "/usr/lib/chromium";
export const SWIFTSHADER = `${CHROMIUM}/vk_swiftshader_icd.json`;

/** Vulkan by way of SwiftShader, unless the environment names a driver or the machine's own is wanted. */
export function environment(software = true): NodeJS.ProcessEnv {
  const { VK_DRIVER_FILES, LD_LIBRARY_PATH, XDG_RUNTIME_DIR, ...rest } = process.env;
  if (!software || VK_DRIVER_FILES || !existsSync(SWIFTSHADER)) return process.env;
  return {
    ...rest,
    VK_DRIVER_FILES: SWIFTSHADER,
    // Chromium brings the Vulkan loader too.
    LD_LIBRARY_PATH: LD_LIBRARY_PATH ? `${LD_LIBRARY_PATH}:${CHROMIUM}` : CHROMIUM,
    XDG_RUNTIME_DIR: XDG_RUNTIME_DIR ?? "/tmp",
  };
}

/** The lines of JSON that a script printed, and how it ended: "" where that was well. */
export function runOnWebGpu(script: URL): Promise<{ lines: string[]; end: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", fileURLToPath(script)], { env: environment() });
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

/** Skips a test with the reason why there is no WebGPU; where `CI` is set, it must be there. */
export function skipWithoutGpu(name: string, absent: string | undefined, skip: (note?: string) => void): void {
  if (!absent) return;
  if (process.env.CI) throw new Error(absent);
  console.warn(`skipped "${name}": ${absent}`);
  skip(absent);
}
