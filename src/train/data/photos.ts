/**
 * Training pairs from photographs without depth: two views of one photograph by random homographies, each in its own
 * light. Which photograph and which numbers make a pair depends on the seed, the epoch and the pair's place in it.
 */
import { compose, projectPoints } from "../../geometry/matrix3.js";
import type { Image } from "../../image/image.js";
import { warpImage } from "../../image/warp.js";
import { Random } from "../../random.js";
import type { PairWarp, TrainingPair } from "../types.js";
import { drawViews, type HomographyOptions } from "./homographies.js";
import { randomFor, type Split, shuffled } from "./megadepth-plan.js";
import { changeLight, drawChange, type PhotometricOptions } from "./photometric.js";
import { coverageOf, drawPlanes, layOver, type Plane, type PlanesOptions, pieceOf } from "./planes.js";

/** Encodes the image as JPEG of that quality and decodes it again. */
export type Recompress = (image: Image, quality: number) => Promise<Image>;

export interface PhotoPairOptions {
  /** Pixels of the square views. */
  cropSize: number;
  homography: HomographyOptions;
  photometric: PhotometricOptions;
  /** Planes in front of the photograph; none where it is left out. */
  planes?: PlanesOptions;
  seed: number;
  /** Whether pairs come with their views before the change of light; default no. */
  before?: boolean;
}

/** Tell what is drawn for a pair apart, so that other light or planes do not mean other views. */
const [VIEWS_DRAW, LIGHT_DRAW, PLANES_DRAW] = [1, 2, 3];
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
  const planes = options.planes ? drawPlanes(size, matrix, options.planes, randomOf(PLANES_DRAW)) : [];
  const light = randomOf(LIGHT_DRAW);
  const make = async (side: 0 | 1, seedOfLight: number) => {
    const { image: view, labels } = composeView(photo, views[0], side, size, matrix, planes);
    const change = drawChange(size, size, photometric, new Random(seedOfLight));
    const image = changeLight(view, change);
    const final = recompress !== null && change.jpeg !== null ? await recompress(image, change.jpeg) : image;
    return { image: final, labels, view };
  };
  const first = await make(0, light.uint32());
  const second = await make(1, light.uint32());
  const matrices = [matrix, ...planes.map((plane) => plane.matrix)];
  const warp: PairWarp =
    planes.length === 0
      ? { kind: "homography", matrix }
      : { kind: "planes", matrices, labels: [first.labels, second.labels] };
  const before: Pick<TrainingPair, "before"> = options.before ? { before: [first.view, second.view] } : {};
  return { id, images: [first.image, second.image], warp, ...before };
}

/** A view before its light: the photograph, and the planes before it, farthest first; and which of them is seen where. */
function composeView(
  photo: Image,
  first: Float64Array,
  side: 0 | 1,
  size: number,
  matrix: Float64Array,
  planes: readonly Plane[],
): { image: Image; labels: Uint8Array } {
  const canvas = { width: size, height: size };
  const seen = (map: Float64Array, own: Float64Array) => (side === 0 ? map : compose(own, map));
  const image = warpImage(photo, seen(first, matrix), canvas);
  const labels = new Uint8Array(size * size);
  for (const [k, { outline, matrix: own }] of planes.entries()) {
    const piece = compose(first, pieceOf([photo.width, photo.height], k));
    const corners = side === 0 ? outline : projectPoints(own, outline);
    layOver(image, labels, warpImage(photo, seen(piece, own), canvas), coverageOf(corners, size), k + 1);
  }
  return { image, labels };
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
