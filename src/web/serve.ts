/** The worker's side: opens one extractor, and extracts what comes, in order. */
import { untilAborted } from "../abort.js";
import { StateError } from "../errors.js";
import type { Image } from "../image/image.js";
import { isPixels, loadImage } from "./images.js";
import { type LocalExtractor, openLocal } from "./local.js";
import { setWasmFile } from "./sessions.js";
import { type Answer, type Call, packError, READY, type Sent, unpackImage } from "./wire.js";

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
  let last: Promise<unknown> = Promise.resolve();

  async function handle(call: Exclude<Call, { call: "abort" }>, signal: AbortSignal): Promise<void> {
    const { id } = call;
    if (call.call === "open") {
      setWasmFile(call.options.plan.build, call.wasm);
      extractor = await openLocal(call.options, { signal, onProgress: (progress) => answer({ id, progress }) });
      answer({ id, opened: { info: extractor.info, options: extractor.options } });
      return;
    }
    if (!extractor) throw new StateError("extract: the model is not open");
    const images: Image[] = [];
    for (const sent of call.images) images.push(await decode(sent));
    signal.throwIfAborted();
    const features = await untilAborted(extractor.extractBatch(images), signal);
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

/** Pixels of what was sent; a frame that was given over is let go, for a camera has few of them. */
async function decode(sent: Sent): Promise<Image> {
  const image = unpackImage(sent);
  if (isPixels(image)) return image;
  try {
    return await loadImage(image);
  } finally {
    if (typeof VideoFrame !== "undefined" && image instanceof VideoFrame) image.close();
    if (image instanceof ImageBitmap) image.close();
  }
}
