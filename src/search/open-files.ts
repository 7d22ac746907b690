/**
 * What of an index is open: its manifest, the segments that it names, the vocabulary. Whoever reads keeps what was opened until
 * `refresh`, whatever a writer does meanwhile.
 */
import { FormatError, IoError } from "../errors.js";
import { isRemoved, type Manifest, readManifest } from "./manifest.js";
import { type DamagedFile, failures, type OpenSegment, openSegment } from "./open-segment.js";
import type { PostingCache } from "./posting-cache.js";
import { type IndexStore, readWhole } from "./store.js";
import { readVocabulary, type Vocabulary } from "./vocabulary.js";

const MOST_VOCABULARY = 2 ** 28;

/** The error where there is no index. */
export const noIndex = (store: IndexStore): IoError =>
  new IoError(`${store.name}: there is no index; "strata index DIR --out ${store.name}" makes one`);

export class OpenFiles {
  private vocabularyRead: Promise<Vocabulary | null> | undefined;
  private where: Map<string, [segment: string, image: number]> | undefined;

  constructor(
    readonly store: IndexStore,
    readonly cache: PostingCache,
    public manifest: Manifest,
    public segments: OpenSegment[],
  ) {}

  static async open(store: IndexStore, cache: PostingCache): Promise<OpenFiles> {
    const { manifest, segments } = await load(store, cache, []);
    return new OpenFiles(store, cache, manifest, segments);
  }

  /** Segments that were left out. */
  damaged(): DamagedFile[] {
    return this.segments.flatMap(({ entry }) => {
      const error = failures.get(entry);
      return error ? [{ file: entry.file, error }] : [];
    });
  }

  /** Read at the first call; null where a global model takes its place. */
  vocabulary(): Promise<Vocabulary | null> {
    this.vocabularyRead ??= this.readVocabulary();
    return this.vocabularyRead;
  }

  async readVocabulary(): Promise<Vocabulary | null> {
    const { file, digest } = this.manifest.vocabulary;
    if (file === null) return null;
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

  /** Where each image lies, by its id. */
  async places(): Promise<Map<string, [segment: string, image: number]>> {
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

  /** The segments of a new manifest; those that it still names stay open. */
  async take(manifest: Manifest): Promise<void> {
    const old = this.segments;
    const segments: OpenSegment[] = [];
    for (const entry of manifest.segments) {
      const open = old.find((one) => one.entry.file === entry.file);
      const error = open && failures.get(open.entry);
      if (error) failures.set(entry, error);
      segments.push({ entry, reader: open ? open.reader : await openSegment(this.store, this.cache, manifest, entry) });
    }
    this.replace(manifest, segments);
  }

  /** Takes in what a writer has committed since; whether there was anything. */
  async refresh(): Promise<boolean> {
    const { manifest, segments } = await load(this.store, this.cache, this.segments);
    if (manifest.generation === this.manifest.generation) return false;
    this.replace(manifest, segments);
    return true;
  }

  private replace(manifest: Manifest, segments: OpenSegment[]): void {
    const old = this.segments;
    [this.manifest, this.segments, this.where] = [manifest, segments, undefined];
    for (const { entry, reader } of old) if (!segments.some((one) => one.entry.file === entry.file)) reader?.dispose();
  }

  dispose(): void {
    for (const { reader } of this.segments) reader?.dispose();
  }
}

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
