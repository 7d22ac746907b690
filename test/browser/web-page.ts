/** What runs inside the page of web.test.ts: typed here, sent there as text. `door` is the web door. */
import type * as Track from "../../src/track/index.js";
import type * as Web from "../../src/web/index.js";

type Door = typeof Web;
type Result = { count: number; keypoints: number[]; scores: number[]; descriptors: number[] };

/** The same drawing on a canvas everywhere. */
export function drawing(size: [number, number] = [160, 120]): OffscreenCanvas {
  const canvas = new OffscreenCanvas(...size);
  const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  for (let i = 0; i < 90; i++) {
    context.fillStyle = `rgb(${(i * 83) % 256}, ${(i * 151) % 256}, ${(i * 47) % 256})`;
    context.fillRect((i * 73) % size[0], (i * 37) % size[1], 9 + (i % 17), 7 + (i % 11));
  }
  return canvas;
}

export const plain = ({ count, keypoints, scores, descriptors }: Web.FloatFeatures): Result => ({
  count,
  keypoints: [...keypoints],
  scores: [...scores],
  descriptors: [...descriptors],
});

/** Opens by name, extracts once. */
export async function extractByName(
  door: Door,
  image: { width: number; height: number; data: number[] },
  options: object,
) {
  const progress: Web.ModelProgress[] = [];
  const extractor = await door.openExtractor({
    model: "strata-xs",
    maxFeatures: 500,
    onProgress: (step) => progress.push(step),
    ...options,
  });
  const features = await extractor.extract({ ...image, data: Uint8Array.from(image.data) });
  const { info } = extractor;
  await extractor.dispose();
  return { ...plain(features), info, progress };
}

/** The drawing in every form that a page has; the keypoints of each, and whether a form that is given over is gone. */
export async function everySource(door: Door) {
  const canvas = drawing();
  const [{ width, height }, context] = [canvas, canvas.getContext("2d") as OffscreenCanvasRenderingContext2D];
  const pixels = () => context.getImageData(0, 0, width, height);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  const element = document.createElement("canvas");
  Object.assign(element, { width, height }).getContext("2d")?.drawImage(canvas, 0, 0);
  const picture = new Image();
  picture.src = URL.createObjectURL(blob);
  await picture.decode();
  const bytes = await blob.arrayBuffer();
  const bitmap = await createImageBitmap(canvas);
  const sources: Record<string, Parameters<Web.WebExtractor["extract"]>[0]> = {
    OffscreenCanvas: canvas,
    canvas: element,
    img: picture,
    ImageData: pixels(),
    ImageBitmap: bitmap,
    VideoFrame: new VideoFrame(canvas, { timestamp: 0 }),
    Blob: blob,
    ArrayBuffer: bytes,
    "part of a buffer": new Uint8Array(await new Blob([new Uint8Array(5), blob]).arrayBuffer(), 5),
    address: picture.src,
    pixels: await door.loadImage(canvas),
  };
  const extractor = await door.openExtractor({ model: "strata-xs", maxFeatures: 60, backend: "wasm" });
  const found: Record<string, string> = {};
  for (const [name, source] of Object.entries(sources)) {
    found[name] = [...(await extractor.extract(source)).keypoints].map((value) => value.toFixed(2)).join();
  }
  const kept = [bytes.byteLength > 0, bitmap.width > 0];
  await extractor.extractBatch([bytes, bitmap], { transfer: true });
  const gone = [bytes.byteLength === 0, bitmap.width === 0];
  (sources.VideoFrame as VideoFrame).close();
  const said = async (work: Promise<unknown>) =>
    work.then(
      () => "",
      (error) => `${error.code ?? error.name} ${error.message}`,
    );
  const errors = {
    closedFrame: await said(extractor.extract(sources.VideoFrame)),
    closedBitmap: await said(extractor.extract(bitmap)),
    emptyCanvas: await said(extractor.extract(Object.assign(document.createElement("canvas"), { width: 0 }))),
    video: await said(extractor.extract(document.createElement("video"))),
    noImage: await said(extractor.extract(5 as never)),
    floats: await said(extractor.extract({ width: 1, height: 1, data: new Float32Array(3) as never })),
    noFile: await said(extractor.extract(new Blob(["no image"]))),
    aborted: await said(extractor.extract(canvas, { signal: AbortSignal.abort() })),
    option: await said(extractor.extract(canvas, { signals: 1 } as never)),
  };
  const control = new AbortController();
  const late = said(extractor.extract(canvas, { signal: control.signal }));
  control.abort(new Error("enough"));
  const [abortedLate, after] = [await late, (await extractor.extract(canvas)).count];
  const under = said(extractor.extract(canvas));
  await extractor.dispose();
  await extractor.dispose();
  const disposed = [await under, await said(extractor.extract(canvas))];
  return { found, kept, gone, errors: { ...errors, abortedLate }, after, disposed };
}

/** What opening with these options says. */
export async function openingError(door: Door, options: object): Promise<string> {
  try {
    const extractor = await door.openExtractor({ model: "strata-xs", backend: "wasm", ...options });
    await extractor.extract(drawing());
    await extractor.dispose();
    return `opened, ${JSON.stringify(extractor.info.worker)}`;
  } catch (error) {
    const { code, name, message } = error as Error & { code?: string };
    return `${code ?? name} ${message}`;
  }
}

