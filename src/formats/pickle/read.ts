/**
 * A pickle reader that cannot execute anything. It knows the opcodes of protocols 0–5 as data: a name (`module.name`)
 * is looked up in a table that the caller gives and is refused when it is not there, and "calling" a name runs the
 * table's own function on plain values. Memory is bounded: every opcode adds at most one value, no value is copied,
 * lengths are checked against the bytes before anything is read, and opcodes are counted.
 *
 * The library pickleparser is not used for untrusted files: a negative BINBYTES length sends its reader backwards for
 * ever, BUILD assigns to any object on the stack, and integers above 8 bytes (PyTorch's own magic number) fail.
 */
import { FormatError, LimitError } from "../../errors.js";
import { readFlatDict } from "./flat-dict.js";
import { OP, PickleBytes } from "./opcodes.js";
import { PickleForeign, PickleName, PickleRecord, type PickleValue } from "./values.js";

export interface PickleOptions {
  /** How the source is called in errors. */
  where: string;
  /** Harmless names, as `module.name`, and what a call of each gives; null: may be named, not called. */
  names: ReadonlyMap<string, ((args: PickleValue[]) => PickleValue) | null>;
  /** The value of a persistent id; without it they are refused. */
  persistent?: (id: PickleValue) => PickleValue;
  /** Most opcodes that are read; default 4 million (a ResNet-50's checkpoint has 13 thousand). */
  maxOpcodes?: number;
  /** Dictionaries of numbers become FlatDicts; then nothing in them can be referred to from elsewhere. */
  flatDicts?: boolean;
}

/**
 * The value pickled at `start` of `bytes`, and where its STOP ended. Throws a FormatError that names a class or
 * function that is not in the table, and for anything malformed.
 */
export function unpickle(bytes: Uint8Array, options: PickleOptions, start = 0): { value: PickleValue; end: number } {
  const reader = new PickleReader(bytes, options, start);
  const value = reader.read();
  return { value, end: reader.position };
}

class PickleReader {
  private readonly reader: PickleBytes;
  private stack: PickleValue[] = [];
  private readonly outer: PickleValue[][] = [];
  private readonly memo = new Map<number, PickleValue>();
  /** Values on record that are not kept: those inside of FlatDicts. */
  private unkept = 0;

  constructor(
    bytes: Uint8Array,
    private readonly options: PickleOptions,
    start: number,
  ) {
    this.reader = new PickleBytes(`${options.where}: pickle`, bytes);
    this.reader.skip(start, "start");
  }

  get position(): number {
    return this.reader.offset;
  }

  read(): PickleValue {
    const { maxOpcodes = 4_000_000 } = this.options;
    for (let count = 0; count < maxOpcodes; count++) {
      const op = this.reader.u8("opcode");
      if (op === OP.STOP) return this.pop();
      const value = this.step(op);
      if (value !== undefined) this.stack.push(value);
    }
    throw new LimitError(
      `${this.options.where}: the pickle has more than ${maxOpcodes} opcodes; it is not what this reader is for`,
    );
  }

