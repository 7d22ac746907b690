/**
 * `strata bench download`: fetches a data set, checks it, unpacks it and takes away what the evaluation leaves out. It
 * can be stopped and called again at any time; what is there is not fetched again.
 */
import { rm } from "node:fs/promises";
import { dirname, join, normalize, parse, resolve } from "node:path";
import { FormatError, IoError, OptionError } from "../../errors.js";
import { ioError } from "../../node/atomic.js";
import { checkSha256 } from "../../node/download.js";
import { makeFolder } from "../../node/folders.js";
import { lockBeside, withLock } from "../../node/lock.js";
import { unpackTar } from "../../node/unpack.js";
import { byteMeter } from "../byte-meter.js";
import { type Context, EXIT, untilInterrupted } from "../context.js";
import { type ArchiveFlags, fetchArchive } from "./archive.js";
import {
  DEFAULT_FOLDER,
  type FolderState,
  HIGH_RESOLUTION,
  HPATCHES_SEQUENCES,
  HPATCHES_URL,
  inspectFolder,
  isComplete,
  removeHighResolution,
  URL_SETTING,
  writeNote,
} from "./hpatches-folder.js";

/** The release has 116 folders of 11 files, and a few gigabytes. */
const UNPACKED = { maxEntries: 10_000, maxBytes: 16 * 2 ** 30 };

/** As commander hands them over. */
export interface BenchDownloadFlags extends ArchiveFlags {
  out?: string;
  url?: string;
  all?: boolean;
  keepArchive?: boolean;
  debug?: boolean;
}

/** What the command did. */
interface Result {
  dataset: "hpatches";
  folder: string;
  sequences: number;
  /** Names of sequences left out or taken away for their resolution. */
  removed: string[];
  /** SHA-256 of the archive; null where none was used. */
  sha256: string | null;
  /** What it was checked against: a flag, a file or address; null: nothing. */
  verifiedBy: string | null;
  /** Whether the folder was complete before. */
  wasComplete: boolean;
}

export async function benchDownloadCommand(
  dataset: string,
  flags: BenchDownloadFlags,
  context: Context,
): Promise<number> {
  checkFlags(dataset, flags);
  const result = await untilInterrupted(context, (signal) => download(flags, context, signal));
  if (result === null) return EXIT.interrupted;
  if (flags.json) context.out(`${JSON.stringify(result)}\n`);
  else if (!flags.quiet) context.out(describe(result));
  return EXIT.ok;
}

async function download(flags: BenchDownloadFlags, context: Context, signal: AbortSignal): Promise<Result> {
  const folder = plainFolder(flags.out ?? DEFAULT_FOLDER);
  const all = flags.all ?? false;
  const before = await inspectFolder(folder);
  // Nothing to do but to look, which also somebody may who cannot write there.
  if (isComplete(before, all) && !before.whole.some((name) => !all && HIGH_RESOLUTION.includes(name))) {
    return complete(folder, before, all);
  }
  const parent = dirname(folder);
  await makeFolder(parent).catch((cause) => {
    throw ioError("write into", parent, cause);
  });
  return withLock(await lockBeside(folder), `the folder ${folder}`, () =>
    downloadLocked(folder, flags, context, signal),
  );
}

async function downloadLocked(
  folder: string,
  flags: BenchDownloadFlags,
  context: Context,
  signal: AbortSignal,
): Promise<Result> {
  const all = flags.all ?? false;
  const before = await inspectFolder(folder);
  if (isComplete(before, all)) return complete(folder, before, all);
  if (!before.empty && !before.note) {
    throw new IoError(
      `${folder} is there and was not made by this command: it has ${before.whole.length} whole sequences ` +
        `(HPatches: ${HPATCHES_SEQUENCES.kept}, with those of high resolution ${HPATCHES_SEQUENCES.all}); ` +
        "give another folder with --out",
    );
  }
  const archive = flags.archive ?? `${folder}.tar.gz`;
  const address = flags.url ?? (process.env[URL_SETTING] || HPATCHES_URL);
  const { sha256, verifiedBy } = await fetchArchive(archive, address, flags, context, signal);
  // Ours, and not whole: it is made anew.
  if (!before.empty) await remove(folder);
  const { skipped } = await unpack(archive, folder, { all, flags, context, signal });
  const after = await inspectFolder(folder);
  const problem = faultOf(after);
  if (problem !== null) {
    await remove(folder);
    throw new FormatError(`${archive}: ${problem}`);
  }
  await writeNote(folder, { archive: sha256, all, sequences: after.whole });
  if (flags.archive === undefined && !flags.keepArchive) await remove(archive);
  const expected = all ? HPATCHES_SEQUENCES.all : HPATCHES_SEQUENCES.kept;
  if (after.whole.length !== expected && !flags.quiet) {
    context.err(`strata: note: the archive has ${after.whole.length} sequences, the HPatches release ${expected}\n`);
  }
  const sequences = after.whole.length;
  return { dataset: "hpatches", folder, sequences, removed: skipped, sha256, verifiedBy, wasComplete: false };
}

