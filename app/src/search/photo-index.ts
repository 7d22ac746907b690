/** The index of the page: photographs added, looked for, saved and opened as the files of the command line. */
import { unzipSync, zipSync } from "fflate";
import vocabularyAddress from "../../../models/strata-t/vocabulary.strata?url";
import {
  checkSameModel,
  copyIndex,
  createIndex,
  INDEX_EXTRACTION,
  type IndexInfo,
  type IndexStore,
  memoryStore,
  openIndex,
  QUERY_EXTRACTION,
  readVocabulary,
  SEARCH_MODEL,
  type SearchIndex,
  type SearchReport,
  searchImage,
  searchVerdict,
} from "../../../src/search/index.js";
import {
  type Extractor,
  type FloatFeatures,
  fitSize,
  loadImage,
  resizeImage,
  SHIPPED_MODELS,
} from "../../../src/web/index.js";
import { controlled } from "../offline.js";
import { encodePhoto, type Photo } from "../photos.js";
import { about } from "../view.js";
import { digestOf, type Place, type Places } from "./place.js";

/** Opens an extractor of a model with options of extraction. */
export type OpenModel = (model: string, extraction: Record<string, unknown>) => Promise<Extractor>;

/** A photograph to be added. */
export interface NamedFile {
  id: string;
  /** Its bytes, or what makes them when their turn comes. */
  file: Blob | (() => Promise<Blob>);
}

export interface AddProgress {
  done: number;
  total: number;
}

/** What was done with the photographs that were to be added. */
export interface Added {
  added: number;
  unchanged: number;
  failures: string[];
}

/** Images between two commits: so much is lost where the page is closed meanwhile. */
const COMMIT_EVERY = 50;
/** Longest edge of the pictures that are kept to be shown, in pixels. */
const SHOWN_EDGE = 640;
/** Segments above which small ones are merged. */
const MOST_SEGMENTS = 8;
const ZIP_LIMIT = 2 ** 31;

export class PhotoIndex {
  private constructor(
    private readonly places: Places,
    private place: Place,
    private index: SearchIndex | null,
    private readonly model: OpenModel,
  ) {}

  /** What is kept of the last visit, or nothing yet. */
  static async open(places: Places, model: OpenModel): Promise<PhotoIndex> {
    const place = await places.current();
    const there = await place.store.open("manifest.json");
    return new PhotoIndex(places, place, there ? await openIndex(place.store, { write: true }) : null, model);
  }

  /** Null where there is none. */
  get info(): IndexInfo | null {
    return this.index?.info() ?? null;
  }

  /** Why nothing is kept for the next visit; null where it is. */
  get notKept(): string | null {
    return this.places.reason;
  }

  /** Adds photographs, or replaces those whose files have changed. What is finished stays where the signal stops it. */
  async add(
    files: readonly NamedFile[],
    { signal, onProgress }: { signal: AbortSignal; onProgress(progress: AddProgress): void },
  ): Promise<Added> {
    const index = await this.made();
    const extractor = await this.model(index.model.name, index.extraction);
    checkSameModel(index, extractor);
    const known = await index.entries();
    const result: Added = { added: 0, unchanged: 0, failures: [] };
    const segments = index.info().segments.length;
    try {
      for (const [done, { id, file }] of files.entries()) {
        onProgress({ done, total: files.length });
        signal.throwIfAborted();
        try {
          const blob = typeof file === "function" ? await file() : file;
          const bytes = new Uint8Array(await blob.arrayBuffer());
          const digest = await digestOf(bytes);
          if (known.get(id) === digest) {
            result.unchanged++;
            continue;
          }
          const image = await loadImage(bytes);
          const features = await extractor.extract(image);
          const small = fitSize(image.width, image.height, { maxEdge: SHOWN_EDGE });
          await this.place.pictures.write(id, await encodePhoto(resizeImage(image, ...small), "image/jpeg"));
          await index.add({ id, features, digest });
          result.added++;
        } catch (error) {
          // A full disk is no fault of the photograph.
          if (signal.aborted || (error as { code?: string }).code === "E_LIMIT") throw error;
          result.failures.push(about(id, error));
        }
        if (index.uncommitted >= COMMIT_EVERY) await index.commit();
      }
    } finally {
      await index.commit();
    }
    if (index.info().segments.length > Math.max(MOST_SEGMENTS, segments)) await index.merge();
    return result;
  }

  /** The pictures that the photograph shows, the surest first. */
  async search(photo: Photo, signal: AbortSignal): Promise<SearchReport & { features: FloatFeatures }> {
    const index = this.index as SearchIndex;
    const extractor = await this.model(index.model.name, { ...index.extraction, ...QUERY_EXTRACTION });
    return searchImage(index, extractor, photo.image, { points: true, signal });
  }

  /** What is kept of a picture to be shown; null where the index came without pictures. */
  picture(id: string): Promise<Blob | null> {
    return this.place.pictures.read(id);
  }

