/**
 * The two containers of `torch.save`: the zip archive (PyTorch 1.6 and later; `archive/data.pkl` and one stored member
 * per storage) and the legacy stream (pickles one after the other, then the storages). Both give the pickled value, and
 * each storage's bytes when they are asked for: what no tensor needs is not read.
 */
import { FormatError, UnsupportedError } from "../../errors.js";
import { itemSize } from "../ndarray.js";
import { unpickle } from "../pickle/read.js";
import type { PickleValue } from "../pickle/values.js";
import type { ByteSource } from "../source.js";
import { openZip } from "../zip.js";
import { isLegacy, openLegacy } from "./legacy.js";
import { torchNames } from "./names.js";
import { type TorchContents, type TorchStorage, torchStorage } from "./storage.js";

export interface TorchFile {
  root: PickleValue;
  /** Bytes of each storage, exactly as many as the storage says. */
  bytesOf: (storage: TorchStorage) => Uint8Array;
  /** Length of the pickle that describes the tensors. */
  pickleLength: number;
}

/** Opens either container. `limit`: most bytes that members may unpack to beyond the file's own length. */
export function openTorchFile(where: string, source: ByteSource, limit: number): TorchFile {
  if (source.size === 0) throw new FormatError(`${where}: the file is empty`);
  const start = source.read(0, Math.min(16, source.size));
  const isZip = start[0] === 0x50 && start[1] === 0x4b;
  if (!isZip && !isLegacy(start)) {
    throw new FormatError(
      `${where}: expected a PyTorch checkpoint (torch.save; .pth, .pt, .ckpt), got other bytes (${source.size} of them)`,
    );
  }
  const { root, read, pickleLength } = isZip ? openArchive(where, source, limit) : openLegacy(where, source);
  const known = new Map<string, Uint8Array>();
  const bytesOf = (storage: TorchStorage): Uint8Array => {
    const { key, count, dtype } = storage;
    const data = known.get(key) ?? read(key);
    if (!data) throw new FormatError(`${where}: storage ${JSON.stringify(key)} is missing`);
    known.set(key, data);
    const wanted = count * itemSize(dtype);
    if (data.length === wanted) return data;
    throw new FormatError(
      `${where}: storage ${JSON.stringify(key)} needs ${wanted} bytes (${count} × ${dtype}), ${data.length} are there`,
    );
  };
  return { root, bytesOf, pickleLength };
}

function openArchive(where: string, source: ByteSource, limit: number): TorchContents {
  const archive = openZip(where, source, source.size + limit);
  const pickle = archive.names.find((name) => /^([^/]*\/)?data\.pkl$/.test(name));
  if (pickle === undefined) {
    throw new FormatError(`${where}: a zip archive, but no PyTorch checkpoint: it has no data.pkl`);
  }
  const folder = pickle.slice(0, -"data.pkl".length);
  const order = archive.read(`${folder}byteorder`);
  if (order && String.fromCharCode(...order.subarray(0, 16)) !== "little") {
    throw new UnsupportedError(`${where}: written on a big-endian machine; save it again on a little-endian one`);
  }
  const data = archive.read(pickle) as Uint8Array;
  const { value } = unpickle(data, {
    where,
    names: torchNames(where),
    persistent: (id) => torchStorage(where, id),
  });
  return { root: value, read: (key) => archive.read(`${folder}data/${key}`), pickleLength: data.length };
}
