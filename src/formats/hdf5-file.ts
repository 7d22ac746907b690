/** What is in an open HDF5 file, read and written with checks before memory is taken for it. */

import type { File } from "h5wasm";
import { FormatError, LimitError, OptionError, UnsupportedError } from "../errors.js";
import { encodeUtf8 } from "./bytes.js";
import { atFixedTime, type Loaded, reportedReason } from "./hdf5-library.js";
import { checkByteLimit, countOf, type DType, itemSize, type NdArray, viewOf } from "./ndarray.js";

/** No compression in common use does better (deflate: 1032 : 1); a larger claim is not believed. */
const MAX_RATIO = 1032;

/** Longest text of an attribute in bytes that is read: what HDF5 keeps beside an object. */
const MAX_TEXT = 65_000;

/** Deepest nesting of groups that is followed; image paths are a few folders deep. */
const MAX_DEPTH = 32;

/** An open HDF5 file: groups by path ("a/b"), datasets as NdArrays. */
export class Hdf5File {
  private left: number;
  private isOpen = true;

  constructor(
    readonly where: string,
    private readonly loaded: Loaded,
    private readonly file: File,
    limit: number,
    private readonly fileBytes: number,
  ) {
    this.left = limit;
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    atFixedTime(() => this.file.close());
  }

  /** Whether there is a dataset at `path`. */
  hasDataset(path: string): boolean {
    return this.file.get(path) instanceof this.loaded.library.Dataset;
  }

  /** Names of the datasets outside of all groups. */
  rootDatasets(): string[] {
    return this.file.keys().filter((name) => this.hasDataset(name));
  }

  /** Makes the group at `path` and those above it, as far as they are not there. */
  makeGroup(path: string): void {
    let at = "";
    for (const part of path.split("/")) {
      at = at === "" ? part : `${at}/${part}`;
      const group = this.file.get(at) ?? atFixedTime(() => this.file.create_group(at));
      if (!(group instanceof this.loaded.library.Group)) {
        throw new OptionError(`${this.where}: "${at}" cannot be a group, the file has something else there`);
      }
    }
  }

  /** Writes an array of 32- or 64-bit floats or of integers; the path's group must be there. */
  write(path: string, array: NdArray): void {
    const { dtype, shape, data } = array;
    if (dtype === "float16" || dtype === "bfloat16" || dtype === "bool") {
      throw new UnsupportedError(`${this.where}: "${path}": ${dtype} cannot be written; convert it first`);
    }
    // The library reports a failure on its standard error only, so look whether it is there.
    atFixedTime(() => this.file.create_dataset({ name: path, data, shape }));
    if (!this.hasDataset(path))
      throw new OptionError(`${this.where}: "${path}" cannot be written (${reportedReason(null)})`);
  }

  /** Notes `text` as an attribute of the group at `path`, where readers of datasets do not see it. */
  writeText(path: string, name: string, text: string): void {
    const bytes = encodeUtf8(text).length;
    if (bytes > MAX_TEXT) throw new LimitError(`${this.where}: ${bytes} bytes are too many for an attribute`);
    const group = this.file.get(path);
    if (group instanceof this.loaded.library.Group) {
      atFixedTime(() => group.create_attribute(name, text, [], `S${Math.max(1, bytes)}`));
    }
    if (this.readText(path, name) !== text) {
      throw new OptionError(
        `${this.where}: "${path}": the attribute "${name}" cannot be written (${reportedReason(null)})`,
      );
    }
  }

  /** The text that `writeText` noted; null where there is no such attribute, or another kind of one. */
  readText(path: string, name: string): string | null {
    const { library, module } = this.loaded;
    const group = this.file.get(path);
    if (!(group instanceof library.Group)) return null;
    if (!module.get_attribute_names(this.file.file_id, path).includes(name)) return null;
    const { type, size, vlen, shape } = module.get_attribute_metadata(this.file.file_id, path, name);
    if (type !== STRING || vlen || shape?.length !== 0 || size > MAX_TEXT) return null;
    const pointer = module._malloc(size + 1);
    if (pointer === 0) throw new LimitError(`${this.where}: ${size} bytes are more than HDF5's memory has left`);
    try {
      module.HEAPU8.fill(0, pointer, pointer + size + 1);
      module.get_attribute_data(this.file.file_id, path, name, BigInt(pointer));
      const bytes = module.HEAPU8.slice(pointer, pointer + size);
      const end = bytes.indexOf(0);
      return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
    } finally {
      module._free(pointer);
    }
  }

