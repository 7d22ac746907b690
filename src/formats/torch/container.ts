/**
 * The two containers of `torch.save`: the zip archive (PyTorch 1.6 and later; `archive/data.pkl` and one stored member
 * per storage) and the legacy stream (pickles one after the other, then the storages). Both give the pickled value and
 * the storages' bytes, as views of the file.
 */
import { FormatError, UnsupportedError } from "../../errors.js";
import { ByteReader } from "../bytes.js";
import { itemSize } from "../ndarray.js";
import { unpickle } from "../pickle/read.js";
import type { PickleValue } from "../pickle/values.js";
import { readZip } from "../zip.js";
import { type TorchStorage, torchNames, torchStorage } from "./names.js";

export interface TorchFile {
  root: PickleValue;
  /** Bytes of each storage, exactly as many as the storage says. */
  bytesOf: (storage: TorchStorage) => Uint8Array;
  /** Length of the pickle that describes the tensors. */
  pickleLength: number;
}

/** `torch.serialization.MAGIC_NUMBER` as the legacy format's first pickle writes it. */
const LEGACY_START = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
const LEGACY_PROTOCOL = 1001;

/** Opens either container. `limit`: most bytes that members may unpack to beyond the file's own length. */
export function openTorchFile(where: string, bytes: Uint8Array, limit: number): TorchFile {
  if (bytes.length === 0) throw new FormatError(`${where}: the file is empty`);
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return openZip(where, bytes, limit);
  if (LEGACY_START.every((byte, i) => bytes[i] === byte)) return openLegacy(where, bytes);
  throw new FormatError(
    `${where}: expected a PyTorch checkpoint (torch.save; .pth, .pt, .ckpt), got other bytes (${bytes.length} of them)`,
  );
}

function openZip(where: string, bytes: Uint8Array, limit: number): TorchFile {
  const members = readZip(bytes, { limit: bytes.length + limit }, where);
  const pickle = [...members.keys()].find((name) => /^([^/]*\/)?data\.pkl$/.test(name));
  if (pickle === undefined) {
    throw new FormatError(`${where}: a zip archive, but no PyTorch checkpoint: it has no data.pkl`);
  }
  const folder = pickle.slice(0, -"data.pkl".length);
  const order = members.get(`${folder}byteorder`);
  if (order && String.fromCharCode(...order.subarray(0, 16)) !== "little") {
    throw new UnsupportedError(`${where}: written on a big-endian machine; save it again on a little-endian one`);
  }
  const data = members.get(pickle) as Uint8Array;
  const { value } = unpickle(data, {
    where,
    names: torchNames(where),
    persistent: (id) => torchStorage(where, id),
  });
  const bytesOf = (storage: TorchStorage): Uint8Array => {
    const found = members.get(`${folder}data/${storage.key}`);
    if (!found) throw new FormatError(`${where}: storage ${JSON.stringify(storage.key)} is missing`);
    return checkLength(where, storage, found);
  };
  return { root: value, bytesOf, pickleLength: data.length };
}

function openLegacy(where: string, bytes: Uint8Array): TorchFile {
  const names = torchNames(where);
  const known = new Map<string, TorchStorage>();
  let at = LEGACY_START.length;
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
  if (protocol !== LEGACY_PROTOCOL) throw new FormatError(`${where}: the legacy protocol is not ${LEGACY_PROTOCOL}`);
  const system = next();
  if (!(system instanceof Map) || system.get("little_endian") !== true) {
    throw new UnsupportedError(`${where}: written on a big-endian machine; save it again on a little-endian one`);
  }
  const start = at;
  const root = next();
  const pickleLength = at - start;
  const keys = next();
  if (!Array.isArray(keys)) throw new FormatError(`${where}: the list of storages is missing`);

  const reader = new ByteReader(where, bytes);
  reader.skip(at, "storages");
  const found = new Map<string, Uint8Array>();
  for (const key of keys) {
    const storage = typeof key === "string" ? known.get(key) : undefined;
    if (!storage || found.has(storage.key)) throw new FormatError(`${where}: the list of storages is damaged`);
    const count = reader.u64("length of a storage");
    found.set(storage.key, reader.take(count * itemSize(storage.dtype), `storage of ${count} values`));
  }
  const bytesOf = (storage: TorchStorage): Uint8Array => {
    const data = found.get(storage.key);
    if (!data) throw new FormatError(`${where}: storage ${JSON.stringify(storage.key)} is missing`);
    return checkLength(where, storage, data);
  };
  return { root, bytesOf, pickleLength };
}

function checkLength(where: string, storage: TorchStorage, bytes: Uint8Array): Uint8Array {
  const wanted = storage.count * itemSize(storage.dtype);
  if (bytes.length === wanted) return bytes;
  throw new FormatError(
    `${where}: storage ${JSON.stringify(storage.key)} needs ${wanted} bytes (${storage.count} × ${storage.dtype}), ` +
      `${bytes.length} are there`,
  );
}
