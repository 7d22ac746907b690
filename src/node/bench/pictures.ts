/**
 * Pictures for the report: the best and the worst pairs of each sequence with matches between them, and what models see.
 * Photographs are encoded once and small; one sequence is in memory at a time.
 */
import { type ChosenPair, choosePairs, chooseSequences, firstRuns } from "../../bench/report/choose.js";
import { CELLS, type Gallery, type PairPicture, type Photo, type ScoreMaps } from "../../bench/report/input.js";
import type { MethodRun } from "../../bench/types.js";
import { DenseExtractor } from "../../extract/dense.js";
import type { Extractor } from "../../extract/extractor.js";
import type { Features, Matches } from "../../features.js";
import { projectPoints } from "../../geometry/matrix3.js";
import type { Image } from "../../image/image.js";
import { resizeImage } from "../../image/resize.js";
import { matchedPoints, matchFeatures } from "../../match/index.js";
import { checkNumber, withDefaults } from "../../options.js";
import { paintMap, shrinkByMaximum } from "../../picture/score-maps.js";
import { encodeJpeg, encodePng } from "../images.js";
import { nodeRuntime } from "../runtime.js";

/** Where the pictures' parts come from. */
export interface PictureSource {
  image(sequence: string, number: number): Promise<Image>;
  /** Features as the run had them. */
  features(run: MethodRun, sequence: string, number: number): Promise<Features>;
  /** Pixels of the first image to pixels of the second. */
  homography(sequence: string, images: readonly [number, number]): ArrayLike<number> | Promise<ArrayLike<number>>;
  /** The run's model, for score maps; null where there is none. It is not disposed here. */
  extractor?(run: MethodRun): Promise<Extractor | null>;
}

export interface GalleryOptions {
  /** Width of an encoded photograph in pixels. Default 420. */
  width?: number;
  /** Width of an encoded map in pixels. Default 280. */
  mapWidth?: number;
  /** Most sequences with pairs; default 12. Above it, those that the first method does best and worst at. */
  maxSequences?: number;
  /** Most methods with pairs; default 4. */
  maxMethods?: number;
  /** Most matches drawn on a pair, evenly taken from all; default 120. */
  maxLines?: number;
  /** Most sequences with score maps; default 6. */
  maxMaps?: number;
}

const DEFAULTS: Required<GalleryOptions> = {
  width: 420,
  mapWidth: 280,
  maxSequences: 12,
  maxMethods: 4,
  maxLines: 120,
  maxMaps: 6,
};

/** Distance in pixels up to which a match is drawn as right. */
const RIGHT = 3;
const PHOTO_QUALITY = 72;

