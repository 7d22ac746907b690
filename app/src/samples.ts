/** Pictures for a first try, drawn by code: two views of one wall for each seed. */
import first from "virtual:first-samples";
import type { Image } from "../../src/web/index.js";
import { encodePhoto, openPhoto, type Photo } from "./photos.js";

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

/** One of the two views that the page begins with; they come with it. */
export async function firstPhoto(which: 0 | 1): Promise<Photo> {
  const name = `sample ${"AB"[which]}`;
  const answer = await fetch(first[which]);
  if (!answer.ok) throw new Error(`${name} does not arrive: the server answers ${answer.status}`);
  return openPhoto(await answer.blob(), name);
}

/** Two views of another wall. */
export async function samplePhotos(seed: number): Promise<[Photo, Photo]> {
  const { a, b } = await drawSamples(seed);
  const photo = async (image: Image, name: string): Promise<Photo> => ({
    ...{ name, image },
    href: URL.createObjectURL(await encodePhoto(image, "image/jpeg")),
  });
  return [await photo(a, "sample A"), await photo(b, "sample B")];
}
