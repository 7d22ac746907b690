/**
 * The harmless names that a PyTorch checkpoint may contain, and what each stands for here. The list is closed: PyTorch's
 * own `weights_only` loading draws the same line. Nothing is imported and nothing is called but the functions below.
 */
import { FormatError } from "../../errors.js";
import { countOf, type DType } from "../ndarray.js";
import { PickleForeign, PickleName, PickleRecord, type PickleValue } from "../pickle/values.js";

/** Storage classes and the type of what they hold. */
const STORAGES: Record<string, DType> = {
  "torch.FloatStorage": "float32",
  "torch.DoubleStorage": "float64",
  "torch.HalfStorage": "float16",
  "torch.BFloat16Storage": "bfloat16",
  "torch.LongStorage": "int64",
  "torch.IntStorage": "int32",
  "torch.ShortStorage": "int16",
  "torch.CharStorage": "int8",
  "torch.ByteStorage": "uint8",
  "torch.BoolStorage": "bool",
};

/** A flat run of values that tensors are views of; its bytes lie elsewhere in the file, under `key`. */
export class TorchStorage extends PickleForeign {
  constructor(
    readonly dtype: DType,
    readonly key: string,
    /** Number of values. */
    readonly count: number,
  ) {
    super();
  }
  describe(): string {
    return `storage ${this.dtype} [${this.count}]`;
  }
}

/** A tensor as the pickle describes it: a strided view of a storage. Checked: it lies inside the storage. */
export class TorchTensor extends PickleForeign {
  constructor(
    readonly storage: TorchStorage,
    /** Where it begins, in values. */
    readonly offset: number,
    readonly shape: readonly number[],
    /** Steps along each axis, in values. */
    readonly strides: readonly number[],
    /** Number of values. */
    readonly count: number,
  ) {
    super();
  }
  private text?: string;
  describe(): string {
    this.text ??= `tensor ${this.storage.dtype} [${this.shape.join(", ")}]`;
    return this.text;
  }
}

/** The whitelist for `unpickle`; `where` begins every error. */
export function torchNames(where: string): Map<string, ((args: PickleValue[]) => PickleValue) | null> {
  const dictionary = (args: PickleValue[]) => {
    if (args.length > 0) throw new FormatError(`${where}: a dictionary is made from arguments, which is not expected`);
    return new Map();
  };
  const first = ([value]: PickleValue[]) => value ?? [];
  const names = new Map<string, ((args: PickleValue[]) => PickleValue) | null>([
    ["collections.OrderedDict", dictionary],
    ["collections.defaultdict", () => new Map()],
    ["collections.Counter", ([counts]) => (counts instanceof Map ? counts : new Map())],
    ["builtins.set", first],
    ["__builtin__.set", first],
    ["torch.Size", first],
    ["torch.device", ([kind, index]) => `${typeof kind === "string" ? kind : "?"}${isIndex(index) ? `:${index}` : ""}`],
    ["torch._utils._rebuild_tensor", (args) => rebuildTensor(where, args)],
    ["torch._utils._rebuild_tensor_v2", (args) => rebuildTensor(where, args)],
    ["torch._utils._rebuild_parameter", ([tensor]) => checkTensor(where, tensor)],
    ["argparse.Namespace", () => new PickleRecord()],
  ]);
  for (const parsing of ["pytorch_lightning.utilities.parsing", "lightning.pytorch.utilities.parsing"]) {
    names.set(`${parsing}.AttributeDict`, dictionary);
  }
  for (const data of ["lightning_fabric.utilities.data", "lightning.fabric.utilities.data"]) {
    names.set(`${data}.AttributeDict`, dictionary);
  }
  // Early Lightning names its callbacks' classes as keys of a dictionary; they are never called.
  for (const callback of ["model_checkpoint.ModelCheckpoint", "early_stopping.EarlyStopping"]) {
    names.set(`pytorch_lightning.callbacks.${callback}`, null);
  }
  for (const kind of ["dict", "list", "int", "float", "bool", "str"]) {
    names.set(`builtins.${kind}`, null);
    names.set(`__builtin__.${kind}`, null);
  }
  for (const storage of Object.keys(STORAGES)) names.set(storage, null);
  for (const dtype of [
    "float16",
    "float32",
    "float64",
    "bfloat16",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "bool",
  ]) {
    names.set(`torch.${dtype}`, null);
  }
  return names;
}

/** A storage out of a persistent id: ("storage", class, key, location, count), and in the legacy format a view. */
export function torchStorage(where: string, id: PickleValue): TorchStorage {
  if (Array.isArray(id)) {
    const [tag, kind, key, , count, view] = id;
    const dtype = kind instanceof PickleName ? STORAGES[kind.name] : undefined;
    const named = typeof key === "string" && key.length <= 100;
    if (tag === "storage" && dtype && named && isIndex(count) && (view ?? null) === null) {
      return new TorchStorage(dtype, key, count);
    }
  }
  throw new FormatError(`${where}: a persistent id of the pickle does not describe a tensor's storage`);
}

function rebuildTensor(where: string, [storage, offset, shape, strides]: PickleValue[]): TorchTensor {
  const whole = (value: PickleValue): value is number[] => Array.isArray(value) && value.every(isIndex);
  if (!(storage instanceof TorchStorage) || !isIndex(offset) || !whole(shape) || !whole(strides)) {
    throw new FormatError(`${where}: a tensor is described with the wrong values`);
  }
  const count = countOf(where, shape);
  if (strides.length !== shape.length) {
    throw new FormatError(`${where}: a tensor of shape [${shape}] has ${strides.length} strides`);
  }
  const last = shape.reduce((at, size, axis) => at + (size - 1) * strides[axis], offset);
  if (count > 0 && !(last < storage.count)) {
    throw new FormatError(
      `${where}: a tensor of shape [${shape}] at offset ${offset} does not fit its storage of ${storage.count} values`,
    );
  }
  return new TorchTensor(storage, offset, shape, strides, count);
}

function checkTensor(where: string, value: PickleValue | undefined): TorchTensor {
  if (value instanceof TorchTensor) return value;
  throw new FormatError(`${where}: a parameter is made from something that is no tensor`);
}

function isIndex(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
