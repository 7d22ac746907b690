/**
 * An index of images: segments that never change, and one manifest that says which of them count. Whoever reads it keeps what
 * it has opened until `refresh`; one writer at a time adds, removes and merges, and each of its commits is there whole or not at all.
 */
import { checkObject, checkText, wrong } from "../check.js";
import { FormatError, IoError, OptionError, StateError, StrataError } from "../errors.js";
import { checkFeatures, type Features, type FloatFeatures } from "../features.js";
import { parseVerdictModel, type VerdictModel } from "../geometry/verdict.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { type IndexedImage, indexedImage, pendingContent } from "./indexed-image.js";
import {
  countRemoved,
  isRemoved,
  MANIFEST,
  type Manifest,
  manifestBytes,
  readManifest,
  type SegmentEntry,
  withoutImages,
} from "./manifest.js";
import { mergedContent } from "./merge.js";
import { type DamagedFile, failures, type OpenSegment, openSegment } from "./open-segment.js";
import { PostingCache } from "./posting-cache.js";
import { type SearchOptions, type SearchReport, searchSegments } from "./query.js";
import { DIGEST_BYTES, INDEX_KINDS, type IndexKind, LONGEST_ID } from "./segment-format.js";
import { segmentBytes } from "./segment-write.js";
import { type IndexStore, readWhole } from "./store.js";
import {
  checkVocabularyArrays,
  type ModelIdentity,
  readVocabulary,
  type Vocabulary,
  writeVocabulary,
} from "./vocabulary.js";

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

/** An image to be added. */
export interface AddedImage {
  /** What the image is called, a path for instance; one that is there is replaced. */
  id: string;
  /** Best first; descriptors of the index's model. */
  features: FloatFeatures;
  /** What its file is known by: 32 hexadecimal digits. Default: zeros. */
  digest?: string;
}

/** What an index is. */
export interface IndexInfo {
  kind: IndexKind;
  model: ModelIdentity;
  /** Images that can be found. */
  images: number;
  /** Images that were removed or replaced, and are in the files until the next merge. */
  removed: number;
  bytes: number;
  segments: { file: string; images: number; removed: number; bytes: number }[];
  vocabulary: { words: number; digest: string };
  keypoints: Manifest["keypoints"];
  extraction: Record<string, unknown>;
  generation: number;
  /** Segments that cannot be opened; the others are searched. */
  damaged: DamagedFile[];
}

const VOCABULARY = "vocabulary.strata";
const MOST_VOCABULARY = 2 ** 28;
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
    return new SearchIndex(store, manifest, [], new PostingCache(CACHE_BYTES), lock);
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
    const { manifest, segments } = await load(store, cache, []);
    const index = new SearchIndex(store, manifest, segments, cache, lock);
    if (write) await removeLeftOvers(store, manifest);
    return index;
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

function checkStore(where: string, store: IndexStore): void {
  if (typeof store?.open !== "function" || typeof store.lock !== "function" || typeof store.name !== "string") {
    throw wrong(where, "the store", "where an index lies, as memoryStore, addressStore and folderStore give it", store);
  }
}

const noIndex = (store: IndexStore): IoError =>
  new IoError(`${store.name}: there is no index; "strata index DIR --out ${store.name}" makes one`);

/** The manifest and its segments; those of `before` that are still named stay open. */
async function load(store: IndexStore, cache: PostingCache, before: readonly OpenSegment[]) {
  for (let attempt = 0; ; attempt++) {
    const manifest = await readManifest(store);
    if (!manifest) throw noIndex(store);
    const segments: OpenSegment[] = [];
    for (const entry of manifest.segments) {
      const open = before.find((one) => one.entry.file === entry.file);
      segments.push({ entry, reader: open?.reader ?? (await openSegment(store, cache, manifest, entry)) });
    }
    // A writer may have merged segments away between the manifest and them.
    const isLost = segments.some(({ reader }) => reader === null);
    if (!isLost || attempt > 0 || (await readManifest(store))?.generation === manifest.generation)
      return { manifest, segments };
    for (const { entry, reader } of segments)
      if (!before.some((one) => one.entry.file === entry.file)) reader?.dispose();
  }
}

