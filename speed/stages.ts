/**
 * `npm run bench stages [-- --model NAME --scales 0.5,0.3]`: the stages of tracking at 640×480 in Node and Chromium, one thread
 * and two; and what 1,000 tracked frames and 200 pairs leave behind in a page.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";
import { drawProbe } from "../src/extract/probe.js";
import { encodePng, loadImage, openExtractor } from "../src/node/index.js";
import { compileTarget, createTracker, readTarget, writeTarget } from "../src/track/index.js";
import { DOOR, ISOLATED, ROOT, servePackage, TRACK } from "../test/browser/files.js";
import { launch, openPage } from "../test/browser/serve.js";
import { type StageFigures, timeStages } from "./stages-run.js";

export interface StageOptions {
  model: string;
  scales?: number[];
}

/** The target: a poster of the size that pages use. */
const POSTER = drawProbe(320, 240);

/** Files of further targets: with the one that is looked for there are 50. */
async function makeCrowd({ model, scales }: StageOptions): Promise<Uint8Array[]> {
  const extractor = await openExtractor({ model, ...(scales && { scales }) });
  const files: Uint8Array[] = [];
  for (let k = 1; k < 50; k++) {
    files.push(writeTarget(await compileTarget(drawProbe(320, 240, 4 + k), extractor, { name: String(k) })));
  }
  await extractor.dispose();
  return files;
}

async function inNode(
  { model, scales }: StageOptions,
  crowd: readonly Uint8Array[],
  threads: number,
): Promise<StageFigures> {
  const extractor = await openExtractor({ model, threads, ...(scales && { scales }) });
  try {
    return await timeStages(POSTER, {
      crowd: crowd.map((file) => readTarget(file)),
      extractor,
      createTracker,
      compile: (image, name) => compileTarget(image, extractor, { name }),
      async prepare(frame) {
        const file = await encodePng(frame);
        return () => loadImage(file);
      },
    });
  } finally {
    await extractor.dispose();
  }
}

const SCRIPT = () =>
  transformSync(readFileSync(join(ROOT, "speed/stages-run.ts"), "utf8"), { loader: "ts", format: "esm" }).code;

async function inChromium(
  { model, scales }: StageOptions,
  crowd: readonly Uint8Array[],
  isolated: boolean,
): Promise<StageFigures> {
  const files = Object.fromEntries(crowd.map((file, k) => [`/crowd-${k}.strata`, file]));
  const server = await servePackage(isolated ? ISOLATED : {}, { "/stages.js": SCRIPT(), ...files });
  const browser = await launch();
  try {
    const page = await openPage(browser);
    await page.goto(server.address);
    return (await page.evaluate(`Promise.all([import("/stages.js"), import("${DOOR}"), import("${TRACK}")]).then(
      async ([{ timeStages }, { frameReader, openExtractor }, { compileTarget, createTracker, readTarget }]) => {
        const read = async (_, k) => readTarget(new Uint8Array(await (await fetch("/crowd-" + k + ".strata")).arrayBuffer()));
        const crowd = await Promise.all(Array.from({ length: ${crowd.length} }, read));
        const poster = ${JSON.stringify({ ...POSTER, data: [...POSTER.data] })};
        poster.data = Uint8Array.from(poster.data);
        const extractor = await openExtractor(${JSON.stringify({ model, backend: "wasm", ...(scales && { scales }) })});
        const reader = frameReader();
        const figures = await timeStages(poster, {
          crowd,
          extractor,
          createTracker,
          compile: (image, name) => compileTarget(image, extractor, { name }),
          async prepare({ width, height, data }) {
            const canvas = new OffscreenCanvas(width, height);
            const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
            for (let i = 0; i < width * height; i++) rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
            canvas.getContext("2d").putImageData(new ImageData(rgba, width), 0, 0);
            const bitmap = canvas.transferToImageBitmap();
            return () => reader.read(bitmap);
          },
        });
        const { threads } = extractor.info.session;
        if (threads !== ${isolated ? "navigator.hardwareConcurrency" : 1}) throw new Error(threads + " threads");
        await extractor.dispose();
        return figures;
      })`)) as StageFigures;
  } finally {
    await browser.close();
    await server.close();
  }
}

export async function measureStages(options: StageOptions): Promise<Record<string, StageFigures>> {
  const crowd = await makeCrowd(options);
  return {
    "Node, 1 thread": await inNode(options, crowd, 1),
    "Node, 2 threads": await inNode(options, crowd, 2),
    "Chromium, 1 thread": await inChromium(options, crowd, false),
    "Chromium, isolated": await inChromium(options, crowd, true),
  };
}

export function stagesTable(places: Record<string, StageFigures>): string {
  const names = Object.keys(places);
  const stages = Object.keys(Object.values(places)[0]) as (keyof StageFigures)[];
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    row(["", ...names]),
    row(["---", ...names.map(() => "---:")]),
    ...stages.map((stage) => row([stage, ...names.map((name) => places[name][stage].toFixed(1))])),
  ].join("\n");
}

export interface Growth {
  frames: number;
  pairs: number;
  /** Bytes after a tenth of them and at the end: of the page's heap, and of WebAssembly's memory. */
  heap: [number, number];
  wasm: [number, number];
}

/** 640×480: tracked frames and matched pairs in a page, the extractor in the page itself, where its memory can be seen. */
export async function measureGrowth({ model, scales }: StageOptions, frames = 1000, pairs = 200): Promise<Growth> {
  const server = await servePackage({}, { "/stages.js": SCRIPT() });
  const browser = await launch();
  try {
    const page = await openPage(browser);
    await page.goto(server.address);
    const session = await page.context().newCDPSession(page);
    const heap: number[] = [];
    await page.exposeFunction("heapNow", async () => {
      await session.send("HeapProfiler.collectGarbage");
      heap.push((await session.send("Runtime.getHeapUsage")).usedSize);
    });
    const options = { model, backend: "wasm", worker: false, ...(scales && { scales }) };
    const wasm = (await page.evaluate(`Promise.all([import("/stages.js"), import("${DOOR}"), import("${TRACK}")]).then(
      async ([{ drawFrame }, door, { compileTarget, createTracker }]) => {
        const memories = [];
        const { Memory } = WebAssembly;
        WebAssembly.Memory = class extends Memory {
          constructor(description) {
            super(description);
            memories.push(this);
          }
        };
        const size = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
        const poster = ${JSON.stringify({ ...POSTER, data: [...POSTER.data] })};
        poster.data = Uint8Array.from(poster.data);
        const extractor = await door.openExtractor(${JSON.stringify(options)});
        const target = await compileTarget(poster, extractor);
        const tracker = createTracker({ targets: [target], extractor });
        const sizes = [];
        for (let i = 0; i < ${frames}; i++) {
          const frame = drawFrame(poster, i % 400);
          await tracker.process(frame);
          if (i < ${pairs}) {
            const [a, b] = [await extractor.extract(frame), await extractor.extract(poster)];
            await door.verifyMatches(a, b, await door.matchFeatures(a, b));
          }
          if (i === ${Math.floor(frames / 10)} || i === ${frames - 1}) {
            sizes.push(size());
            await heapNow();
          }
        }
        await extractor.dispose();
        return sizes;
      })`)) as [number, number];
    return { frames, pairs, heap: heap as [number, number], wasm };
  } finally {
    await browser.close();
    await server.close();
  }
}
