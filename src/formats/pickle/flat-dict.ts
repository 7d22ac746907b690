/**
 * Dictionaries of whole numbers to a number or to a list of two, read straight into typed arrays. A large MegaDepth
 * scene has millions of such entries, which as Maps of lists take half a kilobyte each. Anything else in the
 * dictionary, and it is left to the general reader.
 */
import { OP } from "./opcodes.js";
import { PickleForeign } from "./values.js";

export class FlatDict extends PickleForeign {
  constructor(
    /** In the dictionary's order; a key may occur twice only in damaged files. */
    readonly keys: Float64Array,
    /** `width` values of each key. */
    readonly values: Float64Array,
    readonly width: 1 | 2,
  ) {
    super();
  }
  describe(): string {
    return `dictionary of ${this.keys.length} numbers`;
  }
}

export interface FlatRead {
  dict: FlatDict;
  /** Where the general reader goes on. */
  end: number;
  /** How many values the pickle puts on record in between, by opcodes that count by themselves. */
  memoized: number;
}

/** The dictionary whose opcodes begin at `start`, after the one that makes an empty one; null when it is not flat. */
export function readFlatDict(bytes: Uint8Array, start: number): FlatRead | null {
  const reader = new FlatReader(bytes, start);
  while (reader.batch());
  return reader.result();
}

class FlatReader {
  private readonly view: DataView;
  private readonly keys: number[] = [];
  private readonly values: number[] = [];
  private width: 0 | 1 | 2 = 0;
  private memoized = 0;
  private good = true;

  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  result(): FlatRead | null {
    const { keys, values, width, memoized, at } = this;
    if (!this.good || width === 0) return null;
    return { dict: new FlatDict(Float64Array.from(keys), Float64Array.from(values), width), end: at, memoized };
  }

  /** Entries up to the opcode that sets them: any number after a mark, else one. Whether more may follow. */
  batch(): boolean {
    this.passRecords();
    if (this.bytes[this.at] === OP.MARK) {
      this.at++;
      this.passRecords();
      while (this.bytes[this.at] !== OP.SETITEMS) if (!this.entry()) return this.fail();
      this.at++;
      return true;
    }
    const before = this.at;
    if (!this.entry()) {
      // What comes now belongs to somebody else, unless it began as an entry and did not end as one.
      return this.at === before ? false : this.fail();
    }
    if (this.bytes[this.at++] !== OP.SETITEM) return this.fail();
    return true;
  }

  private entry(): boolean {
    const key = this.key();
    if (key === undefined) return false;
    const count = this.number() ? 1 : this.list() ? 2 : 0;
    if (count === 0 || (this.width !== 0 && this.width !== count)) return false;
    this.width = count;
    this.keys.push(key);
    this.passRecords();
    return true;
  }

  private key(): number | undefined {
    const { view, at } = this;
    switch (this.bytes[at]) {
      case OP.BININT1:
        return this.has(2) ? view.getUint8(at + 1) : undefined;
      case OP.BININT2:
        return this.has(3) ? view.getUint16(at + 1, true) : undefined;
      case OP.BININT:
        return this.has(5) ? view.getInt32(at + 1, true) : undefined;
      default:
        return undefined;
    }
  }

  private number(): boolean {
    if (this.bytes[this.at] !== OP.BINFLOAT || !this.has(9)) return false;
    this.values.push(this.view.getFloat64(this.at - 8, false));
    return true;
  }

  /** Two numbers: a list (filled after a mark). */
  private list(): boolean {
    if (this.bytes[this.at] !== OP.EMPTY_LIST) return false;
    this.at++;
    this.passRecords();
    if (this.bytes[this.at++] !== OP.MARK) return false;
    return this.number() && this.number() && this.bytes[this.at++] === OP.APPENDS;
  }

  /** Passes opcodes that put the last value on record, and the bounds of frames. */
  private passRecords(): void {
    for (;;) {
      const op = this.bytes[this.at];
      if (op === OP.MEMOIZE) {
        this.memoized++;
        this.at++;
      } else if (op === OP.BINPUT) this.at += 2;
      else if (op === OP.LONG_BINPUT) this.at += 5;
      else if (op === OP.FRAME) this.at += 9;
      else return;
    }
  }

  /** Whether `count` bytes are there; passes them. */
  private has(count: number): boolean {
    if (this.at + count > this.bytes.length) return false;
    this.at += count;
    return true;
  }

  private fail(): false {
    this.good = false;
    return false;
  }
}
