/**
 * Writes pickles of plain data and NumPy's arrays and scalars: what the reference's result caches and MegaDepth's scene
 * files are made of, and no more. The memo is not used: values that are shared are written twice.
 */
import { ShapeError, UnsupportedError } from "../../errors.js";
import { encodeUtf8 } from "../bytes.js";
import { OP } from "./opcodes.js";

/** NumPy's name of its core before version 2; version 2 still reads it. */
const CORE = "numpy.core.multiarray";

/** Every Python 3 reads it. */
const PROTOCOL = 3;

/** A value to be pickled: its opcodes. */
export type Pickled = readonly number[];

/**
 * A `.npy` file that holds a flat array of objects, each given as its opcodes; typed arrays where there are many.
 */
export function npyOfObjects(objects: readonly ArrayLike<number>[]): Uint8Array {
  const sizes = `'shape': (${objects.length},), }`;
  // 118 characters, so that the pickle begins at a multiple of 64.
  const header = encodeUtf8(`${`{'descr': '|O', 'fortran_order': False, ${sizes}`.padEnd(117)}\n`);
  // 63: the flags of a type whose values are references.
  const type = dataType("O8", "|", -1, -1, 63);
  const parts = [
    Uint8Array.of(0x93, ...encodeUtf8("NUMPY"), 1, 0, header.length, 0),
    header,
    [OP.PROTO, PROTOCOL, ...arrayHead([objects.length], type), OP.EMPTY_LIST, OP.MARK],
    ...objects,
    [OP.APPENDS, ...ARRAY_END, OP.STOP],
  ];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function pickleDict(entries: Iterable<readonly [Pickled, Pickled]>): Pickled {
  return [OP.EMPTY_DICT, OP.MARK, ...[...entries].flatMap(([key, value]) => [...key, ...value]), OP.SETITEMS];
}

export function pickleList(items: readonly Pickled[]): Pickled {
  return [OP.EMPTY_LIST, OP.MARK, ...items.flat(), OP.APPENDS];
}

/** Python's `None`. */
export const PICKLE_NONE: Pickled = [OP.NONE];

/** `numpy.int64(value)`. */
export function pickleInt64(value: number): Pickled {
  return scalar("i8", new BigInt64Array([BigInt(checkWhole(value))]));
}

/** `numpy.float64(value)`. */
export function pickleFloat64(value: number): Pickled {
  return scalar("f8", Float64Array.of(value));
}

/** A flat NumPy array of whole numbers (int64). */
export function pickleInt64Array(values: readonly number[]): Pickled {
  const data = BigInt64Array.from(values, (value) => BigInt(checkWhole(value)));
  return array([values.length], numberType("i8"), bytes(data));
}

/** A flat NumPy array of texts, as wide as the longest. */
export function pickleTextArray(values: readonly string[]): Pickled {
  const points = values.map((value) => [...value].map((character) => character.codePointAt(0) as number));
  const width = Math.max(1, ...points.map((text) => text.length));
  const data = new Uint32Array(values.length * width);
  for (const [i, text] of points.entries()) data.set(text, i * width);
  // Size and alignment are in bytes; 8: the type needs its byte order.
  const type = dataType(`U${width}`, "<", 4 * width, 4, 8);
  return array([values.length], type, bytes(data));
}

/** A NumPy array of doubles. */
export function pickleFloat64Array(values: Float64Array, shape: readonly number[]): Pickled {
  return array(shape, numberType("f8"), bytes(values));
}

function array(shape: readonly number[], type: Pickled, content: Pickled): Pickled {
  return [...arrayHead(shape, type), ...content, ...ARRAY_END];
}

/** An empty array and the state that BUILD will give it, up to its content. */
function arrayHead(shape: readonly number[], type: Pickled): Pickled {
  const empty = [...global(CORE, "_reconstruct"), ...global("numpy", "ndarray"), ...whole(0), OP.TUPLE1, ...bytes(B)];
  const sizes = tuple(shape.map(whole));
  return [...empty, OP.TUPLE3, OP.REDUCE, OP.MARK, ...whole(1), ...sizes, ...type, OP.NEWFALSE];
}

/** Ends an array's state and sets it. */
const ARRAY_END: Pickled = [OP.TUPLE, OP.BUILD];

/** The code for bytes that `_reconstruct` is given, "b". */
const B = Uint8Array.of(0x62);

function scalar(code: string, value: ArrayBufferView): Pickled {
  return [...global(CORE, "scalar"), ...numberType(code), ...bytes(value), OP.TUPLE2, OP.REDUCE];
}

function numberType(code: string): Pickled {
  return dataType(code, "<", -1, -1, 0);
}

function dataType(code: string, order: string, size: number, alignment: number, flags: number): Pickled {
  const made = [...global("numpy", "dtype"), ...pickleText(code), OP.NEWFALSE, OP.NEWTRUE, OP.TUPLE3, OP.REDUCE];
  const none = [OP.NONE];
  const state = [whole(3), pickleText(order), none, none, none, whole(size), whole(alignment), whole(flags)];
  return [...made, ...tuple(state), OP.BUILD];
}

function tuple(items: readonly Pickled[]): Pickled {
  return [OP.MARK, ...items.flat(), OP.TUPLE];
}

function global(module: string, name: string): Pickled {
  return [OP.GLOBAL, ...encodeUtf8(`${module}\n${name}\n`)];
}

export function pickleText(value: string): Pickled {
  const encoded = encodeUtf8(value);
  return [OP.BINUNICODE, ...word(encoded.length), ...encoded];
}

function bytes(value: ArrayBufferView): Pickled {
  return [OP.BINBYTES, ...word(value.byteLength), ...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
}

function whole(value: number): Pickled {
  return [OP.BININT, ...word(value)];
}

/** 32 bits, little-endian. */
function word(value: number): number[] {
  if (value !== (value | 0)) throw new UnsupportedError(`pickle: ${value} does not fit 32 bits`);
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}

function checkWhole(value: number): number {
  if (!Number.isSafeInteger(value)) throw new ShapeError(`pickle: expected a whole number, got ${value}`);
  return value;
}
