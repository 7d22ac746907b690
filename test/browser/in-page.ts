/** What runs inside the page: imported there by the tests, never in Node. Results are plain, so that they can cross. */
import { drawDemoPair } from "../../demo/draw.js";
import { addressStore, openIndex } from "../../src/search/index.js";
import { compile, loadImage, matchFeatures, openExtractor, verifyMatches } from "../../src/web/index.js";
import { drawnFeatures, seenAgain } from "../unit/search/samples.js";

/** Features of the drawn pair's first image, and what matching the pair gives. */
export async function extractPair(maxFeatures: number) {
  const images = drawDemoPair(7);
  const extractor = await openExtractor({ model: "/models/strata-s/", maxFeatures, compile });
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

/** Features of the drawn pair's first image as a whole and in tiles. */
export async function extractInTiles() {
  const { a } = drawDemoPair(7);
  const found = [];
  for (const tilePixels of [10 ** 6, 100_000]) {
    const extractor = await openExtractor({ model: "/models/strata-s/", maxFeatures: 500, tilePixels, compile });
    const { count, keypoints, scores, descriptors } = await extractor.extract(a);
    found.push({ count, keypoints: [...keypoints], scores: [...scores], descriptors: [...descriptors] });
    await extractor.dispose();
  }
  return found;
}

/** An image larger than what is read at once, with transparent stripes: its size, and pixels that are not as drawn. */
export async function decodeLarge() {
  const [width, height] = [1500, 6001];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d") as OffscreenCanvasRenderingContext2D;
  const colour = (y: number): [number, number, number] =>
    y % 7 === 0 ? [255, 255, 255] : [y % 256, y >> 8, (3 * y) % 256];
  for (let y = 0; y < height; y++) {
    if (y % 7 === 0) continue;
    context.fillStyle = `rgb(${colour(y).join(", ")})`;
    context.fillRect(0, y, width, 1);
  }
  const image = await loadImage(await canvas.convertToBlob({ type: "image/png" }));
  let wrong = 0;
  for (let y = 0, i = 0; y < height; y++) {
    const [r, g, b] = colour(y);
    for (let x = 0; x < width; x++, i += 3) {
      if (image.data[i] !== r || image.data[i + 1] !== g || image.data[i + 2] !== b) wrong++;
    }
  }
  return { size: [image.width, image.height], wrong };
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

/** What a search in the index at `address` finds for drawn features. */
export async function searchDrawn(address: string, seed: number) {
  const index = await openIndex(addressStore(new URL(address, location.href)));
  const { results, damaged } = await index.search(seenAgain(drawnFeatures(seed), 9000 + seed));
  await index.close();
  return { damaged: damaged.length, results };
}
