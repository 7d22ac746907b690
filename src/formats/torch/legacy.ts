/**
 * The stream that `torch.save` wrote before PyTorch 1.6 (and torchvision's older weights still are): a magic number, a
 * protocol, the machine, the value and the list of storages, each a pickle of its own, then per storage its length and
 * its bytes. The pickles' lengths are written nowhere.
 */
import { FormatError, UnsupportedError } from "../../errors.js";
import { ByteReader } from "../bytes.js";
import { itemSize } from "../ndarray.js";
import { unpickle } from "../pickle/read.js";
import type { PickleValue } from "../pickle/values.js";
import { type ByteSource, readRange } from "../source.js";
import { torchNames } from "./names.js";
import { type TorchContents, type TorchStorage, torchStorage } from "./storage.js";

/** `torch.serialization.MAGIC_NUMBER` as the first pickle writes it. */
const START = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const PROTOCOL = 1001;

/** How much is read first in search of the pickles' end; a ResNet-50's take 50 kB. */
const FIRST_PIECE = 2 ** 20;

/** Whether a file that begins with these bytes is such a stream. */
export const isLegacy = (start: Uint8Array): boolean => START.every((byte, i) => start[i] === byte);

export function openLegacy(where: string, source: ByteSource): TorchContents {
  const { root, keys, known, pickleLength, end } = readPickles(where, source);
  const places = new Map<string, { offset: number; length: number }>();
  let at = end;
  for (const key of keys) {
    const storage = typeof key === "string" ? known.get(key) : undefined;
    if (!storage || places.has(storage.key)) throw new FormatError(`${where}: the list of storages is damaged`);
    const count = new ByteReader(where, readRange(where, source, at, 8, "a storage's length")).u64("storage's length");
    const place = { offset: at + 8, length: count * itemSize(storage.dtype) };
    at = place.offset + place.length;
    if (at > source.size) {
      const left = source.size - place.offset;
      throw new FormatError(
        `${where}: storage ${JSON.stringify(storage.key)} of ${count} values needs ${place.length} bytes, ${left} are left; the file is truncated or damaged`,
      );
    }
    places.set(storage.key, place);
  }
  const read = (key: string) => {
    const place = places.get(key);
    return place && readRange(where, source, place.offset, place.length, "a storage");
  };
  return { root, read, pickleLength };
}

interface Pickles {
  root: PickleValue;
  keys: PickleValue[];
  known: Map<string, TorchStorage>;
  pickleLength: number;
  /** Where the last one ended. */
  end: number;
}

/** The pickles, out of as much of the file's beginning as they turn out to need. */
function readPickles(where: string, source: ByteSource): Pickles {
  for (let length = FIRST_PIECE; length < source.size; length *= 8) {
    try {
      return parsePickles(where, source.read(0, length));
    } catch (error) {
      // Perhaps only cut off by us; what is really wrong is still wrong in the next, longer piece.
      if (!(error instanceof FormatError)) throw error;
    }
  }
  return parsePickles(where, source.read(0, source.size));
}

function parsePickles(where: string, bytes: Uint8Array): Pickles {
  const names = torchNames(where);
  const known = new Map<string, TorchStorage>();
  let at = START.length;
  const next = () => {
    const { value, end } = unpickle(bytes, { where, names, persistent }, at);
    at = end;
    return value;
  };
  const persistent = (id: PickleValue) => {
    const storage = torchStorage(where, id);
    known.set(storage.key, storage);
    return storage;
  };
  const protocol = next();
  if (protocol !== PROTOCOL) throw new FormatError(`${where}: the legacy protocol is not ${PROTOCOL}`);
  const system = next();
  if (!(system instanceof Map) || system.get("little_endian") !== true) {
    throw new UnsupportedError(`${where}: written on a big-endian machine; save it again on a little-endian one`);
  }
  const start = at;
  const root = next();
  const pickleLength = at - start;
  const keys = next();
  if (!Array.isArray(keys)) throw new FormatError(`${where}: the list of storages is missing`);
  return { root, keys, known, pickleLength, end: at };
}
