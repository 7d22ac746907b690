/**
 * What NumPy pickles: arrays, scalars and data types, as plain data. The list of names is closed; each stands for a
 * function of this file, and nothing of NumPy's is looked up. `.npy` and `.npz` hold arrays of Python objects as such
 * pickles: the reference's result caches and MegaDepth's scene files.
 */
import { FormatError, UnsupportedError } from "../../errors.js";
import { countOf, type DType, itemSize, type TypedArray, viewOf } from "../ndarray.js";
import { readNpyHeader } from "../npy.js";
import { unpickle } from "./read.js";
import { PickleForeign, PickleName, type PickleValue } from "./values.js";

/** Numbers by NumPy's code. */
const NUMBERS: Record<string, DType> = {
  f8: "float64",
  f4: "float32",
  i8: "int64",
  i4: "int32",
  i2: "int16",
  i1: "int8",
  u8: "uint64",
  u4: "uint32",
  u2: "uint16",
  u1: "uint8",
  b1: "bool",
};

/** Longest text of a fixed width, characters: far above any name or path. */
const MAX_TEXT = 10_000;

/** An array of numbers, texts, or of whatever was pickled; row-major. */
export class NumpyArray extends PickleForeign {
  shape: readonly number[] = [0];
  /** Numbers as a typed array, texts as strings, objects as pickled values. */
  data: TypedArray | string[] | PickleValue[] = [];

  constructor(private readonly where: string) {
    super();
  }
  describe(): string {
    return `array [${this.shape.join(", ")}]`;
  }

  /** (version, shape, data type, Fortran order, bytes or list of objects). */
  override setState(state: PickleValue): void {
    const { where } = this;
    const [, shape, type, fortran, content] = Array.isArray(state) ? state : [];
    if (!isShape(shape) || !(type instanceof NumpyType) || typeof fortran !== "boolean") {
      throw new FormatError(`${where}: an array is described with the wrong values`);
    }
    const count = countOf(where, shape);
    if (fortran && shape.length > 1) {
      throw new UnsupportedError(`${where}: an array in Fortran order; save it in C order`);
    }
    this.shape = [...shape];
    if (type.code === "O") {
      if (!Array.isArray(content) || content.length !== count) {
        throw new FormatError(`${where}: an array of shape [${shape}] needs a list of ${count} objects`);
      }
      this.data = content;
    } else {
      this.data = type.values(content, count);
    }
  }
}

/** A data type; `order` comes later, by BUILD. */
class NumpyType extends PickleForeign {
  private order = "<";

  constructor(
    private readonly where: string,
    /** "O", a number's code, or "U" and a length. */
    readonly code: string,
  ) {
    super();
  }
  describe(): string {
    return `data type ${this.code}`;
  }

  /** (version, byte order, then what only structured types need). */
  override setState(state: PickleValue): void {
    const [version, order, subarray, names, fields] = Array.isArray(state) ? state : [];
    const plain = (subarray ?? null) === null && (names ?? null) === null && (fields ?? null) === null;
    if (typeof version !== "number" || typeof order !== "string" || !/^[<>=|]$/.test(order) || !plain) {
      throw new FormatError(`${this.where}: a data type is described with the wrong values`);
    }
    if (order === ">") throw new UnsupportedError(`${this.where}: big-endian values; save them little-endian`);
    this.order = order;
  }

  /** `count` values out of exactly as many bytes. */
  values(content: PickleValue | undefined, count: number): TypedArray | string[] {
    const width = this.code[0] === "U" ? Number(this.code.slice(1)) : 0;
    const dtype = NUMBERS[this.code];
    const size = width > 0 ? 4 * width : dtype ? itemSize(dtype) : 0;
    if (size === 0) throw new UnsupportedError(`${this.where}: values of NumPy's type "${this.order}${this.code}"`);
    if (!(content instanceof Uint8Array) || content.length !== count * size) {
      const found = content instanceof Uint8Array ? `${content.length} bytes` : "something else";
      throw new FormatError(
        `${this.where}: ${count} values of "${this.code}" need ${count * size} bytes, got ${found}`,
      );
    }
    return width > 0 ? this.texts(content, count, width) : viewOf(content, 0, dtype, count);
  }

  /** Texts of a fixed width: UTF-32, filled up with zeros. */
  private texts(content: Uint8Array, count: number, width: number): string[] {
    const points = viewOf(content, 0, "uint32", count * width);
    return Array.from({ length: count }, (_, i) => {
      const text = [...points.subarray(i * width, (i + 1) * width)].map(Number);
      const bad = text.find((point) => point > 0x10ffff);
      if (bad !== undefined) throw new FormatError(`${this.where}: ${bad} is no character`);
      return text
        .map((point) => String.fromCodePoint(point))
        .join("")
        .replace(/\0+$/, "");
    });
  }
}

