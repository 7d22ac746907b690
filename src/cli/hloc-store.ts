/**
 * One HDF5 file in hloc's layout for all images. An HDF5 file cannot be added to safely, so each finished image is kept
 * as a small npz in FILE.h5.parts/ until all are done; then FILE.h5 is put together in memory, written whole, and the
 * parts go. FILE.h5.strata.json says how it was made and what is in it: with it, `--resume` keeps its images.
 */
import { createHash } from "node:crypto";
import { rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { LimitError, OptionError, StrataError } from "../errors.js";
import type { Features } from "../features.js";
import { parseJson } from "../formats/bytes.js";
import { decodeRecord, encodeRecord, type Provenance, sameProvenance } from "../formats/record.js";
import { ioError, readFileChecked, writeFileAtomic } from "../node/atomic.js";
import { checkWritable } from "../node/folders.js";
import { isFinished, isNewer, provenanceOf, type Store } from "./store.js";

/** The file is made in memory, and files above 2 GiB are neither written nor read at once. */
const SIZE_LIMIT = 1.9 * 2 ** 30;

export interface HlocStoreOptions {
  /** Path of the .h5 file. */
  file: string;
  provenance: Provenance;
  /** Keep what is in the file that is there, when it was made the same way. */
  resume: boolean;
}

interface Manifest {
  provenance: Provenance;
  /** Of the whole .h5 file: a manifest that lies beside another file says nothing. */
  sha256: string;
  images: string[];
}

/** Folder of finished images while a run goes on. */
export function partsFolder(file: string): string {
  return `${file}.parts`;
}

export function hlocStore({ file, provenance, resume }: HlocStoreOptions): Store {
  const folder = partsFolder(file);
  const manifestPath = `${file}.strata.json`;
  /** Names of finished images, in the order of the run, and whether a part holds them (else the file that was there). */
  const finished = new Map<string, "part" | "file">();
  let bytes = 0;
  let manifest: Promise<Manifest | null> | undefined;

  function earlier(): Promise<Manifest | null> {
    manifest ??= resume ? readManifest(file, manifestPath, provenance) : Promise.resolve(null);
    return manifest;
  }

  function partPath(name: string): string {
    return join(folder, `${createHash("sha256").update(name).digest("hex").slice(0, 32)}.npz`);
  }

  function note(name: string, where: "part" | "file", size: number): void {
    finished.set(name, where);
    bytes += size;
    if (bytes > SIZE_LIMIT) {
      throw new LimitError(
        `${file} would be larger than ${(SIZE_LIMIT / 2 ** 30).toFixed(1)} GiB, which one HDF5 file cannot be here; ` +
          "split the images over several files, or use --format npz",
        { cause: { code: "EFBIG" } },
      );
    }
  }

  return {
    async has(image) {
      const path = partPath(image.name);
      if (await isFinished(path, image, "npz", provenanceOf(image, provenance))) {
        note(image.name, "part", (await stat(path)).size);
        return true;
      }
      const isThere = (await earlier())?.images.includes(image.name) && (await isNewer(file, image.path));
      if (isThere) note(image.name, "file", 0);
      return isThere === true;
    },
    async save(image, features) {
      const part = encodeRecord("npz", features, provenanceOf(image, provenance));
      await writeFileAtomic(partPath(image.name), part);
      note(image.name, "part", part.length);
    },
    async finish() {
      if (![...finished.values()].includes("part")) {
        // Nothing new. The folder goes when it is empty; parts of a run with other options stay.
        await rmdir(folder).catch(() => {});
        return finished.size === 0 ? [] : [file];
      }
      const { readHlocFeatures, writeHlocFeatures } = await import("../formats/hloc.js");
      const old = (await earlier()) ? await readHlocFeatures(await readFileChecked(file)) : new Map<string, Features>();
      const images = [...new Set([...finished.keys(), ...old.keys()])];
      async function* entries(): AsyncGenerator<[string, Features]> {
        for (const name of images) {
          const features = finished.get(name) === "part" ? await readPart(partPath(name)) : old.get(name);
          if (features) yield [name, features];
        }
      }
      const content = await writeHlocFeatures(entries());
      await writeFileAtomic(file, content);
      const made: Manifest = { provenance, sha256: checksum(content), images };
      await writeFileAtomic(manifestPath, `${JSON.stringify(made)}\n`);
      await rm(folder, { recursive: true, force: true });
      return [file];
    },
  };
}

async function readPart(path: string): Promise<Features> {
  return decodeRecord("npz", await readFileChecked(path)).features;
}

/** What the file that is there holds, when it was made the same way; null otherwise. */
async function readManifest(file: string, path: string, provenance: Provenance): Promise<Manifest | null> {
  try {
    const manifest = parseJson(path, await readFileChecked(path)) as Partial<Manifest> | null;
    if (!manifest || !Array.isArray(manifest.images) || !sameProvenance(manifest.provenance, provenance)) return null;
    return manifest.sha256 === checksum(await readFileChecked(file)) ? (manifest as Manifest) : null;
  } catch (error) {
    if (error instanceof StrataError) return null;
    throw error;
  }
}

function checksum(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Makes what the run needs, now: an IoError where the file or the folder of parts cannot be written. */
export async function prepareHloc(file: string): Promise<void> {
  await checkWritable([file, join(partsFolder(file), "part")]);
  const there = await stat(file).catch(() => undefined);
  if (there?.isDirectory()) throw ioError("write", file, { code: "EISDIR" });
}

/** `--out` of an HDF5 run: one file, named. */
export function checkHlocPath(out: string | undefined): string {
  if (out === undefined || !/\.(h5|hdf5)$/i.test(out)) {
    throw new OptionError(
      `--format h5 writes one file for all images: give --out FILE.h5${out === undefined ? "" : `, got ${out}`}`,
    );
  }
  return out;
}
