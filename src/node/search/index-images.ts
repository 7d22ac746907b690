/**
 * A folder of images as an index: what is new or changed is added, what is gone is removed, by the content of the files. Commits
 * come every so often, so that a run that is killed goes on from there.
 */
import { untilAborted } from "../../abort.js";
import { checkTexts } from "../../check.js";
import { StrataError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import type { FloatFeatures } from "../../features.js";
import { checkNumber, withDefaults } from "../../options.js";
import { checkExtractor } from "../../search/check.js";
import type { ImageIndex } from "../../search/image-index.js";
import { checkSameModel } from "../../search/search-image.js";
import { DIGEST_BYTES } from "../../search/segment-format.js";
import { checkPath, isHopeless, readFileChecked } from "../atomic.js";
import type { ImageWarning } from "../extract-many.js";
import { type LoadImageOptions, loadImage } from "../images.js";
import { type ImageFailure, imageDigest } from "../stores/store.js";

/** How images are put into an index. */
export interface IndexImagesOptions {
  /** As `loadImage` takes them. */
  image?: Pick<LoadImageOptions, "pixelLimit" | "orientation">;
  /** Which images of the index are gone where they are not among those given, by their ids; default: none. */
  covers?: (id: string) => boolean;
  /** Images between two commits; default 200. */
  commitEvery?: number;
  /** Segments above which the small ones are merged at the end; default 8. */
  mostSegments?: number;
  /** Stops the run with the signal's reason; what is finished is committed first. */
  signal?: AbortSignal;
  /** Called after each image. */
  onProgress?: (progress: IndexProgress) => void;
  /** An image that failed, as it fails; it stays out of the index, or in it as it was. */
  onFailure?: (failure: ImageFailure) => void;
  /** An image that is damaged and yet was read. */
  onWarning?: (warning: ImageWarning) => void;
}

/** How far a run is: numbers of images. */
export interface IndexProgress {
  total: number;
  added: number;
  changed: number;
  unchanged: number;
  failed: number;
}

/** What indexImages did. */
export interface IndexedImages extends IndexProgress {
  /** Images that were gone. */
  removed: number;
  failures: ImageFailure[];
  /** Paths of images without a keypoint: they are in the index and found by nothing. */
  empty: string[];
}

/**
 * Brings the index up to date with these images; an image's id is its path as it is given. Images that cannot be read are
 * told and stop nothing; a full disk stops the run, with what is committed kept.
 */
export async function indexImages(
  index: ImageIndex,
  paths: readonly string[],
  extractor: Pick<Extractor, "extract" | "info">,
  options: IndexImagesOptions = {},
): Promise<IndexedImages> {
  const where = "indexImages";
  const given = withDefaults<IndexImagesOptions>(
    where,
    {
      image: {},
      covers: undefined,
      commitEvery: 200,
      mostSegments: 8,
      signal: undefined,
      onProgress: undefined,
      onFailure: undefined,
      onWarning: undefined,
    },
    options,
  );
  const { image, covers, signal, onProgress, onFailure, onWarning } = given;
  const commitEvery = checkNumber(where, "commitEvery", given.commitEvery, { min: 1, integer: true });
  const mostSegments = checkNumber(where, "mostSegments", given.mostSegments, { min: 1, integer: true });
  for (const [i, path] of checkTexts(where, "paths", paths).entries()) checkPath(`${where}: paths[${i}]`, path);
  checkExtractor(where, extractor);
  checkSameModel(index, extractor);
  const before = await index.entries();
  const done: IndexedImages = {
    ...{ total: paths.length, added: 0, changed: 0, unchanged: 0, failed: 0, removed: 0 },
    failures: [],
    empty: [],
  };
  if (covers) {
    const named = new Set(paths);
    const gone = [...before.keys()].filter((id) => !named.has(id) && covers(id));
    index.remove(gone);
    done.removed = gone.length;
  }
  const prepare = async (path: string): Promise<Prepared> => {
    try {
      const bytes = await readFileChecked(path);
      const digest = imageDigest(bytes).slice(0, 2 * DIGEST_BYTES);
      if (before.get(path) === digest) return { kind: "unchanged" };
      const pixels = await loadImage(bytes, {
        ...image,
        name: path,
        onWarning: (message) => onWarning?.({ path, message }),
      });
      return { kind: "pixels", pixels, digest };
    } catch (error) {
      return { kind: "failed", error };
    }
  };
  const extract = async (pixels: Promise<Prepared>): Promise<Made> => {
    const prepared = await pixels;
    if (prepared.kind !== "pixels") return prepared;
    try {
      return { kind: "features", features: await extractor.extract(prepared.pixels), digest: prepared.digest };
    } catch (error) {
      return { kind: "failed", error };
    }
  };
  // While an image's words are found, the network is at work on the next one and the one after that is decoded.
  let ahead: Promise<Prepared> | undefined;
  let taken = 0;
  const start = (): Promise<Made> | undefined => {
    const pixels = ahead ?? (taken < paths.length ? prepare(paths[taken++]) : undefined);
    ahead = taken < paths.length ? prepare(paths[taken++]) : undefined;
    return pixels && extract(pixels);
  };
  let next = start();
  try {
    for (const path of paths) {
      const made = await untilAborted(next as Promise<Made>, signal);
      next = start();
      if (made.kind === "unchanged") done.unchanged++;
      else {
        try {
          if (made.kind === "failed") throw made.error;
          await index.add({ id: path, features: made.features, digest: made.digest });
          if (made.features.count === 0) done.empty.push(path);
          if (before.has(path)) done.changed++;
          else done.added++;
        } catch (error) {
          const failure = { path, error };
          done.failures.push(failure);
          done.failed++;
          onFailure?.(failure);
        }
      }
      if (index.uncommitted >= commitEvery) await index.commit();
      onProgress?.({ ...done });
      // Signals are heard between images, however fast these are.
      await untilAborted(new Promise(setImmediate), signal);
    }
    await index.commit();
    await mergeSmall(index, mostSegments);
  } catch (error) {
    // Nothing more can be written, or the caller wants to stop: what is finished is kept in the second case.
    if (signal?.aborted && !(error instanceof StrataError && isHopeless(error))) await index.commit();
    throw error;
  }
  return done;
}

type Prepared =
  | { kind: "unchanged" }
  | { kind: "pixels"; pixels: Awaited<ReturnType<typeof loadImage>>; digest: string }
  | Failed;

type Made = { kind: "unchanged" } | { kind: "features"; features: FloatFeatures; digest: string } | Failed;

type Failed = { kind: "failed"; error: unknown };

/** Segments that have less than this share of all images are merged, where there are many. */
const SMALL = 0.2;

/** Few segments make a search fast; large ones are left alone, so that adding costs what is added. */
async function mergeSmall(index: ImageIndex, most: number): Promise<void> {
  const { segments, images } = index.info();
  if (segments.length > most) await index.merge({ below: Math.max(2, Math.ceil(SMALL * images)) });
}
