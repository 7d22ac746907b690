/** Images of one plane brought into the frame of one of them: a scan onto its form, photographs of a wall into one. */
import { checkFlag, checkList, checkNumbers, checkObject, wrong } from "../check.js";
import { OptionError } from "../errors.js";
import type { Extractor } from "../extract/extractor.js";
import type { FloatFeatures } from "../features.js";
import { resizeHomography, resizePoints } from "../geometry/coordinates.js";
import { HOMOGRAPHY_THRESHOLD, type HomographyOptions } from "../geometry/homography.js";
import { compose, inverse3x3, type Matrix3, normalized } from "../geometry/matrix3.js";
import type { Verdict } from "../geometry/verdict.js";
import { checkImage, type Image } from "../image/image.js";
import { type Shrunk, shrinkToEdge } from "../image/shrink.js";
import type { MatchOptions } from "../match/index.js";
import { matchedPoints } from "../match/points.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { type MatchedImages, matchImages } from "../pair.js";
import { ALIGN_CROPS, type AlignCanvas, type AlignCrop, alignCanvas, toCanvas } from "./canvas.js";
import {
  ALIGN_OVERLAYS,
  type AlignOverlay,
  differenceOfLayers,
  drawLayer,
  type Fill,
  type Layer,
  meanOfLayers,
} from "./compose.js";
import { HomographyRefiner, type MatchedPoints } from "./refine.js";

/** Options of alignImages. */
export interface AlignOptions {
  /** Which of the images stays as it is; default the last one. */
  onto?: number;
  /** What of the plane is drawn; default "frame": the reference's pixels. */
  crop?: AlignCrop;
  /** How the images lie over each other; default "none". */
  overlay?: AlignOverlay;
  /** The colour where no image shows anything, r, g, b, 0 to 255; default black. */
  fill?: Fill;
  /**
   * Homographies to the reference that are known already, row-major 3×3, one for each image; null where one is to be found.
   * Corners that were dragged by hand give one (`estimateHomography` with method "dlt"). Default: all are found.
   */
  known?: readonly (Matrix3 | null)[];
  /**
   * Images are matched with their longer edges scaled down to so many pixels, in which the homography's threshold counts
   * too; they are drawn as they are. Default null: matched as they are.
   */
  maxEdge?: number | null;
  /** How descriptors are matched; default: mutual nearest neighbours. */
  match?: MatchOptions;
  /** How homographies are estimated. */
  homography?: HomographyOptions;
  /** Search matches a second time where the first homography allows them; default true. */
  guided?: boolean;
  /**
   * Make homographies exact: patches all over the reference are looked for near where keypoints have them, and fitted.
   * Where they do not agree, the keypoints' homography stays. Default true.
   */
  refine?: boolean;
  /** Stops between two images with the signal's reason. */
  signal?: AbortSignal;
  /** Called with its index when an image has been placed. */
  onImage?: (index: number) => void;
}

/** Where an image lies. */
export interface AlignedPart {
  /** To the reference's pixels, row-major 3×3, the last entry 1 unless it was known; null where none was found. */
  homography: Float64Array | null;
  /** The image that it was matched with: the reference, or one that was placed before. null: its place was known, or not found. */
  by: number | null;
  matches: number;
  inliers: number;
  /** What the model says of the pair; null where it has no weights for it or nothing was matched. */
  verdict: Verdict | null;
}

/** Images that are aligned. */
export interface AlignedImages {
  /**
   * The picture: with overlay "none" the images without the reference, those of "all" with it and with soft seams; "blend"
   * and "diff" with it. null where no image has a place.
   */
  image: Image | null;
  /** Each image alone on the canvas, in order; null for the reference and for images without a place. */
  layers: () => Iterable<Image | null>;
  canvas: AlignCanvas;
  onto: number;
  parts: AlignedPart[];
}

/**
 * Matches each image with the reference, and those that do not show enough of it with images that have a place already;
 * draws them on one canvas. An image that finds no place is an answer, as is that none does. Pixel centres lie on integers.
 */
export async function alignImages(
  extractor: Extractor,
  images: readonly Image[],
  options: AlignOptions = {},
): Promise<AlignedImages> {
  const where = "alignImages";
  if (typeof extractor?.extract !== "function") {
    throw new OptionError(`${where}: the first argument must be an extractor, as openExtractor gives it`);
  }
  if (checkList(where, "images", images).length < 2) throw wrong(where, "images", "two images or more", images.length);
  for (const [i, image] of images.entries()) checkImage(`${where}: images[${i}]`, image);
  const given = checkOptions(where, images.length, options);
  const { onto, crop, overlay, fill } = given;
  const parts = await placeImages(extractor, images, given);
  const size = sizeOf(images[onto]);
  const placed = images.flatMap((image, i) => {
    const { homography } = parts[i];
    return i === onto || !homography ? [] : [{ size: sizeOf(image), homography }];
  });
  const canvas = alignCanvas(size, placed, crop);
  const layerOf = (i: number): Layer | null => {
    const { homography } = parts[i];
    return homography && { image: images[i], homography: toCanvas(canvas, homography) };
  };
  const others = images.flatMap((_, i) => (i === onto ? [] : (layerOf(i) ?? [])));
  return {
    image: others.length ? draw(layerOf(onto) as Layer, others, canvas, { crop, overlay, fill }) : null,
    *layers() {
      for (const i of images.keys()) {
        const layer = i === onto ? null : layerOf(i);
        yield layer && drawLayer(layer, canvas, fill);
      }
    },
    ...{ canvas, onto, parts },
  };
}

