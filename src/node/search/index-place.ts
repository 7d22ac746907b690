/** An index by what people call its place: a folder, or lance:FOLDER and lance:s3://… for one in LanceDB. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ImageIndex } from "../../search/image-index.js";
import { MANIFEST } from "../../search/manifest.js";
import { type CreateIndexOptions, createIndex, openIndex } from "../../search/open-index.js";
import { folderStore } from "./folder-store.js";
import { isLancePlace } from "./lance/place.js";

/** Opens the index at a place. */
export async function openIndexAt(place: string, { write = false } = {}): Promise<ImageIndex> {
  if (!isLancePlace(place)) return openIndex(folderStore(place), { write });
  const { openLanceIndex } = await import("./lance/open-lance.js");
  return openLanceIndex(place, { write });
}

/** The index at a place for writing; null where there is none. */
export async function indexIfThere(place: string): Promise<ImageIndex | null> {
  if (!isLancePlace(place)) return existsSync(join(place, MANIFEST)) ? openIndexAt(place, { write: true }) : null;
  const { openLanceIfThere } = await import("./lance/open-lance.js");
  return openLanceIfThere(place, { write: true });
}

/** Makes an index at a place. */
export async function createIndexAt(place: string, options: CreateIndexOptions): Promise<ImageIndex> {
  if (!isLancePlace(place)) return createIndex(folderStore(place), options);
  const { createLanceIndex } = await import("./lance/open-lance.js");
  return createLanceIndex(place, options);
}
