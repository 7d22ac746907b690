/** Frames of a camera as pixels, on one canvas that is kept. */
import { FormatError, UnsupportedError } from "../errors.js";
import { checkNumber } from "../options.js";
import { checkFrame } from "./images.js";

/** Reads frames for a tracker, scaled down to what it needs. */
export interface FrameReader {
  /** The pixels of what is shown now: RGBA, its longer edge at most `maxEdge`. Throws a ShapeError for a frame of size zero. */
  read(source: HTMLVideoElement | VideoFrame | ImageBitmap | HTMLCanvasElement | OffscreenCanvas): ImageData;
}

/** A reader of frames whose longer edge is brought down to `maxEdge` pixels. Default 640: what trackers follow. */
export function frameReader(maxEdge = 640): FrameReader {
  checkNumber("frameReader", "maxEdge", maxEdge, { min: 16, integer: true });
  if (typeof OffscreenCanvas === "undefined")
    throw new UnsupportedError("frameReader: there is no canvas here; it is for pages");
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  if (!context) throw new FormatError("frameReader: this browser gives no 2-D canvas to read pixels from");
  return {
    read(source) {
      checkFrame("frameReader.read", source);
      const [width, height] = sizeOf(source);
      const scale = Math.min(1, maxEdge / Math.max(width, height));
      const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
      if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
      context.drawImage(source, 0, 0, w, h);
      return context.getImageData(0, 0, w, h);
    },
  };
}

function sizeOf(source: Parameters<FrameReader["read"]>[0]): [number, number] {
  if ("videoWidth" in source) return [source.videoWidth, source.videoHeight];
  return "displayWidth" in source ? [source.displayWidth, source.displayHeight] : [source.width, source.height];
}