/** Without a slash at its end, and with a name of its own: the archive's name is the folder's with an ending. */
function plainFolder(text: string): string {
  const { dir, base } = parse(normalize(text));
  return base === "." || base === ".." ? resolve(text) : join(dir, base);
}

/** A folder that is whole already; only the sequences of high resolution may have to go. */
async function complete(folder: string, state: FolderState, all: boolean): Promise<Result> {
  // What we did not make we do not remove from.
  const removed = all || !state.note ? [] : await removeHighResolution(folder, state);
  const kept = state.whole.filter((name) => !removed.includes(name));
  if (state.note && removed.length > 0) await writeNote(folder, { ...state.note, all: false, sequences: kept });
  const sha256 = state.note?.archive ?? null;
  return {
    dataset: "hpatches",
    folder,
    sequences: kept.length,
    removed,
    sha256,
    verifiedBy: null,
    wasComplete: true,
  };
}

interface Unpacking {
  all: boolean;
  flags: BenchDownloadFlags;
  context: Context;
  signal: AbortSignal;
}

/** Unpacks all but what is not wanted; names of the sequences left out. */
async function unpack(
  archive: string,
  folder: string,
  { all, flags, context, signal }: Unpacking,
): Promise<{ skipped: string[] }> {
  if (!flags.quiet) context.err(`strata: unpacking into ${folder}\n`);
  const left = new Set<string>();
  const meter = byteMeter(flags, context);
  const filter = (name: string): boolean => {
    const parts = name.split("/");
    const high = all ? undefined : parts.find((part) => HIGH_RESOLUTION.includes(part));
    if (high !== undefined) left.add(high);
    // Finder's and other hidden files.
    return high === undefined && !parts.some((part) => part.startsWith("."));
  };
  await unpackTar(archive, folder, {
    ...UNPACKED,
    filter,
    unwrap: true,
    onProgress: (read, total) => meter.update(read, total, read),
    signal,
  }).finally(() => meter.stop());
  return { skipped: [...left].sort() };
}

/** What is wrong with what was unpacked; null: nothing. */
function faultOf({ whole, broken }: FolderState): string | null {
  if (broken.length > 0) {
    const lines = broken.map(({ name, missing }) => `  ${name}: no ${missing.join(", ")}`);
    return `sequences are not whole:\n${lines.join("\n")}`;
  }
  if (whole.length > 0) return null;
  return "no sequences in it: expected folders i_… and v_… with 1.ppm to 6.ppm and H_1_2 to H_1_6";
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch((cause) => {
    throw ioError("remove", path, cause);
  });
}

function checkFlags(dataset: string, { out, url, archive, sha256, verify }: BenchDownloadFlags): void {
  if (dataset !== "hpatches") {
    throw new OptionError(`no data set "${dataset.slice(0, 100)}"; there is: hpatches`);
  }
  if (out?.trim() === "") throw new OptionError("--out needs the name of a folder");
  if (url !== undefined && archive !== undefined) throw new OptionError("give --url or --archive, not both");
  if (sha256 !== undefined && !verify) throw new OptionError("give --sha256 or --no-verify, not both");
  if (sha256 !== undefined) checkSha256("--sha256", sha256);
}

function describe({ folder, sequences, removed, sha256, verifiedBy, wasComplete }: Result): string {
  const what = `${sequences} sequences in ${folder}`;
  const gone = removed.length > 0 ? `; left out for their resolution: ${removed.join(", ")}` : "";
  if (wasComplete) return `${what}: complete, nothing to fetch${gone}\n`;
  const checked =
    verifiedBy === null
      ? "not checked, for no checksum is known here: compare it with one you trust, or give it with --sha256"
      : `as ${verifiedBy} says`;
  return `${what}${gone}\narchive's SHA-256: ${sha256} (${checked})\n`;
}
