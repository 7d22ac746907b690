/**
 * Features of many images to a store. One bad image stops nothing; whatever does stop a run leaves every finished image
 * behind, and a run that resumes takes an image for finished by its content. Nothing is kept of an image once it is done.
 */

import { untilAborted } from "../abort.js";
import { checkFlag, checkList, checkObject, checkText, wrong } from "../check.js";
import { type Extractor, sessionNotes } from "../extract/extractor.js";
import type { Provenance } from "../formats/record.js";
import type { Image } from "../image/image.js";
import { checkPath, readFileChecked } from "./atomic.js";
import { loadImage } from "./images.js";
import { type FeatureStore, type ImageFailure, imageDigest, type NamedImage } from "./stores/store.js";
import { packageVersion } from "./version.js";

/** Images, model and store of extractMany. */
export interface ExtractManyOptions {
  /** Most pixels of an image, as `loadImage` takes it. */
  pixelLimit?: number;
  /** Whether EXIF orientation is applied; default true. */
  orientation?: boolean;
  /** What else decides about features, beside the model and the extractor's options; kept with them. Default: nothing. */
  choices?: Provenance;
  /**
   * Whether the next image is decoded while the network is at work on one, which takes a part of one more core than the network
   * does; if not, it is while that one's features are written. Default true.
   */
  readAhead?: boolean;
  /** Stops the run: it rejects with the signal's reason at once, but never in the middle of a file. */
  signal?: AbortSignal;
  /** Called when the model is open, and after each image. */
  onProgress?(progress: ExtractProgress): void;
  /** An image that failed, as it fails. */
  onFailure?(failure: ImageFailure): void;
  /** An image that is damaged and yet was read, as `loadImage` says it. */
  onWarning?(warning: ImageWarning): void;
  /** What is worth telling, a line each. */
  onNote?(text: string): void;
}

/** What `loadImage` had to say of an image. */
export interface ImageWarning {
  path: string;
  message: string;
}

/** How far a run is: numbers of images. */
export interface ExtractProgress {
  total: number;
  /** Made in this run. */
  extracted: number;
  /** Finished before. */
  skipped: number;
  failed: number;
}

/** What extractMany did. */
export interface ExtractManyResult extends ExtractProgress {
  keypoints: number;
  /** Paths of images without a single keypoint. */
  empty: string[];
  failures: ImageFailure[];
  /** Of damaged images whose features were made all the same. */
  warnings: ImageWarning[];
  /** Paths of what was written, and of what was there. */
  outputs: string[];
  info: Extractor["info"];
  options: Extractor["options"];
}

/**
 * Extracts every image that is not finished. `extractor` may be a function that opens one: it is called when the store is
 * found good, and what it gives is disposed. Throws what the store refuses, and what would end every further image (a full
 * disk); other errors are the image's.
 */
export async function extractMany(
  images: readonly NamedImage[],
  extractor: Extractor | (() => Promise<Extractor>),
  store: FeatureStore,
  options: ExtractManyOptions = {},
): Promise<ExtractManyResult> {
  const where = "extractMany";
  checkObject(where, "options", options);
  for (const [i, image] of checkList(where, "images", images).entries()) {
    const { path, name } = checkObject(where, `images[${i}]`, image);
    checkPath(`${where}: images[${i}]`, path);
    checkText(where, `images[${i}].name`, name);
  }
  if (typeof extractor !== "function" && typeof (extractor as Extractor | null | undefined)?.extract !== "function") {
    throw wrong(where, "extractor", "an extractor, or a function that opens one", extractor);
  }
  if (typeof (store as FeatureStore | null | undefined)?.prepare !== "function") {
    throw wrong(where, "store", "a store, as fileStore and hlocStore give it", store);
  }
  const { signal, onFailure, readAhead } = options;
  if (readAhead !== undefined) checkFlag(where, "readAhead", readAhead);
  const failures: ImageFailure[] = [];
  const fail = (failure: ImageFailure) => {
    failures.push(failure);
    onFailure?.(failure);
  };
  let opened: Extractor | undefined;
  const release = async () => {
    const own = typeof extractor === "function" ? opened : undefined;
    opened = undefined;
    await own?.dispose();
  };
  try {
    const unwritable = new Set<string>();
    for (const failure of await store.prepare(images)) {
      unwritable.add(failure.path);
      fail(failure);
    }
    // What is no promise is awaited too.
    const given = typeof extractor === "function" ? await untilAborted((async () => extractor())(), signal) : extractor;
    if (typeof (given as Extractor | null | undefined)?.extract !== "function") {
      throw wrong(where, "what opens the extractor", "a function that gives one", given);
    }
    opened = given;
    const writable = images.filter(({ path }) => !unwritable.has(path));
    const work: Work = { images: writable, extractor: opened, store, options, failures, fail, warnings: [] };
    const done = await extractAll(work, images.length);
    // Before the store puts together what may be large: the memory of both at once is not needed.
    await release();
    return { ...done, outputs: await store.finish() };
  } finally {
    await store.close();
    // A run that was stopped leaves the runtime at work, which must not be disposed under it.
    if (!signal?.aborted) await release();
  }
}

