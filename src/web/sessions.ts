/** Sessions of onnxruntime-web in one of its builds, on WebAssembly or on a device of the GPU. */
import { checkText } from "../check.js";
import { IoError } from "../errors.js";
import { openOrtSession } from "../graph/ort.js";
import type { Session, SessionOptions } from "../graph/session.js";
import { type Build, checkWebAssembly, loadBuild, WASM_FILES } from "./builds.js";
import { type Device, GpuSession, openDevice } from "./gpu.js";

/** Where onnxruntime-web finds its .wasm files; unset, it looks beside its own script. */
let wasmPaths: string | undefined;

/** Sets the folder (an address with a trailing slash) of onnxruntime-web's wasm files; call it before the first session. */
export function setWasmPaths(folder: string): void {
  wasmPaths = checkText("setWasmPaths", "folder", folder);
}

/** Addresses of single files: a worker is told that of its own. */
const wasmFiles = new Map<Build, string>();

export const setWasmFile = (build: Build, address: string): void => void wasmFiles.set(build, address);

/** The address of a build's WASM file, where one was set. */
export const wasmAddress = (build: Build): string | undefined =>
  wasmFiles.get(build) ?? (wasmPaths === undefined ? undefined : wasmPaths + WASM_FILES[build]);

/** Threads need shared memory, which browsers give to cross-origin isolated pages only. */
const mayUseThreads = (): boolean =>
  typeof SharedArrayBuffer !== "undefined" && globalThis.crossOriginIsolated !== false;

/** Threads that each build started with; it keeps them for every later session of the page. */
const started = new Map<Build, number>();

/** An ONNX model of one Identity on a number: opening it starts the runtime, and takes nothing beside. */
const NOTHING = Uint8Array.of(
  // ir_version 8; a graph named g with Identity(x) = y, x and y of float; opset 13.
  ...[8, 8, 58, 43, 10, 16, 10, 1, 120, 18, 1, 121, 34, 8, 73, 100, 101, 110, 116, 105, 116, 121, 18, 1, 103],
  ...[90, 9, 10, 1, 120, 18, 4, 10, 2, 8, 1, 98, 9, 10, 1, 121, 18, 4, 10, 2, 8, 1, 66, 4, 10, 0, 16, 13],
);

/** Runtimes that were started ahead of their first session, which is told why one did not start. */
const starts = new Map<Build, Promise<void>>();

/** Starts the runtime of a build while what it will run is still on its way; nothing is told here of what goes wrong. */
export function startRuntime(build: Build, threads?: number): void {
  if (starts.has(build)) return;
  const start = openSession(build, NOTHING, { threads }).then((session) => session.dispose());
  start.catch(() => undefined);
  starts.set(build, start);
}

const cores = (): number => globalThis.navigator?.hardwareConcurrency ?? 1;

/** A session of one build: on WebAssembly, or on the device where one is given. */
export async function openInBuild(build: Build, model: Uint8Array, options: OpenOptions = {}): Promise<Session> {
  const start = starts.get(build);
  try {
    await start;
  } catch (error) {
    starts.delete(build);
    throw error;
  }
  return openSession(build, model, options);
}

type OpenOptions = Pick<SessionOptions, "threads"> & { device?: Device; fallback?: string };

async function openSession(
  build: Build,
  model: Uint8Array,
  { threads: wanted, device, fallback }: OpenOptions,
): Promise<Session> {
  checkWebAssembly();
  const ort = await loadBuild(build);
  const threads = started.get(build) ?? (mayUseThreads() ? (wanted ?? cores()) : 1);
  started.set(build, threads);
  ort.env.wasm.numThreads = threads;
  const wasm = wasmAddress(build);
  if (wasm !== undefined) ort.env.wasm.wasmPaths = { wasm };
  const session = await openOrtSession(ort, {
    runtime: `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common}`,
    model,
    wanted: device ? "webgpu" : "wasm",
    // No quiet change of backends: who asked for the device decides what comes after it.
    fallback: device ? "webgpu" : "wasm",
    threads,
    writesInto: false,
    // On WebAssembly rewriting takes three quarters of a session's opening, and the graphs are ours: the same numbers come
    // out as quickly without. On the GPU it puts channels where its kernels want them.
    options: { graphOptimizationLevel: device ? "all" : "disabled", logSeverityLevel: 4 },
    provider: device && { name: "webgpu", device: device as never },
  }).catch((error) => {
    throw asWasmError(error, wasm);
  });
  if (fallback !== undefined) Object.assign(session.info, { fallback });
  return session;
}

/** A file of the runtime that does not arrive, in plain words. */
function asWasmError(error: unknown, address: string | undefined): unknown {
  const text = String((error as Error)?.message ?? error);
  const failed =
    /both async and sync fetching of the wasm failed|failed to asynchronously prepare wasm|wasm streaming compile failed|Failed to fetch dynamically|no available backend found/i;
  if (!failed.test(text) || /memory/i.test(text)) return error;
  const where = address ?? "beside the script of onnxruntime-web";
  return new IoError(
    `cannot load the runtime's WebAssembly (${where}): ${text.split("\n")[0].slice(0, 200)}; make the .wasm files of ` +
      'onnxruntime-web/dist reachable and name their folder: setWasmPaths("/folder/")',
    { cause: error },
  );
}

/** A session on the GPU with a build that has one. */
export const openOnGpu = (build: Build, model: Uint8Array, options: Pick<SessionOptions, "threads"> = {}) =>
  GpuSession.open({
    device: openDevice,
    onDevice: (device) => openInBuild(build, model, { ...options, device }),
    onWasm: () => openInBuild(build, model, options),
  });
