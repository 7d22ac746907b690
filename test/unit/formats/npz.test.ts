import { deflateSync } from "fflate";
import { describe, expect, it } from "vitest";
import { FormatError, LimitError, OptionError, UnsupportedError } from "../../../src/errors.js";
import { adler32, crc32, encodeUtf8 } from "../../../src/formats/bytes.js";
import { readNpz, writeNpz } from "../../../src/formats/npz.js";
import { readZip, writeZip } from "../../../src/formats/zip.js";
import { expectSameArray, sampleArray } from "./samples.js";

const files: [string, Uint8Array][] = [
  ["a.txt", encodeUtf8("hello ".repeat(100))],
  ["folder/ä.bin", new Uint8Array(0)],
  ["b", Uint8Array.of(1, 2, 3)],
];

/** Where the central directory's record of the first entry lies. */
function directory(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 6, true);
}

describe("checksums", () => {
  it("are those of the standards' test text", () => {
    expect(crc32(encodeUtf8("123456789"))).toBe(0xcbf43926);
    expect(adler32(encodeUtf8("Wikipedia"))).toBe(0x11e60398);
    expect(adler32(new Uint8Array(1e5).fill(255))).toBe(0x149a302c);
  });
});

describe("zip", () => {
  it.each([false, true])("gives files back (compress %s), the same bytes each time", (compress) => {
    const bytes = writeZip(files, { compress });
    expect([...readZip(bytes)]).toEqual(files.map(([name, data]) => [name, new Uint8Array(data)]));
    expect(writeZip(files, { compress })).toEqual(bytes);
    expect(bytes.length < 600).toBe(compress);
  });

  it("reads an archive with a comment and one with nothing in it", () => {
    const bytes = writeZip(files);
    const commented = new Uint8Array([...bytes, ...encodeUtf8("PK\x05\x06 comment")]);
    commented[bytes.length - 2] = commented.length - bytes.length;
    expect(readZip(commented).size).toBe(3);
    expect(readZip(writeZip([])).size).toBe(0);
  });

  it("checks sizes before unpacking: a bomb costs nothing", () => {
    const bytes = writeZip([["zeros", new Uint8Array(1 << 20)]], { compress: true });
    expect(() => readZip(bytes, { limit: 1e6 })).toThrow(LimitError);
    expect(() => readZip(bytes, { limit: 1e6 })).toThrow("1048576 bytes, over the limit of 1000000");
    // The same with a false size of 4 GiB: more than deflate could ever give.
    new DataView(bytes.buffer).setUint32(directory(bytes) + 24, 0xfffffff0, true);
    expect(() => readZip(bytes, { limit: 2 ** 40 })).toThrow("which cannot be");
    // What counts is the sum of all entries.
    const two = writeZip([
      ["a", new Uint8Array(1000)],
      ["b", new Uint8Array(1000)],
    ]);
    expect(() => readZip(two, { limit: 1500 })).toThrow("2000 bytes");
  });

  it("ends an entry at what the directory claims, with the checksum of the rest or of what was claimed", () => {
    const whole = new Uint8Array(300_000).fill(7);
    for (const claim of [0, 1, 1000, 299_999, 300_001]) {
      const part = new Uint8Array(claim).fill(7);
      const bytes = writeZip([["a.txt", whole]], { compress: true });
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const central = bytes.length - 22 - 46 - "a.txt".length;
      for (const crc of [crc32(whole), crc32(part)]) {
        view.setUint32(central + 16, crc, true);
        view.setUint32(central + 24, claim, true);
        expect(() => readZip(bytes)).toThrow(FormatError);
        expect(() => readZip(bytes)).toThrow(
          `"a.txt" claims ${claim} bytes unpacked, and has ${claim < 300_000 ? "more" : "300000"}; the file is damaged`,
        );
      }
    }
  });

  it("refuses damage, encryption and other methods by name", () => {
    const damaged = (change: (bytes: Uint8Array, at: number) => void): Uint8Array => {
      const bytes = writeZip(files);
      change(bytes, directory(bytes));
      return bytes;
    };
    expect(() => readZip(damaged((bytes) => bytes.fill(65, 40, 41)))).toThrow(/"a.txt" does not match its checksum/);
    expect(() => readZip(writeZip(files).subarray(0, -30))).toThrow("truncated");
    expect(() => readZip(encodeUtf8("no archive at all, just text"))).toThrow("not a zip archive");
    expect(() => readZip(new Uint8Array(0))).toThrow(FormatError);
    expect(() => readZip(damaged((bytes, at) => bytes.fill(1, at + 8, at + 9)))).toThrow(UnsupportedError);
    expect(() => readZip(damaged((bytes, at) => bytes.fill(12, at + 10, at + 11)))).toThrow("zip method 12");
    expect(() => readZip(damaged((bytes, at) => bytes.fill(255, at + 42, at + 45)))).toThrow(FormatError);
    expect(() => readZip(damaged((bytes, at) => bytes.fill(0, at, at + 2)))).toThrow("directory is damaged");
    expect(() => readZip(writeZip(files), { limt: 3 } as object)).toThrow(OptionError);
  });

  it("refuses two entries of one name, of which either could be meant", () => {
    const bytes = writeZip([
      ["a", Uint8Array.of(1)],
      ["b", Uint8Array.of(2)],
    ]);
    bytes[bytes.lastIndexOf(0x62)] = 0x61;
    expect(() => readZip(bytes)).toThrow('two entries are named "a"');
  });

  it("reads zip64 sizes, as NumPy and PyTorch write them", () => {
    const data = encodeUtf8("some data");
    const u16 = (n: number): number[] => [n & 255, n >> 8];
    const u32 = (n: number): number[] => [...u16(n & 0xffff), ...u16(n >>> 16)];
    const u64 = (n: number): number[] => [...u32(n), ...u32(0)];
    const packed = deflateSync(data);
    const local = [...u32(0x04034b50), ...u16(45), ...u16(0), ...u16(8), ...u32(0), ...u32(crc32(data))];
    local.push(...u32(0xffffffff), ...u32(0xffffffff), ...u16(1), ...u16(20), 120, ...u16(1), ...u16(16));
    local.push(...u64(data.length), ...u64(packed.length), ...packed);
    const central = [...u32(0x02014b50), ...u16(45), ...u16(45), ...u16(0), ...u16(8), ...u32(0), ...u32(crc32(data))];
    central.push(...u32(0xffffffff), ...u32(0xffffffff), ...u16(1), ...u16(28), ...u16(0), ...u32(0), ...u32(0));
    central.push(...u32(0xffffffff), 120, ...u16(1), ...u16(24), ...u64(data.length), ...u64(packed.length), ...u64(0));
    const end64 = [...u32(0x06064b50), ...u64(44), ...u16(45), ...u16(45), ...u32(0), ...u32(0), ...u64(1), ...u64(1)];
    end64.push(...u64(central.length), ...u64(local.length));
    const locator = [...u32(0x07064b50), ...u32(0), ...u64(local.length + central.length), ...u32(1)];
    const end = [
      ...u32(0x06054b50),
      ...u32(0),
      ...u16(0xffff),
      ...u16(0xffff),
      ...u32(0xffffffff),
      ...u32(0xffffffff),
      0,
      0,
    ];
    const bytes = new Uint8Array([...local, ...central, ...end64, ...locator, ...end]);
    expect(readZip(bytes).get("x")).toEqual(data);
    expect(() => readZip(bytes.subarray(0, local.length + 60))).toThrow(FormatError);
  });
});

describe("npz", () => {
  const arrays = {
    keypoints: sampleArray("float32", [3, 2]),
    "a/b": sampleArray("uint8", [0]),
    __proto__x: sampleArray("int64", []),
  };

  it.each([false, true])("gives arrays back (compress %s)", (compress) => {
    const read = readNpz(writeNpz(arrays, { compress }));
    expect(Object.keys(read)).toEqual(Object.keys(arrays));
    for (const [name, array] of Object.entries(arrays)) expectSameArray(read[name], array);
  });

  it("names the array that cannot be read", () => {
    const bytes = writeZip([["bad.npy", encodeUtf8("not an array")]]);
    expect(() => readNpz(bytes)).toThrow('readNpz: "bad": not a .npy file');
  });
});
