/** The pickle format's opcodes (protocols 0–5) and the ways in which their arguments are written. */
import { FormatError } from "../../errors.js";
import { ByteReader, decodeUtf8 } from "../bytes.js";

/** The opcodes, by their byte (Python's pickletools has the whole list). */
export const OP = {
  MARK: 0x28,
  STOP: 0x2e,
  POP: 0x30,
  POP_MARK: 0x31,
  DUP: 0x32,
  FLOAT: 0x46,
  INT: 0x49,
  BININT: 0x4a,
  BININT1: 0x4b,
  LONG: 0x4c,
  BININT2: 0x4d,
  NONE: 0x4e,
  PERSID: 0x50,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  STRING: 0x53,
  BINSTRING: 0x54,
  SHORT_BINSTRING: 0x55,
  UNICODE: 0x56,
  BINUNICODE: 0x58,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  DICT: 0x64,
  EMPTY_DICT: 0x7d,
  APPENDS: 0x65,
  GET: 0x67,
  BINGET: 0x68,
  INST: 0x69,
  LONG_BINGET: 0x6a,
  LIST: 0x6c,
  EMPTY_LIST: 0x5d,
  OBJ: 0x6f,
  PUT: 0x70,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  EMPTY_TUPLE: 0x29,
  SETITEMS: 0x75,
  BINFLOAT: 0x47,
  BINBYTES: 0x42,
  SHORT_BINBYTES: 0x43,
  PROTO: 0x80,
  NEWOBJ: 0x81,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  LONG4: 0x8b,
  SHORT_BINUNICODE: 0x8c,
  BINUNICODE8: 0x8d,
  BINBYTES8: 0x8e,
  EMPTY_SET: 0x8f,
  ADDITEMS: 0x90,
  FROZENSET: 0x91,
  NEWOBJ_EX: 0x92,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
  BYTEARRAY8: 0x96,
} as const;

/** Longest integer read, bytes: far above any number that belongs in a checkpoint, and cheap to convert. */
const LONGEST_INTEGER = 64;

/** Bytes of a pickle; integers are numbers where that is exact, else bigints. */
export class PickleBytes extends ByteReader {
  data(length: number): Uint8Array {
    return this.take(length, "data");
  }

  text(length: number): string {
    return decodeUtf8(this.where, this.take(length, "text"));
  }

  /** Text up to a line feed, which is passed. */
  line(): string {
    const end = this.bytes.indexOf(10, this.offset);
    if (end < 0)
      throw new FormatError(`${this.where}: a line at offset ${this.offset} has no end; truncated or damaged`);
    const text = this.text(end - this.offset);
    this.offset = end + 1;
    return text;
  }

  /** A decimal integer on a line, with or without Python 2's L. */
  decimal(line = this.line()): number | bigint {
    const text = line.replace(/L$/, "");
    if (text.length > 2 * LONGEST_INTEGER || !/^[+-]?\d+$/.test(text)) {
      throw new FormatError(`${this.where}: an integer before offset ${this.offset} is malformed`);
    }
    return narrow(BigInt(text));
  }

  /** A little-endian two's-complement integer of any length. */
  integer(length: number): number | bigint {
    if (length > LONGEST_INTEGER) throw new FormatError(`${this.where}: an integer of ${length} bytes is too long`);
    const data = this.take(length, "integer");
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(data[i]);
    return narrow(BigInt.asIntN(8 * length, value));
  }

  /** A big-endian double. */
  double(): number {
    const { buffer, byteOffset } = this.take(8, "number");
    return new DataView(buffer, byteOffset, 8).getFloat64(0, false);
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
