// The child of `npm run bench models`: the built package in plain Node, as users run it. Loaders for TypeScript hand
// buffers over between threads, after which the engine reads typed arrays more slowly.
// Arguments: file of RGB bytes, width, height, threads, repeats, models. Prints a line of JSON.
import { readFileSync } from "node:fs";
import { openExtractor } from "../dist/node/index.js";

const [file, width, height, threads, repeats, ...models] = process.argv.slice(2);
const image = { width: Number(width), height: Number(height), data: new Uint8Array(readFileSync(file)) };
const runs = [];
for (const model of models) {
  runs.push({ model, times: [], extractor: await openExtractor({ model, threads: Number(threads) }) });
}
// In turns, so that what else the machine does falls on all of them.
for (let i = -2; i < Number(repeats); i++) {
  for (const run of runs) {
    const started = performance.now();
    const { count } = await run.extractor.extract(image);
    if (i >= 0) run.times.push(performance.now() - started);
    run.count = count;
  }
}
for (const { extractor } of runs) await extractor.dispose();
console.log(JSON.stringify(runs.map(({ model, times, count }) => ({ model, times, count }))));
