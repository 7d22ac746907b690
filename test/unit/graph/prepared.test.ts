/** Prepared graphs: the same numbers without tracing, and no graph that does not fit. */
import { beforeAll, describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "../../../src/errors.js";
import { DenseExtractor, type PreparedModel } from "../../../src/extract/dense.js";
import { readingInputs, sampleDims } from "../../../src/extract/dense-model.js";
import { GraphExtractor } from "../../../src/extract/graph-extractor.js";
import { extractOptions } from "../../../src/extract/options.js";
import { preparedKey } from "../../../src/extract/prepared.js";
import { openStrata } from "../../../src/families.js";
import { compile } from "../../../src/graph/compile.js";
import { prepareGraph } from "../../../src/graph/prepare.js";
import { openPrepared, readPrepared } from "../../../src/graph/prepared.js";
import type { Runtime } from "../../../src/graph/session.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { noiseImage, SLIM, strataTensors, TINY } from "../../models.js";

const KEY = { version: "v", weights: "w", configuration: "c" };

function prepare(config = SLIM, key: Record<string, string> = KEY) {
  const opened = openStrata("tiny", strataTensors(config), config, "5a");
  const { model } = opened;
  const options = extractOptions({}, opened.defaults);
  const reading = model.reading?.(options);
  if (!reading) throw new Error("the model is not read inside its graph");
  const inputs = readingInputs(model, reading);
  const dims = sampleDims(model, reading);
  return { opened, model, options, reading, inputs, dims, key: { ...key, options: reading.kind } };
}

const made = prepare();
let file: Uint8Array;
beforeAll(async () => {
  file = await prepareGraph(made.reading.network, made.inputs, made.key, { dims: made.dims, name: "tiny" });
});

const read = (bytes: Uint8Array, key = made.key, inputs = made.inputs) =>
  readPrepared("graph.onnx", bytes, key, inputs);

describe("a prepared graph", () => {
  it("holds no weights, and with them is the graph that tracing gives", async () => {
    const traced = await compile(made.reading.network, made.inputs as never, {
      dims: made.dims,
      name: "tiny",
      runtime: nodeRuntime,
    });
    const { onnx, fed, outputs, stats } = read(file);
    const weights = onnx.length - file.length;
    expect(weights).toBeGreaterThan(4 * 500);
    expect(stats).toMatchObject({ nodes: traced.stats.nodes, operators: traced.stats.operators });
    expect([...fed.keys()]).toEqual(traced.inputNames);
    expect(outputs.map(({ name }) => name)).toEqual(traced.outputNames);
    await traced.dispose();
  });

  it("is refused for another version, model or option, by name", () => {
    for (const part of Object.keys(made.key)) {
      expect(() => read(file, { ...made.key, [part]: "other" })).toThrow(
        new FormatError(`graph.onnx: the graph was made for another ${part}`),
      );
    }
    expect(() => read(file, { ...made.key, more: "1" } as never)).toThrow(/for another more$/);
    const { key, inputs } = prepare(TINY);
    expect(() => read(file, key, inputs)).toThrow(
      /graph\.onnx: the graph needs "params\.\S+" of shape \[.*\], the model has/,
    );
  });

  it("is refused where a byte is wrong or its end is missing, whichever", () => {
    const step = Math.max(1, Math.floor(file.length / 200));
    for (let at = 0; at < file.length; at += step) {
      const damaged = file.slice();
      damaged[at] ^= 1 + (at % 255);
      expect(() => read(damaged), `byte ${at}`).toThrow(FormatError);
      expect(() => read(file.subarray(0, at)), `${at} bytes`).toThrow(FormatError);
    }
    expect(() => read(new TextEncoder().encode("<!doctype html><title>not found</title>"))).toThrow(FormatError);
  });

  it("says what a runtime refuses", async () => {
    const refusing: Runtime = { name: "none", open: () => Promise.reject(new FormatError("none refuses the model")) };
    await expect(openPrepared("g", file, made.key, made.inputs, { runtime: refusing })).rejects.toThrow(
      /^none refuses/,
    );
  });
});

describe("an extractor whose prepared graph does not fit", () => {
  it("traces, says why, and finds the same", async () => {
    const image = noiseImage(40, 40);
    const { model, options } = made;
    const plain = new DenseExtractor(model, options, { runtime: nodeRuntime, threads: 1 });
    const expected = await plain.extract(image);
    await plain.dispose();
    const cases: [PreparedModel, RegExp][] = [
      [
        { where: "g", file, key: { ...KEY, weights: "other" } },
        /^g: the graph was made for another weights; it is traced/,
      ],
      [{ where: "g", file: file.subarray(0, 100), key: KEY }, /^g: .*; it is traced instead/],
      [{ where: "g", file: new Uint8Array(0), key: KEY }, /^g: no prepared graph, or a damaged one; it is traced/],
    ];
    for (const [prepared, reason] of cases) {
      const extractor = new DenseExtractor(model, options, { runtime: nodeRuntime, threads: 1, prepared });
      expect(await extractor.extract(image)).toEqual(expected);
      expect(extractor.info.graph).toEqual({ prepared: false, reason: expect.stringMatching(reason) });
      await extractor.dispose();
    }
  });

  it("traces other options, which need other graphs, and has nothing to explain", async () => {
    const { opened } = made;
    const prepared: PreparedModel = { where: "g", file, key: KEY };
    const own = new DenseExtractor(opened.model, extractOptions({ refine: "grid" }, opened.defaults), {
      runtime: nodeRuntime,
      threads: 1,
      prepared,
    });
    await own.extract(noiseImage(40, 40));
    expect(own.info.graph).toEqual({ prepared: false });
    await own.dispose();
  });

  it("says what to do where nothing may trace", async () => {
    const { opened, options } = made;
    const runtime = { runtime: nodeRuntime, threads: 1 };
    const stale: PreparedModel = { where: "g", file, key: { ...KEY, weights: "other" } };
    const grid = extractOptions({ refine: "grid" }, opened.defaults);
    const cases: [GraphExtractor, RegExp][] = [
      [
        new GraphExtractor(opened.model, options, { ...runtime, prepared: stale }),
        /the graph was made for another weights; give "compile"/,
      ],
      [
        new GraphExtractor(opened.model, grid, { ...runtime, prepared: stale }),
        /none was prepared for tiny with these options/,
      ],
    ];
    for (const [extractor, message] of cases) {
      const failed = extractor.extract(noiseImage(40, 40));
      await expect(failed).rejects.toThrow(UnsupportedError);
      await expect(failed).rejects.toThrow(message);
      await extractor.dispose();
    }
    const traced = new GraphExtractor(opened.model, grid, { ...runtime, prepared: stale, compile });
    await traced.extract(noiseImage(40, 40));
    expect(traced.info.graph).toEqual({ prepared: false });
    await traced.dispose();
  });

  it("has a key that changes with weights, configuration and code", () => {
    const { opened } = made;
    const key = preparedKey(opened);
    const other = openStrata(
      "tiny",
      strataTensors(SLIM),
      { ...SLIM, detection: { ...SLIM.detection, nmsRadius: 1 } },
      "5a",
    );
    expect(preparedKey(other)).not.toEqual(key);
    expect(preparedKey({ ...opened, model: { ...opened.model, sha256: "5b" } })).not.toEqual(key);
    expect(Object.keys(key)).toEqual(["version", "weights", "configuration"]);
  });
});
