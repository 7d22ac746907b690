/** What a prepared graph does without: neither jax-js nor what writes ONNX files is loaded, and the features are the same. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DenseExtractor } from "../../../src/extract/dense.js";
import { readingInputs, sampleDims } from "../../../src/extract/dense-model.js";
import { extractOptions } from "../../../src/extract/options.js";
import { openStrata } from "../../../src/families.js";
import type { FloatFeatures } from "../../../src/features.js";
import { prepareGraph } from "../../../src/graph/prepare.js";
import type { Runtime } from "../../../src/graph/session.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { webRuntime } from "../../../src/web/runtime.js";
import { noiseImage, SLIM, strataTensors } from "../../models.js";

const FOR_TRACING = ["@jax-js/jax", "onnx-buf", "@bufbuild/protobuf"];
const RUNTIMES: Record<string, Runtime> = { Node: nodeRuntime, WebAssembly: webRuntime };
const KEY = { weights: "5a" };
const IMAGE = noiseImage(70, 50);

const expected = new Map<string, FloatFeatures>();
let file: Uint8Array;

beforeAll(async () => {
  const { model, defaults } = openStrata("tiny", strataTensors(SLIM), SLIM, "5a");
  const options = extractOptions({}, defaults);
  for (const [name, runtime] of Object.entries(RUNTIMES)) {
    const traced = new DenseExtractor(model, options, { runtime, threads: 1 });
    expected.set(name, await traced.extract(IMAGE));
    expect(traced.info.graph).toEqual({ prepared: false });
    await traced.dispose();
  }
  const reading = model.reading?.(options);
  if (!reading) throw new Error("the model is not read inside its graph");
  const inputs = readingInputs(model, reading);
  const key = { ...KEY, options: reading.kind };
  file = await prepareGraph(reading.network, inputs, key, { dims: sampleDims(model, reading) });
  for (const name of FOR_TRACING) {
    vi.doMock(name, () => {
      throw new Error(`${name} is loaded`);
    });
  }
  vi.resetModules();
});

afterAll(() => {
  for (const name of FOR_TRACING) vi.doUnmock(name);
});

describe("a prepared graph without what traces", () => {
  it.each(Object.keys(RUNTIMES))("gives the same features to the last bit on %s", async (name) => {
    const fresh = await import("../../../src/extract/dense.js");
    const families = await import("../../../src/families.js");
    const { model, defaults } = families.openStrata("tiny", strataTensors(SLIM), SLIM, "5a");
    const extractor = new fresh.DenseExtractor(model, extractOptions({}, defaults), {
      ...{ runtime: RUNTIMES[name], threads: 1 },
      prepared: { where: "graph.onnx", file, key: KEY },
    });
    const features = await extractor.extract(IMAGE);
    expect(features.count).toBeGreaterThan(5);
    expect(features).toEqual(expected.get(name));
    expect(extractor.info.graph).toEqual({ prepared: true });
    await extractor.dispose();
  });

  it("would tell if it loaded any of it", async () => {
    await expect(import("../../../src/graph/compile.js")).rejects.toThrow();
  });
});
