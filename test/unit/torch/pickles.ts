/** Pickles and checkpoints put together by hand, opcode by opcode, for tests of the readers. */
import { writeZip } from "../../../src/formats/zip.js";

/** Bytes of a text whose characters are bytes. */
export const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

const littleEndian = (value: number, bytes: number): string =>
  String.fromCharCode(...Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256));

/** Opcodes as text; a pickle is their concatenation, ended by ".". */
export const int = (value: number): string => `J${littleEndian(value, 4)}`;
export const text = (value: string): string => `X${littleEndian(value.length, 4)}${value}`;
export const short = (value: string): string => `\x8c${littleEndian(value.length, 1)}${value}`;
export const global = (module: string, name: string): string => `c${module}\n${name}\n`;
export const stackGlobal = (module: string, name: string): string => `${short(module)}${short(name)}\x93`;
export const tuple = (...items: string[]): string => `(${items.join("")}t`;
export const list = (...items: string[]): string => `](${items.join("")}e`;
export const dict = (entries: Record<string, string>): string =>
  `}(${Object.entries(entries)
    .map(([key, value]) => text(key) + value)
    .join("")}u`;
export const call = (callee: string, ...args: string[]): string => `${callee}${tuple(...args)}R`;

export interface TensorSpec {
  /** Storage class, e.g. "FloatStorage". */
  storage: string;
  key: string;
  /** Values in the storage. */
  count: number;
  offset?: number;
  shape: number[];
  strides: number[];
}

/** A tensor as `torch.save` pickles it. */
export function tensor({ storage, key, count, offset = 0, shape, strides }: TensorSpec): string {
  const id = tuple(text("storage"), global("torch", storage), text(key), text("cpu"), int(count));
  return call(
    global("torch._utils", "_rebuild_tensor_v2"),
    `${id}Q`,
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    "\x89",
    call(global("collections", "OrderedDict")),
  );
}

/** A checkpoint in the zip format: the pickle and the storages by key. */
export function checkpoint(root: string, storages: Record<string, Uint8Array> = {}, compress = false): Uint8Array {
  const files: [string, Uint8Array][] = [["archive/data.pkl", latin1(`\x80\x02${root}.`)]];
  for (const [key, bytes] of Object.entries(storages)) files.push([`archive/data/${key}`, bytes]);
  return writeZip(files, { compress });
}

/** The bytes of numbers in a typed array. */
export const raw = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
