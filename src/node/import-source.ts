/**
 * What `strata models import` is pointed at: a file of any format, a TensorFlow checkpoint by its folder, index or prefix, a
 * model folder, or an archive of one of these, which is unpacked with limits.
 */
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { OptionError } from "../errors.js";
import { parseJson } from "../formats/bytes.js";
import type { ImportSource } from "../import/detect.js";
import { readFileChecked } from "./atomic.js";
import { readTensorFile, type TensorFile } from "./checkpoint-file.js";
import { hashFile } from "./download.js";
import { MODEL_FILES } from "./model-folder.js";
import { readCached } from "./models/cache.js";
import { unpackTar } from "./unpack.js";

export interface ReadSource extends ImportSource {
  format: TensorFile["format"];
  /** SHA-256 of the file or archive; null of what lies in several files. */
  sha256: string | null;
  /** SHA-256 of the file with the tensors, in the archive where it is one; null of what lies in several files. */
  weightsSha256: string | null;
  /** What else the file holds, by name: epoch, optimizer_states, … */
  other: string[];
}

export interface ReadSourceOptions {
  /** Where an archive may be unpacked; must not be there. */
  scratch: string;
  /** Bytes of an archive read, of all. */
  onProgress?: (read: number, total: number) => void;
  signal?: AbortSignal;
}

/** DELG's archive has a dozen files and 200 MB. */
const ARCHIVE_LIMITS = { maxEntries: 10_000, maxBytes: 4 * 2 ** 30 };

/** Folders of an archive and of a saved model (variables/) are searched, no deeper ones. */
const DEPTH = 3;

const FILES = /\.(ckpt|pth|pt|safetensors|onnx)$/i;
const ENDINGS = /\.(tar\.gz|tgz|tar|ckpt|pth|pt|bin|safetensors|onnx|index|data-\d{5}-of-\d{5})$/i;

/** Reads the tensors behind a path, or the name of a model in the cache. OptionError where there are none or several, FormatError for damage. */
export async function readSource(path: string, options: ReadSourceOptions): Promise<ReadSource> {
  const info = await stat(path).catch(() => undefined);
  if (!info && !(await stat(`${path}.index`).catch(() => undefined))) {
    const cached = await readCached(path);
    if (cached) return readSource(cached.path, options);
    throw new OptionError(`no weights "${path}": there is no such file or folder`);
  }
  const name = basename(resolve(path)).replace(ENDINGS, "");
  if (info?.isFile() && (await isArchive(path))) {
    const { scratch, onProgress, signal } = options;
    const filter = (entry: string) => !entry.split("/").some((part) => part.startsWith("."));
    await unpackTar(path, scratch, { ...ARCHIVE_LIMITS, filter, unwrap: true, onProgress, signal });
    try {
      const { sha256 } = await hashFile(path);
      return { ...(await readPlain(await findIn(scratch, path), path, name)), sha256 };
    } catch (error) {
      // Nobody knows the place where it was unpacked.
      if (error instanceof Error) error.message = error.message.replaceAll(scratch, path);
      throw error;
    }
  }
  if (!info?.isDirectory()) return readPlain(path, path, name);
  return readPlain(await findIn(path, path), path, name);
}

/** One checkpoint; `where` names it in errors. */
async function readPlain(path: string, where: string, name: string): Promise<ReadSource> {
  const { format, tensors, other } = await readTensorFile(path);
  const config = format === "safetensors" ? await configBeside(path) : undefined;
  const isFile = format !== "tensorflow" && (await stat(path)).isFile();
  const sha256 = isFile ? (await hashFile(path)).sha256 : null;
  const read = { where, name, tensors, format, other: Object.keys(other), sha256, weightsSha256: sha256 };
  return config ? { ...read, config } : read;
}

/** The configuration of a .safetensors file: of the same name, or config.json. */
async function configBeside(path: string): Promise<Record<string, unknown> | undefined> {
  for (const file of [path.replace(/\.safetensors$/i, ".json"), join(dirname(path), MODEL_FILES.config)]) {
    if (file === path || !(await stat(file).catch(() => undefined))?.isFile()) continue;
    const json = parseJson(file, await readFileChecked(file, { limit: 2 ** 26 }));
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : undefined;
  }
  return undefined;
}

/** The one checkpoint in a folder: a model, a TensorFlow index, or a file of a known ending, the first in this order. */
async function findIn(folder: string, shown: string): Promise<string> {
  const files = await filesIn(folder, DEPTH);
  const indexes = files.filter((file) => file.endsWith(".index"));
  const kinds = [
    files.filter((file) => basename(file) === MODEL_FILES.weights),
    indexes,
    files.filter((file) => FILES.test(file)),
  ];
  const found = kinds.find((list) => list.length > 0) ?? [];
  if (found.length === 1) return join(folder, found[0]);
  if (found.length === 0) {
    throw new OptionError(
      `the folder "${shown}" has no weights: expected ${MODEL_FILES.weights}, a TensorFlow checkpoint (*.index with ` +
        `*.data-00000-of-00001), or a .ckpt, .pth, .pt or .safetensors file`,
    );
  }
  const names = found.slice(0, 5).join(", ") + (found.length > 5 ? ", …" : "");
  throw new OptionError(`the folder "${shown}" has ${found.length} checkpoints (${names}); name one of them`);
}

/** Names of the files in a folder and in those in it, with "/" between. */
async function filesIn(folder: string, depth: number, prefix = ""): Promise<string[]> {
  const names: string[] = [];
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith(".")) continue;
    if (!entry.isDirectory()) names.push(prefix + entry.name);
    else if (depth > 1) names.push(...(await filesIn(join(folder, entry.name), depth - 1, `${prefix}${entry.name}/`)));
  }
  return names;
}

/** Whether the file begins like gzip, or is called .tar. */
async function isArchive(path: string): Promise<boolean> {
  if (/\.tar$/i.test(path)) return true;
  const start = new Uint8Array(2);
  const file = await open(path);
  await file.read(start, 0, 2, 0).finally(() => file.close());
  return start[0] === 0x1f && start[1] === 0x8b;
}
