/**
 * A model folder: model.safetensors and config.json, which holds the SHA-256 of the weights. A new folder is made whole
 * under a temporary name and then renamed.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { OptionError, StrataError } from "../errors.js";
import { ioError, writeFileAtomic } from "./atomic.js";
import { makeFolder } from "./folders.js";

/** The weights in a model folder, and what they are. */
export const MODEL_FILES = { weights: "model.safetensors", config: "config.json" } as const;

/** A name beside `folder` that nobody has, for what becomes it. */
export function temporaryBeside(folder: string): string {
  // Resolved, for with a slash at its end it would lie in the folder.
  const path = resolve(folder);
  return join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`);
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
  const temporary = temporaryBeside(folder);
  try {
    await makeFolder(dirname(temporary));
    await mkdir(temporary);
    await write(temporary);
    await rmdir(folder).catch(() => {});
    await rename(temporary, folder);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw cause instanceof StrataError ? cause : ioError("write a model into", folder, cause);
  }
  return sha256;
}