interface Work {
  images: NamedImage[];
  extractor: Extractor;
  store: FeatureStore;
  options: ExtractManyOptions;
  failures: ImageFailure[];
  fail(failure: ImageFailure): void;
  warnings: ImageWarning[];
}

async function extractAll(work: Work, total: number): Promise<Omit<ExtractManyResult, "outputs">> {
  const { images, extractor, store, options, failures, fail, warnings } = work;
  const { signal, onNote, onProgress, readAhead = true } = options;
  const { model, sha256 } = extractor.info;
  const note = (text: string) => onNote?.(text);
  const provenance = {
    strata: packageVersion(),
    model,
    sha256,
    options: { ...options.choices, ...extractor.options, orientation: options.orientation ?? true },
  };
  await store.begin(images, { model, provenance, note });
  let [extracted, skipped, keypoints] = [0, 0, 0];
  const empty: string[] = [];
  const progress = (): ExtractProgress => ({ total, extracted, skipped, failed: failures.length });
  onProgress?.(progress());
  let saidNotes = false;
  let ahead: Promise<Prepared> | undefined;
  for (const [i, image] of images.entries()) {
    const prepared = await untilAborted(ahead ?? prepare(image, work), signal);
    ahead = undefined;
    const lookAhead = (): void => {
      if (i + 1 < images.length) ahead ??= prepare(images[i + 1], work);
    };
    if (readAhead) lookAhead();
    if (prepared.kind === "finished") skipped++;
    else if (prepared.kind === "failed") {
      if (prepared.isFatal) throw prepared.error;
      fail({ path: image.path, error: prepared.error });
    } else {
      try {
        const features = await untilAborted(extractor.extract(prepared.pixels), signal);
        // Not given up: a file that is being written is finished first.
        const saving = store.save(image, features, prepared.digest);
        // While the disk is waited for there is a core to decode on.
        lookAhead();
        await saving;
        extracted++;
        keypoints += features.count;
        if (features.count === 0) empty.push(image.path);
      } catch (error) {
        if (signal?.aborted || store.isFatal(error)) throw error;
        fail({ path: image.path, error });
      }
    }
    // Known only now that the session has been opened.
    if (!saidNotes) {
      const notes = sessionNotes(extractor.info);
      saidNotes = notes.length > 0;
      for (const text of notes) note(text);
    }
    onProgress?.(progress());
    // Signals are heard between images, however fast these are.
    await untilAborted(new Promise(setImmediate), signal);
  }
  return { ...progress(), keypoints, empty, failures, warnings, info: extractor.info, options: extractor.options };
}

type Prepared =
  | { kind: "pixels"; pixels: Image; digest: string }
  | { kind: "finished" }
  | { kind: "failed"; error: unknown; isFatal: boolean };

/** The image's pixels, unless it is finished; a failure is a value, for nobody may be waiting for it yet. */
async function prepare({ path, name }: NamedImage, { store, options, warnings }: Work): Promise<Prepared> {
  const { pixelLimit, orientation } = options;
  const onWarning = (message: string) => {
    warnings.push({ path, message });
    options.onWarning?.({ path, message });
  };
  let isStores = false;
  try {
    // Read once, for its digest and for its pixels: they are of one and the same picture.
    const bytes = await readFileChecked(path);
    const digest = imageDigest(bytes);
    isStores = true;
    if (await store.has({ path, name }, digest)) return { kind: "finished" };
    isStores = false;
    return {
      kind: "pixels",
      digest,
      pixels: await loadImage(bytes, { pixelLimit, orientation, name: path, onWarning }),
    };
  } catch (error) {
    return { kind: "failed", error, isFatal: isStores && store.isFatal(error) };
  }
}
