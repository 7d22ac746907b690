/**
 * PyTorch checkpoints, read without PyTorch and without executing anything: state dicts and Lightning's `.ckpt`, in the
 * zip and the legacy format of `torch.save`. Only storages that a tensor of the state dict needs are read. Contiguous
 * tensors are views of the file's own bytes, so a checkpoint costs no more memory than itself; keep the bytes unchanged
 * while the tensors are used.
 */
import { FormatError } from "../errors.js";
import { withDefaults } from "../options.js";
import { checkByteLimit, type DType, itemSize, type NdArray, type TypedArray, viewOf, zerosOf } from "./ndarray.js";
import { PickleForeign, PickleName, PickleRecord, type PickleValue } from "./pickle/values.js";
import { type Bytes, sourceOf } from "./source.js";
import { openTorchFile, type TorchFile } from "./torch/container.js";
import { type TorchStorage, TorchTensor } from "./torch/storage.js";

/** Plain data, as JSON has it. */
export type PlainValue = null | boolean | number | string | PlainValue[] | { [key: string]: PlainValue };

/** What a PyTorch file holds. */
export interface TorchCheckpoint {
  /** The tensors by name, in the file's order; nested dictionaries are joined with ".". */
  tensors: Map<string, NdArray>;
  /** What else the file holds: epoch, hyper-parameters, …; tensors in it are only described. */
  meta: Record<string, PlainValue>;
}

/** Limits of reading it. */
export interface TorchOptions {
  /** Most bytes of memory beyond the file's own (copies of strided tensors, inflated members); default 64 MiB + 4 × file. */
  limit?: number;
  /** How the file is called in errors; default "readTorchCheckpoint". */
  name?: string;
}

/** Deepest nesting of dictionaries and lists. */
const MAX_DEPTH = 64;

/** Longest name of a tensor, characters. */
const MAX_NAME = 1000;

/**
 * The state dict of a PyTorch file: of a Lightning checkpoint its `state_dict`, otherwise the dictionary itself.
 * float16 and bfloat16 stay as their bits (`toFloat32` converts). Throws a FormatError for damage and for a pickle that
 * names any class not known to be harmless, an UnsupportedError for data types without a typed array (complex, quantized,
 * 8-bit floats), a LimitError above `limit`.
 */
export function readTorchCheckpoint(bytes: Bytes, options: TorchOptions = {}): TorchCheckpoint {
  const source = sourceOf(bytes);
  const { limit, name: where } = withDefaults<Required<TorchOptions>>(
    "readTorchCheckpoint",
    { limit: 2 ** 26 + 4 * source.size, name: "readTorchCheckpoint" },
    options,
  );
  const file = openTorchFile(where, source, limit);
  const { root } = file;
  if (!(root instanceof Map)) {
    const kind = root instanceof PickleForeign ? root.describe() : Array.isArray(root) ? "list" : typeof root;
    throw new FormatError(`${where}: expected a state dict (a dictionary of tensors), the file holds a ${kind}`);
  }
  const wrapped = root.get("state_dict");
  const dict = wrapped instanceof Map ? wrapped : root;
  const walk = new Walk(where, file.pickleLength);
  const tensors = new Map<string, NdArray>();
  const materialise = tensorReader(where, file, limit);
  const meta: [string, PlainValue][] = [];
  if (dict !== root) {
    for (const [key, value] of root) if (value !== dict) meta.push([walk.key(key), walk.plain(value)]);
  }
  walk.leaves(dict, (name, value) => {
    if (!(value instanceof TorchTensor)) meta.push([name, walk.plain(value)]);
    else if (tensors.has(name)) throw new FormatError(`${where}: two tensors are called ${JSON.stringify(name)}`);
    else tensors.set(name, materialise(value));
  });
  // fromEntries defines properties: a key such as "__proto__" stays plain data.
  return { tensors, meta: Object.fromEntries(meta) };
}

