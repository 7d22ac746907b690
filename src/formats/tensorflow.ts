/**
 * TensorFlow's checkpoints (V2, the "tensor bundle"): an index, and one or more files with the tensors' bytes. Of a
 * SavedModel they are the files in `variables/`. Every checksum is compared, the index's and the tensors'.
 */
import { checkBytes, checkFunction } from "../check.js";
import { FormatError, LimitError } from "../errors.js";
import { withDefaults } from "../options.js";
import { maskedCrc32c } from "./crc32c.js";
import { type NdArray, viewOf } from "./ndarray.js";
import { type ByteSource, type Bytes, readRange, sourceOf } from "./source.js";
import { type BundleEntry, readBundle } from "./tensorflow/bundle.js";
import { isTable } from "./tensorflow/table.js";

/** Tensors of a TensorFlow checkpoint. */
export interface TensorflowCheckpoint {
  /** The tensors by name, in the index's order (that of their names' bytes). */
  tensors: Map<string, NdArray>;
  /** Tensors of text, which are not read: what they are, by name. */
  meta: Record<string, string>;
}

/** Limits of reading them. */
export interface TensorflowOptions {
  /** Longest index in bytes; default 64 MiB (a ResNet-50's has 20 kB). */
  limit?: number;
  /** How the checkpoint is called in errors; default "readTensorflowCheckpoint". */
  name?: string;
}

/** What a shard's file is called, after the checkpoint's name. */
export function shardSuffix(shard: number, shards: number): string {
  const number = (value: number) => String(value).padStart(5, "0");
  return `.data-${number(shard)}-of-${number(shards)}`;
}

/** Whether bytes end as a checkpoint's index does. */
export function isTensorflowIndex(bytes: Bytes): boolean {
  const source = sourceOf(bytes);
  return source.size >= 8 && isTable(source.read(source.size - 8, 8));
}

/**
 * The tensors of a checkpoint. `index`: the bytes of its `.index` file; `shard` gives the file with that suffix
 * (".data-00000-of-00001"), undefined where it is missing; only shards that hold a tensor are asked for.
 *
 * Kernels are as TensorFlow keeps them, [height, width, in, out]. FormatError for damage and missing shards,
 * UnsupportedError (naming the tensor) for slices of partitioned variables and types without a typed array, and for
 * big-endian files.
 */
export function readTensorflowCheckpoint(
  index: Uint8Array,
  shard: (suffix: string) => Bytes | undefined,
  options: TensorflowOptions = {},
): TensorflowCheckpoint {
  checkBytes("readTensorflowCheckpoint", index);
  checkFunction("readTensorflowCheckpoint", "shard", shard);
  const { limit, name: where } = withDefaults<Required<TensorflowOptions>>(
    "readTensorflowCheckpoint",
    { limit: 2 ** 26, name: "readTensorflowCheckpoint" },
    options,
  );
  if (index.length > limit) {
    throw new LimitError(`${where}: an index of ${index.length} bytes, over the limit of ${limit}`);
  }
  const { shards, entries, texts } = readBundle(where, index);
  const files = new Map<number, ByteSource>();
  for (const number of new Set(entries.map((entry) => entry.shard))) {
    const suffix = shardSuffix(number, shards);
    const found = shard(suffix);
    if (!found) throw new FormatError(`${where}: shard ${number + 1} of ${shards} ("…${suffix}") is missing`);
    const file = sourceOf(found);
    files.set(number, file);
    checkRoom(
      `${where}: shard "…${suffix}"`,
      file,
      entries.filter((entry) => entry.shard === number),
    );
  }
  const tensors = new Map<string, NdArray>();
  for (const entry of entries) {
    const { name, dtype, shape, count } = entry;
    const data = readTensor(where, files.get(entry.shard) as ByteSource, entry);
    tensors.set(name, { dtype, shape, data: viewOf(data, 0, dtype, count) });
  }
  const meta = texts.map(({ name, shape }) => [name, `tensor string [${shape.join(", ")}]`]);
  return { tensors, meta: Object.fromEntries(meta) };
}

/** No two tensors share bytes, so together they are no longer than their file. Said before any is read. */
function checkRoom(where: string, file: ByteSource, entries: BundleEntry[]): void {
  const end = entries.reduce((most, entry) => Math.max(most, entry.offset + entry.size), 0);
  if (end > file.size) {
    throw new FormatError(`${where} has ${file.size} bytes, the index needs ${end}; it is truncated or another's`);
  }
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  if (total > file.size) {
    throw new FormatError(`${where} has ${file.size} bytes, its tensors take ${total}; the index is damaged`);
  }
}

function readTensor(where: string, file: ByteSource, { name, offset, size, crc }: BundleEntry): Uint8Array {
  const own = `${where}: ${JSON.stringify(name)}`;
  const data = readRange(own, file, offset, size, "data");
  if (maskedCrc32c(data) === crc) return data;
  throw new FormatError(`${own} does not match its checksum; the checkpoint is damaged`);
}
