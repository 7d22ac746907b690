/** Archives over 4 GiB keep their numbers in zip64's records; PyTorch writes those always. Damage to each is named. */
import { describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "../../../src/errors.js";
import { crc32, encodeUtf8 } from "../../../src/formats/bytes.js";
import { readZip } from "../../../src/formats/zip.js";

const u16 = (n: number): number[] => [n & 255, n >> 8];
const u32 = (n: number): number[] => [...u16(n & 0xffff), ...u16(n >>> 16)];
const u64 = (n: number): number[] => [...u32(n % 2 ** 32), ...u32(Math.floor(n / 2 ** 32))];
const MANY = u32(0xffffffff);

const data = encodeUtf8("some data");

interface Damage {
  /** The zip64 field of the entry: size, packed size, offset; null: none. */
  field?: number[] | null;
  /** What the zip64 end record says. */
  count?: number;
  length?: number;
  offset?: number;
  /** Where the locator says that record lies. */
  record?: number;
  signature?: number;
  locator?: number;
  flags?: number;
}

/** An archive of one stored entry "x". */
function archive(damage: Damage = {}): Uint8Array {
  const local = [...u32(0x04034b50), ...u16(45), ...u16(0), ...u16(0), ...u32(0), ...u32(crc32(data))];
  local.push(...u32(data.length), ...u32(data.length), ...u16(1), ...u16(0), 120, ...data);
  const { field = [data.length, data.length, 0], flags = 0 } = damage;
  const extra = field ? [...u16(1), ...u16(8 * field.length), ...field.flatMap(u64)] : [];
  const central = [
    ...u32(0x02014b50),
    ...u16(45),
    ...u16(45),
    ...u16(flags),
    ...u16(0),
    ...u32(0),
    ...u32(crc32(data)),
  ];
  central.push(...MANY, ...MANY, ...u16(1), ...u16(extra.length), ...u16(0), ...u32(0), ...u32(0), ...MANY);
  central.push(120, ...extra);
  const at = local.length + central.length;
  const { count = 1, length = central.length, offset = local.length, record = at } = damage;
  const end64 = [...u32(damage.signature ?? 0x06064b50), ...u64(44), ...u16(45), ...u16(45), ...u32(0), ...u32(0)];
  end64.push(...u64(1), ...u64(count), ...u64(length), ...u64(offset));
  const locator = [...u32(damage.locator ?? 0x07064b50), ...u32(0), ...u64(record), ...u32(1)];
  const end = [...u32(0x06054b50), ...u32(0), ...u16(0xffff), ...u16(0xffff), ...MANY, ...MANY, 0, 0];
  return Uint8Array.from([...local, ...central, ...end64, ...locator, ...end]);
}

describe("zip64", () => {
  it("is read", () => {
    expect(readZip(archive()).get("x")).toEqual(data);
  });

  it.each<[string, Damage, RegExp]>([
    ["no locator", { locator: 7 }, /the zip64 locator is missing/],
    ["no end record", { signature: 7 }, /the zip64 end record is missing/],
    [
      "an end record beyond the file",
      { record: 2 ** 40 },
      /the zip64 end record needs 56 bytes at offset 1099511627776, the file has \d+; it is truncated or damaged/,
    ],
    ["a directory beyond the file", { offset: 2 ** 40 }, /the zip directory needs \d+ bytes at offset 1099511627776/],
    ["a directory longer than the file", { length: 2 ** 50 }, /the zip directory needs 1125899906842624 bytes/],
    ["more entries than the directory has", { count: 2 }, /directory record needs 4 bytes/],
    ["an endless number of entries", { count: 2 ** 52 }, /directory record needs 4 bytes/],
    ["an impossible number of entries", { count: 2 ** 60 }, /entry count is 1152921504606846976, which cannot be/],
    ["an entry without its field", { field: null }, /"x" has no zip64 field for its size/],
    ["an entry whose field is cut", { field: [9] }, /zip64 packed size needs 8 bytes/],
    ["an entry beyond the file", { field: [9, 9, 2 ** 33] }, /"x": local header needs 30 bytes at offset 8589934592/],
    ["an entry longer than the file", { field: [2 ** 30, 2 ** 30, 0] }, /"x": data needs 1073741824 bytes/],
  ])("with %s is refused", (_, damage, text) => {
    expect(() => readZip(archive(damage))).toThrow(FormatError);
    expect(() => readZip(archive(damage))).toThrow(text);
  });

  it("with encryption is refused", () => {
    expect(() => readZip(archive({ flags: 1 }))).toThrow(UnsupportedError);
    expect(() => readZip(archive({ flags: 1 }))).toThrow('"x" is encrypted; decrypt the archive first');
  });
});
