/** An index of the images of folders: made or brought up to date, with the model and the options that it was made with. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { checkFunction, checkObject, checkTexts, jsonText } from "../../check.js";
import { OptionError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import { canonicalJson } from "../../formats/record.js";
import { checkIndex } from "../../search/check.js";
import { type GlobalModelOptions, withGlobal } from "../../search/global-model.js";
import type { ImageIndex } from "../../search/image-index.js";
import type { CreateIndexOptions } from "../../search/open-index.js";
import {
  checkSameModel,
  INDEX_EXTRACTION,
  QUERY_EXTRACTION,
  SEARCH_MODEL,
  searchVerdict,
} from "../../search/search-image.js";
import type { IndexKind } from "../../search/segment-format.js";
import type { Vocabulary } from "../../search/vocabulary.js";
import { checkPath } from "../atomic.js";
import { type OpenOptions, openExtractor } from "../extractor.js";
import { PLAN_FILE } from "../jobs/job-file.js";
import { ImageSearch } from "../list-images.js";
import type { ImageFailure } from "../stores/store.js";
import { loadGlobalModel } from "./global-models.js";
import { createIndexAt, indexIfThere } from "./index-place.js";
import { isLancePlace } from "./lance/place.js";
import { checkVocabulary, modelVocabulary } from "./vocabularies.js";

/** How an index of folders is opened or made. */
export interface PhotoIndexOptions {
  /** Model and extraction; default SEARCH_MODEL with INDEX_EXTRACTION. What an index was made with already holds for it. */
  extraction?: OpenOptions;
  /** Default: the one in the model's folder. */
  vocabulary?: Vocabulary;
  /** Default "asmk". */
  kind?: IndexKind;
  /** Path of a global model (see `loadGlobalModel`) whose vectors take the place of words. */
  global?: string;
  /** Default `openExtractor`. */
  openExtractor?: (options: OpenOptions) => Promise<Extractor>;
}

/** An index open for writing, with the extractor that makes its features; both are the caller's to close. */
export interface PhotoIndex {
  index: ImageIndex;
  extractor: Extractor;
}

/**
 * Opens the index in `folder` for writing, or makes it. An OptionError where it was made with another model or other options.
 */
export async function openPhotoIndex(folder: string, options: PhotoIndexOptions = {}): Promise<PhotoIndex> {
  checkObject("openPhotoIndex", "options", options);
  const { extraction = {}, kind, global, openExtractor: open = openExtractor } = options;
  checkObject("openPhotoIndex", "extraction", extraction);
  checkFunction("openPhotoIndex", "openExtractor", open);
  if (global !== undefined) checkPath("openPhotoIndex", global);
  checkPath("openPhotoIndex", folder);
  const index = await indexIfThere(folder);
  if (index) {
    try {
      checkMadeAlike(index, extraction, kind);
      return { index, extractor: await openIndexExtractor(index, extraction, open, global) };
    } catch (error) {
      await index.close();
      throw error;
    }
  }
  if ((await stat(join(folder, PLAN_FILE)).catch(() => null)) !== null) {
    throw new OptionError(
      `${folder} holds a job whose index is not made yet ("strata jobs status ${folder}"); wait for it, or name another folder`,
    );
  }
  const { extractor, create } = await newPhotoIndex(
    isLancePlace(folder) ? { ...options, kind: options.kind ?? formOf(options) } : options,
  );
  try {
    return { index: await createIndexAt(folder, create), extractor };
  } catch (error) {
    await extractor.dispose();
    throw error;
  }
}

/** LanceDB keeps one vector per image. */
const formOf = ({ global }: PhotoIndexOptions): IndexKind => (global === undefined ? "vlad" : "global");

/** What a new index is made with: the open model, which is the caller's to close, and what `createIndex` takes. */
export async function newPhotoIndex(
  options: PhotoIndexOptions,
): Promise<{ extractor: Extractor; extraction: OpenOptions; create: CreateIndexOptions }> {
  const { extraction = {}, kind, global, openExtractor: open = openExtractor } = options;
  if (global !== undefined && (options.vocabulary !== undefined || (kind !== undefined && kind !== "global"))) {
    throw new OptionError("a global model takes the place of words: leave out the vocabulary and the kind");
  }
  const wanted = { model: SEARCH_MODEL, ...INDEX_EXTRACTION, ...extraction };
  const extractor = await open(wanted);
  try {
    const made = { verdict: searchVerdict(extractor), extraction: decisive(wanted) };
    if (global !== undefined) {
      const model = { name: extractor.info.model, sha256: extractor.info.sha256, dim: extractor.info.dim };
      const both = withGlobal(extractor, await loadGlobalModel(global, sessionOf(extraction)));
      return { extractor: both, extraction: wanted, create: { ...made, model, global: both.info.global } };
    }
    const vocabulary = options.vocabulary ?? (await modelVocabulary(wanted.model));
    checkVocabulary(vocabulary, { name: extractor.info.model, sha256: extractor.info.sha256 }, "the vocabulary");
    return { extractor, extraction: wanted, create: { vocabulary, kind: kind ?? "asmk", ...made } };
  } catch (error) {
    await extractor.dispose();
    throw error;
  }
}