/** Segments that no manifest names: a writer was killed before its commit, or before it had removed what it merged. */
async function removeLeftOvers(store: IndexStore, { segments }: Manifest): Promise<void> {
  for (const file of await store.list()) {
    if (SEGMENT.test(file) && !segments.some((one) => one.file === file)) await store.remove(file);
  }
}

/** An index that is open. */
export class SearchIndex {
  private vocabularyRead: Promise<Vocabulary> | undefined;
  private pending = new Map<string, IndexedImage>();
  private removing = new Set<string>();
  private where: Map<string, [segment: string, image: number]> | undefined;
  private closed = false;

  /** Use `createIndex` and `openIndex`. */
  constructor(
    private readonly store: IndexStore,
    private manifest: Manifest,
    private segments: OpenSegment[],
    private readonly cache: PostingCache,
    private lock: { release(): Promise<void> } | null,
  ) {}

  /** How the index is called in messages. */
  get name(): string {
    return this.store.name;
  }

  /** The model whose features it holds. */
  get model(): ModelIdentity {
    return this.manifest.model;
  }

  /** How features are extracted, as it was said when the index was made. */
  get extraction(): Record<string, unknown> {
    return this.manifest.options;
  }

  /** What the index is; nothing is read for it. */
  info(): IndexInfo {
    const { kind, model, vocabulary, keypoints, options, generation, segments } = this.manifest;
    const listed = segments.map((one) => ({
      file: one.file,
      images: one.images,
      removed: countRemoved(one),
      bytes: one.bytes,
    }));
    const removed = listed.reduce((sum, one) => sum + one.removed, 0);
    return {
      kind,
      model,
      images: listed.reduce((sum, { images }) => sum + images, 0) - removed,
      removed,
      bytes: listed.reduce((sum, { bytes }) => sum + bytes, 0),
      segments: listed,
      vocabulary: {
        words: this.segments.find(({ reader }) => reader)?.reader?.footer.words ?? 0,
        digest: vocabulary.digest,
      },
      keypoints,
      extraction: options,
      generation,
      damaged: this.damaged(),
    };
  }

  private damaged(): DamagedFile[] {
    return this.segments.flatMap(({ entry }) => {
      const error = failures.get(entry);
      return error ? [{ file: entry.file, error }] : [];
    });
  }

  /** The words of its model; read at the first call. FormatError where they are damaged or others than the index was made with. */
  vocabulary(): Promise<Vocabulary> {
    this.vocabularyRead ??= this.readOwnVocabulary();
    return this.vocabularyRead;
  }

  private async readOwnVocabulary(): Promise<Vocabulary> {
    const { file, digest } = this.manifest.vocabulary;
    const where = `${this.store.name}: ${file}`;
    const source = await this.store.open(file);
    if (!source) throw new IoError(`${where}: the vocabulary is missing`);
    try {
      const vocabulary = readVocabulary(await readWhole(where, source, MOST_VOCABULARY), where);
      if (vocabulary.digest !== digest)
        throw new FormatError(`${where}: not the vocabulary that the index was made with`);
      return vocabulary;
    } finally {
      source.dispose?.();
    }
  }

  /** Ids of all images that can be found, with their digests (32 hexadecimal digits). */
  async entries(): Promise<Map<string, string>> {
    this.checkOpen();
    const all = new Map<string, string>();
    for (const { entry, reader } of this.segments) {
      if (!reader) continue;
      const [ids, digest] = [await reader.allIds(), await reader.digests()];
      for (const [image, id] of ids.entries()) if (!isRemoved(entry, image)) all.set(id, hex(digest(image)));
    }
    return all;
  }

  /** The kept keypoints of an image; null where there is no such image. */
  async features(id: string): Promise<FloatFeatures | null> {
    this.checkOpen();
    checkText("features", "id", id);
    const place = (await this.places()).get(id);
    const segment = place && this.segments.find(({ entry }) => entry.file === place[0]);
    return place && segment?.reader ? segment.reader.local(place[1]) : null;
  }

