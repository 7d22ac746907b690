/** What page and worker say to each other: calls with a number, answers with the same. Pixels and features are given over. */
import { type ErrorCode, StrataError, strataError } from "../errors.js";
import type { ExtractOptions } from "../extract/options.js";
import type { FloatFeatures } from "../features.js";
import { checkImage, type Image } from "../image/image.js";
import type { DetectorTarget } from "../track/check-targets.js";
import type { DetectionResult } from "../track/detector.js";
import { bitmapOf, checkFrame, type ImageSource, isPixels, isStill } from "./images.js";
import type { LocalInfo, LocalOptions } from "./local.js";
import type { ModelProgress } from "./model-files.js";

/** Pixels of a canvas, as they are sent: an ImageData's own buffer cannot be given over. */
export interface SentPixels {
  rgba: Uint8ClampedArray<ArrayBuffer>;
  width: number;
  height: number;
  colorSpace: PredefinedColorSpace;
}

/** An image on its way: what a worker can decode. */
export type Sent = Image | Blob | ArrayBuffer | ArrayBufferView | ImageBitmap | VideoFrame | string | SentPixels;

/** What a page asks a worker for. */
export type Call =
  | { id: number; call: "open"; options: LocalOptions; wasm: string }
  | { id: number; call: "extract"; images: Sent[] }
  | { id: number; call: "targets"; detector: number; targets: DetectorTarget[] }
  | { id: number; call: "detect"; detector: number; frame: Image; lost: readonly number[] }
  | { id: number; call: "forget"; detector: number }
  | { id: number; call: "abort" };

/** What the worker answers. */
export type Answer =
  | { id: number; opened: { info: LocalInfo; options: ExtractOptions } }
  | { id: number; features: FloatFeatures[]; info: LocalInfo }
  | { id: number; detector: number }
  | { id: number; found: DetectionResult; info: LocalInfo }
  | { id: number; progress: ModelProgress }
  | { id: number; error: SentError };

/** Said once, before any call: the script has arrived and runs. */
export const READY = "strata-features: ready";

/** An error on its way; its class is found again by its code. */
export interface SentError {
  name: string;
  message: string;
  code?: ErrorCode;
}

export const packError = (error: unknown): SentError => {
  const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
  return { name, message, ...(error instanceof StrataError && { code: error.code }) };
};

export const unpackError = ({ name, message, code }: SentError): Error =>
  code ? strataError(code, message) : Object.assign(new Error(message), { name });

/** An image as it is sent, and what of it is given over rather than copied. `give`: the caller needs it no more. */
export async function packImage(source: Image | ImageSource, give: boolean): Promise<[Sent, Transferable[]]> {
  const given = (sent: Sent, owned: Transferable): [Sent, Transferable[]] => [sent, give ? [owned] : []];
  if (isPixels(source)) {
    checkImage("extract", source);
    const { width, height, data } = source;
    return given({ width, height, data }, data.buffer as ArrayBuffer);
  }
  if (typeof source === "string" || source instanceof URL) {
    return [new URL(source, globalThis.document?.baseURI ?? globalThis.location.href).href, []];
  }
  if (source instanceof Blob) return [source, []];
  if (source instanceof ArrayBuffer) return given(source, source);
  // Memory that is shared, or holds other things as well, stays where it is.
  if (ArrayBuffer.isView(source)) {
    const { buffer, byteLength } = source;
    const whole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
    return whole ? given(source, buffer) : [source, []];
  }
  if (source instanceof ImageData) {
    const { data, width, height, colorSpace } = source;
    const rgba = data as Uint8ClampedArray<ArrayBuffer>;
    return given({ rgba, width, height, colorSpace }, rgba.buffer);
  }
  checkFrame("extract", source);
  if (isStill(source)) return given(source, source);
  const bitmap = await bitmapOf(source);
  return [bitmap, [bitmap]];
}

/** What was sent, as loadImage takes it. */
export function unpackImage(sent: Sent): Image | ImageSource {
  if (typeof sent === "object" && "rgba" in sent) {
    const { rgba, width, height, colorSpace } = sent;
    return new ImageData(rgba, width, height, { colorSpace });
  }
  return sent as Image | ImageSource;
}
