/**
 * Which backend a page takes: those it could have are opened at first use, their points in the check picture compared with
 * the stored ones, and where two pass, both are timed once on a picture of the size of a camera's frame. What was found is
 * kept, so that later visits open one.
 */
import { FormatError } from "../errors.js";
import type { ExtractOptions } from "../extract/options.js";
import { drawProbe, PROBE_OPTIONS, type ProbePoints, probeDifference } from "../extract/probe.js";
import type { FloatFeatures } from "../features.js";
import type { Runtime } from "../graph/session.js";
import type { Image } from "../image/image.js";
import { type Build, gpuBuild } from "./builds.js";
import { findAdapter, isSoftware } from "./gpu.js";
import { readModelCache, writeModelCache } from "./model-cache.js";
import { openInBuild, openOnGpu } from "./sessions.js";

/** What may be asked for. */
export const WEB_BACKENDS = ["auto", "webgpu", "wasm"] as const;
/** Where a page computes: `auto` takes the GPU where there is one, it computes the right points, and is the quicker one. */
export type WebBackend = (typeof WEB_BACKENDS)[number];

/** Which backend was taken, and why. */
export interface BackendChoice {
  backend: "webgpu" | "wasm";
  /** In words, e.g. "this browser has no WebGPU adapter". */
  reason: string;
  /** Whether the points of the check picture were compared with the stored ones; false: there are none of this model. */
  checked: boolean;
  /** Milliseconds of an extraction at 640×480, where two backends were compared. */
  milliseconds?: { webgpu: number; wasm: number };
}

/** What can be known before anything is loaded: the build of the runtime, and the backends that are tried, best first. */
export interface BackendPlan {
  build: Build;
  candidates: ("webgpu" | "wasm")[];
  reason: string;
  /** Where the outcome of the comparison is kept; null: nothing is compared. */
  key: string | null;
  /** Said in the session's info where what was asked for is not to be had. */
  fallback?: string;
}

/** Plans for a model; `about` is what tells one comparison from another, e.g. the model's name. */
export async function planBackend(wanted: WebBackend, about: string): Promise<BackendPlan> {
  const wasm = (reason: string): BackendPlan => ({ build: "wasm", candidates: ["wasm"], reason, key: null });
  if (wanted === "wasm") return wasm("asked for");
  const adapter = await findAdapter();
  if (!adapter) {
    const absent = "this browser has no WebGPU adapter";
    const fallback = `webgpu is not to be had here (${absent}); using wasm`;
    return wanted === "auto" ? wasm(absent) : { ...wasm(absent), fallback };
  }
  const build = gpuBuild();
  if (wanted === "webgpu") return { build, candidates: ["webgpu", "wasm"], reason: "asked for", key: null };
  if (isSoftware(adapter)) return wasm("WebGPU is computed by the CPU here");
  const { vendor = "", architecture = "" } = adapter.info ?? {};
  const { origin } = globalThis.location ?? {};
  const query = new URLSearchParams({ about, build, vendor, architecture, browser: globalThis.navigator.userAgent });
  const key = `${origin}/strata-features-backend?${query}`;
  const kept = await readModelCache(key, "1");
  const known = kept && (JSON.parse(new TextDecoder().decode(kept)) as BackendChoice);
  if (known?.backend === "wasm") return wasm(`${known.reason} (found on an earlier visit)`);
  if (known?.backend === "webgpu") {
    return { build, candidates: ["webgpu", "wasm"], reason: `${known.reason} (found on an earlier visit)`, key: null };
  }
  return { build, candidates: ["webgpu", "wasm"], reason: "", key };
}

/**
 * Where it is kept that WebAssembly has passed the check with a model and a build of strata in this browser; null where a GPU
 * is tried, whose driver may have changed.
 */
export function checkKey({ build, candidates }: BackendPlan, model: string, code: string): string | null {
  if (candidates.includes("webgpu")) return null;
  const { origin } = globalThis.location ?? {};
  return `${origin}/strata-features-check?${new URLSearchParams({ model, code, build, browser: globalThis.navigator.userAgent })}`;
}

