/**
 * Training pairs from photographs without depth: two views of one photograph by random homographies, each in its own
 * light. Which photograph and which numbers make a pair depends on the seed, the epoch and the pair's place in it.
 */
import type { Image } from "../../image/image.js";
import { warpImage } from "../../image/warp.js";
import { Random } from "../../random.js";
import type { TrainingPair } from "../types.js";
import { drawViews, type HomographyOptions } from "./homographies.js";
import { randomFor, type Split, shuffled } from "./megadepth-plan.js";
import { changeLight, drawChange, type PhotometricOptions } from "./photometric.js";

/** Encodes the image as JPEG of that quality and decodes it again. */
export type Recompress = (image: Image, quality: number) => Promise<Image>;

export interface PhotoPairOptions {
  /** Pixels of the square views. */
  cropSize: number;
  homography: HomographyOptions;
  photometric: PhotometricOptions;
  seed: number;
}

/** Tell what is drawn for a pair apart, so that other light does not mean other views. */
const [VIEWS_DRAW, LIGHT_DRAW] = [1, 2];
/** Tells the draw of an epoch's order from those of its pairs. */
const ORDER_DRAW = 0xffffffff;

/** An epoch's photographs in its order, each as often as it has pairs: indices below `photos`. */
export function epochOrder(photos: number, pairsPerPhoto: number, seed: number, epoch: number): number[] {
  const all = Array.from({ length: photos * pairsPerPhoto }, (_, i) => i % photos);
  return shuffled(all, randomFor(seed, epoch, ORDER_DRAW));
}

/** The pair at a place of an epoch, which shows `photo`. `recompress` null: JPEG is left out. */
export async function photoPair(
  id: string,
  photo: Image,
  place: { epoch: number; index: number },
  options: PhotoPairOptions,
  recompress: Recompress | null,
): Promise<TrainingPair> {
  const { cropSize: size, homography, photometric, seed } = options;
  const randomOf = (...use: number[]) => randomFor(seed, place.epoch, place.index, ...use);
  const { views, matrix } = drawViews([photo.width, photo.height], size, homography, randomOf(VIEWS_DRAW));
  const light = randomOf(LIGHT_DRAW);
  const make = async (view: Float64Array, seedOfLight: number): Promise<Image> => {
    const change = drawChange(size, size, photometric, new Random(seedOfLight));
    const image = changeLight(warpImage(photo, view, { width: size, height: size }), change);
    return recompress !== null && change.jpeg !== null ? recompress(image, change.jpeg) : image;
  };
  const first = await make(views[0], light.uint32());
  const second = await make(views[1], light.uint32());
  return { id, images: [first, second], warp: { kind: "homography", matrix } };
}

/**
 * The names of a split, in the order given. Validation gets those whose names hash lowest, `share` of them and at least
 * one: a photograph stays on its side when others come and go, but for those at the edge.
 */
export function splitPhotos(names: readonly string[], split: Split, share: number): string[] {
  if (split === "all") return [...names];
  const count = Math.min(names.length - 1, Math.max(1, Math.round(share * names.length)));
  const ranked = names.map((name): [number, string] => [hashOf(name), name]);
  ranked.sort(([a, nameA], [b, nameB]) => a - b || (nameA < nameB ? -1 : 1));
  const held = new Set(ranked.slice(0, count).map(([, name]) => name));
  return names.filter((name) => held.has(name) === (split === "validation"));
}

/** 32 bits of a name: FNV-1a, spread by the generator so that names that end alike differ in all of them. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return new Random(hash >>> 0).uint32();
}
