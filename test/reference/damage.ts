/**
 * Damaged copies of large archives without copying them: the bytes lie in memory once, and a source lays changes, a cut
 * or a growth over them. Damage goes where it matters: directory, pickle, and some bytes of tensors.
 */
import { crc32 } from "../../src/formats/bytes.js";
import { type ByteSource, sourceOf } from "../../src/formats/source.js";
import { readDirectory } from "../../src/formats/zip/directory.js";
import type { Random } from "../../src/random.js";

/** Bytes with others laid over them at their places; `size` cuts, or shows what `grown` adds. */
export function overlay(base: Uint8Array, changes: Map<number, Uint8Array>, size = base.length): ByteSource {
  return {
    size,
    read(offset, length) {
      const end = offset + length;
      const over = [...changes].filter(([at, bytes]) => at < end && at + bytes.length > offset);
      if (over.length === 0 && end <= base.length) return base.subarray(offset, end);
      const out = new Uint8Array(length);
      out.set(base.subarray(offset, Math.min(end, base.length)));
      for (const [at, bytes] of over) {
        const from = Math.max(0, offset - at);
        const piece = bytes.subarray(from, Math.min(bytes.length, end - at));
        out.set(piece, at + from - offset);
      }
      return out;
    },
  };
}

export interface Archive {
  base: Uint8Array;
  /** Where the data of each entry lies. */
  entries: { name: string; start: number; size: number }[];
  /** Where the directory begins. */
  directory: number;
}

/** Where everything lies in an archive of stored entries. */
export function openArchive(base: Uint8Array): Archive {
  const view = new DataView(base.buffer, base.byteOffset, base.byteLength);
  const entries = readDirectory("archive", sourceOf(base)).map(({ name, offset, size }) => ({
    name,
    start: offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true),
    size,
  }));
  const last = entries[entries.length - 1];
  return { base, entries, directory: last.start + last.size };
}

export const KINDS = ["directory", "pickle", "resealed pickle", "data", "cut", "grown"] as const;
export type Kind = (typeof KINDS)[number];

const FLIPS = 3;

/** A damaged copy of that kind. "resealed pickle": its checksum is made right again, so the damage reaches the reader. */
export function damage(kind: Kind, archive: Archive, random: Random): ByteSource {
  const { base, entries, directory } = archive;
  const changes = new Map<number, Uint8Array>();
  const flip = (start: number, end: number, count = FLIPS) => {
    for (let n = 1 + random.integer(count); n > 0; n--) {
      const at = start + random.integer(end - start);
      const now = changes.get(at)?.[0] ?? base[at];
      changes.set(at, Uint8Array.of(random.integer(4) ? now ^ (1 << random.integer(8)) : random.integer(256)));
    }
  };
  const pickle = entries.find(({ name }) => name.endsWith("data.pkl")) as Archive["entries"][number];
  switch (kind) {
    case "directory":
      flip(directory, base.length);
      break;
    case "pickle":
      flip(pickle.start, pickle.start + pickle.size);
      break;
    case "resealed pickle": {
      flip(pickle.start, pickle.start + pickle.size);
      const content = overlay(base, new Map(changes)).read(pickle.start, pickle.size);
      const check = new Uint8Array(4);
      new DataView(check.buffer).setUint32(0, crc32(content), true);
      // The directory's record of the first entry: the CRC stands at 16.
      changes.set(recordOf(archive, pickle.name) + 16, check);
      break;
    }
    case "data": {
      const stores = entries.filter(({ name, size }) => /\/data\/\d+$/.test(name) && size > 0);
      const { start, size } = stores[random.integer(stores.length)];
      flip(start, start + size, 1);
      break;
    }
    case "cut":
      // Half of the cuts fall into the directory.
      return overlay(
        base,
        changes,
        random.integer(2) ? random.integer(base.length) : base.length - random.integer(base.length - directory),
      );
    case "grown": {
      const more = Uint8Array.from({ length: 1 + random.integer(64) }, () => random.integer(256));
      changes.set(base.length, more);
      return overlay(base, changes, base.length + more.length);
    }
  }
  return overlay(base, changes);
}

/** Where the directory's record of an entry begins. */
function recordOf({ base, directory }: Archive, name: string): number {
  const wanted = new TextEncoder().encode(name);
  const at = Buffer.from(base.buffer, base.byteOffset, base.byteLength).indexOf(wanted, directory);
  return at - 46;
}
