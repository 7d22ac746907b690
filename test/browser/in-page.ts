/** What runs inside the page: imported there by the tests, never in Node. Results are plain, so that they can cross. */
import { drawDemoPair } from "../../demo/draw.js";
import { loadImage, matchFeatures, openExtractor, verifyMatches } from "../../src/web/index.js";

/** Features of the drawn pair's first image, and what matching the pair gives. */
export async function extractPair(maxFeatures: number) {
  const images = drawDemoPair(7);
  const extractor = await openExtractor({ model: "/models/strata-s/", maxFeatures });
  const [a, b] = await extractor.extractBatch([images.a, images.b]);
  const matches = await matchFeatures(a, b);
  const { matrix } = await verifyMatches(a, b, matches);
  await extractor.dispose();
  return {
    count: a.count,
    keypoints: [...a.keypoints],
    scores: [...a.scores],
    descriptors: [...a.descriptors],
    matches: matches.count,
    matrix: matrix && [...matrix],
    session: extractor.info.session,
    sha256: extractor.info.sha256,
  };
}

/** A 3×2 image whose right column is transparent, decoded; and the errors for bytes that are no image or too large. */
export async function decodeImages() {
  const canvas = new OffscreenCanvas(3, 2);
  const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  context.fillStyle = "rgb(10, 20, 30)";
  context.fillRect(0, 0, 2, 2);
  const file = await canvas.convertToBlob({ type: "image/png" });
  const image = await loadImage(file);
  const message = (source: unknown, options = {}) =>
    loadImage(source as Blob, options).then(
      () => "",
      (error: Error & { code?: string }) => `${error.code} ${error.message}`,
    );
  const bytes = await file.arrayBuffer();
  const url = URL.createObjectURL(file);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  shared.set(new Uint8Array(bytes));
  const sources = [
    bytes,
    new Uint8Array(bytes),
    new DataView(bytes),
    shared,
    new URL(url),
    url,
    new File([file], "a.png"),
  ];
  const all = await Promise.all(sources.map((source) => loadImage(source)));
  return {
    same: all.map(({ data }) => data.join() === image.data.join()),
    size: [image.width, image.height],
    pixels: [...image.data.subarray(0, 9)],
    bad: await message(new Uint8Array([1, 2, 3])),
    large: await message(file, { pixelLimit: 5 }),
    empty: await message(new ArrayBuffer(0)),
    psd: await message(new TextEncoder().encode("8BPS\0\x01")),
    missing: await message("/no/such/image.png"),
    number: await message(5),
    plain: await message({ width: 1 }),
  };
}
