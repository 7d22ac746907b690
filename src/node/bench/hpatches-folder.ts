/**
 * The folder of HPatches' sequences on the disk: what belongs to it, whether it is whole, and a note of how it was made,
 * so that a second download command has nothing to do.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { HIGH_RESOLUTION, HPATCHES_SEQUENCES, SEQUENCE_FILES } from "../../bench/hpatches.js";
import { ioError, readFileChecked, writeFileAtomic } from "../atomic.js";

const NOTE = ".strata.json";

/** How the folder came about. */
export interface FolderNote {
  /** SHA-256 of the archive. */
  archive: string;
  /** Whether the sequences of high resolution were kept. */
  all: boolean;
  /** Names of the sequences that were unpacked. */
  sequences: string[];
}

export interface FolderState {
  /** Names of the sequences that have all their files. */
  whole: string[];
  /** Sequences that lack files, with the names of those. */
  broken: { name: string; missing: string[] }[];
  /** Null: the folder was not made by us, or not to the end. */
  note: FolderNote | null;
  /** Whether there is anything at all. */
  empty: boolean;
}

/** What lies in the folder; one that is not there is empty. */
export async function inspectFolder(folder: string): Promise<FolderState> {
  const state: FolderState = { whole: [], broken: [], note: null, empty: true };
  const names: string[] = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw ioError("read", folder, cause);
  });
  state.empty = names.length === 0;
  for (const name of names.filter((one) => /^[iv]_/.test(one)).sort()) {
    const missing: string[] = [];
    for (const file of SEQUENCE_FILES) {
      const info = await stat(join(folder, name, file)).catch(() => undefined);
      if (!info?.isFile() || info.size === 0) missing.push(file);
    }
    if (missing.length > 0) state.broken.push({ name, missing });
    else state.whole.push(name);
  }
  if (names.includes(NOTE)) state.note = await readNote(join(folder, NOTE));
  return state;
}

/** Whether the folder has all that is asked for: every sequence that was once unpacked, whole. */
export function isComplete({ whole, broken, note, empty }: FolderState, all: boolean): boolean {
  if (empty || broken.length > 0) return false;
  // Without our note the number decides: somebody else has unpacked the release.
  if (!note) return whole.length >= (all ? HPATCHES_SEQUENCES.all : HPATCHES_SEQUENCES.kept);
  if (all && !note.all) return false;
  return note.sequences.every((name) => whole.includes(name) || (!all && HIGH_RESOLUTION.includes(name)));
}

/** Takes the sequences of high resolution out of a folder that we made; their names. */
export async function removeHighResolution(folder: string, { whole }: FolderState): Promise<string[]> {
  const removed = whole.filter((name) => HIGH_RESOLUTION.includes(name));
  for (const name of removed) {
    await rm(join(folder, name), { recursive: true }).catch((cause) => {
      throw ioError("remove", join(folder, name), cause);
    });
  }
  return removed;
}

export async function writeNote(folder: string, note: FolderNote): Promise<void> {
  await writeFileAtomic(join(folder, NOTE), `${JSON.stringify(note, null, 2)}\n`);
}

/** Null for a note that is damaged: then the folder speaks for itself. */
async function readNote(path: string): Promise<FolderNote | null> {
  try {
    const note: unknown = JSON.parse(new TextDecoder().decode(await readFileChecked(path, { limit: 1 << 20 })));
    const { archive, all, sequences } = note as Partial<FolderNote>;
    const names =
      Array.isArray(sequences) && sequences.length > 0 && sequences.every((name) => typeof name === "string");
    return names && typeof archive === "string" && typeof all === "boolean" ? { archive, all, sequences } : null;
  } catch {
    return null;
  }
}
