/** A picture, or a part of one, looked for in an index. */
import { checkFlag, checkList, checkObject } from "../check.js";
import { OptionError } from "../errors.js";
import type { Extractor } from "../extract/extractor.js";
import type { FloatFeatures } from "../features.js";
import type { VerdictModel } from "../geometry/verdict.js";
import { cropImage } from "../image/crop.js";
import { checkImage, type Image } from "../image/image.js";
import { resizeImage } from "../image/resize.js";
import type { Seconds } from "../timing.js";
import { checkExtractor, checkIndex, checkInfo } from "./check.js";
import { globalMismatch, type IndexFeatures } from "./global-identity.js";
import type { GlobalExtractor } from "./global-model.js";
import type { ImageIndex } from "./image-index.js";
import type { SearchOptions, SearchReport } from "./search-options.js";

/** The model of an index when none is named. */
export const SEARCH_MODEL = "strata-t";

/**
 * How features of images that are added are extracted, and how those of queries: a print on a wall may fill a fifth of the
 * frame, so queries are looked at more closely.
 */
export const INDEX_EXTRACTION = { maxEdge: 640, maxFeatures: 1000 } as const;
/** See INDEX_EXTRACTION. */
export const QUERY_EXTRACTION = { maxEdge: 1280, maxFeatures: 2000 } as const;

/** How a picture is looked for. */
export interface SearchImageOptions extends SearchOptions {
  /** The part of the picture that is looked for, in its pixels: left, top, width, height. Default: all of it. */
  region?: readonly [number, number, number, number];
  /**
   * Where nothing is found in the whole picture: look at five parts of it, each for itself, until one shows an image. A pale print
   * on a busy wall has few of the picture's best keypoints. Only without a region, and with verification. Default true.
   */
  parts?: boolean;
}

/** What searchImage gives. */
export interface ImageSearchReport extends SearchReport {
  /** Features of the whole picture, or of the region. */
  features: FloatFeatures;
  /** Parts that were looked at. */
  parts: number;
}

/** Edge of a part, of the picture's. */
const PART_SHARE = 0.6;
/** Where parts begin, of what is left beside them: the corners and the middle. */
const PART_PLACES = [
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
  [0.5, 0.5],
] as const;
/**
 * A part or a region that is smaller than queries are looked at is enlarged up to this, at most twofold: a print in a fifth of the
 * frame has then the size at which it was indexed.
 */
const PART_EDGE = QUERY_EXTRACTION.maxEdge;
const MOST_ENLARGED = 2;
/** Pixels of a picture's shorter edge below which it has no parts. */
const LEAST_EDGE = 160;
/** Five looks have five chances to err: what a part shows must be this sure. */
const PART_PROBABILITY = 0.99;

/**
 * Searches the index for what the picture, or a region of it, shows. The extractor is of the index's model, opened with
 * QUERY_EXTRACTION or other options; geometry is in pixels of the whole picture.
 */
export async function searchImage(
  index: ImageIndex,
  extractor: Extractor,
  image: Image,
  options: SearchImageOptions = {},
): Promise<ImageSearchReport> {
  checkImage("searchImage", image);
  checkObject("searchImage", "options", options);
  const { region, parts = true, ...search } = options;
  checkFlag("searchImage", "parts", parts);
  checkExtractor("searchImage", extractor);
  checkSameModel(index, extractor);
  const features = await extractRegion(extractor, image, region);
  const report = { ...(await index.search(features, search)), features, parts: 0 };
  const isDone = report.results.some(({ found }) => found) || search.verify === 0 || region !== undefined;
  if (isDone || !parts || features.count === 0 || Math.min(image.width, image.height) < LEAST_EDGE) return report;
  return searchParts(index, extractor, image, search, report);
}

