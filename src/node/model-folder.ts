/**
 * A model folder: model.safetensors and config.json, which holds the SHA-256 of the weights. A new folder is made whole
 * under a temporary name and then renamed.
 */
import { createHash } from "node:crypto";
import { readdir, rename, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { OptionError } from "../errors.js";
import { ioError, writeFileAtomic } from "./atomic.js";
import { makeFolder } from "./folders.js";
import { lockBeside, lockPath, withLock } from "./lock.js";
import { withScratch } from "./scratch.js";

/** The weights in a model folder, and what they are. */
export const MODEL_FILES = { weights: "model.safetensors", config: "config.json" } as const;

/**
 * Runs `work`, which reads and writes the model in `folder`, while no other process does. The lock lies in the folder; of one
 * that is not there yet, or is empty, beside it, for that one is made by renaming.
 */
export async function withModelFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const isThere = (await readdir(folder).catch(() => [])).length > 0;
  const parent = dirname(resolve(folder));
  await makeFolder(parent).catch((cause) => {
    throw ioError("write into", parent, cause);
  });
  return withLock(isThere ? lockPath(folder) : await lockBeside(folder), `the model folder ${folder}`, work);
}

/**
 * Whether a model can be written into `folder`: it is not there, is empty, or is a model folder and `force` is set. An
 * OptionError otherwise. True when a model is in it already.
 */
export async function checkModelFolder(folder: string, force: boolean): Promise<boolean> {
  let entries: string[];
  try {
    entries = await readdir(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return false;
    if (code === "ENOTDIR") throw new OptionError(`cannot write a model into ${folder}: it is a file`, { cause });
    throw ioError("write a model into", folder, cause);
  }
  if (entries.length === 0) return false;
  const files: readonly string[] = Object.values(MODEL_FILES);
  if (!files.some((name) => entries.includes(name))) {
    throw new OptionError(`${folder} is there, is not empty and is no model folder; give another folder`);
  }
  if (!force) throw new OptionError(`there is a model in ${folder} already; give another folder, or --force`);
  return true;
}

/**
 * Writes weights and configuration, to which their SHA-256 is added; the checksum is returned. Over a model that is
 * there, file by file: a stop between the two leaves a checksum that does not fit, which is told when it is opened.
 */
export async function writeModelFolder(
  folder: string,
  weights: Uint8Array,
  config: Record<string, unknown>,
  { force = false }: { force?: boolean } = {},
): Promise<string> {
  const sha256 = createHash("sha256").update(weights).digest("hex");
  const text = `${JSON.stringify({ ...config, sha256 }, null, 2)}\n`;
  const write = async (into: string) => {
    await writeFileAtomic(join(into, MODEL_FILES.weights), weights);
    await writeFileAtomic(join(into, MODEL_FILES.config), text);
  };
  if (await checkModelFolder(folder, force)) {
    await write(folder);
    return sha256;
  }
  return withScratch(folder, async (temporary, target) => {
    await write(temporary);
    await rmdir(target).catch(() => {});
    await rename(temporary, target).catch((cause) => {
      throw ioError("write a model into", folder, cause);
    });
    return sha256;
  });
}
