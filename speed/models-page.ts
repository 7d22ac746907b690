/** The models in a page, timed there in turns: imported by models.ts, never in Node. */
import { drawDemoPair } from "../demo/draw.js";
import { resizeImage } from "../src/image/resize.js";

/** `built` is the address of the web door as it is built, `models` those of model folders. Milliseconds of each extraction. */
export async function timeModels(
  built: string,
  models: readonly string[],
  threads: number,
  [width, height]: readonly [number, number],
  repeats: number,
): Promise<{ times: number[]; count: number }[]> {
  const { openExtractor } = (await import(/* @vite-ignore */ built)) as typeof import("../src/web/index.js");
  const image = resizeImage(drawDemoPair(7).a, width, height);
  const runs = [];
  for (const model of models) {
    const extractor = await openExtractor({ model, threads, backend: "wasm" });
    runs.push({ extractor, times: [] as number[], count: 0 });
  }
  for (let i = -2; i < repeats; i++) {
    for (const run of runs) {
      const started = performance.now();
      run.count = (await run.extractor.extract(image)).count;
      if (i >= 0) run.times.push(performance.now() - started);
    }
  }
  for (const { extractor } of runs) await extractor.dispose();
  return runs.map(({ times, count }) => ({ times, count }));
}
