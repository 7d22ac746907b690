/** The page's side of a worker of the library's own, and how one is started. */
import { StateError } from "../errors.js";
import type { ExtractOptions } from "../extract/options.js";
import type { FloatFeatures } from "../features.js";
import type { Image } from "../image/image.js";
import type { DetectorTarget } from "../track/check-targets.js";
import type { Detector } from "../track/detector.js";
import type { Build } from "./builds.js";
import type { ImageSource } from "./images.js";
import type { LocalInfo, LocalOptions } from "./local.js";
import type { ModelProgress } from "./model-files.js";
import { type Answer, type Call, packImage, READY, unpackError } from "./wire.js";

/**
 * A worker for each build of the runtime. Bundlers look for exactly this form, and some put workers of one name into one
 * file. The scripts are whole in themselves (build/web.mjs): they need no bundler, and no address of the page's others.
 */
const SCRIPTS: Readonly<Record<Build, () => Worker>> = {
  wasm: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "strata-wasm" }),
  jspi: () => new Worker(new URL("./worker-jspi.js", import.meta.url), { type: "module", name: "strata-jspi" }),
  asyncify: () =>
    new Worker(new URL("./worker-asyncify.js", import.meta.url), { type: "module", name: "strata-asyncify" }),
};

/** The same scripts as texts, for bundlers that do not look (esbuild): loaded only where the file is not found. */
const TEXTS: Readonly<Record<Build, () => Promise<{ SCRIPT: string }>>> = {
  wasm: () => import("./worker-text.js"),
  jspi: () => import("./worker-jspi-text.js"),
  asyncify: () => import("./worker-asyncify-text.js"),
};

/** Whether there are a browser's workers. Node has none, but the runtime puts Node's own kind under that name there. */
export const haveWorkers = (): boolean => typeof Worker !== "undefined" && Worker.prototype instanceof EventTarget;

/** A worker that runs, or why there can be none. */
export async function startWorker(build: Build, signal?: AbortSignal): Promise<Worker | { reason: string }> {
  if (!haveWorkers()) return { reason: "there are no web workers here" };
  const reasons: string[] = [];
  for (const make of [async () => SCRIPTS[build](), () => fromText(build)]) {
    let worker: Worker | undefined;
    try {
      worker = await make();
      await ready(worker, signal);
      return worker;
    } catch (error) {
      worker?.terminate();
      signal?.throwIfAborted();
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { reason: `no worker can be started here (${reasons.join("; ")})` };
}

async function fromText(build: Build): Promise<Worker> {
  const { SCRIPT } = await TEXTS[build]();
  if (SCRIPT === "") throw new Error("strata runs from source");
  const address = URL.createObjectURL(new Blob([SCRIPT], { type: "text/javascript" }));
  // The address is not revoked: the runtime's threads are workers of the same script.
  return new Worker(address, { type: "module", name: `strata-${build}` });
}

/** Waits until the script says that it runs. */
function ready(worker: Worker, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => data === READY && resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message || "its script cannot be loaded"));
    };
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

interface Pending {
  resolve(answer: Answer): void;
  reject(error: unknown): void;
  onProgress?: (progress: ModelProgress) => void;
}

/** An extractor that lives in a worker. */
export class RemoteExtractor {
  info!: LocalInfo;
  options!: ExtractOptions;
  private readonly pending = new Map<number, Pending>();
  private next = 0;
  private ended: Error | null = null;
  private detectors = 0;
  /** Trackers come and go; the worker keeps no targets of those that went. */
  private readonly unused = new FinalizationRegistry<number>((detector) => {
    if (!this.ended) this.post({ id: this.next++, call: "forget", detector });
  });

  private constructor(private readonly worker: Worker) {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.end(new StateError(`the worker has ended with an error: ${event.message || "out of memory, or no script"}`));
    };
  }

  /** Opens a model in a worker that runs. A worker whose model does not open is ended. */
  static async open(
    worker: Worker,
    options: LocalOptions,
    wasm: string,
    { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: ModelProgress) => void },
  ): Promise<RemoteExtractor> {
    const remote = new RemoteExtractor(worker);
    try {
      const answer = await remote.call((id) => ({ id, call: "open", options, wasm }), [], signal, onProgress);
      Object.assign(remote, (answer as Extract<Answer, { opened: unknown }>).opened);
      return remote;
    } catch (error) {
      await remote.dispose();
      throw error;
    }
  }

  async extractBatch(
    sources: readonly (Image | ImageSource)[],
    { transfer = false, signal }: { transfer?: boolean; signal?: AbortSignal } = {},
  ): Promise<FloatFeatures[]> {
    const packed = await Promise.all(sources.map((source) => packImage(source, transfer)));
    const given = [...new Set(packed.flatMap(([, owned]) => owned))];
    const images = packed.map(([sent]) => sent);
    const answer = await this.call((id) => ({ id, call: "extract", images }), given, signal);
    const { features, info } = answer as Extract<Answer, { features: unknown }>;
    Object.assign(this.info, info);
    return features;
  }

  /** A detector in the worker: frames go there, and places of targets come back. */
  createDetector(targets: readonly DetectorTarget[]): Detector {
    const detector = this.detectors++;
    const sent = targets.map(({ name, features, model }) => ({ name, features, model }));
    const arrived = this.call((id) => ({ id, call: "targets", detector, targets: sent }), []);
    arrived.catch(() => undefined);
    const remote: Detector = {
      detect: async (frame, lost) => {
        await arrived;
        const answer = await this.call((id) => ({ id, call: "detect", detector, frame, lost }), []);
        const { found, info } = answer as Extract<Answer, { found: unknown }>;
        Object.assign(this.info, info);
        return found;
      },
    };
    this.unused.register(remote, detector);
    return remote;
  }

  /** Ends the worker, and with it all its memory. */
  async dispose(): Promise<void> {
    this.end(new StateError("extract: this extractor was disposed"));
  }

  private call(
    make: (id: number) => Call,
    transfer: Transferable[],
    signal?: AbortSignal,
    onProgress?: (progress: ModelProgress) => void,
  ): Promise<Answer> {
    if (this.ended) return Promise.reject(this.ended);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = this.next++;
    return new Promise<Answer>((resolve, reject) => {
      const abort = () => {
        this.pending.delete(id);
        this.post({ id, call: "abort" });
        reject(signal?.reason);
      };
      const done = () => signal?.removeEventListener("abort", abort);
      this.pending.set(id, {
        resolve(answer) {
          done();
          resolve(answer);
        },
        reject(error) {
          done();
          reject(error);
        },
        onProgress,
      });
      signal?.addEventListener("abort", abort, { once: true });
      try {
        this.post(make(id), transfer);
      } catch (error) {
        this.pending.delete(id);
        done();
        reject(error);
      }
    });
  }

  private post(call: Call, transfer: Transferable[] = []): void {
    this.worker.postMessage(call, transfer);
  }

  private receive(answer: Answer): void {
    const pending = this.pending.get(answer.id);
    // Of what was given up nothing is heard any more.
    if (!pending) return;
    if ("progress" in answer) {
      pending.onProgress?.(answer.progress);
      return;
    }
    this.pending.delete(answer.id);
    if ("error" in answer) pending.reject(unpackError(answer.error));
    else pending.resolve(answer);
  }

  private end(reason: Error): void {
    if (this.ended) return;
    this.ended = reason;
    this.worker.terminate();
    for (const { reject } of this.pending.values()) reject(reason);
    this.pending.clear();
  }
}