/** The extractor of an index: its models and its options, and others before those. */
export async function openIndexExtractor(
  index: ImageIndex,
  options: OpenOptions,
  open: (options: OpenOptions) => Promise<Extractor> = openExtractor,
  global?: string,
): Promise<Extractor> {
  const own = index.global;
  if (!own && global !== undefined) {
    throw new OptionError(`${index.name}: the index ranks by words; leave the global model out, or make another index`);
  }
  const extractor = await open({ model: index.model.name, ...index.extraction, ...options });
  if (!own) return extractor;
  try {
    const model = await loadGlobalModel(global ?? own.name, { ...sessionOf(options), input: own.input });
    const both = withGlobal(extractor, model);
    try {
      checkSameModel(index, both);
      return both;
    } catch (error) {
      await model.dispose();
      throw error;
    }
  } catch (error) {
    await extractor.dispose();
    throw error;
  }
}

/** Where a session runs. */
const sessionOf = ({ runtime, backend, threads }: OpenOptions): GlobalModelOptions => ({
  ...(runtime && { runtime }),
  backend,
  threads,
});

/**
 * The extractor for queries of an index: its model, its options, and a closer look. `global`: the file of its global model,
 * where that does not lie any more where it was.
 */
export async function openQueryExtractor(
  index: ImageIndex,
  options: OpenOptions = {},
  open: (options: OpenOptions) => Promise<Extractor> = openExtractor,
  global?: string,
): Promise<Extractor> {
  const where = "openQueryExtractor";
  checkIndex(where, index);
  checkObject(where, "options", options);
  checkFunction(where, "open", open);
  if (global !== undefined) checkPath(where, global);
  return openIndexExtractor(index, { ...QUERY_EXTRACTION, ...options }, open, global);
}

/** What decides about features; where they are computed does not. */
function decisive({
  backend: _b,
  threads: _t,
  runtime: _r,
  tilePixels: _p,
  ...rest
}: OpenOptions): Record<string, unknown> {
  return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
}

function checkMadeAlike(index: ImageIndex, extraction: OpenOptions, kind: IndexKind | undefined): void {
  const made = index.extraction;
  for (const [name, value] of Object.entries(decisive(extraction))) {
    const isName = name === "model" && value === index.model.name;
    if (isName || canonicalJson(value) === canonicalJson(made[name] ?? null)) continue;
    throw new OptionError(
      `${index.name}: the index was made with ${name} ${jsonText(made[name] ?? "left out")}, not ${jsonText(value)}; ` +
        "leave the option out, or make another index",
    );
  }
  const { kind: own } = index.info();
  if (kind !== undefined && kind !== own) {
    throw new OptionError(`${index.name}: the index is of kind ${own}, not ${kind}; make another index`);
  }
}

/** Images of folders, and what in an index belongs to these folders. */
export interface FolderImages {
  paths: string[];
  failures: ImageFailure[];
  passedOver: Record<string, number>;
  /** Whether an image of that id would be among them if it were there. */
  covers: (id: string) => boolean;
}

/** All images of these folders, with all folders in them, and of files and globs that are named. */
export async function folderImages(inputs: readonly string[]): Promise<FolderImages> {
  checkTexts("folderImages", "inputs", inputs);
  const search = new ImageSearch(true);
  const failures: ImageFailure[] = [];
  const folders: string[] = [];
  for (const input of inputs) {
    try {
      await search.add(input);
      if ((await stat(input).catch(() => null))?.isDirectory()) folders.push(join(input, "/"));
    } catch (error) {
      failures.push({ path: input, error });
    }
  }
  const covers = (id: string) =>
    folders.some((folder) => (folder === "./" ? !id.startsWith("/") : id.startsWith(folder)));
  return { paths: [...search.images.values()].sort(), failures, passedOver: search.passedOver, covers };
}
