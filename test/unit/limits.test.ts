/** What engines, runtimes and systems say when memory, files or processes run out is told as that, with a remedy. */
import { describe, expect, it } from "vitest";
import { errorCode, errorText, plainMessage } from "../../src/cli/report-error.js";
import { FormatError, LimitError } from "../../src/errors.js";
import { DenseExtractor } from "../../src/extract/dense.js";
import { extractOptions } from "../../src/extract/options.js";
import { openStrata } from "../../src/families.js";
import { type OrtModule, openOrtSession } from "../../src/graph/ort.js";
import type { Runtime } from "../../src/graph/session.js";
import { asLimit, withinLimits } from "../../src/limits.js";
import { errorOf, failureOf } from "../../src/node/failure.js";
import { nodeRuntime } from "../../src/node/runtime.js";
import { noiseImage, strataTensors, TINY } from "../models.js";

const MEMORY: [string, unknown][] = [
  ["V8's buffers", new RangeError("Array buffer allocation failed")],
  ["V8's typed arrays", new RangeError("Invalid typed array length: 9007199254740991")],
  ["V8's strings", new RangeError("Invalid string length")],
  ["a Map", new RangeError("Map maximum size exceeded")],
  ["WebAssembly", new RangeError("WebAssembly.Memory(): could not allocate memory")],
  [
    "an instance",
    new RangeError("WebAssembly.instantiate(): Out of memory: Cannot allocate Wasm memory for new instance"),
  ],
  ["Emscripten", new Error("Aborted(OOM)")],
  ["Emscripten's growing", new Error("Cannot enlarge memory arrays to size 4294967296 bytes (OOM)")],
  ["SpiderMonkey", new Error("out of memory")],
  ["C++", new Error("std::bad_alloc")],
  ["C++ on Windows", new Error("bad allocation")],
  [
    "ONNX Runtime",
    new Error(
      "Non-zero status code … Name:'Mul_1' bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 324576256",
    ),
  ],
  ["ONNX Runtime in a page", new Error("failed to call OrtRun(). ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc")],
  ["CUDA", new Error("CUDA failure 2: out of memory ; GPU=0")],
  ["libvips", new Error("out of memory -- size == 300MB")],
  ["OpenCV", new Error("Insufficient memory (Failed to allocate 933120000 bytes)")],
  ["the system", Object.assign(new Error("spawn ENOMEM"), { code: "ENOMEM" })],
  [
    "a thread",
    Object.assign(new Error("Worker terminated due to reaching memory limit: JS heap out of memory"), {
      code: "ERR_WORKER_OUT_OF_MEMORY",
    }),
  ],
];

describe("a lack of memory", () => {
  it.each(MEMORY)("is a LimitError that names --max-edge or the limit: %s", (_, error) => {
    const limit = asLimit(error) as Error;
    expect(limit).toBeInstanceOf(LimitError);
    expect(limit.name).toBe("LimitError");
    expect(limit.message).toMatch(/^memory ran out \(.*\); .*(--max-edge.*ulimit -v|address space)/);
    expect(limit.message.length).toBeLessThan(330);
    expect(limit.cause).toBe(error);
    expect(plainMessage(error)).not.toMatch(/bug in strata/);
    expect(errorCode(error)).toBe("E_LIMIT");
    expect(errorText(error, false).split("\n")).toHaveLength(2);
  });

  it("crosses between processes as what it is", () => {
    const crossed = errorOf(JSON.parse(JSON.stringify(failureOf(MEMORY[0][1]))));
    expect(crossed).toBeInstanceOf(LimitError);
    expect(crossed.message).toMatch(/--max-edge/);
  });

  it("is told with what it was about, once", () => {
    const inner = asLimit(MEMORY[0][1]);
    expect((asLimit(inner, { what: "a.png", remedy: "use less" }) as Error).message).toBe(
      "a.png: memory ran out (Array buffer allocation failed); use less",
    );
    expect(asLimit(inner)).toBe(inner);
  });
});

describe("other limits", () => {
  it.each([
    ["files", { code: "EMFILE" }, /too many files are open .*ulimit -n/],
    ["files of a machine", { code: "ENFILE" }, /too many files are open/],
    ["processes", { code: "EAGAIN", syscall: "spawn node" }, /no more processes or threads .*--jobs/],
    ["threads", { code: "ERR_WORKER_INIT_FAILED" }, /no more processes or threads .*--workers/],
  ])("%s", (_, fields, message) => {
    const limit = asLimit(Object.assign(new Error("…"), fields)) as Error;
    expect(limit).toBeInstanceOf(LimitError);
    expect(limit.message).toMatch(message);
  });
});

describe("what is no limit", () => {
  it.each<[string, unknown]>([
    ["an error of strata", new FormatError("a.png: out of memory")],
    ["a negative length, which is a bug", new RangeError("Invalid typed array length: -5")],
    ["an array's length, which is a bug", new RangeError("Invalid array length")],
    ["too deep a recursion", new RangeError("Maximum call stack size exceeded")],
    ["a file that is not ready", Object.assign(new Error("read EAGAIN"), { code: "EAGAIN", syscall: "read" })],
    ["a missing property", new TypeError("Cannot read properties of undefined (reading 'memory')")],
    ["nothing", undefined],
    ["a number, as C++ throws", 5243944],
  ])("stays as it is: %s", (_, error) => {
    expect(asLimit(error)).toBe(error);
  });

  it("gives the result of work that succeeds", async () => {
    expect(await withinLimits(() => 7)).toBe(7);
    await expect(withinLimits(() => Promise.reject(MEMORY[0][1]))).rejects.toThrow(LimitError);
  });
});

describe("sessions", () => {
  const request = {
    runtime: "fake 1",
    model: new Uint8Array(),
    wanted: "cpu",
    fallback: "cpu",
    threads: 1,
    writesInto: false,
    options: {},
  } as const;
  const ort = (create: () => Promise<unknown>) =>
    ({ InferenceSession: { create }, Tensor: class {}, env: {} }) as unknown as OrtModule;
  const failing = () => Promise.reject(new Error("std::bad_alloc"));

  it("that cannot be opened for want of memory are no damaged models", async () => {
    await expect(openOrtSession(ort(failing), request)).rejects.toThrow(LimitError);
    const damaged = ort(() => Promise.reject(new Error("protobuf parsing failed")));
    await expect(openOrtSession(damaged, request)).rejects.toThrow(FormatError);
  });

  it("that run out of memory say so, and an extractor says at which size", async () => {
    const opened = await openOrtSession(
      ort(async () => ({ inputNames: [], outputNames: [], run: failing })),
      request,
    );
    await expect(opened.run({})).rejects.toThrow(/^memory ran out \(std::bad_alloc\); .*--max-edge/);
    const runtime: Runtime = {
      name: "full",
      open: async (...given) => ({
        ...(await nodeRuntime.open(...given)),
        info: opened.info,
        run: () => opened.run({}),
      }),
    };
    const { model, defaults } = openStrata("tiny", strataTensors(TINY), TINY, "");
    const extractor = new DenseExtractor(model, extractOptions({}, defaults), { runtime });
    const attempt = extractor.extract(noiseImage(64, 48, 1));
    await expect(attempt).rejects.toThrow(/^an image of 64 × 48 pixels: memory ran out .*--max-edge .* below 64/);
    await expect(attempt).rejects.toBeInstanceOf(LimitError);
  });
});
