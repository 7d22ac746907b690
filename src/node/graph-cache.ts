/**
 * Graphs that were traced, kept for the next process in the user's cache folder: `graphs/DIGEST.onnx`, the digest being that
 * of all they are made of (code, weights, configuration, options). They are prepared graphs (graph/prepared.ts) and hold no
 * weights. A folder that cannot be read or written keeps none, and says nothing: tracing again is all that it costs.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { KeptGraphs } from "../extract/dense.js";
import type { GraphKey } from "../graph/prepared.js";
import { writeFileAtomic } from "./atomic.js";
import { strataHome } from "./models/home.js";

/** Files that are kept, those used last; a graph has some 30 kB, one with constants of its own up to LARGEST. */
const MOST_FILES = 64;
const MOST_BYTES = 64 * 2 ** 20;
const LARGEST = 8 * 2 ** 20;

/** The folder of kept graphs. */
export const graphsHome = (): string => join(strataHome(), "graphs");

/** The graphs kept in a folder for what `key` says a graph is made of. */
export function keptGraphs(key: GraphKey, folder = graphsHome()): KeptGraphs {
  return {
    key,
    async read(whole) {
      const where = fileOf(folder, whole);
      try {
        const file = await readFile(where);
        // What was used last is kept longest.
        const now = new Date();
        await utimes(where, now, now).catch(() => {});
        return { where, file };
      } catch {
        return null;
      }
    },
    async keep(whole, file) {
      if (file.length > LARGEST) return;
      try {
        await mkdir(folder, { recursive: true });
        await writeFileAtomic(fileOf(folder, whole), file);
        await removeOldest(folder);
      } catch {
        // Nothing is lost.
      }
    },
  };
}

/** How many graphs are kept, and their bytes. */
export async function describeKept(folder = graphsHome()): Promise<{ folder: string; graphs: number; bytes: number }> {
  const files = await listKept(folder).catch(() => []);
  return { folder, graphs: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

const fileOf = (folder: string, key: GraphKey): string => {
  const parts = Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1));
  return join(folder, `${createHash("sha256").update(JSON.stringify(parts)).digest("hex")}.onnx`);
};

/** Files of the folder that are named as kept graphs are, used last first. */
async function listKept(folder: string): Promise<{ path: string; size: number; used: number }[]> {
  const names = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}\.onnx$/.test(name));
  const files = names.map(async (name) => {
    const path = join(folder, name);
    const { size, mtimeMs: used } = await stat(path);
    return { path, size, used };
  });
  // Another process may have removed one meanwhile.
  const found = (await Promise.allSettled(files)).flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  return found.sort((a, b) => b.used - a.used);
}

async function removeOldest(folder: string): Promise<void> {
  let bytes = 0;
  for (const [i, { path, size }] of (await listKept(folder)).entries()) {
    bytes += size;
    if (i >= MOST_FILES || bytes > MOST_BYTES) await rm(path, { force: true });
  }
}
