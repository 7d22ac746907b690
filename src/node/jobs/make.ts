/** Makes jobs: looks at everything that shards will depend on, and writes it down. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkFunction, checkIterable, checkList, checkMap, checkObject, checkText, checkTexts } from "../../check.js";
import { OptionError, UnsupportedError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import { isHdf5 } from "../../formats/hdf5.js";
import { checkHlocMatchNames, listHlocImages } from "../../formats/hloc.js";
import type { Provenance } from "../../formats/record.js";
import { checkMatchOptions } from "../../match/mutual.js";
import type { NamePair } from "../../match/pairs.js";
import { checkNumber } from "../../options.js";
import { checkPeer } from "../../peers.js";
import { checkExtractor } from "../../search/check.js";
import { MANIFEST } from "../../search/manifest.js";
import { checkVocabularyArrays } from "../../search/vocabulary.js";
import { checkPath, readFileChecked } from "../atomic.js";
import type { OpenOptions } from "../extractor.js";
import { makeFolder } from "../folders.js";
import { commonFolder, nameBelow } from "../names.js";
import { isLancePlace } from "../search/lance/place.js";
import { newPhotoIndex, type PhotoIndexOptions } from "../search/photo-index.js";
import { saveVocabulary, VOCABULARY_FILE } from "../search/vocabularies.js";
import type { NamedImage } from "../stores/store.js";
import { digestImages } from "./image-shards.js";
import { PLAN_FILE } from "./job-file.js";
import { type MatchJobOptions, slicePairs } from "./match-shard.js";
import { type JobPlan, readPlan, type SlicePairs, sliced, writePlan } from "./plan.js";
import { outputPath, readRecord, sha256 } from "./records.js";

/** Images, and pairs, of a shard unless it is said. */
export const SHARD_SIZE = { extract: 1000, match: 10_000, index: 1000 } as const;

/** What an extraction job is made of. */
export interface ExtractJob {
  /** Folder that names start from: an image lies at root/name. */
  root: string;
  images: readonly NamedImage[];
  /** The open model: its digest and all of its options are part of the job. */
  extractor: Extractor;
  /** The options that it was opened with. */
  open: OpenOptions;
  /** Options of `loadImage`. */
  image: { pixelLimit: number; orientation: boolean };
  /** What else is kept with features, as `extractMany` has it. */
  choices?: Provenance;
  /** Images of a shard; default 1000. */
  size?: number;
  onProgress?(done: number): void;
}

/**
 * Writes an extraction job into `folder`: every image with the digest of its file. Images that cannot be read are listed in
 * the plan, and no error unless none is left.
 */
export async function makeExtractJob(folder: string, job: ExtractJob): Promise<JobPlan> {
  checkObject("makeExtractJob", "job", job);
  const { root, images, extractor, open, image, choices = {}, size = SHARD_SIZE.extract, onProgress } = job;
  checkPath("a job's folder", folder);
  checkPath("makeExtractJob: root", root);
  for (const [i, image] of checkList("makeExtractJob", "images", images).entries()) {
    const { name, path } = checkObject("makeExtractJob", `images[${i}]`, image);
    checkText("makeExtractJob", `images[${i}].name`, name);
    checkPath(`makeExtractJob: images[${i}]`, path);
  }
  checkExtractor("makeExtractJob", extractor);
  checkObject("makeExtractJob", "open", open);
  checkObject("makeExtractJob", "image", image);
  checkNumber("makeExtractJob", "size", size, { min: 1, max: 100_000, integer: true });
  checkPeer("h5wasm");
  const { slice, unreadable } = await readableImages(folder, images, onProgress);
  const { model, sha256: digest } = extractor.info;
  return writePlan(
    folder,
    {
      kind: "extract",
      model: { name: model, sha256: digest },
      options: { extract: placeless(open), all: extractor.options, image, choices },
      root: resolve(root),
      result: "features.h5",
      size,
      unreadable,
    },
    asyncly(sliced(slice, size)),
  );
}

/** Digests of images; OptionError where none of them can be read. */
async function readableImages(folder: string, images: readonly NamedImage[], onProgress?: (done: number) => void) {
  const read = await digestImages(images, onProgress);
  if (read.slice.length > 0) return read;
  throw new OptionError(`${folder}: no image can be read (${read.unreadable[0]?.message ?? "none is named"})`);
}

/** What a job that makes an index is made of. */
export interface IndexJob extends Omit<PhotoIndexOptions, "openExtractor"> {
  /** The images as `folderImages` gives them; an image's id is its path as it is given. */
  paths: readonly string[];
  /** Options of `loadImage`. */
  image: { pixelLimit: number; orientation: boolean };
  /** Images of a shard; default 1000. */
  size?: number;
  onProgress?(done: number): void;
  /** Default `openExtractor`. */
  openExtractor?: PhotoIndexOptions["openExtractor"];
}

/**
 * Writes a job into `folder` that makes an index of images, in this folder: with the same model, vocabulary and options as
 * `openPhotoIndex`, and the same ranking. OptionError where there is an index already, or no image can be read.
 */