/** The pictures of a report over `runs`; `onProgress` hears how many of them are made. */
export async function benchGallery(
  runs: readonly MethodRun[],
  source: PictureSource,
  given: GalleryOptions = {},
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Gallery> {
  const options = withDefaults("benchGallery", DEFAULTS, given);
  for (const [name, value] of Object.entries(options)) {
    checkNumber("benchGallery", name, value, { min: name.startsWith("max") ? 0 : 1, integer: true });
  }
  const chosen = choosePairs(runs, options.maxSequences, options.maxMethods);
  const mapped = await mapReaders(runs, source, options);
  const sequences = new Set([...chosen.map(({ record }) => record.sequence), ...mapped.sequences]);
  const total = chosen.length + mapped.readers.length * mapped.sequences.size;

  const photos: Record<string, Photo> = {};
  const pairs: PairPicture[] = [];
  const scoreMaps: ScoreMaps[] = [];
  const step = () => onProgress(pairs.length + scoreMaps.length, total);
  for (const sequence of sequences) {
    const images = new Map<number, Image>();
    const show = async (number: number): Promise<{ key: string; image: Image }> => {
      const image = images.get(number) ?? (await source.image(sequence, number));
      images.set(number, image);
      const key = `${sequence}/${number}`;
      photos[key] ??= await encodePhoto(image, options.width);
      return { key, image };
    };
    for (const choice of chosen.filter(({ record }) => record.sequence === sequence)) {
      const keys = [(await show(choice.record.images[0])).key, (await show(choice.record.images[1])).key] as const;
      pairs.push({
        ...describeChoice(choice),
        photos: keys,
        ...(await drawnMatches(choice, source, options.maxLines)),
      });
      step();
    }
    if (!mapped.sequences.has(sequence)) continue;
    for (const { run, extractor } of mapped.readers) {
      const number = run.records.find((record) => record.sequence === sequence)?.images[0] ?? 1;
      const { key, image } = await show(number);
      const maps = await mapsOf(extractor, image, options.mapWidth);
      if (maps) scoreMaps.push({ method: run.info.method, sequence, image: number, photo: key, ...maps });
      step();
    }
  }
  return { photos, pairs, scoreMaps };
}

interface MapReaders {
  readers: { run: MethodRun; extractor: DenseExtractor }[];
  sequences: ReadonlySet<string>;
}

/** Models with maps to show, and the sequences that they are shown on. */
async function mapReaders(
  runs: readonly MethodRun[],
  source: PictureSource,
  { maxMaps, maxMethods }: Required<GalleryOptions>,
): Promise<MapReaders> {
  const readers: MapReaders["readers"] = [];
  const first = firstRuns(runs).slice(0, maxMethods);
  for (const run of maxMaps > 0 ? first : []) {
    const extractor = (await source.extractor?.(run)) ?? null;
    if (extractor instanceof DenseExtractor) readers.push({ run, extractor });
  }
  return { readers, sequences: new Set(readers.length > 0 ? chooseSequences(first[0], maxMaps) : []) };
}

function describeChoice({ run, record, which }: ChosenPair): Omit<PairPicture, "photos" | "lines" | "isRight"> {
  const { method, protocol } = run.info;
  const { sequence, images, matches, correct } = record;
  return { method, protocol, sequence, images, which, matches, right: correct[RIGHT - 1] };
}

/** Lines of a pair: not the most similar matches but every n-th of all, so that right and wrong ones keep their shares. */
async function drawnMatches(
  { run, record: { sequence, images } }: ChosenPair,
  source: PictureSource,
  most: number,
): Promise<Pick<PairPicture, "lines" | "isRight">> {
  const [a, b] = [await source.features(run, sequence, images[0]), await source.features(run, sequence, images[1])];
  const matches = await matchFeatures(a, b, { runtime: nodeRuntime });
  const [from, to] = matchedPoints("benchGallery", a, b, matches);
  const projected = projectPoints(await source.homography(sequence, images), from);
  const taken = evenly(matches, most);
  const lines = new Float32Array(4 * taken.length);
  const isRight = new Uint8Array(taken.length);
  for (const [k, m] of taken.entries()) {
    lines.set([from[2 * m], from[2 * m + 1], to[2 * m], to[2 * m + 1]], 4 * k);
    isRight[k] = Math.hypot(projected[2 * m] - to[2 * m], projected[2 * m + 1] - to[2 * m + 1]) <= RIGHT ? 1 : 0;
  }
  return { lines, isRight };
}

/** Indices of at most `most` matches, evenly spread. */
function evenly({ count }: Matches, most: number): number[] {
  const taken = Math.min(count, most);
  return Array.from({ length: taken }, (_, k) => Math.floor(((k + 0.5) * count) / taken));
}

async function encodePhoto(image: Image, width: number): Promise<Photo> {
  const small = shrink(image, width);
  const href = dataUri("image/jpeg", await encodeJpeg(small, PHOTO_QUALITY));
  return { href, width: image.width, height: image.height };
}

function shrink(image: Image, width: number): Image {
  if (image.width <= width) return image;
  return resizeImage(image, width, Math.max(1, Math.round((image.height * width) / image.width)));
}

/** Pictures of a model's maps on an image; null where it has none that can be shown. */
async function mapsOf(
  extractor: DenseExtractor,
  image: Image,
  width: number,
): Promise<Pick<ScoreMaps, "maps" | "note"> | null> {
  const named = await extractor.views(image);
  if (!named) return null;
  const pictures: ScoreMaps["maps"][number][] = [];
  for (const { name, map, top } of named.maps) {
    const painted = paintMap(shrinkByMaximum(map, width), top);
    const href =
      painted.width < CELLS
        ? dataUri("image/png", await encodePng(painted))
        : dataUri("image/jpeg", await encodeJpeg(painted, PHOTO_QUALITY));
    pictures.push({ name, href, width: painted.width, height: painted.height });
  }
  return { maps: pictures, note: named.note };
}

const dataUri = (type: string, bytes: Uint8Array): string =>
  `data:${type};base64,${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")}`;