/** The whitelist for `unpickle`; `where` begins every error. */
export function numpyNames(where: string): Map<string, ((args: PickleValue[]) => PickleValue) | null> {
  const names = new Map<string, ((args: PickleValue[]) => PickleValue) | null>([
    ["numpy.ndarray", null],
    ["numpy.dtype", ([code]) => makeType(where, code)],
    ["_codecs.encode", ([text]) => latinBytes(where, text)],
    // How protocol 2 writes empty bytes.
    ["__builtin__.bytes", (args) => emptyBytes(where, args)],
    ["builtins.bytes", (args) => emptyBytes(where, args)],
    ["collections.OrderedDict", () => new Map()],
  ]);
  // NumPy 2 renamed its core.
  for (const core of ["numpy.core.multiarray", "numpy._core.multiarray"]) {
    names.set(`${core}._reconstruct`, ([kind]) => {
      if (kind instanceof PickleName && kind.name === "numpy.ndarray") return new NumpyArray(where);
      throw new FormatError(`${where}: an array of an unknown class`);
    });
    names.set(`${core}.scalar`, ([type, content]) => makeScalar(where, type, content));
  }
  return names;
}

export interface ObjectArray {
  shape: readonly number[];
  items: PickleValue[];
}

/**
 * The values of a `.npy` file that holds an array of Python objects, read as data only. FormatError for damage, for
 * arrays of plain numbers (`readNpy` reads those), and for a pickle that names anything but NumPy's arrays. `flatDicts`
 * as in `unpickle`.
 */
export function readNpyObjects(bytes: Uint8Array, where = "readNpyObjects", { flatDicts = false } = {}): ObjectArray {
  const { descr, offset, shape } = readNpyHeader(bytes, where);
  if (!/^[|<=]?O8?$/.test(descr)) {
    throw new FormatError(`${where}: expected an array of Python objects, got values of type "${descr.slice(0, 80)}"`);
  }
  // As many opcodes as bytes: a large scene has tens of millions.
  const options = { where, names: numpyNames(where), maxOpcodes: bytes.length, flatDicts };
  const { value } = unpickle(bytes, options, offset);
  if (!(value instanceof NumpyArray) || !Array.isArray(value.data)) {
    throw new FormatError(`${where}: the pickle holds no array of objects`);
  }
  if (`${value.shape}` !== `${shape}`) {
    throw new FormatError(`${where}: the header says shape [${shape}], the pickle [${value.shape}]`);
  }
  return { shape, items: value.data };
}

function makeType(where: string, code: PickleValue | undefined): NumpyType {
  const text = typeof code === "string" ? code : "";
  const width = /^U([1-9]\d*)$/.exec(text)?.[1];
  if (text === "O8" || text === "O") return new NumpyType(where, "O");
  if (Object.hasOwn(NUMBERS, text) || (width !== undefined && Number(width) <= MAX_TEXT))
    return new NumpyType(where, text);
  throw new UnsupportedError(
    `${where}: NumPy's data type "${text.slice(0, 40).replace(/[^\x20-\x7e]/g, "?")}"; ` +
      `read are O, U and ${Object.keys(NUMBERS).join(", ")}`,
  );
}

function makeScalar(where: string, type: PickleValue | undefined, content: PickleValue | undefined): PickleValue {
  if (!(type instanceof NumpyType) || type.code === "O") {
    throw new FormatError(`${where}: a scalar is described with the wrong values`);
  }
  const [value] = type.values(content, 1);
  if (type.code === "b1") return Number(value) !== 0;
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** Bytes as Python 2 saw them: protocol 2 writes them as text of the characters 0 to 255. */
function latinBytes(where: string, text: PickleValue | undefined): Uint8Array {
  if (typeof text !== "string") throw new FormatError(`${where}: bytes are described with the wrong values`);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < out.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) throw new FormatError(`${where}: bytes are described by characters that are none`);
    out[i] = code;
  }
  return out;
}

function emptyBytes(where: string, args: PickleValue[]): Uint8Array {
  if (args.length > 0) throw new FormatError(`${where}: bytes are made from arguments, which is not expected`);
  return new Uint8Array(0);
}

function isShape(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.every((size) => typeof size === "number" && Number.isSafeInteger(size));
}
