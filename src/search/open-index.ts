/** Making an index, and opening one to read or to write. */
import { checkObject, wrong } from "../check.js";
import { OptionError } from "../errors.js";
import { parseVerdictModel, type VerdictModel } from "../geometry/verdict.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { checkGlobal, type GlobalIdentity } from "./global-identity.js";
import { IndexWriter } from "./index-writer.js";
import { MANIFEST, type Manifest, manifestBytes } from "./manifest.js";
import { noIndex, OpenFiles } from "./open-files.js";
import { PostingCache } from "./posting-cache.js";
import { SearchIndex } from "./search-index.js";
import { INDEX_KINDS, type IndexKind } from "./segment-format.js";
import { checkStore, type IndexStore } from "./store.js";
import {
  checkIdentity,
  checkVocabularyArrays,
  type ModelIdentity,
  type Vocabulary,
  writeVocabulary,
} from "./vocabulary.js";

/** What an index is made with. */
export interface CreateIndexOptions {
  /** Visual words of the model; needed unless a global model takes their place. */
  vocabulary?: Vocabulary;
  /**
   * "asmk" (default), an inverted file of words with signatures; "vlad": one vector per image, for some thousands of images;
   * "global" (the default with `global`): the vector of a global model.
   */
  kind?: IndexKind;
  /** In place of a vocabulary: the global model whose vectors images are ranked by (`info` of an open one). */
  global?: GlobalIdentity;
  /** With `global`: the model of the local features (a vocabulary tells it else), and the values of a descriptor. */
  model?: ModelIdentity & { dim: number };
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
  /** Bytes of postings that stay in memory; default 384 MiB. */
  cacheBytes?: number;
}

const VOCABULARY = "vocabulary.strata";
const CACHE_BYTES = 3 * 2 ** 27;
const SEGMENT = /^segment-\d+\.strata$/;

/** Makes an empty index, opened for writing. An OptionError where there is one already. */
export async function createIndex(store: IndexStore, options: CreateIndexOptions): Promise<SearchIndex> {
  const where = "createIndex";
  checkStore(where, store);
  const manifest = emptyManifest(where, options);
  const lock = await store.lock();
  try {
    if (await exists(store))
      throw new OptionError(`${store.name}: there is an index already; open it, or give another place`);
    if (options.vocabulary) await store.write(VOCABULARY, writeVocabulary(options.vocabulary));
    await store.write(MANIFEST, manifestBytes(manifest));
    const files = new OpenFiles(store, new PostingCache(CACHE_BYTES), manifest, []);
    return new SearchIndex(files, new IndexWriter(files, lock));
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The manifest of an index without images, whatever keeps it; options are checked. */
export function emptyManifest(where: string, options: CreateIndexOptions): Manifest {
  const given = withDefaults<CreateIndexOptions>(
    where,
    {
      vocabulary: undefined,
      kind: undefined,
      global: undefined,
      model: undefined,
      wordKeypoints: 1000,
      keptKeypoints: 300,
      verdict: undefined,
      extraction: {},
    },
    options,
  );
  const made = checkMade(where, given);
  const { verdict = null, extraction = {} } = given;
  checkObject(where, "extraction", extraction);
  const words = checkNumber(where, "wordKeypoints", given.wordKeypoints, { min: 1, max: 1e6, integer: true });
  const kept = checkNumber(where, "keptKeypoints", given.keptKeypoints, { min: 0, max: 1e5, integer: true });
  if (verdict !== null) parseVerdictModel(where, verdict);
  return { ...made, options: extraction, keypoints: { words, kept }, verdict, generation: 0, segments: [] };
}

/** What an index ranks by: a vocabulary or a global model, and never both. */
function checkMade(
  where: string,
  { vocabulary, global, model, kind = global ? "global" : "asmk" }: CreateIndexOptions,
): Pick<Manifest, "kind" | "model" | "dim" | "vocabulary" | "global"> {
  checkChoice(where, "kind", kind, INDEX_KINDS);
  if (global === undefined) {
    checkVocabularyArrays(where, vocabulary as Vocabulary);
    const { dim, digest, model: own } = vocabulary as Vocabulary;
    if (kind === "global") throw wrong(where, '"global"', "the global model of an index of this kind", global);
    if (model !== undefined) throw wrong(where, '"model"', "left out: the vocabulary tells it", model);
    return { kind, model: own, dim, vocabulary: { file: VOCABULARY, digest } };
  }
  checkGlobal(where, global);
  if (vocabulary !== undefined) {
    throw new OptionError(`${where}: a vocabulary and a global model; an index ranks by one of them`);
  }
  if (kind !== "global") throw wrong(where, '"kind"', '"global", for there is a global model', kind);
  const { name, sha256, dim } = checkIdentity(where, model as ModelIdentity & { dim: number });
  checkNumber(where, "dim", dim, { min: 1, max: 1024, integer: true });
  return { kind, model: { name, sha256 }, dim, vocabulary: { file: null, digest: global.sha256 }, global };
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