  /** Where each image lies. */
  private async places() {
    if (this.where) return this.where;
    const where = new Map<string, [string, number]>();
    for (const { entry, reader } of this.segments) {
      if (!reader) continue;
      for (const [image, id] of (await reader.allIds()).entries()) {
        if (!isRemoved(entry, image)) where.set(id, [entry.file, image]);
      }
    }
    this.where = where;
    return where;
  }

  /**
   * Adds an image, or replaces the one of the same id; it can be found after the next `commit`. Takes the image's words at once, so
   * the features are not kept.
   */
  async add({ id, features, digest = "" }: AddedImage): Promise<void> {
    this.checkWriting();
    const where = "add";
    checkText(where, "id", id);
    const length = new TextEncoder().encode(id).length;
    if (length < 1 || length > LONGEST_ID) throw wrong(where, "id", `a text of 1 to ${LONGEST_ID} bytes`, id);
    if (!/^([0-9a-f]{2})*$/.test(checkText(where, "digest", digest)) || digest.length > 2 * DIGEST_BYTES) {
      throw wrong(where, "digest", `up to ${2 * DIGEST_BYTES} hexadecimal digits`, digest);
    }
    this.checkDescriptors(where, features);
    this.pending.set(id, indexedImage(this.manifest, await this.vocabulary(), id, features, digest));
    this.removing.delete(id);
  }

  private checkDescriptors(where: string, features: Features): void {
    checkFeatures(where, features);
    const { dim, kind }: Features = features;
    if (kind === "binary" || dim !== this.manifest.dim) {
      throw new OptionError(
        `${where}: the index holds features of ${this.model.name}, ${this.manifest.dim} floats each; got ` +
          `${kind === "binary" ? "bits" : `${dim} floats`}; extract with the index's model`,
      );
    }
  }

  /** Images added since the last commit. */
  get uncommitted(): number {
    return this.pending.size;
  }

  /** Removes images by their ids at the next `commit`; ids that are not there do nothing. */
  remove(ids: Iterable<string>): void {
    this.checkWriting();
    if (typeof ids === "string") throw wrong("remove", "ids", "an array of texts", ids);
    for (const id of ids) {
      this.removing.add(checkText("remove", "an id", id));
      this.pending.delete(id);
    }
  }

  /** Makes what was added and removed count: a segment, then the manifest. Where it fails, the index is as it was before. */
  async commit(): Promise<{ added: number; removed: number }> {
    this.checkWriting();
    const { pending, removing } = this;
    if (pending.size + removing.size === 0) return { added: 0, removed: 0 };
    const places = await this.places();
    const gone = new Map<string, number[]>();
    let removed = 0;
    for (const id of [...pending.keys(), ...removing]) {
      const place = places.get(id);
      if (!place) continue;
      gone.set(place[0], [...(gone.get(place[0]) ?? []), place[1]]);
      if (removing.has(id)) removed++;
    }
    const entries = this.manifest.segments.map((one) => {
      const images = gone.get(one.file);
      return images ? withoutImages(one, images) : one;
    });
    const images = [...pending.values()];
    const added = images.length > 0 ? await this.writeSegment(pendingContent(images)) : null;
    await this.replace(added ? [...entries, added] : entries);
    this.pending = new Map();
    this.removing = new Set();
    return { added: images.length, removed };
  }

  private async writeSegment(content: Parameters<typeof segmentBytes>[2]): Promise<SegmentEntry> {
    const file = `segment-${`${this.manifest.generation + 1}`.padStart(8, "0")}.strata`;
    let bytes = 0;
    const counted = async function* (pieces: AsyncIterable<Uint8Array>) {
      for await (const piece of pieces) {
        bytes += piece.length;
        yield piece;
      }
    };
    await this.store.write(file, counted(segmentBytes(this.manifest.kind, await this.vocabulary(), content)));
    return { file, images: content.images, bytes, removed: null };
  }

  /** A new manifest of these segments, then the segments themselves; files that it does not name go. */
  private async replace(entries: SegmentEntry[]): Promise<void> {
    const kept = entries.filter((one) => countRemoved(one) < one.images);
    const before = this.manifest.segments;
    const manifest = { ...this.manifest, segments: kept, generation: this.manifest.generation + 1 };
    await this.store.write(MANIFEST, manifestBytes(manifest));
    this.where = undefined;
    await this.take(manifest);
    for (const { file } of before) if (!kept.some((one) => one.file === file)) await this.store.remove(file);
  }

