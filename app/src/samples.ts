/** Pictures that are drawn for a first try: two views of one wall for each seed. */
import type { Image } from "../../src/web/index.js";
import { encodePhoto, type Photo } from "./photos.js";

/** Draws the pair in a worker of its own, whose memory goes with it: that takes about a second, and much of it. */
export function drawSamples(seed: number): Promise<{ a: Image; b: Image }> {
  const worker = new Worker(new URL("./sample-worker.ts", import.meta.url), { type: "module", name: "samples" });
  const drawn = new Promise<{ a: Image; b: Image }>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`the samples are not drawn: ${event.message || "their script does not arrive"}`));
    };
    worker.postMessage(seed);
  });
  return drawn.finally(() => worker.terminate());
}

/** Two drawn views of one wall. */
export async function samplePhotos(seed = 7): Promise<[Photo, Photo]> {
  const { a, b } = await drawSamples(seed);
  const photo = async (image: Image, name: string): Promise<Photo> => ({
    ...{ name, image },
    href: URL.createObjectURL(await encodePhoto(image, "image/jpeg")),
  });
  return [await photo(a, "sample A"), await photo(b, "sample B")];
}
