import { loadImage, openExtractor, openFrames } from "strata-features/node";
import { compileTarget, createTracker, TRACK_MODEL } from "strata-features/track";

const extractor = await openExtractor({ model: TRACK_MODEL });
const poster = await compileTarget(await loadImage("poster.jpg"), extractor, { name: "poster", physicalWidth: 0.6 });
console.log(`quality ${poster.quality.score.toFixed(2)}`);

const tracker = createTracker({ targets: [poster], extractor });
const { frames } = await openFrames("frames"); // a folder of pictures, or a video where ffmpeg is installed
for await (const { name, image } of frames()) {
  const { targets } = await tracker.process(image);
  const { state, corners } = targets[0];
  console.log(name, state, corners && Array.from(corners, Math.round).join(" "));
}
await extractor.dispose();
