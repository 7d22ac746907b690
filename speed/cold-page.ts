/** A page's first extraction, timed in the page: imported there by chromium.ts, never in Node. */
import { drawDemoPair } from "../demo/draw.js";
import { resizeImage } from "../src/image/resize.js";

export interface ColdTimes {
  /** Milliseconds: fetching what the page downloads for it, opening the model, the first extraction, the median of later ones. */
  download: number;
  open: number;
  first: number;
  warm: number;
  prepared: boolean;
}

/** `built` is the address of the web door as it is built, `model` that of a model folder, `runtime` those of its files. */
export async function timeFirstExtraction(
  built: string,
  model: string,
  runtime: readonly string[],
  [width, height]: readonly [number, number],
): Promise<ColdTimes> {
  const { openExtractor } = (await import(/* @vite-ignore */ built)) as typeof import("../src/web/index.js");
  const image = resizeImage(drawDemoPair(7).a, width, height);
  let started = performance.now();
  const lap = (): number => {
    const [before, now] = [started, performance.now()];
    started = now;
    return now - before;
  };
  const files = ["model.safetensors", "config.json", "graph.onnx"].map((file) => model + file);
  for (const address of [...runtime, ...files]) await (await fetch(address, { cache: "no-store" })).arrayBuffer();
  const download = lap();
  const extractor = await openExtractor({ model });
  const open = lap();
  await extractor.extract(image);
  const first = lap();
  const later: number[] = [];
  for (let i = 0; i < 5; i++) {
    await extractor.extract(image);
    later.push(lap());
  }
  const prepared = extractor.info.graph?.prepared ?? false;
  await extractor.dispose();
  return { download, open, first, warm: later.sort((a, b) => a - b)[2], prepared };
}
