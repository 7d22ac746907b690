/** The segments of an index as they are opened: one that is damaged or missing stops none of the others. */
import { FormatError, IoError, StrataError } from "../errors.js";
import type { Manifest, SegmentEntry } from "./manifest.js";
import type { PostingCache } from "./posting-cache.js";
import { SegmentReader } from "./segment-read.js";
import type { IndexStore } from "./store.js";

/** A segment, or another file, that cannot be used, and why. */
export interface DamagedFile {
  file: string;
  error: StrataError;
}

/** An opened segment with its entry of the manifest; `reader` is null where it is damaged. */
export interface OpenSegment {
  entry: SegmentEntry;
  reader: SegmentReader | null;
}

/** What is wrong with segments that could not be opened, or turned out damaged. */
export const failures = new WeakMap<SegmentEntry, StrataError>();

export async function openSegment(
  store: IndexStore,
  cache: PostingCache,
  manifest: Manifest,
  entry: SegmentEntry,
): Promise<SegmentReader | null> {
  const where = `${store.name}: ${entry.file}`;
  try {
    const source = await store.open(entry.file);
    if (!source) throw new IoError(`${where}: the segment is missing`);
    try {
      if (source.size !== entry.bytes) {
        throw new FormatError(
          `${where}: the segment has ${source.size} bytes, expected ${entry.bytes}; it is truncated or damaged`,
        );
      }
      const reader = await SegmentReader.open(where, source, cache);
      const { images, kind, dim, vocabulary } = reader.footer;
      const fits = images === entry.images && kind === manifest.kind && dim === manifest.dim;
      if (!fits) throw new FormatError(`${where}: the segment is not the one that the manifest names`);
      if (vocabulary !== manifest.vocabulary.digest) {
        throw new FormatError(`${where}: the segment was made with another vocabulary (${vocabulary})`);
      }
      return reader;
    } catch (error) {
      source.dispose?.();
      throw error;
    }
  } catch (error) {
    if (!(error instanceof StrataError)) throw error;
    failures.set(entry, error);
    return null;
  }
}
