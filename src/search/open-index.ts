/** Making an index, and opening one to read or to write. */
import { checkObject } from "../check.js";
import { OptionError } from "../errors.js";
import { parseVerdictModel, type VerdictModel } from "../geometry/verdict.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { IndexWriter } from "./index-writer.js";
import { MANIFEST, type Manifest, manifestBytes } from "./manifest.js";
import { noIndex, OpenFiles } from "./open-files.js";
import { PostingCache } from "./posting-cache.js";
import { SearchIndex } from "./search-index.js";
import { INDEX_KINDS, type IndexKind } from "./segment-format.js";
import { checkStore, type IndexStore } from "./store.js";
import { checkVocabularyArrays, type Vocabulary, writeVocabulary } from "./vocabulary.js";

/** What an index is made with. */
export interface CreateIndexOptions {
  vocabulary: Vocabulary;
  /** "asmk" (default), an inverted file of words with signatures; "vlad": one vector per image, for some thousands of images. */
  kind?: IndexKind;
  /** Most keypoints of an image that make its words, best first; default 1000. */
  wordKeypoints?: number;
  /** Most keypoints of an image that are kept to verify geometry, best first; default 300 (20 kB). */
  keptKeypoints?: number;
  /** The model's verdict on a find, as its configuration holds it; default null: nothing is called found unless a search brings one. */
  verdict?: VerdictModel | null;
  /** How features are extracted, kept for whoever adds more. Default {}. */
  extraction?: Record<string, unknown>;
}

/** How an index is opened. */
export interface OpenIndexOptions {
  /** To add, remove and merge; keeps other writers out until `close`. Default false. */
  write?: boolean;
  /** Bytes of postings that stay in memory; default 512 MiB. */
  cacheBytes?: number;
}

const VOCABULARY = "vocabulary.strata";
const CACHE_BYTES = 2 ** 29;
const SEGMENT = /^segment-\d+\.strata$/;

/** Makes an empty index, opened for writing. An OptionError where there is one already. */
export async function createIndex(store: IndexStore, options: CreateIndexOptions): Promise<SearchIndex> {
  const where = "createIndex";
  checkStore(where, store);
  const given = withDefaults<CreateIndexOptions>(
    where,
    {
      vocabulary: undefined as unknown as Vocabulary,
      kind: "asmk",
      wordKeypoints: 1000,
      keptKeypoints: 300,
      verdict: undefined,
      extraction: {},
    },
    options,
  );
  const { vocabulary, kind, verdict = null, extraction = {} } = given;
  checkVocabularyArrays(where, vocabulary);
  checkObject(where, "extraction", extraction);
  checkChoice(where, "kind", kind, INDEX_KINDS);
  const words = checkNumber(where, "wordKeypoints", given.wordKeypoints, { min: 1, max: 1e6, integer: true });
  const kept = checkNumber(where, "keptKeypoints", given.keptKeypoints, { min: 0, max: 1e5, integer: true });
  if (verdict !== null) parseVerdictModel(where, verdict);
  const lock = await store.lock();
  try {
    if (await exists(store))
      throw new OptionError(`${store.name}: there is an index already; open it, or give another place`);
    await store.write(VOCABULARY, writeVocabulary(vocabulary));
    const manifest: Manifest = {
      kind: kind as IndexKind,
      model: vocabulary.model,
      dim: vocabulary.dim,
      vocabulary: { file: VOCABULARY, digest: vocabulary.digest },
      options: extraction,
      keypoints: { words, kept },
      verdict,
      generation: 0,
      segments: [],
    };
    await store.write(MANIFEST, manifestBytes(manifest));
    const files = new OpenFiles(store, new PostingCache(CACHE_BYTES), manifest, []);
    return new SearchIndex(files, new IndexWriter(files, lock));
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function exists(store: IndexStore): Promise<boolean> {
  const source = await store.open(MANIFEST);
  source?.dispose?.();
  return source !== null;
}

/**
 * Opens an index: its manifest and the last bytes of each segment are read, whatever its size. An IoError where there is none,
 * or another writer is at work; a FormatError or an UnsupportedError for a manifest that is damaged or of another version.
 */
export async function openIndex(store: IndexStore, options: OpenIndexOptions = {}): Promise<SearchIndex> {
  const where = "openIndex";
  checkStore(where, store);
  const { write, cacheBytes } = withDefaults<Required<OpenIndexOptions>>(
    where,
    { write: false, cacheBytes: CACHE_BYTES },
    options,
  );
  const cache = new PostingCache(checkNumber(where, "cacheBytes", cacheBytes, { min: 0 }));
  if (write && !(await exists(store))) throw noIndex(store);
  const lock = write ? await store.lock() : null;
  try {
    const files = await OpenFiles.open(store, cache);
    if (write) await removeLeftOvers(store, files.manifest);
    return new SearchIndex(files, lock && new IndexWriter(files, lock));
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

/** Segments that no manifest names: a writer was killed before its commit, or before it had removed what it merged. */
async function removeLeftOvers(store: IndexStore, { segments }: Manifest): Promise<void> {
  for (const file of await store.list()) {
    if (SEGMENT.test(file) && !segments.some((one) => one.file === file)) await store.remove(file);
  }
}
