/**
 * A large file that is made piece by piece and cannot be added to safely. Each finished piece is kept as a small file of its
 * own in FILE.parts/ until all are done; then FILE is written whole, under its name in one step, and only after that do the
 * pieces go. So whatever stops a run, every finished piece is in FILE, in FILE.parts/, or in both.
 *
 * One process works on a FILE at a time (.FILE.strata.lock). What is there already is never taken away unasked: a run says whether
 * it goes on with it or begins anew.
 */
import { createHash } from "node:crypto";
import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { OptionError } from "../errors.js";
import { canonicalJson } from "../formats/record.js";
import { ioError } from "./atomic.js";
import { checkWritable } from "./folders.js";
import { followLinks } from "./links.js";
import { lockBeside, takeLock } from "./lock.js";

/** What happens to what is there: an error, going on with it, or beginning anew. */
export const EXISTING = ["refuse", "resume", "overwrite"] as const;
/** What happens to what is there. */
export type Existing = (typeof EXISTING)[number];

export interface Parts {
  /** The large file; a link is followed. */
  readonly file: string;
  /** Where pieces wait. */
  readonly folder: string;
  /** Whether the file was there when the run began; false where it begins anew. */
  readonly isThere: boolean;
  /** The pieces that were there when the run began. */
  readonly earlier: readonly Part[];
  /** Path of the piece called `id` that was made as `how` says. */
  path(id: string, how: unknown): string;
  /** Removes pieces that are in the file now, or in no use any more. */
  remove(paths: readonly string[]): Promise<void>;
  /** Gives the place free; pieces that are there stay. */
  close(): Promise<void>;
}

/** A piece by its digests: of its name, and of how it was made; null where an earlier version of strata made it. */
export interface Part {
  path: string;
  id: string | null;
  how: string | null;
}

export interface PartsOptions {
  existing: Existing;
  /** What errors call that many pieces: "3 finished images". */
  describe(count: number): string;
  /** Ending of the pieces' files: ".npz". */
  ending: string;
}

/** Folder of the finished pieces of a file. */
export const partsFolder = (file: string): string => beside(file, ".parts");

/** Longest name in bytes that a folder takes. */
const MAX_NAME = 255;

/** The path of something that belongs to a file: its name and an ending, or its name's digest where that is too long. */
export function beside(file: string, ending: string): string {
  const name = basename(file);
  const fits = Buffer.byteLength(name + ending) <= MAX_NAME;
  return join(dirname(file), (fits ? name : partDigest(name)) + ending);
}

/** Digest of a piece's name, or of how pieces are made, as it stands in their files' names. */
export function partDigest(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex").slice(0, 24);
}

/**
 * Opens the place where `given` is made of pieces. An IoError where it cannot be written or another process is at work, an
 * OptionError that names --resume and --force where something is there and `existing` is "refuse".
 */
export async function openParts(given: string, { existing, describe, ending }: PartsOptions): Promise<Parts> {
  await checkWritable([given]);
  const file = await followLinks(given);
  const folder = partsFolder(file);
  const lock = await takeLock(await lockBeside(file), given);
  try {
    const isThere = await stat(file).then(
      // An empty file, as mktemp makes it, holds nothing that could be lost.
      (info) => info.isFile() && info.size > 0,
      () => false,
    );
    const earlier = await listParts(folder, ending);
    if (existing === "refuse" && isThere) {
      throw new OptionError(`${given} is there already: --resume adds to it, --force makes it anew`);
    }
    if (existing === "refuse" && earlier.length > 0) {
      throw new OptionError(
        `${partsFolder(given)} keeps ${describe(earlier.length)} of a run that was stopped: --resume goes on with ` +
          "them, --force begins anew",
      );
    }
    await checkWritable([join(folder, "part")]);
    const remove = async (paths: readonly string[]) => {
      for (const path of paths) {
        await rm(path, { force: true }).catch((cause) => {
          throw ioError("remove", path, cause);
        });
      }
    };
    if (existing === "overwrite") await remove(earlier.map(({ path }) => path));
    return {
      file,
      folder,
      isThere: isThere && existing === "resume",
      earlier: existing === "resume" ? earlier : [],
      path: (id, how) => join(folder, `${partDigest(id)}-${partDigest(how)}${ending}`),
      remove,
      async close() {
        // Not removed where pieces are left.
        await rmdir(folder).catch(() => {});
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The pieces in a folder. What a process that died left half-written goes: nobody else is at work here. */
async function listParts(folder: string, ending: string): Promise<Part[]> {
  const parts: Part[] = [];
  for (const name of (await readdir(folder).catch(() => [])).sort()) {
    const path = join(folder, name);
    if (/^\..*\.tmp$/.test(name)) await rm(path, { force: true }).catch(() => {});
    if (!name.endsWith(ending)) continue;
    const [whole, id, how] = /^([0-9a-f]{24})-([0-9a-f]{24})$|^[0-9a-f]{32}$/.exec(name.slice(0, -ending.length)) ?? [];
    if (whole !== undefined) parts.push({ path, id: id ?? null, how: how ?? null });
  }
  return parts;
}
