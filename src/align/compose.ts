/** Aligned images drawn on one canvas: side by side with soft seams, half and half, or their difference. */
import { inverse3x3, type Matrix3 } from "../geometry/matrix3.js";
import { type Image, newPixels } from "../image/image.js";
import { warpImage, warpMask } from "../image/warp.js";

/** "none": the images alone; "blend": the mean of all, the reference too; "diff": how far they are from the reference. */
export const ALIGN_OVERLAYS = ["none", "blend", "diff"] as const;
/** How images lie over each other. */
export type AlignOverlay = (typeof ALIGN_OVERLAYS)[number];

/** An image, and its homography to the pixels of the canvas. */
export interface Layer {
  image: Image;
  homography: Matrix3;
}

/** A colour, r, g, b, 0 to 255. */
export type Fill = readonly [number, number, number];

interface Size {
  width: number;
  height: number;
}

/** One image on the canvas, `fill` where it shows nothing. */
export function drawLayer({ image, homography }: Layer, { width, height }: Size, fill: Fill): Image {
  return warpImage(image, homography, { width, height, fill });
}

/** The mean of all layers, each with the same weight everywhere ("flat") or with less towards its border ("feathered"). */
export function meanOfLayers(layers: readonly Layer[], size: Size, fill: Fill, weights: "flat" | "feathered"): Image {
  const { width, height } = size;
  const sums = new Float32Array(4 * width * height);
  for (const layer of layers) {
    const { data } = warpImage(layer.image, layer.homography, { width, height });
    const weight = weights === "flat" ? maskOf(layer, size) : featherOf(layer, size);
    for (let i = 0, p = 0, s = 0; i < weight.length; i++, p += 3, s += 4) {
      const w = weight[i];
      if (w === 0) continue;
      sums[s] += w * data[p];
      sums[s + 1] += w * data[p + 1];
      sums[s + 2] += w * data[p + 2];
      sums[s + 3] += w;
    }
  }
  const result: Image = { width, height, data: newPixels("alignImages", width, height) };
  for (let p = 0, s = 0; s < sums.length; p += 3, s += 4) {
    const w = sums[s + 3];
    for (let c = 0; c < 3; c++) result.data[p + c] = w === 0 ? fill[c] : sums[s + c] / w + 0.5;
  }
  return result;
}

/** |layer − base| where both show something, `fill` elsewhere; of several layers the largest difference. */
export function differenceOfLayers(base: Layer, layers: readonly Layer[], size: Size, fill: Fill): Image {
  const { width, height } = size;
  const under = warpImage(base.image, base.homography, { width, height }).data;
  const shown = maskOf(base, size);
  const result = drawFill(size, fill);
  const told = new Uint8Array(width * height);
  for (const layer of layers) {
    const { data } = warpImage(layer.image, layer.homography, { width, height });
    const mask = maskOf(layer, size);
    for (let i = 0, p = 0; i < mask.length; i++, p += 3) {
      if (!mask[i] || !shown[i]) continue;
      for (let c = p; c < p + 3; c++) {
        const difference = Math.abs(data[c] - under[c]);
        if (!told[i] || difference > result.data[c]) result.data[c] = difference;
      }
      told[i] = 1;
    }
  }
  return result;
}

function drawFill({ width, height }: Size, [r, g, b]: Fill): Image {
  const data = newPixels("alignImages", width, height);
  for (let p = 0; p < data.length; p += 3) {
    data[p] = r;
    data[p + 1] = g;
    data[p + 2] = b;
  }
  return { width, height, data };
}

const maskOf = ({ image, homography }: Layer, { width, height }: Size): Uint8Array =>
  warpMask([image.width, image.height], homography, { width, height });

/** 0 outside the image, else its pixels from there to the nearest border: seams are soft, and lie in the middle. */
function featherOf({ image, homography }: Layer, size: Size): Float32Array {
  const { width, height } = size;
  const mask = maskOf({ image, homography }, size);
  const weight = new Float32Array(width * height);
  const inverse = inverse3x3(homography);
  if (!inverse) return weight;
  const [a, b, c, d, e, f, g, h, i] = inverse;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (!mask[at]) continue;
      const w = g * x + h * y + i;
      const sx = (a * x + b * y + c) / w;
      const sy = (d * x + e * y + f) / w;
      weight[at] = Math.max(Math.min(sx, sy, image.width - 1 - sx, image.height - 1 - sy) + 1, 0.5);
    }
  }
  return weight;
}
