/**
 * ONNX Runtime in Node behind the Runtime interface: the native library (cpu always, webgpu and cuda when asked for and
 * present), or its WebAssembly build where the native one is not installed or has no build for the machine.
 */
import "./packages.js";
import { availableParallelism } from "node:os";
import { UnsupportedError } from "../errors.js";
import { type OrtModule, openOrtSession } from "../graph/ort.js";
import type { Runtime, Session, SessionOptions } from "../graph/session.js";
import { asLimit } from "../limits.js";
import { findPackage } from "./packages.js";
import { runtimeVersion } from "./version.js";

type NativeModule = OrtModule & { listSupportedBackends(): readonly { name: string }[] };

/** The native library, or why there is none. */
type Native = { ort: NativeModule } | { ort: null; lack: string };

const NATIVE = "onnxruntime-node";

const WEB = "onnxruntime-web";

const SLOWER = "about four times slower";

let native: Promise<Native> | undefined;

/** Threads that WebAssembly started with; it keeps them for every later session of the process. */
let started: number | undefined;

/** Loaded with the first session: importing it costs a tenth of a second that `--help` should not pay. */
function loadNative(): Promise<Native> {
  native ??= importNative();
  // Where memory ran out, another try may find some.
  native.catch(() => {
    native = undefined;
  });
  return native;
}

async function importNative(): Promise<Native> {
  try {
    const ort = (await import("onnxruntime-node")) as NativeModule;
    // What goes wrong comes as an exception; the native library would print it as well.
    ort.env.logLevel = "fatal";
    return { ort };
  } catch (error) {
    const limit = asLimit(error);
    if (limit !== error) throw limit;
    return { ort: null, lack: lackOf(error) };
  }
}

/** Why the native library does not load, and what to do. */
function lackOf(error: unknown): string {
  if (findPackage(NATIVE) === null) {
    // Its own install script fetches files for GPUs, and where it cannot, npm leaves the package out.
    return (
      `${NATIVE} is not installed; to have it, run "npm install ${NATIVE}@${runtimeVersion()}" ` +
      "(with ONNXRUNTIME_NODE_INSTALL=skip in the environment where its download of GPU files fails)"
    );
  }
  const [said] = String(error instanceof Error ? error.message : error).split("\n");
  return `${NATIVE} does not load here (${said}); it has builds for glibc Linux, Windows and Macs with Apple processors`;
}

/** What sessions run on in this process, for people; nothing is opened for it. */
export async function describeRuntime(): Promise<string> {
  const loaded = await loadNative();
  if (!loaded.ort && findPackage(WEB) === null) return noRuntime();
  if (!loaded.ort) return `${WEB} (WebAssembly, ${SLOWER}); ${loaded.lack}`;
  return `${NATIVE} ${loaded.ort.env.versions.node ?? loaded.ort.env.versions.common}`;
}

const noRuntime = (): string =>
  `there is no ONNX Runtime: neither ${NATIVE} nor ${WEB} is installed; run "npm install ${WEB}@${runtimeVersion()}"`;

/** Throws an UnsupportedError where neither runtime is installed. Loads none. */
export function checkRuntime(): void {
  if (findPackage(NATIVE) === null && findPackage(WEB) === null) throw new UnsupportedError(noRuntime());
}

/** ONNX Runtime on this machine. */
export const nodeRuntime: Runtime = {
  name: NATIVE,
  async open(model, options = {}) {
    const loaded = await loadNative();
    return loaded.ort ? openNative(loaded.ort, model, options) : openWasm(loaded.lack, model, options);
  },
};

/** How sessions of the native library are opened. */
export const nativeOptions = (threads: number, spins = false) =>
  ({
    intraOpNumThreads: threads,
    graphOptimizationLevel: "all",
    // A memory pattern is planned per shape; one graph serves all sizes, and without it the peak is a quarter lower.
    enableMemPattern: false,
    logSeverityLevel: 4,
    // A thread that spins while it waits takes a core from whoever has work for it (docs/decisions.md).
    extra: { session: { intra_op: { allow_spinning: spins ? "1" : "0" } } },
  }) as const;

function openNative(ort: NativeModule, model: Uint8Array, options: SessionOptions): Promise<Session> {
  const threads = options.threads ?? availableParallelism();
  const wanted = options.backend ?? "cpu";
  return openOrtSession(ort, {
    runtime: `${NATIVE} ${ort.env.versions.node ?? ort.env.versions.common}`,
    model,
    wanted,
    fallback: "cpu",
    threads,
    writesInto: true,
    options: nativeOptions(threads),
    check: () => {
      const offered = ort.listSupportedBackends().map(({ name }) => name);
      if (!offered.includes(wanted)) throw new UnsupportedError(`${NATIVE} offers ${offered.join(", ")}`);
    },
  });
}

/** The same graph on WebAssembly, which every machine has. */
async function openWasm(lack: string, model: Uint8Array, { backend, threads }: SessionOptions): Promise<Session> {
  // By its door for Node: those for pages cannot start threads here.
  if (findPackage(WEB) === null) throw new UnsupportedError(noRuntime());
  const ort = await import("onnxruntime-web");
  started ??= threads ?? availableParallelism();
  ort.env.wasm.numThreads = started;
  const session = await openOrtSession(ort, {
    runtime: `${WEB} ${ort.env.versions.web ?? ort.env.versions.common}`,
    model,
    wanted: "wasm",
    fallback: "wasm",
    threads: started,
    writesInto: false,
    options: { graphOptimizationLevel: "all", logSeverityLevel: 4 },
  });
  // Whoever asks for WebAssembly gets what was asked for.
  if (backend !== "wasm") session.info.fallback = `running on WebAssembly, ${SLOWER}: ${lack}`;
  return session;
}