/** Many frames and pairs in the page itself: bytes of the runtime's memory after a tenth of them and after all. */
export async function manyFrames(door: Door, frames: number, pairs: number) {
  const memories: WebAssembly.Memory[] = [];
  const Memory = WebAssembly.Memory;
  WebAssembly.Memory = class extends Memory {
    constructor(description: WebAssembly.MemoryDescriptor) {
      super(description);
      memories.push(this);
    }
  };
  const size = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  const extractor = await door.openExtractor({ model: "strata-xs", maxFeatures: 100, backend: "wasm", worker: false });
  const canvas = drawing([96, 96]);
  let early = 0;
  const features = await extractor.extract(canvas);
  for (let i = 0; i < frames; i++) {
    await extractor.extract(canvas);
    if (i < pairs) await door.verifyMatches(features, features, await door.matchFeatures(features, features));
    if (i === Math.floor(frames / 10)) {
      early = size();
      await (globalThis as { heapNow?: (when: string) => Promise<void> }).heapNow?.("early");
    }
  }
  await (globalThis as { heapNow?: (when: string) => Promise<void> }).heapNow?.("late");
  const late = size();
  await extractor.dispose();
  return { early, late, memories: memories.length };
}

/** Extraction on the GPU before and after its device is lost. */
export async function loseDevice(door: Door) {
  const devices: { destroy(): void }[] = [];
  const { GPUAdapter } = globalThis as unknown as {
    GPUAdapter: { prototype: { requestDevice(d: object): Promise<never> } };
  };
  const request = GPUAdapter.prototype.requestDevice;
  let refuse = false;
  GPUAdapter.prototype.requestDevice = async function (this: never, description: object) {
    if (refuse) throw new Error("no device is given");
    const device = await request.call(this, description);
    devices.push(device);
    return device;
  };
  // The smallest: a processor compiles its shaders.
  const extractor = await door.openExtractor({
    model: "strata-t",
    maxFeatures: 60,
    scales: [1],
    backend: "webgpu",
    worker: false,
  });
  const canvas = drawing([96, 96]);
  const runs: { keypoints: number[]; backend?: string; fallback?: string }[] = [];
  const run = async () => {
    const { keypoints } = await extractor.extract(canvas);
    const { backend, fallback } = extractor.info.session ?? {};
    runs.push({ keypoints: [...keypoints], backend, fallback });
  };
  await run();
  devices.at(-1)?.destroy();
  await run();
  const opened = devices.length;
  devices.at(-1)?.destroy();
  refuse = true;
  await run();
  const { choice } = extractor.info;
  await extractor.dispose();
  return { runs, opened, choice };
}

/** A large picture as a bitmap, read part by part, and the same as pixels: keypoints of both, and what a closed one says. */
export async function largeBitmap(door: Door) {
  const canvas = drawing([2400, 1800]);
  const pixels = await door.loadImage(canvas);
  const bitmap = await createImageBitmap(canvas);
  const extractor = await door.openExtractor({ model: "strata-xs", maxFeatures: 200, scales: [0.3], backend: "wasm" });
  const small = drawing();
  const list = await extractor.extractBatch([small, bitmap, pixels, await canvas.convertToBlob(), small]);
  const kept = bitmap.width > 0;
  await extractor.extract(bitmap, { transfer: true });
  await extractor.dispose();
  return { list: list.map(plain), kept, gone: bitmap.width === 0 };
}

/** A target in frames, looked for in the worker: states, what the page itself was asked for, and how a tracker ends. */
export async function searchInWorker(
  door: Door,
  track: typeof Track,
  { data, ...size }: { width: number; height: number; data: number[] },
) {
  const poster = { ...size, data: Uint8Array.from(data) };
  const extractor = await door.openExtractor({ model: "strata-xs", backend: "wasm" });
  const target = await track.compileTarget(poster, extractor);
  const [width, height] = [size.width + 120, size.height + 100];
  /** The poster in a grey frame, `left` pixels from its edge. */
  const frame = (left: number): Web.Image => {
    const pixels = new Uint8Array(3 * width * height).fill(128);
    for (let y = 0; y < size.height; y++) {
      const row = poster.data.subarray(3 * y * size.width, 3 * (y + 1) * size.width);
      pixels.set(row, 3 * ((y + 40) * width + left));
    }
    return { width, height, data: pixels };
  };
  // A page that searched itself would ask for features.
  let extracted = 0;
  const extract = (image: Web.Image) => {
    extracted++;
    return extractor.extract(image);
  };
  const watched = { ...extractor, extract };
  const tracker = track.createTracker({ targets: [target], extractor: watched, detection: "background" });
  const [states, searched]: [string[], boolean[]] = [[], []];
  let corner: number[] = [];
  for (let i = 0; states.at(-1) !== "tracked"; i++) {
    const { targets, ...rest } = await tracker.process(frame(50 + (i % 20)));
    states.push(targets[0].state);
    searched.push(rest.searched);
    corner = [...(targets[0].corners ?? [])].slice(0, 2).concat(50 + (i % 20));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const other = track.createTracker({ targets: [target], extractor });
  const again: string[] = [];
  for (const left of [60, 61]) again.push((await other.process(frame(left))).targets[0].state);
  await extractor.dispose();
  other.reset();
  const disposed = await other.process(frame(60)).then(
    () => "",
    (error) => `${error.code} ${error.message}`,
  );
  return { states: [...new Set(states)], searched, corner, extracted, again, disposed };
}
