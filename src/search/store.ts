/** Where the files of an index lie, as the index asks for them: a folder, an address, memory. */
import { checkBytes, checkText, wrong } from "../check.js";
import { IoError, LimitError, UnsupportedError } from "../errors.js";

/** Bytes that are asked for by range. */
export interface IndexSource {
  readonly size: number;
  /** The bytes from `offset` on; called only for ranges inside of `size`. */
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
  /** Frees what reading holds on to. */
  dispose?(): void;
}

/** The files of one index. Names are plain, without folders. */
export interface IndexStore {
  /** How the index is called in messages. */
  readonly name: string;
  /** The file of that name; null where there is none. */
  open(file: string): Promise<IndexSource | null>;
  /** Writes the file so that at every moment the old or the new one is there, whole. */
  write(file: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Removes the file; nothing where there is none. */
  remove(file: string): Promise<void>;
  /** Names of the files that are there. */
  list(): Promise<string[]>;
  /** Keeps other writers out until it is released; an IoError where one is at work. */
  lock(): Promise<{ release(): Promise<void> }>;
}

/** An OptionError for what is no place of an index. */
export function checkStore(where: string, store: IndexStore): void {
  if (typeof store?.open !== "function" || typeof store.lock !== "function" || typeof store.name !== "string") {
    throw wrong(where, "the store", "where an index lies, as memoryStore, addressStore and folderStore give it", store);
  }
}

/** All bytes of a file of at most `limit` bytes. */
export async function readWhole(where: string, source: IndexSource, limit: number): Promise<Uint8Array> {
  if (source.size > limit) throw new LimitError(`${where} has ${source.size} bytes, over the limit of ${limit}`);
  return source.read(0, source.size);
}

/** An index in memory. */
export function memoryStore(name = "the index"): IndexStore {
  checkText("memoryStore", "name", name);
  const files = new Map<string, Uint8Array>();
  let locked = false;
  return {
    name,
    async open(file) {
      const bytes = files.get(file);
      return bytes ? { size: bytes.length, read: (offset, length) => bytes.slice(offset, offset + length) } : null;
    },
    async write(file, content) {
      files.set(file, content instanceof Uint8Array ? content.slice() : await joined(content));
    },
    async remove(file) {
      files.delete(file);
    },
    list: async () => [...files.keys()],
    async lock() {
      if (locked) throw new IoError(`${name} is being written by somebody else; wait until that is done`);
      locked = true;
      return {
        release: async () => {
          locked = false;
        },
      };
    },
  };
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  const bytes = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of all) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/**
 * An index behind an address, to be searched only: the server must answer requests for ranges of bytes, as most do. What is
 * asked of it is some requests per search, whatever the index's size.
 */
export function addressStore(address: string | URL): IndexStore {
  if (typeof address !== "string" && !(address instanceof URL)) {
    throw wrong("addressStore", "the address", "a URL, or a text that is one", address);
  }
  if (`${address}` === "") throw wrong("addressStore", "the address", "a URL", address);
  const base = `${address}`.replace(/\/*$/, "/");
  const readOnly = async (): Promise<never> => {
    throw new UnsupportedError(`${base}: an index behind an address can be searched, not written`);
  };
  return {
    name: base,
    async open(file) {
      const url = base + encodeURIComponent(file);
      const answer = await reach(url, { method: "HEAD" });
      if (answer.status === 404) return null;
      const size = Number(answer.headers.get("content-length"));
      if (!answer.ok || !Number.isSafeInteger(size) || !answer.headers.has("content-length")) {
        throw new IoError(`cannot read ${url}: the server answers ${answer.status}, without a length`);
      }
      return { size, read: (offset, length) => readRemote(url, offset, length, size) };
    },
    write: readOnly,
    remove: readOnly,
    list: readOnly,
    lock: readOnly,
  };
}

async function readRemote(url: string, offset: number, length: number, size: number): Promise<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  const answer = await reach(url, { headers: { Range: `bytes=${offset}-${offset + length - 1}` } });
  const isWhole = answer.status === 200 && offset === 0 && length === size;
  if (answer.status !== 206 && !isWhole) {
    await answer.body?.cancel();
    throw new IoError(`cannot read ${url}: the server answers ${answer.status} to a request for a range of bytes`);
  }
  const bytes = checkBytes(url, new Uint8Array(await answer.arrayBuffer()));
  if (bytes.length !== length) throw new IoError(`cannot read ${url}: ${bytes.length} bytes came, expected ${length}`);
  return bytes;
}

async function reach(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (cause) {
    throw new IoError(`cannot reach ${url}: ${(cause as Error).message}`, { cause });
  }
}
