/** What runs inside the page: imported there by chromium.ts, never in Node. */
import { drawDemoPair } from "../demo/draw.js";
import { resizeImage } from "../src/image/resize.js";
import { compile, openExtractor } from "../src/web/index.js";

/** Milliseconds of each whole extraction of a drawn image of that size. */
export async function timeExtraction(
  model: string,
  [width, height]: [number, number],
  { warmup, repeats }: { warmup: number; repeats: number },
) {
  const image = resizeImage(drawDemoPair(7).a, width, height);
  const extractor = await openExtractor({ model, compile });
  const times: number[] = [];
  let count = 0;
  for (let i = 0; i < warmup + repeats; i++) {
    const started = performance.now();
    count = (await extractor.extract(image)).count;
    if (i >= warmup) times.push(performance.now() - started);
  }
  const { session } = extractor.info;
  await extractor.dispose();
  return { times, count, session };
}
