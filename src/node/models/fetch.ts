/**
 * A model of the registry into the cache: from its address or a mirror, with a login where the server asks for one, checked
 * by what the registry knows. What is in the cache and unchanged is not fetched again, so no network is needed then.
 */

import { rename, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { checkObject } from "../../check.js";
import { OptionError, UnsupportedError } from "../../errors.js";
import type { ModelEntry, RemoteFile } from "../../model/registry-entry.js";
import { checkEntry } from "../../model/registry-entry.js";
import { ioError } from "../atomic.js";
import { type Downloaded, type DownloadProgress, downloadFile, hashFile } from "../download.js";
import { makeFolder } from "../folders.js";
import { checkUrl, LoginError, shownAddress } from "../http.js";
import { lockPath, withLock } from "../lock.js";
import { MODEL_FILES } from "../model-folder.js";
import type { Environment } from "../proxy.js";
import {
  type CachedModel,
  type Check,
  configPath,
  modelFolder,
  readCached,
  removeRecord,
  storedFile,
  writeRecord,
} from "./cache.js";
import { type Ask, basicAuthorization, findLogin } from "./login.js";

/** Most bytes of a model's configuration where the registry does not say how many it has. */
const MAX_CONFIG = 2 ** 26;

/** How a model is fetched. */
export interface FetchOptions {
  /** A mirror: its address replaces all but the file's name (for a strata model: but NAME/FILE). */
  baseUrl?: string;
  /** The SHA-256 to check, where the user knows one. */
  sha256?: string;
  environment?: Environment;
  /** Asks for a login; undefined where there is no terminal. */
  ask?: Ask;
  /** Tells what happens: what is fetched, new tries, warnings. */
  say?(line: string): void;
  onProgress?(progress: DownloadProgress): void;
  signal?: AbortSignal;
  /** As of `downloadFile`. */
  retries?: number;
  backoff?: number;
  stall?: number;
}

/** A model of the cache, just fetched or there before. */
export interface FetchedModel extends CachedModel {
  /** false: it was there, and needed no network. */
  fetched: boolean;
}

/**
 * The entry's file in the cache. Throws as `downloadFile` does; a LoginError where no login is at hand or the server refuses
 * it, an UnsupportedError for a model that no address is known of.
 */
export async function fetchModel(entry: ModelEntry, options: FetchOptions = {}): Promise<FetchedModel> {
  checkEntry("fetchModel", entry);
  checkObject("fetchModel", "options", options);
  if (entry.shipped) throw new OptionError(`"${entry.name}" comes with strata; there is nothing to fetch`);
  const folder = modelFolder(entry.name);
  await makeFolder(folder).catch((cause) => {
    throw ioError("make", folder, cause);
  });
  try {
    return await withLock(lockPath(folder), folder, () => fetchInto(folder, entry, options));
  } finally {
    // It stays only with something in it.
    await rmdir(folder).catch(() => {});
  }
}

async function fetchInto(folder: string, entry: ModelEntry, options: FetchOptions): Promise<FetchedModel> {
  const { name, kind, licence } = entry;
  const expected = options.sha256 ?? entry.sha256;
  const there = await usable(entry, expected, options);
  const checkedBy: Check = expected !== null ? "sha256" : entry.sha256Prefix !== null ? "sha256Prefix" : "nothing";
  if (there) return { ...there, checkedBy: checkedBy === "nothing" ? there.checkedBy : checkedBy, fetched: false };

  const address = addressOf(entry, entry, entry.file, options.baseUrl);
  const login = new LoginSession(entry, options);
  if (entry.config) {
    const url = addressOf(entry, entry.config, MODEL_FILES.config, options.baseUrl);
    await fetchFile(url, configPath(name), { ...entry.config, maxBytes: MAX_CONFIG }, login, options);
  }
  const file = storedFile(entry);
  const done = await fetchFile(address, join(folder, file), { ...entry, sha256: expected }, login, options);
  const from = shownAddress(checkUrl("models download", address));
  const record = { kind, file, bytes: done.bytes, sha256: done.sha256, checkedBy, from, licence };
  await writeRecord(name, record);
  return { ...record, name, folder, path: join(folder, file), fetched: true };
}

/** What is in the cache, when its content is what it was, and what the registry says. */
async function usable(
  entry: ModelEntry,
  expected: string | null,
  { say }: FetchOptions,
): Promise<CachedModel | undefined> {
  const cached = await readCached(entry.name);
  if (!cached) return undefined;
  const { sha256 } = await hashFile(cached.path);
  const wanted = expected ?? entry.sha256Prefix ?? cached.sha256;
  const changed = sha256 !== cached.sha256;
  if (!changed && sha256.startsWith(wanted) && (entry.config === null || (await configFits(entry)))) return cached;
  const aside = `${cached.path}.bad`;
  const why = changed ? "has changed since it was fetched" : "is not the one that the registry means now";
  say?.(`${cached.path} ${why}; it is kept as ${aside} and fetched anew`);
  await removeRecord(entry.name);
  await rename(cached.path, aside).catch((cause) => {
    throw ioError("write", aside, cause);
  });
  return undefined;
}

async function configFits({ name, config }: ModelEntry): Promise<boolean> {
  const found = await hashFile(configPath(name)).catch(() => undefined);
  return found !== undefined && (config?.sha256 ?? found.sha256) === found.sha256;
}

function addressOf(entry: ModelEntry, { address }: RemoteFile, file: string, baseUrl: string | undefined): string {
  if (baseUrl !== undefined) {
    const base = checkUrl("--base-url", baseUrl);
    if (base.username !== "" || base.password !== "") {
      throw new OptionError(
        "--base-url: no user or password in the address; set STRATA_USER and STRATA_PASSWORD, or use netrc",
      );
    }
    const parts = entry.kind === "strata" ? [entry.name, file] : [file];
    base.pathname = [base.pathname.replace(/\/+$/, ""), ...parts.map(encodeURIComponent)].join("/");
    return base.href;
  }
  if (address !== null) return address;
  throw new UnsupportedError(
    `"${entry.name}": no address is known to fetch it from. ${entry.note === "" ? "" : `${entry.note} `}` +
      "A mirror that has it is given with --base-url",
  );
}

/** The login of one command: asked for once, and only when a server wants it. */
class LoginSession {
  private readonly headers = new Map<string, Record<string, string>>();
  private readonly announced: boolean;

  constructor(
    entry: ModelEntry,
    private readonly options: FetchOptions,
  ) {
    this.announced = entry.login || options.baseUrl !== undefined;
  }

  /** Runs `work` with the headers that the server wants. */
  async with<T>(url: URL, work: (headers: Record<string, string>) => Promise<T>): Promise<T> {
    const known = this.headers.get(url.origin);
    try {
      return await work(known ?? {});
    } catch (error) {
      // Another host than the address's gets no password of it.
      if (!(error instanceof LoginError) || known || error.origin !== url.origin) throw error;
    }
    const { environment = process.env, ask, say, signal } = this.options;
    const warn = (message: string) => say?.(`note: ${message}`);
    const login = await findLogin(url, { environment, announced: this.announced, ask, warn });
    signal?.throwIfAborted();
    const headers = basicAuthorization(url, login);
    try {
      const done = await work(headers);
      this.headers.set(url.origin, headers);
      return done;
    } catch (error) {
      if (!(error instanceof LoginError) || error.origin !== url.origin) throw error;
      throw new LoginError(`${url.origin} refused the user name or password from ${login.source}`, url.origin);
    }
  }
}

async function fetchFile(
  address: string,
  path: string,
  expected: RemoteFile & { sha256Prefix?: string | null; maxBytes?: number },
  login: LoginSession,
  { say, onProgress, signal, retries, backoff, stall }: FetchOptions,
): Promise<Downloaded> {
  const url = checkUrl("models download", address);
  const { size, sha256, sha256Prefix, maxBytes } = expected;
  say?.(`fetching ${shownAddress(url)}`);
  if (url.protocol === "http:" && sha256 === null)
    say?.("note: neither the connection is protected nor a checksum known");
  return login.with(url, (headers) =>
    downloadFile({
      url: url.href,
      path,
      headers,
      size: size ?? undefined,
      maxBytes,
      sha256: sha256 ?? undefined,
      sha256Prefix: sha256Prefix ?? undefined,
      onProgress,
      onRetry: (reason, seconds) => say?.(`${reason}; trying again in ${seconds.toFixed(0)} s`),
      signal,
      retries,
      backoff,
      stall,
    }),
  );
}
