/** Node without the native runtime: the same graphs run on WebAssembly, and that is said with its remedy. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { OnnxBuilder } from "../../../src/graph/onnx.js";
import type { Session } from "../../../src/graph/session.js";

const sessions: Session[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.dispose();
  vi.doUnmock("onnxruntime-node");
  vi.doUnmock("../../../src/node/packages.js");
  vi.resetModules();
});

/** y = 2·x. */
function doubling(): Uint8Array {
  const graph = new OnnxBuilder();
  const x = graph.input("x", "float32", ["n"]);
  graph.output("y", graph.node("Add", [x, x]), "float32", ["n"]);
  return graph.toBytes("doubling");
}

/** The runtime where `packages` are what is installed, and the native library does not load. */
async function runtimeWith(packages: readonly string[]) {
  vi.doMock("onnxruntime-node", () => {
    throw new Error("no such library\nmore");
  });
  const findPackage = (name: string) => (packages.includes(name) ? {} : null);
  vi.doMock("../../../src/node/packages.js", () => ({ findPackage }));
  return import("../../../src/node/runtime.js");
}

async function openWithout(isInstalled: boolean, backend?: "wasm") {
  const { describeRuntime, nodeRuntime } = await runtimeWith([
    "onnxruntime-web",
    ...(isInstalled ? ["onnxruntime-node"] : []),
  ]);
  const session = await nodeRuntime.open(doubling(), { threads: 1, backend });
  sessions.push(session);
  const { y } = await session.run({ x: { type: "float32", shape: [2], data: Float32Array.of(1, 2.5) } });
  expect(Array.from(y.data)).toEqual([2, 5]);
  return { info: session.info, description: await describeRuntime() };
}

describe("nodeRuntime without onnxruntime-node", () => {
  it("runs on WebAssembly and says how the native library is installed", async () => {
    const { info, description } = await openWithout(false);
    expect(info).toMatchObject({ backend: "wasm", runtime: expect.stringMatching(/^onnxruntime-web \d/) });
    for (const text of [info.fallback, description]) {
      expect(text).toMatch(/onnxruntime-node is not installed; .*npm install onnxruntime-node@\d+\.\d+\.\d+/);
    }
  });

  it("says that there is no build where it is installed and does not load", async () => {
    const { info, description } = await openWithout(true);
    for (const text of [info.fallback, description]) {
      expect(text).toMatch(/onnxruntime-node does not load here \(.*\); it has builds for/);
      expect(text).not.toContain("\n");
    }
  });

  it("has nothing to say to whoever asks for WebAssembly", async () => {
    expect((await openWithout(false, "wasm")).info.fallback).toBeUndefined();
  });
});

describe("nodeRuntime without any runtime", () => {
  it("is told in a sentence, before an image is read", async () => {
    const { checkRuntime, describeRuntime, nodeRuntime } = await runtimeWith([]);
    const told =
      /^there is no ONNX Runtime: neither onnxruntime-node nor onnxruntime-web is installed; run "npm install onnxruntime-web@\d/;
    expect(await describeRuntime()).toMatch(told);
    expect(checkRuntime).toThrow(told);
    await expect(nodeRuntime.open(doubling())).rejects.toMatchObject({
      name: "UnsupportedError",
      message: expect.stringMatching(told),
    });
    vi.resetModules();
    expect((await runtimeWith(["onnxruntime-web"])).checkRuntime).not.toThrow();
  });
});
