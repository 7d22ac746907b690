/**
 * One file per image, beside it or mirrored in a folder. Each is written whole or not at all, so several processes may
 * work on one folder. A file that is there is replaced, unless the run resumes and it is what the run would write.
 */

import { stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { checkFlag, checkObject, checkText } from "../../check.js";
import { StrataError } from "../../errors.js";
import { codecOf, type RecordFormat } from "../../formats/feature-formats.js";
import { FEATURE_FORMATS } from "../../formats/features.js";
import { sameProvenance } from "../../formats/record.js";
import { checkChoice } from "../../options.js";
import { checkPath, isHopeless, readFileChecked, writeFileAtomic } from "../atomic.js";
import { checkWritable } from "../folders.js";
import { refuseOverwriting } from "../overwriting.js";
import {
  type FeatureStore,
  type ImageFailure,
  imageOf,
  isCopy,
  movedRoot,
  type NamedImage,
  NO_DIGEST,
  provenanceOf,
  rootOf,
  type StoredRun,
  Teller,
} from "./store.js";

/** How files of features are called and written. */
export interface FileStoreOptions {
  /** A format with a file for each image that says how it was made. */
  format: RecordFormat;
  /** Appended to the image's whole name; may depend on the model's. */
  extension: string | ((model: string) => string);
  /** Folder that mirrors the images' names; default: beside each image. */
  out?: string;
  /** A third column of ones in `keypoints` (npz and mat). */
  append: boolean;
  /** Whether features that are there count. */
  resume: boolean;
}

/** The topic of names that start from another folder. */
const MOVED = "moved";

/** Where an image's features go, without the extension. */
export function outputBase({ path, name }: NamedImage, out: string | undefined): string {
  return out === undefined ? path : join(out, ...name.split("/"));
}

/** A store of one file per image. */
export function fileStore(options: FileStoreOptions): FeatureStore {
  const { format, extension, out, append, resume } = checkObject(
    "fileStore",
    "options",
    options,
  ) as unknown as FileStoreOptions;
  checkChoice("fileStore", "format", format, FEATURE_FORMATS);
  if (typeof extension !== "function") checkText("fileStore", '"extension"', extension);
  if (out !== undefined) checkPath("fileStore: out", out);
  checkFlag("fileStore", '"append"', append);
  checkFlag("fileStore", '"resume"', resume);
  const outputs: string[] = [];
  let run: StoredRun | undefined;
  let ending = "";
  let teller = new Teller();
  let named = new Map<string, NamedImage>();
  /** Names of features that give way to those of another picture, by the digest of theirs. */
  const replaced = new Map<string, string>();
  const pathOf = (image: NamedImage) => outputBase(image, out) + ending;

  /** The provenance of the file at `path`; null where there is none, or none of ours that can be read to its end. */
  async function readProvenance(path: string): Promise<unknown> {
    try {
      const options = { where: path, imageSize: null, kind: null };
      return (await codecOf(format)).read(await readFileChecked(path), options).provenance;
    } catch (error) {
      // Damaged, or by another program: to be made again.
      if (error instanceof StrataError) return null;
      throw error;
    }
  }

  /** Tells where the features of this picture lie under a name that starts from another folder. */
  async function lookForMovedRoot(image: NamedImage, digest: string, stored: unknown): Promise<void> {
    if (teller.hasTold(MOVED)) return;
    const found = imageOf(stored);
    if (found?.digest === digest) {
      if (found.name !== image.name) teller.tell(MOVED, movedRoot(pathOf(image), image, found.name));
      return;
    }
    if (out === undefined) return;
    if (found?.digest) replaced.set(found.digest, found.name);
    const before = replaced.get(digest);
    if (before !== undefined && rootOf(image, before)) teller.tell(MOVED, movedRoot(out, image, before));
    for (const name of otherNames(image)) {
      const path = join(out, ...name.split("/")) + ending;
      if (!(await isFile(path))) continue;
      const other = imageOf(await readProvenance(path));
      if (other?.digest !== digest || other.name !== name || (await isCopy(named.get(name), digest))) continue;
      teller.tell(MOVED, movedRoot(out, image, name));
      return;
    }
  }

  return {
    async prepare(images) {
      const failures = await unwritable(images, out);
      if (failures.length > 0 && failures.length === images.length) throw failures[0].error;
      return failures;
    },
    async begin(images, stored) {
      run = stored;
      teller = new Teller(stored.note);
      named = new Map(images.map((image) => [image.name, image]));
      ending = typeof extension === "string" ? extension : extension(stored.model);
      await refuseOverwriting(
        images.map(({ path }) => path),
        images.map(pathOf),
      );
    },
    async has(image, digest) {
      if (!resume || !run) return false;
      const path = pathOf(image);
      const stored = (await isFile(path)) ? await readProvenance(path) : null;
      if (sameProvenance(stored, provenanceOf(run.provenance, image, digest))) {
        outputs.push(path);
        return true;
      }
      if (imageOf(stored)?.digest === null) teller.tell("digest", NO_DIGEST);
      await lookForMovedRoot(image, digest, stored);
      return false;
    },
    async save(image, features, digest) {
      const path = pathOf(image);
      const provenance = provenanceOf(run?.provenance ?? {}, image, digest);
      await writeFileAtomic(path, (await codecOf(format)).write(features, { provenance, append }));
      outputs.push(path);
    },
    // A file that is too large for its file system says nothing of the others.
    isFatal: (error) => isHopeless(error) && !hasCode(error, "EFBIG"),
    finish: async () => outputs,
    close: async () => {},
  };
}

/** Names that the image has where they start further up or further down. */
function otherNames({ path, name }: NamedImage): string[] {
  const parts = resolve(path)
    .split(sep)
    .filter((part) => part !== "");
  return parts.map((_, i) => parts.slice(i).join("/")).filter((other) => other !== name);
}

/** The images whose folders cannot be made or written into. A full disk is an error at once. */
async function unwritable(images: readonly NamedImage[], out: string | undefined): Promise<ImageFailure[]> {
  const folders = new Map<string, unknown>();
  const failures: ImageFailure[] = [];
  for (const image of images) {
    const base = outputBase(image, out);
    const folder = dirname(base);
    if (!folders.has(folder)) folders.set(folder, await faultOf(base));
    const error = folders.get(folder);
    if (error) failures.push({ path: image.path, error });
  }
  return failures;
}

async function faultOf(base: string): Promise<unknown> {
  try {
    await checkWritable([`${base}.`]);
    return null;
  } catch (error) {
    if (hasCode(error, "ENOSPC") || hasCode(error, "EDQUOT")) throw error;
    return error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

function hasCode(error: unknown, code: string): boolean {
  const cause = error instanceof StrataError ? error.cause : error;
  return (cause as NodeJS.ErrnoException | null)?.code === code;
}
