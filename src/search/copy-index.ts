/** An index as it is, in another place. */
import { IoError, OptionError } from "../errors.js";
import { MANIFEST, readManifest } from "./manifest.js";
import { checkStore, type IndexSource, type IndexStore } from "./store.js";

/** Bytes that are in memory at once. */
const PIECE = 2 ** 22;

/**
 * Copies an index file by file, the manifest last, so that the copy is there whole or not at all; gives the names of its
 * files. Throws an IoError where there is none or a file is missing, an OptionError where one is at the other place already.
 */
export async function copyIndex(from: IndexStore, to: IndexStore): Promise<string[]> {
  checkStore("copyIndex", from);
  checkStore("copyIndex", to);
  const manifest = await readManifest(from);
  if (!manifest) throw new IoError(`${from.name}: there is no index`);
  const lock = await to.lock();
  try {
    const there = await to.open(MANIFEST);
    there?.dispose?.();
    if (there) throw new OptionError(`${to.name}: there is an index already; give another place`);
    const { file: words } = manifest.vocabulary;
    const files = [...(words === null ? [] : [words]), ...manifest.segments.map(({ file }) => file), MANIFEST];
    for (const file of files) {
      const source = await from.open(file);
      if (!source) throw new IoError(`${from.name}: ${file} is missing`);
      try {
        await to.write(file, pieces(source));
      } finally {
        source.dispose?.();
      }
    }
    return files;
  } finally {
    await lock.release();
  }
}

async function* pieces(source: IndexSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.size; at += PIECE) yield source.read(at, Math.min(PIECE, source.size - at));
}
