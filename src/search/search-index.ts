/**
 * An index of images: segments that never change, and one manifest that says which of them count. Readers keep what they have
 * opened until `refresh`; one writer at a time adds, removes and merges.
 */
import { checkText } from "../check.js";
import { FormatError, OptionError, StateError, StrataError } from "../errors.js";
import { checkFeatures, type Features } from "../features.js";
import { descriptorFloats } from "../packed.js";
import { type GlobalIdentity, globalBytes, type IndexFeatures } from "./global-identity.js";
import { type IndexInfo, infoOf } from "./index-info.js";
import { type AddedImage, checkAdded, type IndexWriter } from "./index-writer.js";
import { isRemoved, type Manifest } from "./manifest.js";
import type { OpenFiles } from "./open-files.js";
import { type DamagedFile, failures, type OpenSegment } from "./open-segment.js";
import { searchSegments } from "./query.js";
import type { SearchOptions, SearchReport } from "./search-options.js";
import type { ModelIdentity, Vocabulary } from "./vocabulary.js";

/** An index that is open. */
export class SearchIndex {
  private closed = false;

  /** Use `createIndex` and `openIndex`. */
  constructor(
    private readonly files: OpenFiles,
    private readonly writer: IndexWriter | null,
  ) {}

  /** How the index is called in messages. */
  get name(): string {
    return this.files.store.name;
  }

  /** The model whose features it holds. */
  get model(): ModelIdentity {
    return this.files.manifest.model;
  }

  /** The model whose vectors it ranks by; undefined where it ranks by words. */
  get global(): GlobalIdentity | undefined {
    return this.files.manifest.global;
  }

  /** How features are extracted, as it was said when the index was made. */
  get extraction(): Record<string, unknown> {
    return this.files.manifest.options;
  }

  /** What the index is; nothing is read for it. */
  info(): IndexInfo {
    return infoOf(this.files);
  }

  /**
   * The words of its model; read at the first call. FormatError where they are damaged or others than the index was made with.
   * Null where a global model takes their place.
   */
  vocabulary(): Promise<Vocabulary | null> {
    return this.files.vocabulary();
  }

  /** Ids of all images that can be found, with their digests (32 hexadecimal digits). */
  async entries(): Promise<Map<string, string>> {
    this.checkOpen();
    const all = new Map<string, string>();
    for (const { entry, reader } of this.files.segments) {
      if (!reader) continue;
      const [ids, digest] = [await reader.allIds(), await reader.digests()];
      for (const [image, id] of ids.entries()) if (!isRemoved(entry, image)) all.set(id, hex(digest(image)));
    }
    return all;
  }

  /** The kept keypoints of an image, with its global vector where the index ranks by that; null where there is no such image. */
  async features(id: string): Promise<IndexFeatures | null> {
    this.checkOpen();
    checkText("features", "id", id);
    const place = (await this.files.places()).get(id);
    const segment = place && this.files.segments.find(({ entry }) => entry.file === place[0]);
    if (!place || !segment?.reader) return null;
    const local = await segment.reader.local(place[1]);
    const { global } = this.files.manifest;
    if (!global) return local;
    const { dim } = global;
    const bytes = (await segment.reader.vectors()).subarray(place[1] * dim, (place[1] + 1) * dim);
    return { ...local, global: descriptorFloats(bytes, 1, dim) };
  }

  /**
   * Adds an image, or replaces the one of the same id; it can be found after the next `commit`. Takes the image's words at once, so
   * the features are not kept.
   */
  async add(image: AddedImage): Promise<void> {
    const writer = this.writing();
    checkAdded("add", image);
    this.checkDescriptors("add", image.features);
    await writer.add(image);
  }

  private checkDescriptors(where: string, features: IndexFeatures): void {
    checkIndexFeatures(where, features, this.files.manifest);
  }

  /** Images added since the last commit. */
  get uncommitted(): number {
    return this.writer?.uncommitted ?? 0;
  }

  /** Removes images by their ids at the next `commit`; ids that are not there do nothing. */
  remove(ids: Iterable<string>): void {
    this.writing().remove(ids);
  }

  /** Makes what was added and removed count: a segment, then the manifest. Where it fails, the index is as it was before. */
  async commit(): Promise<{ added: number; removed: number }> {
    return this.writing().commit();
  }

  /**
   * Puts segments together and leaves out what was removed; `below`: only segments of fewer images than that (default: all).
   * Ranks and scores stay what they were. A damaged segment stays as it is.
   */
  async merge(options: { below?: number } = {}): Promise<{ before: number; after: number }> {
    return this.writing().merge(options);
  }

  /** Takes in what a writer has committed since; whether there was anything. */
  async refresh(): Promise<boolean> {
    this.checkOpen();
    return this.files.refresh();
  }

  /**
   * The images that show what the query shows, the surest first. Features are those of the index's model, best first. Segments
   * that turn out damaged are left out and told.
   */
  async search(features: IndexFeatures, options: SearchOptions = {}): Promise<SearchReport> {
    this.checkOpen();
    this.checkDescriptors("search", features);
    const { manifest, segments } = this.files;
    this.files.cache.next();
    const onDamage = ({ entry }: OpenSegment, error: StrataError) => failures.set(entry, error);
    const found = await searchSegments(manifest, await this.vocabulary(), segments, features, options, onDamage);
    return { ...found, damaged: this.files.damaged() };
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
    const { file } = this.files.manifest.vocabulary;
    if (file !== null) await note(file, () => this.files.readVocabulary());
    for (const { entry, reader } of this.files.segments) {
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
    this.files.dispose();
    await this.writer?.release();
  }

  private checkOpen(): void {
    if (this.closed) throw new StateError(`${this.name}: the index is closed`);
  }

  private writing(): IndexWriter {
    this.checkOpen();
    if (!this.writer) throw new StateError(`${this.name}: the index is open for reading; open it with { write: true }`);
    return this.writer;
  }
}

/** Features of the index's model, with a global vector where it ranks by that. */
export function checkIndexFeatures(
  where: string,
  features: IndexFeatures,
  { model, dim: own, global }: Manifest,
): void {
  checkFeatures(where, features);
  const { dim, kind } = features as Features;
  if (kind === "binary" || dim !== own) {
    throw new OptionError(
      `${where}: the index holds features of ${model.name}, ${own} floats each; got ` +
        `${kind === "binary" ? "bits" : `${dim} floats`}; extract with the index's model`,
    );
  }
  if (global) globalBytes(where, features, global);
}

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
