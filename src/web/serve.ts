/** The worker's side: opens one extractor, extracts what comes and looks for targets, in order. */
import { untilAborted } from "../abort.js";
import { StateError } from "../errors.js";
import type { Image } from "../image/image.js";
import { createDetector, type Detector, type DetectorSource } from "../track/detector.js";
import { type ImageSource, isStill } from "./images.js";
import { type LocalExtractor, openLocal } from "./local.js";
import { setWasmFile } from "./sessions.js";
import { type Answer, type Call, packError, READY, unpackImage } from "./wire.js";

/** The part of a worker's scope that is used; the DOM's types know a page's only. */
interface Scope {
  readonly name: string;
  onmessage: ((event: MessageEvent<Call>) => void) | null;
  postMessage(message: unknown, transfer?: Transferable[]): void;
}

/** Answers calls from now on. The threads of the runtime are workers of the same script, and serve nobody. */
export function serve(): void {
  const scope = globalThis as unknown as Scope;
  if (scope.name.startsWith("em-pthread")) return;
  const answer = (message: Answer, transfer: Transferable[] = []) => scope.postMessage(message, transfer);
  const running = new Map<number, AbortController>();
  let extractor: LocalExtractor | undefined;
  const detectors = new Map<number, Detector>();
  let last: Promise<unknown> = Promise.resolve();

  async function handle(call: Exclude<Call, { call: "abort" | "forget" }>, signal: AbortSignal): Promise<void> {
    const { id } = call;
    if (call.call === "open") {
      setWasmFile(call.options.plan.build, call.wasm);
      extractor = await openLocal(call.options, { signal, onProgress: (progress) => answer({ id, progress }) });
      answer({ id, opened: { info: extractor.info, options: extractor.options } });
      // While the page opens a camera, or waits for a picture.
      extractor.prepare();
      return;
    }
    if (!extractor) throw new StateError("extract: the model is not open");
    if (call.call === "targets") {
      detectors.set(call.detector, createDetector(call.targets, detectorSource(extractor)));
      answer({ id, detector: call.detector });
      return;
    }
    if (call.call === "detect") {
      const found = await detectors.get(call.detector)?.detect(call.frame, call.lost);
      if (!found) throw new StateError("detect: the worker has no such detector");
      answer({ id, found, info: extractor.info });
      return;
    }
    const features = await untilAborted(extractor.extractSources(call.images.map(unpackImage), signal, letGo), signal);
    const buffers = features.flatMap(({ keypoints, scores, descriptors }) => [keypoints, scores, descriptors]);
    answer(
      { id, features, info: extractor.info },
      buffers.map(({ buffer }) => buffer as ArrayBuffer),
    );
  }

  scope.onmessage = ({ data: call }) => {
    const { id } = call;
    if (call.call === "abort") {
      running.get(id)?.abort();
      return;
    }
    if (call.call === "forget") {
      detectors.delete(call.detector);
      return;
    }
    const control = new AbortController();
    running.set(id, control);
    // One after the other: two images at once would only take twice the memory.
    last = last
      .then(() => {
        control.signal.throwIfAborted();
        return handle(call, control.signal);
      })
      .catch((error) => answer({ id, error: packError(error) }))
      .finally(() => running.delete(id));
  };
  scope.postMessage(READY);
}

const detectorSource = (extractor: LocalExtractor): DetectorSource => ({
  info: extractor.info,
  extract: async (image) => (await extractor.extractBatch([image]))[0],
});

/** A frame or bitmap that was given over is let go, for a camera has few of them. */
function letGo(source: Image | ImageSource): void {
  if (isStill(source)) source.close();
}
