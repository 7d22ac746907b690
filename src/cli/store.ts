/** Where features go: one file per image. What is written is whole or not there. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { StrataError } from "../errors.js";
import type { Features } from "../features.js";
import { decodeRecord, encodeRecord, type FileFormat, type Provenance, sameProvenance } from "../formats/record.js";
import { readFileChecked, writeFileAtomic } from "../node/atomic.js";
import type { InputImage } from "./inputs.js";

export interface Store {
  /** Whether the image's features are there: whole, made the same way, and not older than the image. */
  has(image: InputImage): Promise<boolean>;
  save(image: InputImage, features: Features): Promise<void>;
  /** Called once, when every image has been tried and nothing interrupted the run. Returns the paths of all outputs. */
  finish(): Promise<string[]>;
}

export interface FileStoreOptions {
  format: FileFormat;
  /** Appended to the image's whole name. */
  extension: string;
  /** Folder that mirrors the images' names; default: beside each image. */
  out?: string;
  /** A third column of ones in `keypoints` (npz and mat). */
  append: boolean;
  /** How the run makes features. */
  provenance: Provenance;
}

/** Where an image's features go. */
export function outputPath(image: InputImage, { extension, out }: { extension: string; out?: string }): string {
  return (out === undefined ? image.path : join(out, ...image.name.split("/"))) + extension;
}

/** One file per image. */
export function fileStore({ format, extension, out, append, provenance }: FileStoreOptions): Store {
  const written: string[] = [];
  return {
    async has(image) {
      const path = outputPath(image, { extension, out });
      const there = await isFinished(path, image, format, provenanceOf(image, provenance));
      if (there) written.push(path);
      return there;
    },
    async save(image, features) {
      const path = outputPath(image, { extension, out });
      await writeFileAtomic(path, encodeRecord(format, features, provenanceOf(image, provenance), append));
      written.push(path);
    },
    finish: async () => written,
  };
}

/** The run's provenance with the image's name. */
export function provenanceOf(image: InputImage, provenance: Provenance): Provenance {
  return { ...provenance, image: image.name };
}

/** Whether `path` holds these features: newer than the image, readable to its end, of the same provenance. */
export async function isFinished(path: string, image: InputImage, format: FileFormat, provenance: Provenance) {
  if (!(await isNewer(path, image.path))) return false;
  try {
    return sameProvenance(decodeRecord(format, await readFileChecked(path)).provenance, provenance);
  } catch (error) {
    // Damaged, or by another program: to be made again.
    if (error instanceof StrataError) return false;
    throw error;
  }
}

/** Whether `path` is a file that is at least as new as `source`, by their times of change. */
export async function isNewer(path: string, source: string): Promise<boolean> {
  try {
    const [made, from] = await Promise.all([stat(path), stat(source)]);
    return made.isFile() && made.mtimeMs >= from.mtimeMs;
  } catch {
    return false;
  }
}
