/** `npm run bench large`: pictures of 24 and 99 megapixels in a page, and the memory that this takes; Linux alone tells it. */
import sharp from "sharp";
import { drawProbe } from "../src/extract/probe.js";
import { DOOR, servePackage } from "../test/browser/files.js";
import { launch, openPage } from "../test/browser/serve.js";
import { renderers } from "./processes.js";

const SIZES: readonly [number, number][] = [
  [5664, 4240],
  [11264, 8800],
];
/** Milliseconds between looks at the renderer's memory. */
const LOOK = 10;

export interface LargeFigures {
  megapixels: number;
  format: string;
  seconds: number;
  keypoints: number;
  /** Megabytes: WebAssembly's memory; the renderer's own before, and at most; its peak with the browser's own code. */
  wasm: number;
  before: number;
  own: number;
  peak: number;
}

/** A picture drawn by code, as a file. */
function draw([width, height]: readonly [number, number], format: "jpeg" | "png"): Promise<Buffer> {
  const { data, ...small } = drawProbe(width / 4, height / 4);
  return sharp(data, { raw: { ...small, channels: 3 } })
    .resize(width, height, { kernel: "cubic" })
    .toFormat(format, { compressionLevel: 1, quality: 90 } as object)
    .toBuffer();
}

export async function measureLarge(model: string, formats: readonly ("jpeg" | "png")[]): Promise<LargeFigures[]> {
  const figures: LargeFigures[] = [];
  for (const size of SIZES) {
    for (const format of formats) {
      const server = await servePackage({}, { "/picture": await draw(size, format) });
      const browser = await launch();
      try {
        const page = await openPage(browser);
        await page.goto(server.address);
        const before = renderers()[0].own;
        let own = 0;
        const looking = setInterval(() => {
          own = Math.max(own, renderers()[0]?.own ?? 0);
        }, LOOK);
        // In the page itself, where WebAssembly's memory can be seen; a worker lives in the same process.
        const found = (await page.evaluate(`import("${DOOR}").then(async (door) => {
          const memories = [];
          const { Memory } = WebAssembly;
          WebAssembly.Memory = class extends Memory {
            constructor(description) {
              super(description);
              memories.push(this);
            }
          };
          const extractor = await door.openExtractor({ model: "${model}", worker: false, backend: "wasm" });
          const file = await (await fetch("/picture")).blob();
          const started = performance.now();
          const { count } = await extractor.extract(file);
          const seconds = (performance.now() - started) / 1000;
          const wasm = memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0) / 1e6;
          await extractor.dispose();
          return { keypoints: count, seconds, wasm };
        })`)) as Pick<LargeFigures, "keypoints" | "seconds" | "wasm">;
        clearInterval(looking);
        figures.push({
          megapixels: (size[0] * size[1]) / 1e6,
          format,
          ...found,
          before,
          own,
          peak: renderers()[0].peak,
        });
      } finally {
        await browser.close();
        await server.close();
      }
    }
  }
  return figures;
}