export async function makeIndexJob(folder: string, job: IndexJob): Promise<JobPlan> {
  const where = "makeIndexJob";
  checkObject(where, "job", job);
  const { paths, image, size = SHARD_SIZE.index, onProgress, ...rest } = job;
  for (const [i, path] of checkTexts(where, "paths", paths).entries()) checkPath(`${where}: paths[${i}]`, path);
  checkObject(where, "image", image);
  if (rest.vocabulary !== undefined) checkVocabularyArrays(where, rest.vocabulary);
  if (rest.openExtractor !== undefined) checkFunction(where, "openExtractor", rest.openExtractor);
  checkNumber(where, "size", size, { min: 1, max: 100_000, integer: true });
  checkPath("a job's folder", folder);
  if (isLancePlace(folder)) {
    throw new OptionError(
      `${folder}: a job makes an index in files; for one in LanceDB, run strata index on one machine`,
    );
  }
  const isMade = existsSync(join(folder, PLAN_FILE));
  if (!isMade && existsSync(join(folder, MANIFEST))) {
    throw new OptionError(
      `${folder} is an index already, which no job made; name another folder, or bring it up to date with "strata index"`,
    );
  }
  const { extractor, extraction, create } = await newPhotoIndex(rest);
  try {
    const root = commonFolder(paths.map((path) => resolve(path)));
    const ids = new Map(paths.map((path) => [nameBelow(root, resolve(path)), path]));
    const images = [...ids].map(([name, path]) => ({ name, path }));
    const { slice, unreadable } = await readableImages(folder, images, onProgress);
    const { vocabulary, ...index } = create;
    if (!vocabulary) {
      throw new UnsupportedError("jobs index by words; for a global model, run strata index on one machine");
    }
    if (!isMade) {
      await makeFolder(folder);
      await saveVocabulary(join(folder, VOCABULARY_FILE), vocabulary);
    }
    const { model, sha256: digest } = extractor.info;
    const named = slice.map((one) => ({ ...one, id: ids.get(one.name) as string }));
    return await writePlan(
      folder,
      {
        kind: "index",
        model: { name: model, sha256: digest },
        options: {
          extract: placeless(extraction),
          all: extractor.options,
          image,
          index,
          vocabulary: vocabulary.digest,
        },
        root,
        result: MANIFEST,
        size,
        unreadable,
      },
      asyncly(sliced(named, size)),
    );
  } finally {
    await extractor.dispose();
  }
}

/** Where and with how many threads it is computed does not decide about features. */
function placeless({
  threads: _t,
  backend: _b,
  runtime: _r,
  ...rest
}: OpenOptions): Omit<OpenOptions, "threads" | "backend" | "runtime"> {
  return rest;
}

/** What a matching job is made of. */
export interface MatchJob {
  /** Where the features are, as `locateFeatures` finds them. */
  features: LocatedFeatures;
  pairs: Iterable<NamePair>;
  options?: MatchJobOptions;
  /** Pairs of a shard; default 10,000. */
  size?: number;
}

/** Files of features, and which holds which image. */
export type LocatedFeatures = ReadonlyMap<string, SlicePairs["files"][number]>;

/** Writes a matching job into `folder`. OptionError for images without features, and names that the result cannot hold. */
export async function makeMatchJob(folder: string, job: MatchJob): Promise<JobPlan> {
  checkObject("makeMatchJob", "job", job);
  const { features, pairs, options = {}, size = SHARD_SIZE.match } = job;
  checkMap("makeMatchJob", "features", features);
  checkIterable("makeMatchJob", "pairs", pairs);
  checkObject("makeMatchJob", "options", options);
  checkNumber("makeMatchJob", "size", size, { min: 1, max: 1_000_000, integer: true });
  const { mutual = true, ratio = null, minSimilarity = null } = options;
  checkMatchOptions({ mutual, ratio, minSimilarity }, "makeMatchJob");
  checkHlocMatchNames(folder, features.keys(), features.keys());
  return writePlan(
    folder,
    {
      kind: "match",
      model: null,
      options: { mutual, ratio, minSimilarity },
      root: "",
      result: "matches.h5",
      size,
      unreadable: [],
    },
    slicePairs(pairs, size, features),
  );
}

/**
 * The files of features at `sources`, and the images that each holds: HDF5 files of hloc's layout, or folders of extraction
 * jobs whose shards are done. OptionError for an image that is in two of them.
 */
export async function locateFeatures(sources: readonly string[]): Promise<LocatedFeatures> {
  checkTexts("locateFeatures", "sources", sources);
  checkPeer("h5wasm");
  const places = new Map<string, SlicePairs["files"][number]>();
  for (const source of sources) {
    for (const path of await featureFiles(source)) {
      const bytes = await readFileChecked(path);
      if (!isHdf5(bytes)) {
        throw new OptionError(
          `${path} is no HDF5 file; "strata convert" makes one, or give the folder of an extraction job`,
        );
      }
      const file = { path: resolve(path), sha256: sha256(bytes) };
      for (const name of await listHlocImages(bytes)) {
        const before = places.get(name);
        if (before) throw new OptionError(`"${name}" is in ${before.path} and in ${path}; give one of them`);
        places.set(name, file);
      }
    }
  }
  if (places.size === 0) throw new OptionError(`there are no features in ${sources.join(", ")}`);
  return places;
}

async function featureFiles(source: string): Promise<string[]> {
  const plan = await readPlan(source).catch(() => null);
  if (!plan) return [source];
  if (plan.kind !== "extract") {
    throw new OptionError(
      `${source} is a job of the kind ${plan.kind}; features are matched of jobs of the kind extract`,
    );
  }
  const files: string[] = [];
  for (let shard = 0; shard < plan.shards.length; shard++) {
    const record = await readRecord(source, plan, shard);
    if (!record) throw new OptionError(`the job ${source} is not done yet; match its features when it is`);
    if (record.file !== null) files.push(outputPath(source, record.file));
  }
  return files;
}

async function* asyncly<T>(all: Iterable<T>): AsyncGenerator<T> {
  yield* all;
}