function draw(
  base: Layer,
  others: readonly Layer[],
  canvas: AlignCanvas,
  { crop, overlay, fill }: { crop: AlignCrop; overlay: AlignOverlay; fill: Fill },
): Image {
  if (overlay === "diff") return differenceOfLayers(base, others, canvas, fill);
  if (overlay === "blend") return meanOfLayers([base, ...others], canvas, fill, "flat");
  if (crop === "all") return meanOfLayers([base, ...others], canvas, fill, "feathered");
  return others.length === 1 ? drawLayer(others[0], canvas, fill) : meanOfLayers(others, canvas, fill, "feathered");
}

const sizeOf = ({ width, height }: Image): [number, number] => [width, height];

type Checked = ReturnType<typeof checkOptions>;

function checkOptions(where: string, count: number, options: AlignOptions) {
  const given = withDefaults(
    where,
    {
      onto: count - 1,
      crop: "frame" as AlignCrop,
      overlay: "none" as AlignOverlay,
      fill: [0, 0, 0] as Fill,
      known: undefined as AlignOptions["known"],
      maxEdge: null as number | null,
      match: {} as MatchOptions,
      homography: {} as HomographyOptions,
      guided: true,
      refine: true,
      signal: undefined as AbortSignal | undefined,
      onImage: undefined as AlignOptions["onImage"],
    },
    options,
  );
  checkNumber(where, "onto", given.onto, { min: 0, max: count - 1, integer: true });
  checkChoice(where, "crop", given.crop, ALIGN_CROPS);
  checkChoice(where, "overlay", given.overlay, ALIGN_OVERLAYS);
  for (const name of ["guided", "refine"] as const) checkFlag(where, name, given[name]);
  if (given.maxEdge !== null) checkNumber(where, "maxEdge", given.maxEdge, { min: 16, integer: true });
  for (const name of ["match", "homography"] as const) checkObject(where, `"${name}"`, given[name]);
  if (checkNumbers(where, "fill", given.fill).length !== 3) throw wrong(where, "fill", "three numbers", given.fill);
  for (const value of given.fill) checkNumber(where, "fill", value, { min: 0, max: 255 });
  if (given.known !== undefined) {
    if (checkList(where, "known", given.known).length !== count) {
      throw wrong(where, "known", `a matrix or null for each of the ${count} images`, given.known.length);
    }
    for (const matrix of given.known) {
      if (matrix !== null && inverse3x3(matrix) === null)
        throw wrong(where, "known", "matrices with an inverse", matrix);
    }
  }
  return given;
}

/** Every image against the reference, then those without a place against the placed ones, until nothing changes. */
async function placeImages(extractor: Extractor, images: readonly Image[], given: Checked): Promise<AlignedPart[]> {
  const { onto, known, maxEdge, match, homography, guided, refine, signal, onImage } = given;
  const refiner = refine ? new HomographyRefiner() : null;
  const looked = images.map((image) => shrinkToEdge(image, maxEdge ?? Infinity));
  const parts = images.map((_, i): AlignedPart => {
    const matrix = i === onto ? [1, 0, 0, 0, 1, 0, 0, 0, 1] : (known?.[i] ?? null);
    return { homography: matrix && Float64Array.from(matrix), by: null, matches: 0, inliers: 0, verdict: null };
  });
  // Each image is extracted once, however often it is matched.
  const found = new Map<Image, Promise<FloatFeatures>>();
  const once: Extractor = Object.create(extractor, {
    extract: {
      value: (image: Image) => {
        const features = found.get(image) ?? extractor.extract(image);
        found.set(image, features);
        return features;
      },
    },
  });
  let bases = [onto, ...images.keys()].filter((i, at) => parts[i].homography && (at === 0 || i !== onto));
  while (bases.length) {
    const next: number[] = [];
    for (const base of bases) {
      for (const [i, { image, step }] of looked.entries()) {
        if (parts[i].homography) continue;
        const pair = await matchImages(once, image, looked[base].image, { match, homography, guided, signal });
        const { inliers } = pair.homography;
        const steps = [step, looked[base].step] as const;
        const matrix = pair.homography.matrix && resizeHomography(pair.homography.matrix, ...steps);
        const { verdict, matches } = pair;
        const judged = verdict?.verdict ?? "uncertain";
        // By way of another image errors add up: there only what is sure counts.
        if (matrix && (judged === "same" || (base === onto && judged === "uncertain"))) {
          const exact = refiner?.refine(images[i], images[base], matrix, pointsOf(pair, steps, homography.threshold));
          const composed = compose(parts[base].homography as Float64Array, exact ?? matrix);
          const place = normalized(composed) ?? composed;
          parts[i] = { homography: place, by: base, matches: matches.count, inliers: inliers.length, verdict };
          next.push(i);
          onImage?.(i);
        } else if (base === onto) {
          parts[i] = { ...parts[i], matches: matches.count, inliers: inliers.length, verdict };
        }
      }
    }
    // A picture that the reference shows little of may share more with one that has a place.
    bases = images.length > 2 ? next : [];
  }
  return parts;
}

/** The matched keypoints in pixels of the whole images; near is a third of the threshold. */
function pointsOf(
  { features: [a, b], matches }: MatchedImages,
  [stepA, stepB]: readonly [Shrunk["step"], Shrunk["step"]],
  threshold = HOMOGRAPHY_THRESHOLD,
): MatchedPoints {
  const [from, to] = matchedPoints("alignImages", a, b, matches);
  resizePoints(from, ...stepA);
  resizePoints(to, ...stepB);
  return { from, to, near: (threshold / 3) * Math.max(...stepB) };
}
