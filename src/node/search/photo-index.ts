/** An index of the images of folders: made or brought up to date, with the model and the options that it was made with. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { checkFunction, checkObject, checkTexts, jsonText } from "../../check.js";
import { OptionError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import { canonicalJson } from "../../formats/record.js";
import { checkIndex } from "../../search/check.js";
import { MANIFEST } from "../../search/manifest.js";
import { type CreateIndexOptions, createIndex, openIndex } from "../../search/open-index.js";
import { INDEX_EXTRACTION, QUERY_EXTRACTION, SEARCH_MODEL, searchVerdict } from "../../search/search-image.js";
import type { SearchIndex } from "../../search/search-index.js";
import type { IndexKind } from "../../search/segment-format.js";
import type { Vocabulary } from "../../search/vocabulary.js";
import { type OpenOptions, openExtractor } from "../extractor.js";
import { PLAN_FILE } from "../jobs/job-file.js";
import { ImageSearch } from "../list-images.js";
import type { ImageFailure } from "../stores/store.js";
import { folderStore } from "./folder-store.js";
import { checkVocabulary, modelVocabulary } from "./vocabularies.js";

/** How an index of folders is opened or made. */
export interface PhotoIndexOptions {
  /** Model and extraction; default SEARCH_MODEL with INDEX_EXTRACTION. What an index was made with already holds for it. */
  extraction?: OpenOptions;
  /** Default: the one in the model's folder. */
  vocabulary?: Vocabulary;
  /** Default "asmk". */
  kind?: IndexKind;
  /** Default `openExtractor`. */
  openExtractor?: (options: OpenOptions) => Promise<Extractor>;
}

/** An index open for writing, with the extractor that makes its features; both are the caller's to close. */
export interface PhotoIndex {
  index: SearchIndex;
  extractor: Extractor;
}

/**
 * Opens the index in `folder` for writing, or makes it. An OptionError where it was made with another model or other options.
 */
export async function openPhotoIndex(folder: string, options: PhotoIndexOptions = {}): Promise<PhotoIndex> {
  checkObject("openPhotoIndex", "options", options);
  const { extraction = {}, kind, openExtractor: open = openExtractor } = options;
  checkObject("openPhotoIndex", "extraction", extraction);
  checkFunction("openPhotoIndex", "openExtractor", open);
  const store = folderStore(folder);
  const isThere = (await stat(join(folder, MANIFEST)).catch(() => null)) !== null;
  if (isThere) {
    const index = await openIndex(store, { write: true });
    try {
      const made = index.extraction;
      checkMadeAlike(index, extraction, kind);
      return { index, extractor: await open({ model: index.model.name, ...made, ...extraction }) };
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
  const { extractor, create } = await newPhotoIndex(options);
  try {
    return { index: await createIndex(store, create), extractor };
  } catch (error) {
    await extractor.dispose();
    throw error;
  }
}

/** What a new index is made with: the open model, which is the caller's to close, and what `createIndex` takes. */
export async function newPhotoIndex(
  options: PhotoIndexOptions,
): Promise<{ extractor: Extractor; extraction: OpenOptions; create: CreateIndexOptions }> {
  const { extraction = {}, kind = "asmk", openExtractor: open = openExtractor } = options;
  const wanted = { model: SEARCH_MODEL, ...INDEX_EXTRACTION, ...extraction };
  const extractor = await open(wanted);
  try {
    const vocabulary = options.vocabulary ?? (await modelVocabulary(wanted.model));
    checkVocabulary(vocabulary, { name: extractor.info.model, sha256: extractor.info.sha256 }, "the vocabulary");
    const create = { vocabulary, kind, verdict: searchVerdict(extractor), extraction: decisive(wanted) };
    return { extractor, extraction: wanted, create };
  } catch (error) {
    await extractor.dispose();
    throw error;
  }
}

/** The extractor for queries of an index: its model, its options, and a closer look. */
export async function openQueryExtractor(
  index: SearchIndex,
  options: OpenOptions = {},
  open: (options: OpenOptions) => Promise<Extractor> = openExtractor,
): Promise<Extractor> {
  checkIndex("openQueryExtractor", index);
  checkObject("openQueryExtractor", "options", options);
  return open({ model: index.model.name, ...index.extraction, ...QUERY_EXTRACTION, ...options });
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

function checkMadeAlike(index: SearchIndex, extraction: OpenOptions, kind: IndexKind | undefined): void {
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
