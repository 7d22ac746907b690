/**
 * One HDF5 file in hloc's layout for all images. Each image in it says how its features were made and of which picture
 * (formats/hloc.ts), so there is no second file that could tell otherwise. An HDF5 file cannot be added to safely: finished
 * images wait as parts (parts.ts) until all are done; then the file is put together in memory and written whole.
 *
 * What is in the file stays: a resumed run adds to it and takes the place of images that changed. Features of several
 * models or options are never mixed in one file; where a run would leave some of another kind, it is refused.
 */

import { createHash } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { checkObject } from "../../check.js";
import { FormatError, LimitError, OptionError, StateError, StrataError } from "../../errors.js";
import type { Features } from "../../features.js";
import { parseJson } from "../../formats/bytes.js";
import type { HlocEntry } from "../../formats/hloc.js";
import { decodeRecord, encodeRecord, type Provenance, sameProvenance } from "../../formats/record.js";
import { checkChoice } from "../../options.js";
import { checkPeer } from "../../peers.js";
import { checkPath, isHopeless, readFileChecked, writeFileAtomic } from "../atomic.js";
import { EXISTING, type Existing, openParts, type Parts, partDigest, partsFolder } from "../parts.js";
import {
  type FeatureStore,
  imageOf,
  isCopy,
  movedRoot,
  type NamedImage,
  NO_DIGEST,
  provenanceOf,
  type StoredRun,
  Teller,
} from "./store.js";

/** The file is made in memory, and files above 2 GiB are neither written nor read at once. */
const SIZE_LIMIT = 1.9 * 2 ** 30;

/** Images that an error lists. */
const LISTED = 3;

/** Which HDF5 file is written, and whether it may exist. */
export interface HlocStoreOptions {
  /** Path of the .h5 file. */
  file: string;
  /** What becomes of a file that is there. */
  existing: Existing;
}

/** Provenance of the images that a file holds, by their names. */
type Stored = Map<string, Provenance>;

