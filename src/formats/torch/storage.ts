/** Storages and tensors as a PyTorch pickle describes them: flat runs of values, and strided views of them. */
import { FormatError, UnsupportedError } from "../../errors.js";
import { countOf, DTYPES, type DType, itemSize } from "../ndarray.js";
import { PickleForeign, PickleName, type PickleValue } from "../pickle/values.js";

/** Storage classes and the type of what they hold; of an untyped one the bytes. */
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
  "torch.storage.UntypedStorage": "uint8",
  "torch.UntypedStorage": "uint8",
};

/** Known, but there is no typed array for what they hold. */
const REFUSED_STORAGES = ["ComplexFloat", "ComplexDouble", "QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4"].map(
  (kind) => `torch.${kind}Storage`,
);
const REFUSED_TYPES = ["complex32", "complex64", "complex128", "qint8", "quint8", "qint32"].concat([
  "float8_e4m3fn",
  "float8_e5m2",
  "float8_e4m3fnuz",
  "float8_e5m2fnuz",
]);

/** Every storage class and data type that may be named in a pickle; whether it is read shows when it is used. */
export const STORAGE_NAMES = [...Object.keys(STORAGES), ...REFUSED_STORAGES];
export const DTYPE_NAMES = [...DTYPES, ...REFUSED_TYPES].map((name) => `torch.${name}`);

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
    readonly dtype: DType,
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
    this.text ??= `tensor ${this.dtype} [${this.shape.join(", ")}]`;
    return this.text;
  }
}

/** What a container gives: the pickled value, and a reader of the storages' bytes by key. */
export interface TorchContents {
  root: PickleValue;
  read: (key: string) => Uint8Array | undefined;
  /** Length of the pickle that describes the tensors. */
  pickleLength: number;
}

/** A storage out of a persistent id: ("storage", class, key, location, count), and in the legacy format a view. */
export function torchStorage(where: string, id: PickleValue): TorchStorage {
  if (Array.isArray(id) && id[0] === "storage" && id[1] instanceof PickleName) {
    const [, { name }, key, , count, view] = id as [string, PickleName, ...PickleValue[]];
    if (REFUSED_STORAGES.includes(name)) throw unread(where, name);
    const dtype = STORAGES[name];
    if ((view ?? null) !== null) {
      throw new UnsupportedError(
        `${where}: a storage that is a view of another, as PyTorch before 0.4 wrote; load and save it with a newer one`,
      );
    }
    if (dtype && typeof key === "string" && key.length <= 100 && isIndex(count)) {
      return new TorchStorage(dtype, key, count);
    }
  }
  throw new FormatError(`${where}: a persistent id of the pickle does not describe a tensor's storage`);
}

/** `torch._utils._rebuild_tensor` and `_v2`: (storage, offset, shape, strides, …). */
export function rebuildTensor(where: string, [storage, offset, shape, strides]: PickleValue[]): TorchTensor {
  return makeTensor(
    where,
    storage,
    storage instanceof TorchStorage ? storage.dtype : undefined,
    offset,
    shape,
    strides,
  );
}

/** `torch._utils._rebuild_tensor_v3`, for types that have no storage class: the seventh argument is the type. */
export function rebuildTensorV3(where: string, args: PickleValue[]): TorchTensor {
  const [storage, offset, shape, strides, , , type] = args;
  const name = type instanceof PickleName ? type.name : "";
  const dtype = DTYPES.find((known) => name === `torch.${known}`);
  if (!dtype && DTYPE_NAMES.includes(name)) throw unread(where, name);
  return makeTensor(where, storage, dtype, offset, shape, strides);
}

function makeTensor(
  where: string,
  storage: PickleValue | undefined,
  dtype: DType | undefined,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
): TorchTensor {
  const whole = (value: PickleValue | undefined): value is number[] => Array.isArray(value) && value.every(isIndex);
  if (!(storage instanceof TorchStorage) || !dtype || !isIndex(offset) || !whole(shape) || !whole(strides)) {
    throw new FormatError(`${where}: a tensor is described with the wrong values`);
  }
  const count = countOf(where, shape);
  if (strides.length !== shape.length) {
    throw new FormatError(`${where}: a tensor of shape [${shape}] has ${strides.length} strides`);
  }
  const held = Math.floor((storage.count * itemSize(storage.dtype)) / itemSize(dtype));
  const last = shape.reduce((at, size, axis) => at + (size - 1) * strides[axis], offset);
  if (count > 0 && !(last < held)) {
    throw new FormatError(
      `${where}: a tensor of shape [${shape}] at offset ${offset} does not fit its storage of ${held} values`,
    );
  }
  return new TorchTensor(storage, dtype, offset, shape, strides, count);
}

export function checkTensor(where: string, value: PickleValue | undefined): TorchTensor {
  if (value instanceof TorchTensor) return value;
  throw new FormatError(`${where}: a parameter is made from something that is no tensor`);
}

export function isIndex(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function unread(where: string, name: string): UnsupportedError {
  return new UnsupportedError(`${where}: a tensor of ${name}, which is not offered; read are ${DTYPES.join(", ")}`);
}
