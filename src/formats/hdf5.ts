/**
 * A small door to HDF5 through h5wasm (the HDF5 library compiled to WASM, 4 MB, loaded on first use). Files live in the
 * WASM module's memory file system only, so links to other files lead nowhere. What is read is checked before memory is
 * taken for it; whatever goes wrong inside the library becomes a FormatError.
 */

import { checkBytes } from "../check.js";
import { FormatError, StateError, StrataError } from "../errors.js";
import { withinLimits } from "../limits.js";
import { Hdf5File } from "./hdf5-file.js";
import { atFixedTime, clearReport, type Loaded, loadHdf5, type Module, reportedReason } from "./hdf5-library.js";
import { checkByteLimit } from "./ndarray.js";

let fileNumber = 0;
/** After a crash the library's memory cannot be trusted, and it cannot be loaded a second time. */
let hasCrashed = false;

/** Whether these are an HDF5 file's first bytes. */
export function isHdf5(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(0, 8)) === "\x89HDF\r\n\x1a\n";
}

/** A file of Emscripten's memory file system, of which only the first bytes are used. Its types leave it out. */
interface Node {
  contents: Uint8Array | null;
  usedBytes: number;
  node_ops: { setattr(node: Node, attributes: { size?: number }): void };
}

const nodeOf = (module: Module, path: string): Node =>
  (module.FS as unknown as { lookupPath(path: string): { node: Node } }).lookupPath(path).node;

/**
 * Takes memory for a new file once. By itself the file system grows it by eighths, which leaves nine times the file as
 * garbage, and copies it whole when HDF5 cuts it to its length at the end.
 */
function reserve(node: Node, bytes: number): void {
  node.contents = new Uint8Array(bytes);
  const { setattr } = node.node_ops;
  node.node_ops = {
    ...node.node_ops,
    setattr(file, attributes) {
      const { size } = attributes;
      if (size === undefined || !file.contents || size > file.contents.length) return setattr(file, attributes);
      // What is cut off must be zeros if the file grows again.
      file.contents.fill(0, size, file.usedBytes);
      file.usedBytes = size;
    },
  };
}

/**
 * Makes an HDF5 file: `fill` gets it, open for writing; the result is its bytes. `base` is a file to add to. `expected` is
 * about how many bytes a new file will have, where that is known.
 */
export async function createHdf5(
  where: string,
  base: Uint8Array | null,
  fill: (file: Hdf5File) => void | Promise<void>,
  expected = 0,
): Promise<Uint8Array> {
  if (base !== null) checkBytes(where, base);
  const loaded = await loadHdf5();
  return withFile(where, loaded, base, base ? "a" : "w", 0, async (file, path) => {
    const node = nodeOf(loaded.module, path);
    if (base === null && expected > 0) reserve(node, expected);
    await fill(file);
    file.close();
    // The file is removed now, so its memory is the caller's; what may be small comes as an array of its own.
    const content = node.contents?.subarray(0, node.usedBytes) ?? new Uint8Array(0);
    return expected > 0 ? content : content.slice();
  });
}

/** Opens the bytes of an HDF5 file for reading. At most `limit` bytes of data are given out in all. */
export async function openHdf5<T>(
  where: string,
  bytes: Uint8Array,
  limit: number,
  read: (file: Hdf5File) => T,
): Promise<T> {
  checkBytes(where, bytes);
  checkByteLimit(where, 0, limit);
  return withFile(where, await loadHdf5(), bytes, "r", limit, async (file) => read(file));
}

/** Opens, uses and in any case closes and removes the file in memory. */
async function withFile<T>(
  where: string,
  loaded: Loaded,
  bytes: Uint8Array | null,
  mode: "r" | "a" | "w",
  limit: number,
  use: (file: Hdf5File, path: string) => Promise<T>,
): Promise<T> {
  if (hasCrashed) {
    throw new StateError(`${where}: the HDF5 library crashed on a damaged file before; start the program again`);
  }
  const { library, module } = loaded;
  const path = `/strata-${fileNumber++}.h5`;
  let file: Hdf5File | undefined;
  clearReport();
  try {
    if (bytes) await withinLimits(() => module.FS.writeFile(path, bytes), { what: where });
    // Format of HDF5 1.8 (2008): compact groups, read by everything in use.
    const options = mode === "r" ? {} : { libver: ["v108", "latest"] as ["v108", "latest"] };
    const opened = atFixedTime(() => new library.File(path, mode, options));
    if (opened.file_id < 0) throw new Error("cannot be opened");
    file = new Hdf5File(where, loaded, opened, limit, bytes?.length ?? 0);
    return await use(file, path);
  } catch (cause) {
    if (cause instanceof StrataError) throw cause;
    if (cause instanceof WebAssembly.RuntimeError) hasCrashed = true;
    throw new FormatError(`${where}: not a readable HDF5 file (${reportedReason(cause)})`, { cause });
  } finally {
    try {
      file?.close();
    } catch {
      // The error that led here is the one to report.
    }
    if (module.FS.analyzePath(path, false).exists) module.FS.unlink(path);
  }
}
