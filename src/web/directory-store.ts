/** An index in a folder of the browser: its own file system, which pages keep between visits, or a folder that a person chose. */
import { checkText, wrong } from "../check.js";
import { IoError, LimitError, type StrataError, UnsupportedError } from "../errors.js";
import type { IndexSource, IndexStore } from "../search/store.js";

/**
 * The index in a folder, as `navigator.storage.getDirectory()` and `showDirectoryPicker()` give it; `name` is how messages
 * call it. The files are those of the command line. Writers in other tabs are kept out where they give the same name.
 */
export function directoryStore(folder: FileSystemDirectoryHandle, name: string): IndexStore {
  if (typeof folder?.getFileHandle !== "function")
    throw wrong("directoryStore", "the folder", "a folder handle", folder);
  checkText("directoryStore", "name", name);
  return {
    name,
    async open(file) {
      const found = await named(name, file, "read", async () => (await folder.getFileHandle(file)).getFile());
      return found && blobSource(`${name}: ${file}`, found);
    },
    async write(file, content) {
      await named(name, file, "write", async () => {
        const handle = await folder.getFileHandle(file, { create: true });
        if (typeof handle.createWritable !== "function") throw noWriting(name);
        // What is written lies beside the file, and takes its place when it is closed.
        const writable = await handle.createWritable();
        try {
          const pieces = content instanceof Uint8Array ? [content] : content;
          for await (const piece of pieces) await writable.write(piece as Uint8Array<ArrayBuffer>);
          await writable.close();
        } catch (error) {
          await writable.abort().catch(() => undefined);
          throw error;
        }
      });
    },
    async remove(file) {
      await named(name, file, "remove", () => folder.removeEntry(file));
    },
    async list() {
      const files: string[] = [];
      await named(name, "", "read", async () => {
        for await (const [file, handle] of entriesOf(folder)) if (handle.kind === "file") files.push(file);
      });
      return files;
    },
    lock: () => lockName(name),
  };
}

/** Not every version of TypeScript's own library has it. */
const entriesOf = (folder: FileSystemDirectoryHandle): AsyncIterable<[string, FileSystemHandle]> =>
  (folder as unknown as { entries(): AsyncIterable<[string, FileSystemHandle]> }).entries();

/** Bytes of a file, or of a part of one. */
function blobSource(where: string, blob: Blob): IndexSource {
  return {
    size: blob.size,
    async read(offset, length) {
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        throw new IoError(`cannot read ${where}: ${(cause as Error).message}`, { cause });
      }
    },
  };
}

/** What the work gives; null where there is no such file. */
async function named<T>(name: string, file: string, what: string, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if ((error as Error).name === "NotFoundError") return null;
    throw storageError(file ? `${name}: ${file}` : name, what, error);
  }
}

/** What browsers say of storage, in plain words. */
function storageError(where: string, what: string, cause: unknown): StrataError {
  const { name, message, code } = cause as DOMException & { code?: unknown };
  if (typeof code === "string") return cause as StrataError;
  if (name === "QuotaExceededError")
    return new LimitError(
      `cannot ${what} ${where}: the storage that the browser gives this page is full; take pictures out of the index, free ` +
        "space on the disk, or save the index as files and begin another one",
      { cause },
    );
  if (name === "SecurityError" || name === "NotAllowedError" || name === "InvalidStateError")
    return new UnsupportedError(
      `cannot ${what} ${where}: the browser keeps nothing for this page (${message}); leave the private window, or allow the ` +
        "page to keep data",
      { cause },
    );
  return new IoError(`cannot ${what} ${where}: ${message || name}`, { cause });
}

const noWriting = (name: string): UnsupportedError =>
  new UnsupportedError(
    `${name}: this browser cannot write files of its own (createWritable); Chrome 86, Firefox 111 and Safari 26 can`,
  );

/** One writer at a time among the tabs of this place. */
async function lockName(name: string): Promise<{ release(): Promise<void> }> {
  const { locks } = navigator;
  // Insecure pages have none, nor storage of their own.
  if (!locks) return { release: async () => undefined };
  return new Promise((resolve, reject) => {
    const ended = locks.request(`strata-index ${name}`, { ifAvailable: true }, (lock) => {
      if (!lock) {
        reject(new IoError(`${name} is being written in another tab; close that one, and load this page again`));
        return undefined;
      }
      return new Promise<void>((done) => {
        resolve({
          async release() {
            done();
            await ended;
          },
        });
      });
    });
    ended.catch(reject);
  });
}
