/**
 * Models on this machine, one folder each: the file as it came, and download.json, which says what it is, where it is from
 * and what it was checked by. So the cache can be used without a network, and without the registry that an entry was in.
 */
import { existsSync } from "node:fs";
import { lstat, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { IoError, OptionError } from "../../errors.js";
import { isModelName, type ModelEntry, type ModelKind } from "../../model/registry-entry.js";
import { ioError, writeFileAtomic } from "../atomic.js";
import { lockPath, withLock } from "../lock.js";
import { MODEL_FILES } from "../model-folder.js";
import { modelsHome } from "./home.js";

const RECORD = "download.json";

/** What a download was compared with. */
export type Check = "sha256" | "sha256Prefix" | "nothing";

/** What download.json says. */
export interface DownloadRecord {
  kind: ModelKind;
  /** The file's name in the folder. */
  file: string;
  bytes: number;
  sha256: string;
  checkedBy: Check;
  /** Address without user, password and query. */
  from: string;
  licence: string | null;
}

export interface CachedModel extends DownloadRecord {
  name: string;
  folder: string;
  /** The file, whole. */
  path: string;
}

/** A folder of the cache, whatever is in it. */
export interface CacheFolder {
  name: string;
  folder: string;
  /** Downloaded: whole, with its record. Usable: a model folder without one. Part: the beginning of a download. */
  state: "downloaded" | "usable" | "part" | "other";
  /** Bytes of all files in it. */
  bytes: number;
  model?: CachedModel;
}

export const modelFolder = (name: string): string => join(modelsHome(), name);

/** What the entry's file is called in its folder: weights of a strata model always as in every model folder. */
export const storedFile = ({ kind, file }: Pick<ModelEntry, "kind" | "file">): string =>
  kind === "strata" ? MODEL_FILES.weights : file;

export const configPath = (name: string): string => join(modelFolder(name), MODEL_FILES.config);

/** The model of that name when it was downloaded whole; undefined otherwise. Its content is not looked at. */
export async function readCached(name: string): Promise<CachedModel | undefined> {
  if (!isModelName(name)) return undefined;
  const folder = modelFolder(name);
  const record = await readRecord(join(folder, RECORD));
  const path = record && join(folder, record.file);
  return path !== undefined && existsSync(path) ? { ...record!, name, folder, path } : undefined;
}

export async function writeRecord(name: string, record: DownloadRecord): Promise<void> {
  await writeFileAtomic(join(modelFolder(name), RECORD), `${JSON.stringify(record, null, 2)}\n`);
}

export async function removeRecord(name: string): Promise<void> {
  await rm(join(modelFolder(name), RECORD), { force: true });
}

/** All folders of the cache by name. */
export async function listCached(): Promise<CacheFolder[]> {
  const home = modelsHome();
  const names = await readdir(home, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return [];
    throw ioError("read", home, cause);
  });
  const folders = names.filter((entry) => entry.isDirectory() && isModelName(entry.name)).map(({ name }) => name);
  return Promise.all(folders.sort().map(describeFolder));
}

async function describeFolder(name: string): Promise<CacheFolder> {
  const folder = modelFolder(name);
  const files = await readdir(folder).catch((): string[] => []);
  const sizes = await Promise.all(files.map((file) => lstat(join(folder, file)).catch(() => undefined)));
  const bytes = sizes.reduce((sum, info) => sum + (info?.isFile() ? info.size : 0), 0);
  const model = await readCached(name);
  const whole = Object.values(MODEL_FILES).every((file) => files.includes(file));
  const state = model
    ? "downloaded"
    : whole
      ? "usable"
      : files.some((file) => file.endsWith(".part"))
        ? "part"
        : "other";
  return { name, folder, state, bytes, model };
}

/** Removes a model's folder from the cache; the bytes that this frees. An OptionError where the cache has none such. */
export async function removeCached(name: string): Promise<number> {
  const found = isModelName(name) ? (await listCached()).find((folder) => folder.name === name) : undefined;
  if (!found) {
    throw new OptionError(`no model "${name.slice(0, 200)}" in the cache ${modelsHome()}; nothing was removed`);
  }
  try {
    await withLock(lockPath(found.folder), found.folder, () => rm(found.folder, { recursive: true }));
  } catch (cause) {
    if (cause instanceof IoError) throw cause;
    throw ioError("remove", found.folder, cause);
  }
  return found.bytes;
}

/** undefined for a record that is missing or damaged: the model counts as not there. */
async function readRecord(path: string): Promise<DownloadRecord | undefined> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined || code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new IoError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  const { kind, file, bytes, sha256, checkedBy, from, licence } = (json ?? {}) as Partial<DownloadRecord>;
  const whole =
    typeof kind === "string" &&
    typeof file === "string" &&
    isModelName(file) &&
    typeof bytes === "number" &&
    typeof sha256 === "string" &&
    typeof checkedBy === "string" &&
    typeof from === "string";
  return whole ? { kind, file, bytes, sha256, checkedBy, from, licence: licence ?? null } : undefined;
}
