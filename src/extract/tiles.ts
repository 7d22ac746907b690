/**
 * Large images in bounded memory: tiles that overlap by what a keypoint sees, so that each keypoint lies in the core of
 * one tile and has there all it depends on. Tiles begin on whole cells of the network and end inside the image or at its
 * own edges, so the network's zeros at a tile's edge reach no core. Keypoints, scores and their order are those of the
 * whole image but for the last digits of sums (test/unit/extract/tiles.test.ts).
 */
import { emptyFeatures, type FloatFeatures, roomForFeatures } from "../features.js";
import type { Image } from "../image/image.js";
import { padImageTo } from "../image/pad.js";
import type { Shrinking } from "../image/shrink.js";
import type { Box } from "./detect.js";

export interface ImageSize {
  width: number;
  height: number;
}

/** The size of an image or of a tile of one; keypoints lie in `core` alone, where it is given. */
export interface Extent extends ImageSize {
  core?: Box;
}

/** What a model needs of tiles. */
export interface TileNeeds {
  /** Pixels around a keypoint's cell on which it depends. */
  margin: number;
  /** Tiles begin and end on multiples of this. */
  multiple: number;
}

/** A part of an image. */
export interface Tile extends ImageSize {
  /** Its first pixel. */
  left: number;
  top: number;
  /** How much of it is image, the rest being padding; and where the keypoints lie that no other tile has. */
  extent: Extent & Required<Pick<Extent, "core">>;
}

/** A stretch of one axis, and the share of it that is a core's; all from the axis's beginning on. */
interface Stretch {
  start: number;
  length: number;
  from: number;
  to: number;
}

/**
 * The tiles of an image, row by row, all of one size: of at most `tilePixels` pixels as far as margins allow, and of all
 * such sizes the one with the fewest pixels in all. Null where the image is no larger than one.
 */
export function planTiles(image: ImageSize, needs: TileNeeds, tilePixels: number): Tile[] | null {
  const { multiple } = needs;
  const up = (size: number) => Math.ceil(size / multiple) * multiple;
  const [width, height] = [up(image.width), up(image.height)];
  if (width * height <= tilePixels) return null;
  const margin = up(needs.margin);
  // The smallest tile that has a core.
  const least = 2 * margin + multiple;
  let best: { across: Cut; down: Cut } | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (let across: Cut | null = cut(width, 1, margin, multiple); across; across = narrower(across, margin, multiple)) {
    const room = Math.max(Math.floor(tilePixels / across.length / multiple) * multiple, least);
    const count = room >= height ? 1 : Math.ceil((height - 2 * margin) / (room - 2 * margin));
    const down = cut(height, count, margin, multiple);
    const tile = across.length * down.length;
    const pixels = across.count * down.count * tile;
    // The smallest is taken where all are too large.
    const fits = tile <= tilePixels || across.length <= least;
    if (fits && pixels < fewest) [best, fewest] = [{ across, down }, pixels];
  }
  if (!best || best.across.count * best.down.count === 1) return null;
  const columns = stretches(best.across, margin);
  return stretches(best.down, margin).flatMap((y) => columns.map((x) => tileOf(image, x, y)));
}

/** An axis in `count` tiles of one length that overlap by two margins, the last one by more. */
interface Cut {
  size: number;
  count: number;
  length: number;
  /** Pixels of a tile between the margins. */
  core: number;
}

/** The cut in at most `parts` tiles, the shortest that do. */
function cut(size: number, parts: number, margin: number, multiple: number): Cut {
  const inside = size - 2 * margin;
  if (parts === 1 || inside <= multiple) return { size, count: 1, length: size, core: size };
  const core = Math.ceil(inside / multiple / parts) * multiple;
  return { size, count: Math.ceil(inside / core), length: Math.min(size, core + 2 * margin), core };
}

/** The cut into the fewest tiles that are shorter than these; null where they would have no core. */
function narrower({ size, count, core }: Cut, margin: number, multiple: number): Cut | null {
  const inside = size - 2 * margin;
  const shorter = count === 1 ? Math.ceil(inside / multiple) - 1 : core / multiple - 1;
  if (shorter < 1 || inside <= multiple) return null;
  const parts = Math.ceil(inside / multiple / shorter);
  return parts < 2 ? null : cut(size, parts, margin, multiple);
}

function stretches({ size, count, length, core }: Cut, margin: number): Stretch[] {
  return Array.from({ length: count }, (_, i) => ({
    start: Math.min(i * core, size - length),
    length,
    from: i === 0 ? 0 : i * core + margin,
    to: i === count - 1 ? size : (i + 1) * core + margin,
  }));
}

function tileOf({ width, height }: ImageSize, x: Stretch, y: Stretch): Tile {
  return {
    left: x.start,
    top: y.start,
    width: x.length,
    height: y.length,
    extent: {
      width: Math.min(x.length, width - x.start),
      height: Math.min(y.length, height - y.start),
      core: { left: x.from - x.start, top: y.from - y.start, right: x.to - x.start, bottom: y.to - y.start },
    },
  };
}

/** A tile's pixels, padded where it reaches beyond the image. */
export function tileImage(image: Shrinking, { left, top, width, height, extent }: Tile): Image {
  return padImageTo(image.part(left, top, extent.width, extent.height), width, height);
}

/** Features of a tile, moved to where it lies in the image. */
export function inImage(features: FloatFeatures, { left, top }: Pick<Tile, "left" | "top">): FloatFeatures {
  const { keypoints } = features;
  for (let i = 0; i < keypoints.length; i += 2) {
    keypoints[i] += left;
    keypoints[i + 1] += top;
  }
  return features;
}

/**
 * The best `limit` (null: all) of several tiles' features, best first. Equal scores stand in the order of rows, then
 * columns, as they do in a whole image.
 */
export function bestOf(
  parts: readonly FloatFeatures[],
  limit: number | null,
  imageSize: [number, number],
): FloatFeatures {
  const { dim } = parts[0];
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return emptyFeatures(imageSize, dim);
  const scores = new Float32Array(total);
  const places = new Uint32Array(2 * total);
  const [owners, indices] = [new Uint32Array(total), new Uint32Array(total)];
  let at = 0;
  for (const [p, part] of parts.entries()) {
    for (let i = 0; i < part.count; i++, at++) {
      scores[at] = part.scores[i];
      places[2 * at] = Math.round(part.keypoints[2 * i]);
      places[2 * at + 1] = Math.round(part.keypoints[2 * i + 1]);
      owners[at] = p;
      indices[at] = i;
    }
  }
  const order = Uint32Array.from({ length: total }, (_, i) => i).sort(
    (a, b) => scores[b] - scores[a] || places[2 * a + 1] - places[2 * b + 1] || places[2 * a] - places[2 * b] || a - b,
  );
  const count = limit === null ? total : Math.min(limit, total);
  const best = roomForFeatures(count, dim, imageSize);
  for (let k = 0; k < count; k++) {
    const { keypoints, descriptors } = parts[owners[order[k]]];
    const i = indices[order[k]];
    best.keypoints.set(keypoints.subarray(2 * i, 2 * i + 2), 2 * k);
    best.scores[k] = scores[order[k]];
    best.descriptors.set(descriptors.subarray(dim * i, dim * (i + 1)), dim * k);
  }
  return best;
}
