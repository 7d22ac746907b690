/**
 * A picture followed through a folder of frames: `npx tsx examples/track-folder.ts poster.jpg frames/`. Without arguments
 * the example draws its own picture and frames, which is how it is tested.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Image, loadImage, openExtractor, openFrames, saveImage, warpImage } from "../src/node/index.js";
import { compileTarget, createTracker, TRACK_MODEL } from "../src/track/index.js";

const [picture, frames] = process.argv.slice(2);
const folder = frames ? null : mkdtempSync(join(tmpdir(), "strata-track-"));
const poster = picture ? await loadImage(picture) : drawn(320, 240);
if (folder) {
  for (let k = 0; k < 5; k++) {
    const shift = [0.8, 0, 100 + 8 * k, 0.02 * k, 0.8, 90, 0, 0, 1];
    await saveImage(
      join(folder, `${k}.png`),
      warpImage(poster, shift, { width: 480, height: 360, fill: [90, 90, 90] }),
    );
  }
}

const extractor = await openExtractor({ model: TRACK_MODEL });
try {
  const target = await compileTarget(poster, extractor, { name: "poster", physicalWidth: 0.3 });
  const tracker = createTracker({ targets: [target], extractor });
  const source = await openFrames(frames ?? (folder as string));
  for await (const { name, image } of source.frames()) {
    const { targets, times } = await tracker.process(image);
    const [{ state, corners, confidence }] = targets;
    const place = corners ? Array.from(corners, (value) => value.toFixed(1)).join(" ") : "-";
    console.log(`${name}: ${state} ${place} (${confidence.toFixed(2)}, ${times.total.toFixed(0)} ms)`);
  }
} finally {
  await extractor.dispose();
  if (folder) rmSync(folder, { recursive: true });
}

/** A picture with detail all over it: squares of many greys. */
function drawn(width: number, height: number): Image {
  const data = new Uint8Array(3 * width * height);
  for (let k = 0; k < 900; k++) {
    const [size, left, top, grey] = [6 + ((k * 7) % 25), (k * 131) % width, (k * 197) % height, (k * 89) % 256];
    for (let y = top; y < Math.min(height, top + size); y++) {
      for (let x = left; x < Math.min(width, left + size); x++)
        data.fill(grey, 3 * (y * width + x), 3 * (y * width + x) + 3);
    }
  }
  return { width, height, data };
}
