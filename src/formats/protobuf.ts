/**
 * Protocol Buffers read field by field from a source of bytes: for messages that hold hundreds of megabytes, of which
 * only ranges are wanted (an ONNX file's weights), and small ones whose schema is a dozen lines (TensorFlow's index).
 * The encoding is that of protobuf.dev/programming-guides/encoding; groups, which are long out of use, are refused.
 */
import { FormatError } from "../errors.js";
import { decodeUtf8 } from "./bytes.js";
import { type ByteSource, readRange } from "./source.js";

/** Where a message or a field's content lies. */
export interface WireRange {
  start: number;
  end: number;
}

/** One field as written; start and end enclose its content. */
export interface WireField extends WireRange {
  number: number;
  type: "varint" | "fixed64" | "bytes" | "fixed32";
  /** Of a number its bits, unsigned; of bytes their count. */
  value: bigint;
}

/** Bytes of a file that are read together where single numbers are looked for. */
const WINDOW = 2 ** 16;

const TYPES = new Map<number, WireField["type"]>([
  [0, "varint"],
  [1, "fixed64"],
  [2, "bytes"],
  [5, "fixed32"],
]);

export class WireReader {
  private window = new Uint8Array(0);
  private windowStart = 0;

  /** `where` begins every error. */
  constructor(
    readonly where: string,
    private readonly source: ByteSource,
  ) {}

  /** The whole file as a message. */
  get all(): WireRange {
    return { start: 0, end: this.source.size };
  }

  /** The fields of the message in that range, in the file's order. */
  *fields({ start, end }: WireRange): Generator<WireField> {
    for (let at = start; at < end; ) {
      const tag = this.varint(at, end);
      const number = Number(tag.value >> 3n);
      const type = TYPES.get(Number(tag.value & 7n));
      if (!type || number === 0 || number >= 2 ** 29) throw this.damaged(at, "not a field of a message");
      const field = this.content(number, type, tag.end, end);
      yield field;
      at = field.end;
    }
  }

  private content(number: number, type: WireField["type"], start: number, end: number): WireField {
    if (type === "varint") return { number, type, start, ...this.varint(start, end) };
    if (type === "bytes") {
      const length = this.varint(start, end);
      if (length.value > BigInt(end - length.end)) {
        const left = end - length.end;
        throw this.damaged(start, `field ${number} needs ${length.value} bytes, ${left} are left`);
      }
      return { number, type, start: length.end, end: length.end + Number(length.value), value: length.value };
    }
    const length = type === "fixed64" ? 8 : 4;
    if (start + length > end) throw this.damaged(start, `field ${number} needs ${length} bytes`);
    const bytes = this.near(start, length);
    const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    return { number, type, start, end: start + length, value };
  }

  private varint(start: number, end: number): { value: bigint; end: number } {
    const bytes = this.near(start, Math.min(10, end - start));
    let value = 0n;
    for (let i = 0; i < bytes.length; i++) {
      value |= BigInt(bytes[i] & 127) << BigInt(7 * i);
      if (bytes[i] < 128) return { value: BigInt.asUintN(64, value), end: start + i + 1 };
    }
    throw this.damaged(start, "a number has no end");
  }

  /** A few bytes, out of a window that is moved along. */
  private near(start: number, length: number): Uint8Array {
    const at = start - this.windowStart;
    if (at >= 0 && at + length <= this.window.length) return this.window.subarray(at, at + length);
    const size = Math.max(length, Math.min(WINDOW, this.source.size - start));
    this.window = readRange(this.where, this.source, start, size, "a message") as Uint8Array<ArrayBuffer>;
    this.windowStart = start;
    return this.window.subarray(0, length);
  }

  /** A size, an offset or an enumeration's value; FormatError below 0 or above 2⁵³. */
  count(field: WireField, what: string): number {
    const value = Number(field.value);
    if (field.type === "varint" && Number.isSafeInteger(value)) return value;
    throw this.damaged(field.start, `${what} is ${BigInt.asIntN(64, field.value)}, which cannot be`);
  }

  /** The content of a field that must be a message, bytes or text. */
  range(field: WireField, what: string): WireRange {
    if (field.type !== "bytes") throw this.damaged(field.start, `${what} is a number`);
    return field;
  }

  bytes({ start, end }: WireRange, what: string): Uint8Array {
    return readRange(this.where, this.source, start, end - start, what);
  }

  text(field: WireField, what: string): string {
    return decodeUtf8(`${this.where}: ${what}`, this.bytes(this.range(field, what), what));
  }

  /**
   * The bytes of numbers in one part of a repeated field, of which there may be many: packed, or one alone. `type`: how
   * such a number is written.
   */
  packed(field: WireField, type: WireField["type"], what: string): Uint8Array {
    if (field.type !== "bytes" && field.type !== type) throw this.damaged(field.start, `${what} is a ${field.type}`);
    return this.bytes(field, what);
  }

  /** The varints in one part of a repeated field, each handed over as its lower and upper 32 bits. */
  varints(field: WireField, what: string, take: (low: number, high: number) => void): void {
    const bytes = this.packed(field, "varint", what);
    for (let at = 0; at < bytes.length; ) {
      let low = 0;
      let high = 0;
      for (let shift = 0; ; shift += 7) {
        if (at === bytes.length || shift > 63) throw this.damaged(field.start + at, `${what}: a number has no end`);
        const byte = bytes[at++];
        const bits = byte & 127;
        if (shift < 32) low |= bits << shift;
        if (shift === 28) high |= bits >> 4;
        else if (shift > 28) high |= bits << (shift - 32);
        if (byte < 128) break;
      }
      take(low >>> 0, high >>> 0);
    }
  }

  damaged(at: number, what: string): FormatError {
    return new FormatError(`${this.where}: ${what}, at byte ${at}; truncated or damaged`);
  }
}