/** A store of one HDF5 file for all images. */
export function hlocStore(options: HlocStoreOptions): FeatureStore {
  const { file: given, existing } = checkObject("hlocStore", "options", options) as unknown as HlocStoreOptions;
  checkPath("hlocStore: file", given);
  checkChoice("hlocStore", "existing", existing, EXISTING);
  let parts: Parts | undefined;
  let run: StoredRun | undefined;
  let stored: Stored = new Map();
  /** Names in the file by the picture's digest. */
  const byDigest = new Map<string, string>();
  let named = new Map<string, NamedImage>();
  let teller = new Teller();
  /** Finished images in the order of the run, and the part that holds each; null: the file does. */
  const finished = new Map<string, string | null>();
  /** Names by the digests of all pictures that the run has looked at. */
  const seen = new Map<string, string>();
  /** Bytes of the file that was there, of how many of its images will be replaced, and of parts. */
  const size = { file: 0, replaced: 0, parts: 0 };

  function opened(): { parts: Parts; run: StoredRun } {
    if (!parts || !run) throw new StateError("hlocStore: prepare and begin come first");
    return { parts, run };
  }

  /** About how large the file becomes: what is kept of it, and parts. */
  function expectedSize(): number {
    return size.parts + (stored.size === 0 ? 0 : size.file * (1 - size.replaced / stored.size));
  }

  function finish(name: string, path: string, bytes: number): void {
    finished.set(name, path);
    size.parts += bytes;
    if (stored.has(name)) size.replaced++;
    if (expectedSize() > SIZE_LIMIT) {
      throw new LimitError(
        `${given} would be larger than ${(SIZE_LIMIT / 2 ** 30).toFixed(1)} GiB, which one HDF5 file cannot be here; ` +
          "split the images over several files, or use --format npz",
        { cause: { code: "EFBIG" } },
      );
    }
  }

  const isOfRun = (provenance: unknown): boolean => {
    const own = imageOf({ ...opened().run.provenance, image: "" });
    return imageOf(provenance)?.how === own?.how;
  };

  /** Images in the file that were made otherwise and would stay beside those of this run. */
  const foreign = (isReplaced: (name: string) => boolean): string[] =>
    [...stored].filter(([name, provenance]) => !isOfRun(provenance) && !isReplaced(name)).map(([name]) => name);

  return {
    waiting: partsFolder(given),
    async prepare() {
      checkPeer("h5wasm");
      parts = await openParts(given, { existing, describe: (count) => `${count} finished images`, ending: ".npz" });
      if (!parts.isThere) return [];
      size.file = (await stat(parts.file)).size;
      stored = await readStored(parts.file);
      for (const [name, provenance] of stored) {
        const digest = imageOf(provenance)?.digest;
        if (digest) byDigest.set(digest, name);
      }
      return [];
    },
    async begin(images, started) {
      run = started;
      teller = new Teller(started.note);
      named = new Map(images.map((image) => [image.name, image]));
      const others = foreign((name) => named.has(name));
      if (others.length > 0) {
        throw new OptionError(
          `${given} holds ${some(others)}, made with another model, other options or another version; this run does not ` +
            "name them and would mix both: run with the same options, name another file, or make it anew with --force",
        );
      }
      const how = partDigest(started.provenance);
      const known = new Set([...named.keys()].map(partDigest));
      const left = opened().parts.earlier.filter((part) => part.how !== how && !(part.id && known.has(part.id)));
      if (left.length > 0) {
        teller.tell(
          "parts",
          `${partsFolder(given)} keeps ${left.length} images that were made otherwise and are not in this run`,
        );
      }
    },
    async has(image, digest) {
      const { parts, run } = opened();
      if (existing !== "resume") return false;
      seen.set(digest, image.name);
      const wanted = provenanceOf(run.provenance, image, digest);
      const path = parts.path(image.name, run.provenance);
      const part = await readPart(path);
      if (part && sameProvenance(part.provenance, wanted)) {
        finish(image.name, path, (await stat(path)).size);
        return true;
      }
      const before = stored.get(image.name);
      if (sameProvenance(before, wanted)) {
        finished.set(image.name, null);
        return true;
      }
      if (before && imageOf(before)?.digest === null) teller.tell("digest", NO_DIGEST);
      const other = byDigest.get(digest);
      if (other === undefined || other === image.name || teller.hasTold("moved")) return false;
      if (!(await isCopy(named.get(other), digest))) teller.tell("moved", movedRoot(given, image, other));
      return false;
    },
    async save(image, features, digest) {
      const { parts, run } = opened();
      const part = encodeRecord("npz", features, provenanceOf(run.provenance, image, digest));
      const path = parts.path(image.name, run.provenance);
      await writeFileAtomic(path, part);
      finish(image.name, path, part.length);
    },
    isFatal: isHopeless,
    async finish() {
      const { parts, run } = opened();
      const own = [...finished.values()].filter((path) => path !== null);
      // Parts of an earlier run that this one does not name are finished images as well.
      const how = partDigest(run.provenance);
      const earlier = parts.earlier.filter((part) => part.how === how && !own.includes(part.path));
      if (own.length + earlier.length === 0) return finished.size === 0 ? [] : [given];

      const left = foreign((name) => finished.has(name));
      if (left.length > 0) {
        throw new StateError(
          `${given} stays as it was: it holds ${some(left)}, made with another model or other options, which could not be ` +
            `made anew; what is finished waits in ${partsFolder(given)}`,
        );
      }
      const { readHlocFeatures, writeHlocFeatures } = await import("../../formats/hloc.js");
      const old =
        stored.size > 0 ? await readHlocFeatures(await readFileChecked(parts.file)) : new Map<string, Features>();
      const merged: string[] = [];
      async function* entries(): AsyncGenerator<HlocEntry> {
        const taken = new Set<string>();
        const take = (name: string, { features, provenance }: Part): HlocEntry => {
          taken.add(name);
          return [name, features, provenance as Provenance];
        };
        for (const [name, path] of finished) if (path !== null) yield take(name, decode(await readFileChecked(path)));
        for (const { path } of earlier) {
          const part = await readPart(path);
          const image = imageOf(part?.provenance);
          if (!part || !image) continue;
          merged.push(path);
          // Of an older picture than the one that the file has.
          if (finished.has(image.name)) continue;
          const now = image.digest === null ? undefined : seen.get(image.digest);
          if (now === undefined || named.has(image.name)) yield take(image.name, part);
          // The same picture is finished under another name.
          else teller.tell("moved", `${partsFolder(given)} held "${image.name}", which this run calls "${now}"`);
        }
        for (const [name, features] of old) if (!taken.has(name)) yield [name, features, stored.get(name)];
      }
      const expectedBytes = Math.ceil(1.05 * expectedSize() + 2 ** 16);
      await writeFileAtomic(parts.file, await writeHlocFeatures(entries(), { expectedBytes }));
      // The file is right by now: what cannot be removed is no failure, and is looked at again by the next run.
      await rm(manifestPath(parts.file), { force: true }).catch(() => {});
      const inFile = new Set([...finished.keys()].map(partDigest));
      const replaced = parts.earlier.filter(({ id }) => id !== null && inFile.has(id)).map(({ path }) => path);
      await parts.remove([...own, ...merged, ...replaced]).catch(() => {});
      return [given];
    },
    async close() {
      await parts?.close();
    },
  };
}

