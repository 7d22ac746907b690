/**
 * Checks of arguments at the public functions: what comes without the compiler's help (plain JavaScript, data of others)
 * is refused by name, with what was expected, what came, and often how to get there.
 */
import { OptionError, ShapeError } from "./errors.js";

type FloatArray = Float32Array | Float64Array;

/** What came, in a few words for a message. */
export function described(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "function") return "a function";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value))
    return value.length <= 4 && value.every(isPlain) ? `[${value}]` : `an array of ${value.length}`;
  if (value instanceof Promise) return "a promise (await it first)";
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (ArrayBuffer.isView(value)) return `a ${kind} of ${(value as Uint8Array).length ?? value.byteLength}`;
  return `${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind === "Object" ? "object" : kind}`;
}

/** A value of a file as JSON writes it, shortened; of what JSON does not know, what it is. */
export function jsonText(value: unknown, length = 80): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // A bigint or a circle.
  }
  text ??= described(value);
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

const isPlain = (value: unknown): boolean => ["number", "boolean"].includes(typeof value) || value === null;

/** The error for an argument that is not what it must be. */
export function wrong(where: string, name: string, wanted: string, got: unknown): OptionError {
  return new OptionError(`${where}: ${name} must be ${wanted}, got ${described(got)}`);
}

/** Bytes: a Uint8Array, which a Buffer is. */
export function checkBytes(where: string, bytes: unknown): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  const hint =
    typeof bytes === "string"
      ? "; of a file: read it first"
      : bytes instanceof ArrayBuffer || (ArrayBuffer.isView(bytes) && !(bytes instanceof Uint8Array))
        ? "; new Uint8Array(buffer) is a view of it"
        : "";
  throw new OptionError(`${where}: expected bytes (a Uint8Array), got ${described(bytes)}${hint}`);
}

export function checkText(where: string, name: string, value: unknown): string {
  if (typeof value !== "string") throw wrong(where, name, "a text", value);
  return value;
}

export function checkFlag(where: string, name: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw wrong(where, name, "true or false", value);
  return value;
}

export function checkFunction(where: string, name: string, value: unknown): void {
  if (typeof value !== "function") throw wrong(where, name, "a function", value);
}

/** An object with named fields: no array, no Map, no typed array, nothing that is still to come. */
export function checkObject(where: string, name: string, value: unknown): Record<string, unknown> {
  const fits = Object.prototype.toString.call(value) === "[object Object]" && typeof value === "object";
  if (!fits) throw wrong(where, name, "an object", value);
  return value as Record<string, unknown>;
}

export function checkList(where: string, name: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(where, name, "an array", value);
  return value;
}

export function checkTexts(where: string, name: string, value: unknown): readonly string[] {
  checkList(where, name, value).forEach((one, i) => {
    checkText(where, `${name}[${i}]`, one);
  });
  return value as string[];
}

/** Anything to loop over but a text, whose letters nobody means. */
export function checkIterable(where: string, name: string, value: unknown): void {
  const iterable =
    typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
  if (!iterable || ArrayBuffer.isView(value)) throw wrong(where, name, "an array or another iterable", value);
}

export function checkMap(where: string, name: string, value: unknown): ReadonlyMap<string, unknown> {
  if (!(value instanceof Map)) throw wrong(where, name, "a Map", value);
  for (const key of value.keys()) if (typeof key !== "string") throw wrong(where, `a key of ${name}`, "a text", key);
  return value;
}

/** [width, height], positive whole numbers. */
export function checkSize(where: string, name: string, value: unknown): readonly [number, number] {
  const pair = Array.isArray(value) && value.length === 2 && value.every((n) => Number.isSafeInteger(n) && n > 0);
  if (!pair)
    throw new ShapeError(`${where}: ${name} must be [width, height], whole and positive, got ${described(value)}`);
  return value as [number, number];
}

export interface ArrayClass<T> {
  new (length: number): T;
  readonly name: string;
}

/** A typed array of that class; of plain numbers and of other classes the message says how to make one. */
export function checkArray<T extends ArrayLike<number>>(
  where: string,
  name: string,
  value: unknown,
  Type: ArrayClass<T>,
): T {
  if (value instanceof Type) return value;
  const numbers = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  const hint = numbers ? `; ${Type.name}.from(…) makes one` : "";
  throw new ShapeError(`${where}: ${name} must be a ${Type.name}, got ${described(value)}${hint}`);
}

/** Points x0, y0, x1, y1, … in floats of either size. */
export function checkPoints<T extends FloatArray>(where: string, name: string, value: T): T {
  if (!(value instanceof Float64Array)) checkArray(where, name, value, Float32Array);
  if (value.length % 2) throw new ShapeError(`${where}: ${name} come as x, y pairs, got ${value.length} numbers`);
  return value;
}

/** Numbers to be read by index: an array of numbers or a typed array. */
export function checkNumbers(where: string, name: string, value: unknown): ArrayLike<number> {
  const typed = ArrayBuffer.isView(value) && !(value instanceof DataView) && !isBig(value);
  if (typed) return value as unknown as ArrayLike<number>;
  if (!Array.isArray(value))
    throw new ShapeError(`${where}: ${name} must be numbers in an array, got ${described(value)}`);
  const bad = value.findIndex((one) => typeof one !== "number");
  if (bad >= 0) throw new ShapeError(`${where}: ${name}[${bad}] must be a number, got ${described(value[bad])}`);
  return value;
}

const isBig = (value: unknown): boolean => value instanceof BigInt64Array || value instanceof BigUint64Array;
