/**
 * Keypoints of a picture, found in the library's worker: `npm i && npx vite`. Nothing is configured; Vite copies worker, runtime
 * and model. The page stays free, and a picture that is chosen before the last one is done takes its place.
 */
import { openExtractor } from "strata-features/web";

const result = document.querySelector("#result");
const canvas = document.querySelector("canvas");
const extractor = await openExtractor({
  model: "strata-xs",
  maxFeatures: 500,
  onProgress({ loaded, total }) {
    result.textContent = `model: ${loaded} of ${total ?? "?"} bytes`;
  },
});

let last = new AbortController();

async function show(picture) {
  last.abort(new Error("another picture was chosen"));
  last = new AbortController();
  const { signal } = last;
  try {
    const bitmap = await createImageBitmap(picture);
    const { count, keypoints } = await extractor.extract(picture, { signal });
    Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    context.strokeStyle = "lime";
    for (let i = 0; i < count; i++) context.strokeRect(keypoints[2 * i] - 2, keypoints[2 * i + 1] - 2, 5, 5);
    const { worker, session } = extractor.info;
    result.textContent = `${count} keypoints (${session.backend}${worker.used ? ", in a worker" : ""})`;
  } catch (error) {
    if (!signal.aborted) result.textContent = error.message;
  }
}

document.querySelector("input").onchange = ({ target }) => target.files[0] && show(target.files[0]);

// Something to see until a picture is chosen.
const drawn = new OffscreenCanvas(320, 240);
const context = drawn.getContext("2d");
for (let i = 0; i < 300; i++) {
  context.fillStyle = `hsl(${(i * 137) % 360} 70% ${20 + ((i * 31) % 60)}%)`;
  context.fillRect((i * 97) % 320, (i * 61) % 240, 6 + ((i * 7) % 25), 6 + ((i * 11) % 25));
}
await show(await drawn.convertToBlob());
