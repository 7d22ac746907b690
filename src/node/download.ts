/**
 * Large files from the web to the disk. What has arrived lies in PATH.part, with what is needed to go on (ETag or date)
 * beside it in PATH.part.json; only a file that is whole, of the announced length and of the given SHA-256 gets its
 * name. A connection that breaks is taken up where it broke, a file that changed meanwhile is begun anew.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { FormatError, LimitError, OptionError } from "../errors.js";
import { checkNumber, withDefaults } from "../options.js";
import { ioError } from "./atomic.js";
import { makeFolder } from "./folders.js";
import { type Answered, checkUrl, request, shownAddress, statusError, transferError } from "./http.js";
import { lockBeside, withLock } from "./lock.js";
import { type DownloadOptions, type DownloadSettings, transfer } from "./transfer.js";

export type { DownloadOptions, DownloadProgress } from "./transfer.js";

export interface Downloaded {
  path: string;
  bytes: number;
  sha256: string;
  /** Whether anything was fetched; false: the right file was there. */
  fetched: boolean;
}

/**
 * Fetches a file. IoError when the server refuses or the disk does; TransferError (an IoError) when the connection
 * failed too often, PATH.part being kept for the next call; FormatError when the whole file has another length or
 * SHA-256 than expected: of another SHA-256 it then lies in PATH.bad. LimitError above `maxBytes`; an IoError where another
 * process fetches into the same path.
 */
export async function downloadFile(given: DownloadOptions): Promise<Downloaded> {
  const settings = checkOptions(given);
  const { path, sha256, sha256Prefix, signal } = settings;
  const url = checkUrl("downloadFile", settings.url);
  signal?.throwIfAborted();
  const expected = sha256 ?? sha256Prefix;
  if (expected !== undefined) {
    const there = await hashIfThere(path);
    if (there?.sha256.startsWith(expected)) return { path, ...there, fetched: false };
  }
  try {
    await makeFolder(dirname(path));
  } catch (cause) {
    throw ioError("write into", dirname(path), cause);
  }
  return withLock(await lockBeside(path), path, () => fetchLocked(url, settings));
}

async function fetchLocked(url: URL, settings: DownloadSettings): Promise<Downloaded> {
  const { path, sha256, sha256Prefix, signal } = settings;
  const expected = sha256 ?? sha256Prefix;
  await transfer(url, settings);
  signal?.throwIfAborted();
  const found = await hashFile(`${path}.part`);
  await rm(`${path}.part.json`, { force: true });
  const wrong = !found.sha256.startsWith(expected ?? "");
  const to = wrong ? `${path}.bad` : path;
  try {
    await rename(`${path}.part`, to);
  } catch (cause) {
    throw ioError("write", to, cause);
  }
  if (!wrong) return { path, ...found, fetched: true };
  throw new FormatError(
    `${shownAddress(url)}: expected SHA-256 ${expected}${sha256 === undefined ? "…" : ""}, the file has ${found.sha256} (${found.bytes} bytes); ` +
      `it is kept as ${to} and not used`,
  );
}

/** How a file that is kept in memory is fetched: in one try. */
export interface FetchBytesOptions {
  /** Most bytes. */
  limit: number;
  /** Longest time without a byte, seconds; default 30. */
  stall?: number;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** A short text from the web; null when the server has none (404, 403, 410), or one above the limit. */
export async function downloadText(address: string, options: FetchBytesOptions): Promise<string | null> {
  const answered = await ask(checkUrl("downloadText", address), options);
  if ([403, 404, 410].includes(answered.answer.statusCode ?? 0)) {
    answered.answer.destroy();
    return null;
  }
  const bytes = await body(answered, options);
  return bytes && Buffer.from(bytes).toString("utf8");
}

/** A file from the web. IoError where the server does not give it, LimitError above the limit. */
export async function downloadBytes(url: URL, options: FetchBytesOptions): Promise<Uint8Array> {
  const bytes = await body(await ask(url, options), options);
  if (bytes) return bytes;
  throw new LimitError(`${shownAddress(url)} has more bytes than the limit of ${options.limit}`);
}

function ask(url: URL, { stall = 30, signal, headers }: FetchBytesOptions): Promise<Answered & { url: URL }> {
  return request(url, { headers, stallMs: stall * 1000, signal }).then((answered) => ({ ...answered, url }));
}

/** What a server sends; null where that is more than the limit. */
async function body(
  { url, ...answered }: Answered & { url: URL },
  { limit, signal }: FetchBytesOptions,
): Promise<Uint8Array | null> {
  const { answer } = answered;
  if (answer.statusCode !== 200) {
    answer.destroy();
    throw statusError(url, answered);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      length += chunk.length;
      // Leaving the loop ends the connection.
      if (length > limit) return null;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw transferError(url, cause, signal);
  }
  return Buffer.concat(chunks);
}

/** SHA-256 in hex and length of a file. */
export async function hashFile(path: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (cause) {
    throw ioError("read", path, cause);
  }
  return { sha256: hash.digest("hex"), bytes };
}

async function hashIfThere(path: string): Promise<{ sha256: string; bytes: number } | undefined> {
  const info = await stat(path).catch(() => undefined);
  return info?.isFile() ? hashFile(path) : undefined;
}

function checkOptions(given: DownloadOptions): DownloadSettings {
  const where = "downloadFile";
  const settings = withDefaults<DownloadSettings>(
    where,
    {
      url: "",
      path: "",
      sha256: undefined,
      sha256Prefix: undefined,
      size: undefined,
      maxBytes: undefined,
      headers: {},
      onProgress: undefined,
      onRetry: undefined,
      signal: undefined,
      retries: 5,
      backoff: 1,
      stall: 30,
    },
    given,
  );
  checkNumber(where, "retries", settings.retries, { min: 0, max: 1000, integer: true });
  checkNumber(where, "backoff", settings.backoff, { min: 0, max: 60 });
  checkNumber(where, "stall", settings.stall, { min: 0.01, max: 3600 });
  if (settings.size !== undefined) checkNumber(where, "size", settings.size, { min: 0, integer: true });
  if (settings.maxBytes !== undefined) checkNumber(where, "maxBytes", settings.maxBytes, { min: 1, integer: true });
  if (settings.path === "") throw new OptionError(`${where}: "path" must name the file to write`);
  return {
    ...settings,
    sha256: settings.sha256 === undefined ? undefined : checkSha256(where, settings.sha256),
    sha256Prefix: settings.sha256Prefix === undefined ? undefined : checkSha256Prefix(where, settings.sha256Prefix),
  };
}

/** The checksum in lower case; an OptionError when it is none. */
export function checkSha256(where: string, text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  throw new OptionError(`${where}: a SHA-256 has 64 hexadecimal digits, got "${text.slice(0, 100)}"`);
}

/** The first digits of a checksum in lower case; an OptionError when it is none, or too little to tell files apart. */
export function checkSha256Prefix(where: string, text: string): string {
  if (/^[0-9a-f]{8,64}$/i.test(text)) return text.toLowerCase();
  throw new OptionError(
    `${where}: the beginning of a SHA-256 has 8 to 64 hexadecimal digits, got "${text.slice(0, 100)}"`,
  );
}