/** The first part's report that shows an image; the whole picture's where none does. Times are those of all looks. */
async function searchParts(
  index: ImageIndex,
  extractor: Extractor,
  image: Image,
  search: SearchOptions,
  whole: ImageSearchReport,
): Promise<ImageSearchReport> {
  const [width, height] = [image.width, image.height].map((edge) => Math.round(PART_SHARE * edge));
  const seconds: Seconds = { ...whole.seconds };
  let [verified, looked] = [whole.verified, 0];
  for (const [x, y] of PART_PLACES) {
    search.signal?.throwIfAborted();
    const [left, top] = [Math.round(x * (image.width - width)), Math.round(y * (image.height - height))];
    const features = await extractRegion(extractor, image, [left, top, width, height]);
    const part = await index.search(features, search);
    looked++;
    verified += part.verified;
    for (const [step, time] of Object.entries(part.seconds)) seconds[step] = (seconds[step] ?? 0) + time;
    const isSure = part.results.some(({ found, probability }) => found && probability >= PART_PROBABILITY);
    if (isSure) return { ...part, features: whole.features, seconds, verified, parts: looked };
  }
  return { ...whole, seconds, verified, parts: looked };
}

/** The verdict of a model on finds: fitted for search, or else on pairs of images; null where it has none. */
export function searchVerdict(extractor: Pick<Extractor, "info">): VerdictModel | null {
  checkInfo("searchVerdict", extractor);
  const { info } = extractor;
  const verdict = info.verdict as (VerdictModel & { search?: VerdictModel }) | undefined;
  return verdict?.search ?? verdict ?? null;
}

/** An OptionError unless the extractor's models are those of the index, the global one included. */
export function checkSameModel(index: ImageIndex, extractor: Pick<Extractor, "info">): void {
  checkIndex("checkSameModel", index);
  checkInfo("checkSameModel", extractor);
  const { info } = extractor;
  const { name, sha256 } = index.model;
  if (info.sha256 === sha256) {
    const mismatch = globalMismatch(index.global, (info as Partial<GlobalExtractor["info"]>).global);
    if (mismatch === null) return;
    throw new OptionError(`${index.name}: the index ${mismatch}`);
  }
  const which = info.model === name ? `other weights of ${name}` : info.model;
  throw new OptionError(
    `${index.name}: the index holds features of ${name} (${sha256.slice(0, 8)}), not of ${which} (${info.sha256.slice(0, 8)}); ` +
      `use --model ${name}, or index the images again`,
  );
}

/** Features of a region in pixels of the whole picture. */
async function extractRegion(
  extractor: Extractor,
  image: Image,
  region: SearchImageOptions["region"],
): Promise<IndexFeatures> {
  if (region === undefined) return extractor.extract(image);
  const [left, top, width, height] = checkRegion(image, region);
  const scale = Math.max(1, Math.min(MOST_ENLARGED, PART_EDGE / Math.max(width, height)));
  const size = [Math.round(scale * width), Math.round(scale * height)] as const;
  const crop = cropImage(image, left, top, width, height);
  const features = await extractor.extract(scale > 1 ? resizeImage(crop, ...size) : crop);
  const [stepX, stepY] = [width / size[0], height / size[1]];
  const keypoints = features.keypoints.map((value, k) =>
    k & 1 ? (value + 0.5) * stepY - 0.5 + top : (value + 0.5) * stepX - 0.5 + left,
  );
  return { ...features, keypoints, imageSize: [image.width, image.height] };
}

function checkRegion(image: Image, region: readonly number[]): readonly number[] {
  const where = "searchImage";
  checkList(where, "region", region);
  const [left, top, width, height] = region;
  const fits =
    region.length === 4 &&
    region.every((value) => Number.isInteger(value) && value >= 0) &&
    width > 0 &&
    height > 0 &&
    left + width <= image.width &&
    top + height <= image.height;
  if (fits) return region;
  throw new OptionError(
    `${where}: the region must be left,top,width,height in whole pixels inside of the picture of ` +
      `${image.width}×${image.height}, got ${region.join(",")}`,
  );
}