  /** Does what the opcode says; gives the value that it pushes, if it pushes one. */
  private step(op: number): PickleValue | undefined {
    const { stack, reader, memo } = this;
    switch (op) {
      case OP.PROTO: {
        const version = reader.u8("number");
        if (version > 5) throw this.error(`protocol ${version} is not known`);
        return;
      }
      case OP.FRAME:
        reader.skip(8, "frame");
        return;

      // Stack and memo.
      case OP.MARK:
        this.outer.push(stack);
        this.stack = [];
        return;
      case OP.POP_MARK:
        this.popMark();
        return;
      case OP.POP:
        if (stack.length === 0) this.popMark();
        else stack.pop();
        return;
      case OP.DUP:
        return this.top();
      case OP.PUT:
        memo.set(Number(reader.decimal()), this.top());
        return;
      case OP.BINPUT:
        memo.set(reader.u8("number"), this.top());
        return;
      case OP.LONG_BINPUT:
        memo.set(reader.u32("number"), this.top());
        return;
      case OP.MEMOIZE:
        memo.set(memo.size + this.unkept, this.top());
        return;
      case OP.GET:
        return this.recall(Number(reader.decimal()));
      case OP.BINGET:
        return this.recall(reader.u8("number"));
      case OP.LONG_BINGET:
        return this.recall(reader.u32("number"));

      // Constants and numbers.
      case OP.NONE:
        return null;
      case OP.NEWTRUE:
        return true;
      case OP.NEWFALSE:
        return false;
      case OP.INT: {
        const line = reader.line();
        return line === "01" ? true : line === "00" ? false : reader.decimal(line);
      }
      case OP.LONG:
        return reader.decimal();
      case OP.FLOAT:
        return Number.parseFloat(reader.line());
      case OP.BININT:
        return reader.i32("number");
      case OP.BININT1:
        return reader.u8("number");
      case OP.BININT2:
        return reader.u16("number");
      case OP.LONG1:
        return reader.integer(reader.u8("number"));
      case OP.LONG4:
        return reader.integer(reader.u32("number"));
      case OP.BINFLOAT:
        return reader.double();

      // Text and bytes.
      case OP.STRING: {
        const line = reader.line();
        if (!/^(['"]).*\1$/.test(line)) throw this.error("a string is not quoted");
        return line.slice(1, -1);
      }
      case OP.UNICODE:
        return reader.line();
      case OP.BINSTRING:
      case OP.BINUNICODE:
        return reader.text(reader.u32("number"));
      case OP.SHORT_BINSTRING:
      case OP.SHORT_BINUNICODE:
        return reader.text(reader.u8("number"));
      case OP.BINUNICODE8:
        return reader.text(reader.u64("length"));
      case OP.BINBYTES:
        return reader.data(reader.u32("number"));
      case OP.SHORT_BINBYTES:
        return reader.data(reader.u8("number"));
      case OP.BINBYTES8:
      case OP.BYTEARRAY8:
        return reader.data(reader.u64("length"));

      // Containers.
      case OP.EMPTY_TUPLE:
      case OP.EMPTY_LIST:
      case OP.EMPTY_SET:
        return [];
      case OP.TUPLE:
      case OP.LIST:
      case OP.FROZENSET:
        return this.popMark();
      case OP.TUPLE1:
        return [this.pop()];
      case OP.TUPLE2:
      case OP.TUPLE3: {
        const count = op === OP.TUPLE2 ? 2 : 3;
        if (stack.length < count) throw this.error("the stack is empty");
        return stack.splice(-count);
      }
      case OP.APPEND: {
        const item = this.pop();
        this.topList().push(item);
        return;
      }
      case OP.APPENDS:
      case OP.ADDITEMS: {
        const items = this.popMark();
        const list = this.topList();
        for (const item of items) list.push(item);
        return;
      }
      case OP.EMPTY_DICT: {
        const flat = this.options.flatDicts ? readFlatDict(reader.bytes, reader.offset) : null;
        if (!flat) return new Map();
        reader.skip(flat.end - reader.offset, "dictionary");
        this.unkept += flat.memoized;
        return flat.dict;
      }
      case OP.DICT:
        return this.setItems(new Map(), this.popMark());
      case OP.SETITEM: {
        const value = this.pop();
        const key = this.pop();
        this.setItems(this.top(), [key, value]);
        return;
      }
      case OP.SETITEMS: {
        const items = this.popMark();
        this.setItems(this.top(), items);
        return;
      }

      // Names and what is made of them.
      case OP.GLOBAL: {
        const module = reader.line();
        return this.lookUp(module, reader.line());
      }
      case OP.STACK_GLOBAL: {
        const name = this.pop();
        const module = this.pop();
        if (typeof name !== "string" || typeof module !== "string") throw this.error("a class name is not text");
        return this.lookUp(module, name);
      }
      case OP.INST: {
        const module = reader.line();
        const callee = this.lookUp(module, reader.line());
        return this.call(callee, this.popMark());
      }
      case OP.OBJ: {
        const [callee, ...args] = this.popMark();
        return this.call(callee, args);
      }
      case OP.NEWOBJ_EX: {
        const keywords = this.pop();
        if (!(keywords instanceof Map) || keywords.size > 0) throw this.error("keyword arguments are not offered");
        return this.reduce();
      }
      case OP.REDUCE:
      case OP.NEWOBJ:
        return this.reduce();
      case OP.BUILD: {
        const state = this.pop();
        const target = this.top();
        if (target instanceof PickleRecord && state instanceof Map) target.fields = state;
        else if (target instanceof PickleForeign && target.setState) target.setState(state);
        // A dictionary may carry attributes (a state dict's `_metadata`): they are no entries and are left out.
        else if (!(target instanceof Map)) throw this.error("sets the state of something that has none");
        return;
      }
      case OP.PERSID:
        return this.persistent(reader.line());
      case OP.BINPERSID:
        return this.persistent(this.pop());

      default:
        throw this.error(`opcode 0x${op.toString(16).padStart(2, "0")} is not offered`);
    }
  }

  private lookUp(module: string, name: string): PickleName {
    const full = `${module}.${name}`;
    if (this.options.names.has(full)) return new PickleName(full);
    throw new FormatError(
      `${this.options.where}: the pickle asks for ${printable(full)}, which is not on the list of harmless classes; ` +
        "nothing was executed. If you trust the file, save its tensors alone (a state dict) and read that",
    );
  }

  private reduce(): PickleValue {
    const args = this.pop();
    const callee = this.pop();
    if (!Array.isArray(args)) throw this.error("the arguments of a call are no tuple");
    return this.call(callee, args);
  }

  private call(callee: PickleValue | undefined, args: PickleValue[]): PickleValue {
    if (!(callee instanceof PickleName)) throw this.error("calls something that is no class");
    const make = this.options.names.get(callee.name);
    if (!make) throw this.error(`${callee.name} may be named, not called`);
    return make(args);
  }

  private persistent(id: PickleValue): PickleValue {
    if (!this.options.persistent) throw this.error("persistent ids are not expected here");
    return this.options.persistent(id);
  }

  private setItems(target: PickleValue, items: PickleValue[]): Map<PickleValue, PickleValue> {
    if (!(target instanceof Map)) throw this.error("sets an entry of something that is no dictionary");
    if (items.length % 2 !== 0) throw this.error("a dictionary has a key without a value");
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
    return target;
  }

  private top(): PickleValue {
    if (this.stack.length === 0) throw this.error("the stack is empty");
    return this.stack[this.stack.length - 1];
  }

  private topList(): PickleValue[] {
    const list = this.top();
    if (!Array.isArray(list)) throw this.error("appends to something that is no list");
    return list;
  }

  private pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private popMark(): PickleValue[] {
    const items = this.stack;
    const below = this.outer.pop();
    if (!below) throw this.error("a mark is missing");
    this.stack = below;
    return items;
  }

  private recall(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) throw this.error(`memo ${index} was never stored`);
    return value;
  }

  private error(what: string): FormatError {
    return new FormatError(`${this.options.where}: malformed pickle at byte ${this.position}: ${what}`);
  }
}

/** A name out of an untrusted file, safe to print. */
function printable(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]/g, "?");
  return plain.length > 120 ? `${plain.slice(0, 120)}…` : plain;
}