  private async take(manifest: Manifest): Promise<void> {
    const old = this.segments;
    const { cache, store } = this;
    const segments: OpenSegment[] = [];
    for (const entry of manifest.segments) {
      const open = old.find((one) => one.entry.file === entry.file);
      const error = open && failures.get(open.entry);
      if (error) failures.set(entry, error);
      segments.push({ entry, reader: open ? open.reader : await openSegment(store, cache, manifest, entry) });
    }
    this.manifest = manifest;
    this.segments = segments;
    for (const { entry, reader } of old) if (!segments.some((one) => one.entry.file === entry.file)) reader?.dispose();
  }

  /**
   * Puts segments together and leaves out what was removed; `below`: only segments of fewer images than that (default: all).
   * Ranks and scores stay what they were. A damaged segment stays as it is.
   */
  async merge(options: { below?: number } = {}): Promise<{ before: number; after: number }> {
    this.checkWriting();
    const { below } = withDefaults<{ below: number }>("merge", { below: Number.MAX_SAFE_INTEGER }, options);
    checkNumber("merge", "below", below, { min: 1 });
    await this.commit();
    const before = this.segments.length;
    const chosen = this.segments.filter(({ entry, reader }) => reader !== null && entry.images < below);
    const hasRemoved = chosen.some(({ entry }) => entry.removed !== null);
    if (chosen.length > 1 || hasRemoved) {
      const content = await mergedContent(chosen);
      const merged = content.images > 0 ? [await this.writeSegment(content)] : [];
      const others = this.segments.filter((one) => !chosen.includes(one)).map(({ entry }) => entry);
      await this.replace([...others, ...merged]);
    }
    return { before, after: this.segments.length };
  }

  /** Takes in what a writer has committed since; whether there was anything. */
  async refresh(): Promise<boolean> {
    this.checkOpen();
    const { manifest, segments } = await load(this.store, this.cache, this.segments);
    if (manifest.generation === this.manifest.generation) return false;
    const old = this.segments;
    [this.manifest, this.segments, this.where] = [manifest, segments, undefined];
    for (const { entry, reader } of old) if (!segments.some((one) => one.entry.file === entry.file)) reader?.dispose();
    return true;
  }

  /**
   * The images that show what the query shows, the surest first. Features are those of the index's model, best first. Segments
   * that turn out damaged are left out and told.
   */
  async search(features: FloatFeatures, options: SearchOptions = {}): Promise<SearchReport> {
    this.checkOpen();
    this.checkDescriptors("search", features);
    const { manifest, segments } = this;
    this.cache.next();
    const onDamage = ({ entry }: OpenSegment, error: StrataError) => failures.set(entry, error);
    const found = await searchSegments(manifest, await this.vocabulary(), segments, features, options, onDamage);
    return { ...found, damaged: this.damaged() };
  }

  /** Reads every byte: all files that are damaged or missing, and why. None: the index is whole. */
  async check(): Promise<DamagedFile[]> {
    this.checkOpen();
    const found: DamagedFile[] = [];
    const note = async (file: string, work: () => Promise<unknown>) => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof StrataError)) throw error;
        found.push({ file, error });
      }
    };
    await note(this.manifest.vocabulary.file, () => this.readOwnVocabulary());
    for (const { entry, reader } of this.segments) {
      await note(entry.file, async () => {
        if (!reader) throw failures.get(entry) ?? new FormatError(`${this.name}: ${entry.file} is damaged`);
        await reader.check();
      });
    }
    return found;
  }

  /** Closes its files and lets other writers in; what was added and not committed is dropped. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const { reader } of this.segments) reader?.dispose();
    const { lock } = this;
    this.lock = null;
    await lock?.release();
  }

  private checkOpen(): void {
    if (this.closed) throw new StateError(`${this.name}: the index is closed`);
  }

  private checkWriting(): void {
    this.checkOpen();
    if (!this.lock) throw new StateError(`${this.name}: the index is open for reading; open it with { write: true }`);
  }
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
