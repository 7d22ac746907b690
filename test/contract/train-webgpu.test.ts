/** Training on WebGPU gives the losses of the CPU: within 1e-3 of them over five steps of a small network. */
import { expect, it } from "vitest";
import { runOnWebGpu, skipWithoutGpu } from "./webgpu-process.js";

it("five steps on WebGPU are those on the CPU", async ({ skip }) => {
  const { lines, end } = await runOnWebGpu(new URL("./train-webgpu-child.ts", import.meta.url));
  expect(end).toBe("");
  const result = JSON.parse(lines[0]) as { absent?: string; cpu: number[]; webgpu: number[] };
  skipWithoutGpu("training on node-webgpu", result.absent, skip);
  expect(result.cpu).toHaveLength(5);
  expect(result.cpu[4]).toBeLessThan(result.cpu[0]);
  for (const [i, loss] of result.cpu.entries()) {
    expect(Math.abs(result.webgpu[i] - loss) / loss, `step ${i + 1}`).toBeLessThan(1e-3);
  }
});