  /** Size of a picture in pixels. */
  async sizeOf(id: string): Promise<[number, number]> {
    return (await this.index?.features(id))?.imageSize ?? [1, 1];
  }

  async remove(ids: readonly string[]): Promise<void> {
    this.index?.remove(ids);
    await this.index?.commit();
  }

  /** The files of the index in one archive: unpacked, what `strata search` opens. */
  async save(): Promise<Blob> {
    const files: Record<string, Uint8Array> = {};
    const store = memoryStore("the copy");
    for (const file of await copyIndex(this.place.store, store)) {
      const source = await store.open(file);
      if (source) files[`photos.index/${file}`] = await source.read(0, source.size);
    }
    return new Blob([zipSync(files, { level: 0 }) as Uint8Array<ArrayBuffer>], { type: "application/zip" });
  }

  /** Another index in place of this one: the files of a folder, or an archive that `save` made. */
  async load(files: readonly File[]): Promise<void> {
    const from = await filesStore(files);
    const opened = await openIndex(from);
    const { name, sha256 } = opened.model;
    if (!SHIPPED_MODELS.some((shipped) => shipped === name)) {
      throw new Error(
        `${from.name}: the index holds features of ${name} (${sha256.slice(0, 8)}), a model that this page does not have; ` +
          `index the pictures with one of ${SHIPPED_MODELS.join(", ")}`,
      );
    }
    checkSameModel(opened, await this.model(name, opened.extraction));
    const [damaged] = await opened.check();
    if (damaged) throw damaged.error;
    await opened.close();
    const place = await this.places.fresh();
    const before = this.place;
    await this.index?.close();
    this.index = null;
    try {
      await copyIndex(from, place.store);
    } catch (error) {
      await place.remove();
      this.index = (await before.store.open("manifest.json")) ? await openIndex(before.store, { write: true }) : null;
      throw error;
    }
    await before.remove();
    this.place = place;
    this.index = await openIndex(place.store, { write: true });
  }

  /** Takes everything away. */
  async clear(): Promise<void> {
    await this.close();
    await this.place.remove();
    this.place = await this.places.fresh();
  }

  /** Lets other tabs in. */
  async close(): Promise<void> {
    const { index } = this;
    this.index = null;
    await index?.close();
  }

  /** The index, which the first photograph makes. */
  private async made(): Promise<SearchIndex> {
    if (this.index) return this.index;
    await controlled;
    const answer = await fetch(vocabularyAddress);
    if (!answer.ok) throw new Error(`the words of ${SEARCH_MODEL} do not arrive: the server answers ${answer.status}`);
    const vocabulary = readVocabulary(new Uint8Array(await answer.arrayBuffer()), `the words of ${SEARCH_MODEL}`);
    const extraction = { model: SEARCH_MODEL, ...INDEX_EXTRACTION };
    const verdict = searchVerdict(await this.model(SEARCH_MODEL, extraction));
    this.index = await createIndex(this.place.store, { vocabulary, verdict, extraction });
    return this.index;
  }
}

/** Files of an index that the reader chose, in memory. */
async function filesStore(files: readonly File[]): Promise<IndexStore> {
  const [first] = files;
  const zip = files.length === 1 && /\.zip$/i.test(first.name);
  const store = memoryStore(zip ? first.name : first.webkitRelativePath.split("/")[0] || "the chosen files");
  if (zip) {
    if (first.size > ZIP_LIMIT)
      throw new Error(`${first.name}: archives above 2 GiB are not opened; choose the folder of the index`);
    let unpacked: Record<string, Uint8Array>;
    try {
      unpacked = unzipSync(new Uint8Array(await first.arrayBuffer()), {
        filter: ({ name, originalSize }) => isOfIndex(name) && originalSize < ZIP_LIMIT,
      });
    } catch {
      throw new Error(`${first.name}: not a zip archive, or a damaged one`);
    }
    for (const [path, bytes] of Object.entries(unpacked)) await store.write(plain(path), bytes);
  } else
    for (const file of files)
      if (isOfIndex(file.name)) await store.write(file.name, new Uint8Array(await file.arrayBuffer()));
  if (!(await store.open("manifest.json")))
    throw new Error(
      `${store.name}: there is no index in it; choose the folder that "strata index" made, or an archive that was saved here`,
    );
  return store;
}

const plain = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const isOfIndex = (path: string): boolean => /(^|\/)(manifest\.json|[a-z0-9.-]+\.strata)$/.test(path);

/** Files of a picker or a folder that may be photographs, named by their path. */
export function photographsAmong(files: readonly File[]): NamedFile[] {
  return files
    .filter(({ name, type }) => type.startsWith("image/") || (type === "" && /\.(ppm|pgm|pbm|heic|avif)$/i.test(name)))
    .map((file) => ({ id: file.webkitRelativePath || file.name, file }));
}
