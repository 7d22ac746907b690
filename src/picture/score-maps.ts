/**
 * A model's maps as pictures. Large maps are made smaller by taking the highest value of each block, so that peaks one
 * pixel wide are still seen; small ones keep a pixel for each cell.
 */
import type { ValueMap } from "../extract/maps.js";
import type { Image } from "../image/image.js";

/** The map at most `most` cells wide, each the highest of its block. */
export function shrinkByMaximum({ data, width, height }: ValueMap, most: number): ValueMap {
  if (width <= most) return { data, width, height };
  const down = Math.max(1, Math.round((height * most) / width));
  const small = new Float32Array(most * down).fill(Number.NEGATIVE_INFINITY);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * down) / height) * most;
    for (let x = 0; x < width; x++) {
      const to = row + Math.floor((x * most) / width);
      const value = data[y * width + x];
      if (value > small[to]) small[to] = value;
    }
  }
  return { data: small, width: most, height: down };
}

/** Colours from dark to light whose lightness rises evenly (magma, Smith and van der Walt 2015), every eighth of the way. */
const RAMP = [
  [0, 0, 4],
  [29, 17, 71],
  [81, 18, 124],
  [130, 38, 129],
  [183, 55, 121],
  [230, 81, 100],
  [251, 135, 97],
  [254, 194, 135],
  [252, 253, 191],
] as const;

/** The map in colours, 0 to `top`; what is no number is black. */
export function paintMap({ data, width, height }: ValueMap, top: number): Image {
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) {
    const share = top > 0 ? Math.min(1, Math.max(0, data[i] / top)) : 0;
    const place = Number.isFinite(share) ? share * (RAMP.length - 1) : 0;
    const step = Math.min(RAMP.length - 2, Math.floor(place));
    for (let c = 0; c < 3; c++) {
      pixels[3 * i + c] = Math.round(RAMP[step][c] + (place - step) * (RAMP[step + 1][c] - RAMP[step][c]));
    }
  }
  return { width, height, data: pixels };
}