  /**
   * Visits every group below the root, parents first, with the names of its datasets. Links may form circles, so no more
   * are followed than the file has room for.
   */
  visit(visitor: (path: string, datasets: string[]) => void): void {
    const { Dataset, Group } = this.loaded.library;
    let room = 64 + this.fileBytes / 8;
    const walk = (path: string, depth: number): void => {
      if (depth > MAX_DEPTH) {
        throw new FormatError(
          `${this.where}: groups are nested more than ${MAX_DEPTH} deep, or the file's links form a circle`,
        );
      }
      const group = this.file.get(path === "" ? "/" : path);
      if (!(group instanceof Group)) throw new FormatError(`${this.where}: the group "${path}" is damaged`);
      const datasets: string[] = [];
      const groups: string[] = [];
      for (const name of group.keys()) {
        if (--room < 0) throw new FormatError(`${this.where}: the file's links form a circle`);
        const child = path === "" ? name : `${path}/${name}`;
        const entity = this.file.get(child);
        if (entity instanceof Dataset) datasets.push(name);
        if (entity instanceof Group) groups.push(child);
      }
      if (path !== "") visitor(path, datasets);
      for (const child of groups) walk(child, depth + 1);
    };
    walk("", 0);
  }

  /**
   * The dataset at `path`, copied out: little-endian numbers only. (Big-endian ones would go through the library's
   * conversions, which read outside their memory when the type is damaged.)
   */
  read(path: string): NdArray {
    const where = `${this.where}: "${path}"`;
    const { library, module } = this.loaded;
    const dataset = this.file.get(path);
    if (!(dataset instanceof library.Dataset)) throw new FormatError(`${where} is not a dataset`);
    const { shape, chunks, type, size, signed, vlen, littleEndian } = dataset.metadata;
    const dtype = vlen ? undefined : dtypeOf(type, size, signed);
    if (!dtype) throw new UnsupportedError(`${where} does not hold plain numbers`);
    if (!littleEndian && size > 1) throw new UnsupportedError(`${where} is big-endian; write it little-endian`);
    if (shape === null) throw new FormatError(`${where} is empty`);
    const count = countOf(where, shape);
    const bytes = count * itemSize(dtype);
    const chunkBytes = chunks ? countOf(where, chunks) * itemSize(dtype) : 0;
    if (Math.max(bytes, chunkBytes) > this.fileBytes * MAX_RATIO) {
      throw new FormatError(`${where}: shape [${shape}] cannot come out of a file of ${this.fileBytes} bytes`);
    }
    checkByteLimit(where, bytes, this.left);
    this.left -= bytes;
    // The library does not fill what a file leaves out, so the memory must be zero; at least a byte, or malloc may fail.
    const pointer = module._malloc(bytes + 1);
    if (pointer === 0) throw new LimitError(`${where}: ${bytes} bytes are more than HDF5's memory has left`);
    try {
      module.HEAPU8.fill(0, pointer, pointer + bytes);
      // Asked for as a block: reading "everything" takes gigabytes when the sizes of chunks are damaged.
      const block = shape.length > 0 && count > 0;
      const status = module.get_dataset_data(
        this.file.file_id,
        path,
        block ? shape.map(BigInt) : null,
        block ? shape.map(() => 0n) : null,
        block ? shape.map(() => 1n) : null,
        BigInt(pointer),
      );
      if (status < 0) throw new FormatError(`${where} cannot be read (${reportedReason(null)})`);
      const copy = module.HEAPU8.slice(pointer, pointer + bytes);
      return { dtype, shape: [...shape], data: viewOf(copy, 0, dtype, count) };
    } finally {
      module._free(pointer);
    }
  }
}

/** HDF5's class of strings. */
const STRING = 3;

/** HDF5's classes 0 (integer) and 1 (float); h5wasm itself does not read half floats, hence this own reading. */
function dtypeOf(type: number, size: number, signed: boolean): DType | undefined {
  if (type === 1) return ({ 2: "float16", 4: "float32", 8: "float64" } as const)[size as 2 | 4 | 8];
  if (type !== 0) return undefined;
  const bits = ({ 1: 8, 2: 16, 4: 32, 8: 64 } as const)[size as 1 | 2 | 4 | 8];
  return bits && (`${signed ? "int" : "uint"}${bits}` as const);
}