/** Turns described tensors into arrays. Storages are shared; what has to be copied is counted against `limit`. */
function tensorReader(where: string, file: TorchFile, limit: number): (tensor: TorchTensor) => NdArray {
  const storages = new Map<string, TypedArray>();
  let copied = 0;
  const spend = (bytes: number) => {
    copied += bytes;
    checkByteLimit(where, copied, limit);
  };
  const open = (storage: TorchStorage, dtype: DType): TypedArray => {
    const id = `${dtype} ${storage.dtype} ${storage.count} ${storage.key}`;
    let data = storages.get(id);
    if (!data) {
      const bytes = file.bytesOf(storage);
      if (bytes.byteOffset % itemSize(dtype) !== 0) spend(bytes.length);
      data = viewOf(bytes, 0, dtype, Math.floor(bytes.length / itemSize(dtype)));
      storages.set(id, data);
    }
    return data;
  };
  return (tensor) => {
    const { storage, dtype, offset, count } = tensor;
    const source = open(storage, dtype);
    const shape = [...tensor.shape];
    if (isContiguous(tensor)) return { dtype, shape, data: source.subarray(offset, offset + count) };
    spend(count * itemSize(dtype));
    return { dtype, shape, data: gather(source, tensor) };
  };
}

/** Whether the values lie in row-major order without gaps; the stride of an axis of size 1 says nothing. */
function isContiguous({ shape, strides, count }: TorchTensor): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return count === 0;
    step *= shape[axis];
  }
  return true;
}

/** A row-major copy of a strided view. */
function gather(source: TypedArray, { dtype, offset, shape, strides, count }: TorchTensor): TypedArray {
  const out = zerosOf(dtype, count);
  const index = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < count; to++) {
    out[to] = source[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

/** Walks what was unpickled. A pickle can share and nest one value so often that a walk never ends: visits are counted. */
class Walk {
  private visits = 0;
  private readonly maxVisits: number;

  constructor(
    private readonly where: string,
    pickleLength: number,
  ) {
    // A value takes at least a byte of pickle; some sharing (tuples of settings) is usual.
    this.maxVisits = 100_000 + 4 * pickleLength;
  }

  /** Calls `visit` for whatever is no dictionary, with the keys that lead to it joined by ".". */
  leaves(
    dict: Map<PickleValue, PickleValue>,
    visit: (name: string, value: PickleValue) => void,
    prefix = "",
    depth = 0,
  ): void {
    for (const [key, value] of dict) {
      this.count(depth);
      const name = prefix + this.key(key);
      if (name.length > MAX_NAME) throw new FormatError(`${this.where}: a tensor's name is longer than ${MAX_NAME}`);
      if (value instanceof Map) this.leaves(value, visit, `${name}.`, depth + 1);
      else visit(name, value);
    }
  }

  /** The text of a dictionary's key; keys that are no simple value (tuples in an optimizer's notes) say their kind. */
  key(key: PickleValue): string {
    if (key instanceof PickleName) return key.name;
    if (key instanceof PickleForeign) return key.describe();
    return typeof key === "object" && key !== null ? "(tuple)" : String(key);
  }

  plain(value: PickleValue, depth = 0): PlainValue {
    this.count(depth);
    if (value instanceof PickleName) return value.name;
    if (value instanceof PickleForeign) return value.describe();
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    if (typeof value === "bigint") return String(value);
    if (Array.isArray(value)) return value.map((item) => this.plain(item, depth + 1));
    const map = value instanceof PickleRecord ? value.fields : value;
    if (!(map instanceof Map)) return map;
    return Object.fromEntries([...map].map(([key, item]) => [this.key(key), this.plain(item, depth + 1)]));
  }

  private count(depth: number): void {
    if (++this.visits > this.maxVisits || depth > MAX_DEPTH) {
      throw new FormatError(`${this.where}: the pickle nests or repeats its values without end`);
    }
  }
}
