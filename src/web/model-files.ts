/**
 * The files of a model in a page: fetched once, checked by SHA-256, kept in the browser's Cache storage. The
 * configuration, a kilobyte, is asked for each time, so that a model that changes at its address is noticed; weights and
 * graph are kept under the digest that it states. Without a network the kept ones serve.
 */
import { untilAborted } from "../abort.js";
import { FormatError, IoError } from "../errors.js";
import { parseJson } from "../formats/bytes.js";
import { sha256 } from "../sha256.js";
import { readModelCache, writeModelCache } from "./model-cache.js";

/** Where the three files of a model lie; absolute addresses. */
export interface ModelAddresses {
  weights: string;
  config: string;
  graph: string;
}

/** The bytes of the three. */
export interface ModelBytes {
  weights: Uint8Array;
  config: Uint8Array;
  /** Absent where the folder has none. */
  graph?: Uint8Array;
  /** What errors call the model. */
  where: string;
}

/** How far a download is. */
export interface ModelProgress {
  /** Address of the file. */
  file: string;
  /** Bytes that are here. */
  loaded: number;
  /** Bytes in all; null where the server does not say. */
  total: number | null;
  /** Whether it came from what was kept. */
  cached: boolean;
}

export interface FetchModelOptions {
  /** Keep what is fetched, and use what is kept. Default true. */
  cache?: boolean;
  /** What the graph was prepared for beside the weights: another build of strata has another. */
  code: string;
  signal?: AbortSignal;
  onProgress?: (progress: ModelProgress) => void;
}

/** A model's files. Throws an IoError for what does not arrive, a FormatError for weights of another digest. */
export async function fetchModel(addresses: ModelAddresses, options: FetchModelOptions): Promise<ModelBytes> {
  // Bundlers put small files into their address; the weights' tells then which model it is.
  const where =
    told(addresses.config) === addresses.config ? addresses.config.replace(/config\.json$/, "") : addresses.weights;
  const config = await configuration(addresses.config, options);
  const { sha256: stated } = Object(parseJson(`${where}: config.json`, config)) as { sha256?: unknown };
  const digest = typeof stated === "string" ? stated : "";
  const [weights, graph] = await Promise.all([
    kept(addresses.weights, digest, options, async (bytes, fresh) => {
      const own = digest === "" ? "" : await sha256(bytes);
      if (own === digest || own === "") return;
      // What was kept and has gone bad is fetched again; what was fetched is another model, or damaged.
      if (!fresh) throw new FormatError("damaged");
      throw new FormatError(
        `${told(addresses.weights)}: the weights have SHA-256 ${own}, ${told(addresses.config)} says ${digest}; the download is ` +
          "damaged, or the files are of two models",
      );
    }),
    // A folder without one is as good; what is wrong with one is said when it is opened.
    options.code === ""
      ? undefined
      : kept(addresses.graph, `${digest}-${options.code}`, options, async () => undefined).catch((error) => {
          if (options.signal?.aborted || !(error instanceof MissingError)) throw error;
          return undefined;
        }),
  ]);
  return { weights, config, graph, where };
}

/** The newest configuration, or the kept one where the server cannot be reached. */
async function configuration(address: string, options: FetchModelOptions): Promise<Uint8Array> {
  const { cache = true } = options;
  try {
    const bytes = await fetchBytes(address, options, { cache: "no-cache" });
    if (cache) await writeModelCache(address, "", bytes);
    return bytes;
  } catch (error) {
    if (options.signal?.aborted || !(error instanceof UnreachableError)) throw error;
    const bytes = cache ? await readModelCache(address, "") : undefined;
    if (!bytes) throw error;
    return bytes;
  }
}

/** A file that is kept under `version`, checked whenever it is read. */
async function kept(
  address: string,
  version: string,
  options: FetchModelOptions,
  check: (bytes: Uint8Array, fresh: boolean) => Promise<void>,
): Promise<Uint8Array> {
  const { cache = true, onProgress } = options;
  // What has no digest cannot be told from what came after it.
  const keep = cache && version !== "";
  const old = keep ? await readModelCache(address, version) : undefined;
  if (old) {
    try {
      await check(old, false);
      onProgress?.({ file: address, loaded: old.length, total: old.length, cached: true });
      return old;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
  const bytes = await fetchBytes(address, options);
  await check(bytes, true);
  if (keep) await writeModelCache(address, version, bytes);
  return bytes;
}

/** An address that cannot be reached: no network, no such server, a request that is blocked. */
class UnreachableError extends IoError {
  override readonly name = "IoError";
}

/** An address at which there is no such file. */
class MissingError extends IoError {
  override readonly name = "IoError";
}

/** An address as it is told: one that holds the file itself says nothing to a reader. */
const told = (address: string): string => address.replace(/^(data:[^,]*,).*$/s, "$1…");

async function fetchBytes(
  address: string,
  { signal, onProgress }: FetchModelOptions,
  init: RequestInit = {},
): Promise<Uint8Array> {
  const failed = (error: unknown, what: string): unknown => {
    if (signal?.aborted) return signal.reason;
    const message = error instanceof Error ? error.message : error;
    return new UnreachableError(`cannot fetch ${told(address)}: ${what}${message}`, { cause: error });
  };
  let response: Response;
  try {
    response = await fetch(address, { ...init, signal });
  } catch (error) {
    throw failed(error, "");
  }
  if (!response.ok) {
    throw new MissingError(
      `cannot fetch ${told(address)}: the server answers ${response.status} ${response.statusText}`.trim(),
    );
  }
  if (/^text\/html\b/.test(response.headers.get("content-type") ?? "")) {
    await response.body?.cancel();
    throw new MissingError(
      `cannot fetch ${told(address)}: the server answers with a web page, so the file is not there`,
    );
  }
  try {
    return await untilAborted(
      readBody(response, (loaded, total) => {
        onProgress?.({ file: address, loaded, total, cached: false });
      }),
      signal,
    );
  } catch (error) {
    throw failed(error, "the download broke off: ");
  }
}

async function readBody(
  response: Response,
  onBytes: (loaded: number, total: number | null) => void,
): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array(await response.arrayBuffer());
  const stated = response.headers.get("content-length");
  // Of a compressed answer the length that is stated is not that of what is read.
  const packed = (response.headers.get("content-encoding") ?? "identity") !== "identity";
  const total = stated === null || packed ? null : Number(stated);
  const parts: Uint8Array[] = [];
  let loaded = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    onBytes(loaded, total);
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
