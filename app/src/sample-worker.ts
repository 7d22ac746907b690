/** Draws samples beside the page, which stays free meanwhile. */
import { drawDemoPair } from "../../demo/draw.js";

self.onmessage = ({ data: seed }: MessageEvent<number>): void => {
  const { a, b } = drawDemoPair(seed);
  postMessage({ a, b }, { transfer: [a.data.buffer, b.data.buffer] as ArrayBuffer[] });
};
