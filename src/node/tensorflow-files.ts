/**
 * The files of a TensorFlow checkpoint on the disk: found from a folder (of a checkpoint, or of a SavedModel such as
 * DELG's archive), from the index or a shard, or from the prefix that TensorFlow itself is given.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { OptionError } from "../errors.js";
import { readTensorflowCheckpoint, type TensorflowCheckpoint } from "../formats/tensorflow.js";
import { ioError } from "./atomic.js";
import { FileSource } from "./file-source.js";

const INDEX = ".index";
const SHARD = /\.data-\d{5}-of-\d{5}$/;

/** Longest index that is read; a ResNet-50's has 20 kB. */
const INDEX_LIMIT = 2 ** 26;

/** The prefix of the checkpoint that a path means; null where it is no checkpoint of TensorFlow. */
export function findTensorflow(path: string): string | null {
  if (isFolder(path)) return inFolder(path);
  if (path.endsWith(INDEX) && existsSync(path)) return path.slice(0, -INDEX.length);
  const prefix = path.replace(SHARD, "");
  return (prefix !== path || !existsSync(path)) && existsSync(prefix + INDEX) ? prefix : null;
}

/** Whether a folder is there; what cannot be looked at is none, and is told when it is read. */
export function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/** The one checkpoint in a folder, or in the `variables` of a SavedModel. */
function inFolder(folder: string): string | null {
  for (const place of [folder, join(folder, "variables")]) {
    if (!isFolder(place)) continue;
    const found = list(place).filter((name) => name.endsWith(INDEX));
    if (found.length > 1) {
      const names = found.slice(0, 5).map((name) => name.slice(0, -INDEX.length));
      throw new OptionError(`"${place}" holds ${found.length} checkpoints (${names.join(", ")}…); name one of them`);
    }
    if (found.length === 1) return join(place, found[0].slice(0, -INDEX.length));
  }
  return null;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (cause) {
    throw ioError("read", folder, cause);
  }
}

/** The tensors of the checkpoint with that prefix; errors as of `readTensorflowCheckpoint`, named by the index. */
export function readTensorflowFiles(prefix: string, name = prefix + INDEX): TensorflowCheckpoint {
  const open: FileSource[] = [];
  const source = (path: string): FileSource => {
    const file = new FileSource(path);
    open.push(file);
    return file;
  };
  try {
    const index = source(name);
    const bytes = index.read(0, Math.min(index.size, INDEX_LIMIT + 1));
    const shard = (suffix: string) => (existsSync(prefix + suffix) ? source(prefix + suffix) : undefined);
    return readTensorflowCheckpoint(bytes, shard, { name, limit: INDEX_LIMIT });
  } finally {
    for (const file of open) file.dispose();
  }
}