/** Something that extracts on an opened session: for the check with the options of the check, and as the caller wants. */
export interface Opened<E> {
  /** Null where the caller's options need another graph than the stored points were found with. */
  probe: ((options: Partial<ExtractOptions>, image: Image) => Promise<FloatFeatures>) | null;
  extractor: E;
}

export interface Chosen<E> {
  extractor: E;
  choice: BackendChoice;
  /** Why one that was tried is not used. */
  fallback?: string;
}

/**
 * Opens what is planned, checks and compares. `open` makes an extractor on a runtime that opens one backend; `expected` are
 * the stored points, null where there are none.
 */
export async function chooseBackend<E extends { dispose(): Promise<void> }>(
  { build, candidates, reason, key, ...plan }: BackendPlan,
  threads: number | undefined,
  expected: ProbePoints | null,
  open: (runtime: Runtime) => Opened<E>,
): Promise<Chosen<E>> {
  const failures: string[] = [];
  const passed: { backend: "webgpu" | "wasm"; opened: Opened<E>; checked: boolean }[] = [];
  for (const backend of candidates) {
    // After a GPU that works WebAssembly is only opened to be compared with.
    if (passed.length > 0 && key === null) break;
    const opened = open(oneBackend(build, backend, threads));
    try {
      const difference = await check(opened, expected);
      if (difference === null) {
        passed.push({ backend, opened, checked: expected !== null && opened.probe !== null });
        continue;
      }
      failures.push(`${backend}: ${difference}`);
    } catch (error) {
      // Of the last one the error itself is what the caller has to know.
      if (backend === candidates.at(-1) && passed.length === 0) throw error;
      failures.push(`${backend}: ${error instanceof Error ? error.message.split("\n")[0] : error}`);
    }
    await opened.extractor.dispose();
  }
  const [first, second] = passed;
  if (!first) {
    throw new FormatError(
      `this browser computes other points than it should (${failures.join("; ")}); the model's files may be of different versions`,
    );
  }
  const { extractor } = first.opened;
  const { backend, checked } = first;
  const fallback = failures.length > 0 ? `${failures.join("; ")}; using ${backend}` : plan.fallback;
  if (!second) return { extractor, choice: { backend, checked, reason: fallback ?? reason }, fallback };
  const [webgpu, wasm] = [await time(first.opened), await time(second.opened)];
  const quicker = webgpu <= wasm ? first : second;
  await (quicker === first ? second : first).opened.extractor.dispose();
  const [ms, other] = [Math.min(webgpu, wasm), Math.max(webgpu, wasm)].map((value) => value.toFixed(0));
  const choice: BackendChoice = {
    backend: quicker.backend,
    reason: `${quicker.backend} took ${ms} ms for a picture of 640×480, the other one ${other} ms`,
    checked,
    milliseconds: { webgpu, wasm },
  };
  if (key !== null) await writeModelCache(key, "1", new TextEncoder().encode(JSON.stringify(choice)));
  return { extractor: quicker.opened.extractor, choice };
}

/** A runtime of one backend of one build. */
const oneBackend = (build: Build, backend: "webgpu" | "wasm", threads: number | undefined): Runtime => ({
  name: "onnxruntime-web",
  open: (model) =>
    backend === "webgpu" ? openOnGpu(build, model, { threads }) : openInBuild(build, model, { threads }),
});

async function check<E>({ probe }: Opened<E>, expected: ProbePoints | null): Promise<string | null> {
  if (!probe || !expected) return null;
  return probeDifference(expected, await probe(PROBE_OPTIONS, drawProbe()));
}

/** Milliseconds of one extraction after another that warms up. */
async function time<E>({ probe }: Opened<E>): Promise<number> {
  const image = drawProbe(640, 480);
  let started = 0;
  for (let run = 0; run < 2; run++) {
    started = performance.now();
    await probe?.({}, image);
  }
  return performance.now() - started;
}
