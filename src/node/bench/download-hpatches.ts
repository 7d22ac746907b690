/**
 * HPatches into a folder: fetched, checked, unpacked without what the evaluation leaves out. It can be
 * stopped and called again at any time; what is there is not fetched again.
 */

import { rm } from "node:fs/promises";
import { dirname, join, normalize, parse, resolve } from "node:path";
import { HIGH_RESOLUTION, HPATCHES_FOLDER, HPATCHES_SEQUENCES, HPATCHES_URL } from "../../bench/hpatches.js";
import { checkFlag, checkObject, checkText } from "../../check.js";
import { FormatError, IoError, OptionError } from "../../errors.js";
import { checkPeer } from "../../peers.js";
import { checkPath, ioError } from "../atomic.js";
import { checkSha256 } from "../download.js";
import { makeFolder } from "../folders.js";
import { lockBeside, withLock } from "../lock.js";
import { unpackTar } from "../unpack.js";
import { type ArchiveOptions, type DownloadWatch, fetchArchive } from "./archive.js";
import { type FolderState, inspectFolder, isComplete, removeHighResolution, writeNote } from "./hpatches-folder.js";

/** Environment variable with another address of the archive. */
export const URL_SETTING = "STRATA_HPATCHES_URL";

/** The release has 116 folders of 11 files, and a few gigabytes. */
const UNPACKED = { maxEntries: 10_000, maxBytes: 16 * 2 ** 30 };

/** How HPatches is fetched and unpacked. */
export interface HpatchesDownload extends ArchiveOptions, DownloadWatch {
  /** Where the sequences go; default "hpatches-sequences-release". */
  out?: string;
  /** The archive's address; default: STRATA_HPATCHES_URL in the environment, or where HPatches publishes it. */
  url?: string;
  /** Keep the eight sequences of high resolution, which evaluations leave out; default false. */
  all?: boolean;
  /** Keep the archive that was fetched after it is unpacked; default false. */
  keepArchive?: boolean;
}

/** What was done. */
export interface DownloadedHpatches {
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

/**
 * The sequences of HPatches in a folder, fetched where they are not there, without those of high resolution unless `all`.
 * OptionError for options that do not go together, FormatError for an archive with another checksum than expected or
 * without whole sequences, IoError for the disk and the network.
 */
export async function downloadHpatches(request: HpatchesDownload = {}): Promise<DownloadedHpatches> {
  checkObject("downloadHpatches", "the request", request);
  if (request.out !== undefined) checkPath("downloadHpatches: out", request.out);
  if (request.url !== undefined) checkText("downloadHpatches", "url", request.url);
  for (const name of ["all", "keepArchive"] as const) {
    if (request[name] !== undefined) checkFlag("downloadHpatches", name, request[name]);
  }
  checkRequest(request);
  const folder = plainFolder(request.out ?? HPATCHES_FOLDER);
  const all = request.all ?? false;
  const before = await inspectFolder(folder);
  // Nothing to do but to look, which also somebody may who cannot write there.
  if (isComplete(before, all) && !before.whole.some((name) => !all && HIGH_RESOLUTION.includes(name))) {
    return complete(folder, before, all);
  }
  const parent = dirname(folder);
  await makeFolder(parent).catch((cause) => {
    throw ioError("write into", parent, cause);
  });
  return withLock(await lockBeside(folder), `the folder ${folder}`, () => downloadLocked(folder, request));
}

async function downloadLocked(folder: string, request: HpatchesDownload): Promise<DownloadedHpatches> {
  const all = request.all ?? false;
  const before = await inspectFolder(folder);
  if (isComplete(before, all)) return complete(folder, before, all);
  if (!before.empty && !before.note) {
    throw new IoError(
      `${folder} is there and was not made by this command: it has ${before.whole.length} whole sequences ` +
        `(HPatches: ${HPATCHES_SEQUENCES.kept}, with those of high resolution ${HPATCHES_SEQUENCES.all}); ` +
        "give another folder with --out",
    );
  }
  checkPeer("tar-stream");
  const archive = request.archive ?? `${folder}.tar.gz`;
  const address = request.url ?? (process.env[URL_SETTING] || HPATCHES_URL);
  const { sha256, verifiedBy } = await fetchArchive(archive, address, request, request);
  // Ours, and not whole: it is made anew.
  if (!before.empty) await remove(folder);
  const { skipped } = await unpack(archive, folder, request);
  const after = await inspectFolder(folder);
  const problem = faultOf(after);
  if (problem !== null) {
    await remove(folder);
    throw new FormatError(`${archive}: ${problem}`);
  }
  await writeNote(folder, { archive: sha256, all, sequences: after.whole });
  if (request.archive === undefined && !request.keepArchive) await remove(archive);
  const expected = all ? HPATCHES_SEQUENCES.all : HPATCHES_SEQUENCES.kept;
  if (after.whole.length !== expected) {
    request.note?.(`note: the archive has ${after.whole.length} sequences, the HPatches release ${expected}`);
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
async function complete(folder: string, state: FolderState, all: boolean): Promise<DownloadedHpatches> {
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

/** Unpacks all but what is not wanted; names of the sequences left out. */
async function unpack(
  archive: string,
  folder: string,
  { all = false, note, onProgress, signal }: HpatchesDownload,
): Promise<{ skipped: string[] }> {
  note?.(`unpacking into ${folder}`);
  const left = new Set<string>();
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
    onProgress: (read, total) => onProgress?.({ stage: "unpack", done: read, total, worked: read }),
    signal,
  });
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

function checkRequest({ out, url, archive, sha256, verify = true }: HpatchesDownload): void {
  if (out?.trim() === "") throw new OptionError("--out needs the name of a folder");
  if (url !== undefined && archive !== undefined) throw new OptionError("give --url or --archive, not both");
  if (sha256 !== undefined && !verify) throw new OptionError("give --sha256 or --no-verify, not both");
  if (sha256 !== undefined) checkSha256("--sha256", sha256);
}