type Part = ReturnType<typeof decode>;

const decode = (bytes: Uint8Array) => decodeRecord("npz", bytes);

/** A part, or null where it is missing or damaged. */
async function readPart(path: string): Promise<Part | null> {
  try {
    return decode(await readFileChecked(path));
  } catch (error) {
    if (error instanceof StrataError && !isHopeless(error)) return null;
    throw error;
  }
}

/** What a file that is gone on with holds. An OptionError where it is not ours alone, for then it cannot be kept whole. */
async function readStored(file: string): Promise<Stored> {
  const { inspectHloc } = await import("../../formats/hloc.js");
  const remedy = "--resume adds to files of `strata extract` only; name another file, or replace it with --force";
  const content = await readFileChecked(file);
  const { images, others } = await inspectHloc(content).catch((cause) => {
    if (!(cause instanceof FormatError)) throw cause;
    throw new OptionError(`${file} cannot be read as HDF5 (${cause.message}); ${remedy}`, { cause });
  });
  const manifest = await readManifest(file, content);
  const stored: Stored = new Map();
  for (const [name, provenance] of images) {
    const known = provenance ?? (manifest?.has(name) ? { ...manifest.get(name) } : null);
    if (imageOf(known)?.name !== name) others.push(name);
    else stored.set(name, known as Provenance);
  }
  if (others.length > 0) throw new OptionError(`${file} holds ${some(others)} of another program; ${remedy}`);
  return stored;
}

/** Earlier versions said in a file beside it what is in an HDF5 file, and how it was made. */
const manifestPath = (file: string): string => `${file}.strata.json`;

async function readManifest(file: string, content: Uint8Array): Promise<Stored | null> {
  try {
    const path = manifestPath(file);
    const { provenance, sha256, images } = parseJson(path, await readFileChecked(path)) as Record<string, unknown>;
    if (sha256 !== createHash("sha256").update(content).digest("hex") || !Array.isArray(images)) return null;
    return new Map(images.map((image: string) => [image, { ...(provenance as Provenance), image }]));
  } catch (error) {
    if (error instanceof StrataError || error instanceof TypeError) return null;
    throw error;
  }
}

/** A few of many, by name. */
function some(names: readonly string[]): string {
  const list = names.slice(0, LISTED).map((name) => `"${name}"`);
  const rest = names.length - list.length;
  return rest > 0 ? `${list.join(", ")} and ${rest} more` : list.join(", ");
}
