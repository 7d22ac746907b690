import { describe, expect, it } from "vitest";
import { FormatError, LimitError, OptionError, UnsupportedError } from "../../../src/errors.js";
import { maskedCrc32c } from "../../../src/formats/crc32c.js";
import { bytesOf, DTYPES, type NdArray } from "../../../src/formats/ndarray.js";
import { unpackSnappy } from "../../../src/formats/tensorflow/snappy.js";
import { readTable } from "../../../src/formats/tensorflow/table.js";
import { readTensorflowCheckpoint } from "../../../src/formats/tensorflow.js";
import { Random } from "../../../src/random.js";
import { fuzz } from "../../fuzz.js";
import {
  type BundleFiles,
  bundle,
  type Entry,
  entry,
  header,
  message,
  number,
  packSnappy,
  table,
  text,
} from "./bundles.js";
import { expectSameArray, expectWellFormed, sampleArray } from "./samples.js";

const everyType: Record<string, NdArray> = Object.fromEntries(
  DTYPES.map((dtype, i) => [`block1/unit_${i}/${dtype}`, sampleArray(dtype, [3, i + 1], i)]),
);
everyType["block1/scalar"] = sampleArray("int64", []);
everyType.empty = sampleArray("float32", [0, 4]);

const read = ({ index, shards }: BundleFiles) => readTensorflowCheckpoint(index, (suffix) => shards[suffix]);

/** The index alone, its tensors' bytes zeros. */
const readIndex = (entries: Entry[], shard = new Uint8Array(64)) =>
  readTensorflowCheckpoint(table(entries), () => shard, { name: "m.index" });

describe("readTensorflowCheckpoint", () => {
  it.each([
    ["one block", { perBlock: 100 }],
    ["many blocks and restarts", { perBlock: 3, restart: 2 }],
    ["every key in full", { restart: 1 }],
    ["snappy", { packed: true, perBlock: 5, restart: 16 }],
    ["three shards", { shards: 3 }],
    ["tensors that are not aligned", { between: 3 }],
  ])("reads every type exactly: %s", (_, options) => {
    const { tensors, meta } = read(bundle(everyType, options));
    expect([...tensors.keys()]).toEqual(Object.keys(everyType).sort());
    for (const [name, expected] of Object.entries(everyType)) expectSameArray(tensors.get(name)!, expected);
    expect(meta).toEqual({});
  });

  it("says of text tensors what they are, and asks for no shard that holds nothing", () => {
    const data = sampleArray("float32", [2]);
    const crc = maskedCrc32c(bytesOf(data.data));
    const asked: string[] = [];
    const index = table([
      header(5),
      entry("_CHECKPOINTABLE_OBJECT_GRAPH", { type: 7, shape: [], size: 10 }),
      entry("w", { type: 1, shape: [2], shard: 3, size: 8, crc }),
    ]);
    const { tensors, meta } = readTensorflowCheckpoint(index, (suffix) => {
      asked.push(suffix);
      return bytesOf(data.data);
    });
    expectSameArray(tensors.get("w")!, data);
    expect(meta).toEqual({ _CHECKPOINTABLE_OBJECT_GRAPH: "tensor string []" });
    expect(asked).toEqual([".data-00003-of-00005"]);
  });

  it("finds a wrong byte, wherever it lies", () => {
    const files = bundle(everyType, { shards: 2 });
    for (const [suffix, bytes] of Object.entries(files.shards)) {
      for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
        const damaged = bytes.slice();
        damaged[at] ^= 1;
        const shards = { ...files.shards, [suffix]: damaged };
        expect(() => read({ ...files, shards })).toThrow(/"[\w/]+" does not match its checksum/);
      }
    }
    const index = files.index.slice();
    index[10] ^= 1;
    expect(() => read({ ...files, index })).toThrow(/the data block at 0 does not match its checksum/);
    index[10] ^= 1;
    // Behind the data blocks, the footer (48 bytes) and its check (4), lie the index block's last bytes.
    index[index.length - 48 - 5 - 4] ^= 1;
    expect(() => read({ ...files, index })).toThrow(/the index block does not match its checksum/);
  });
});

describe("readTensorflowCheckpoint refuses", () => {
  const floats = (spec: object) => entry("a/b", { type: 1, shape: [2, 3], size: 24, ...spec });

  it.each<[string, Entry[], new (message: string) => Error, RegExp]>([
    [
      "a shape that does not fit",
      [header(1), floats({ size: 20 })],
      FormatError,
      /m\.index: "a\/b": shape \[2,3\] of float32 needs 24 bytes, the index says 20/,
    ],
    [
      "a slice before its tensor",
      [header(1), [[0, ...text("a/b"), 0, 1, 1, 4, 0x80, 0x82], []]],
      UnsupportedError,
      /"a\/b" is saved in slices/,
    ],
    ["slices", [header(1), floats({ slices: true })], UnsupportedError, /"a\/b" is saved in slices/],
    [
      "complex numbers",
      [header(1), floats({ type: 8 })],
      UnsupportedError,
      /"a\/b": data type complex64; read are float32/,
    ],
    ["types to come", [header(1), floats({ type: 99 })], UnsupportedError, /data type number 99/],
    ["big-endian files", [header(1, 1)], UnsupportedError, /big-endian machine/],
    ["formats to come", [header(1, 0, 2)], UnsupportedError, /needs a reader of version 2/],
    ["a shard that cannot be", [header(2), floats({ shard: 2 })], FormatError, /lies in shard 2 of 2/],
    ["no shards", [header(0)], FormatError, /0 shards cannot be/],
    [
      "a tensor beyond its shard",
      [header(1), floats({ offset: 60 })],
      FormatError,
      /shard ".*of-00001" has 64 bytes, the index needs 84/,
    ],
    [
      "tensors that share bytes",
      [header(1), floats({}), entry("c", { type: 1, shape: [4, 3], size: 48 })],
      FormatError,
      /its tensors take 72/,
    ],
    ["no header", [floats({})], FormatError, /no header/],
    ["nothing at all", [], FormatError, /no header/],
    [
      "keys out of order",
      [header(1), floats({}), entry("a", { type: 1, shape: [], size: 4 })],
      FormatError,
      /keys out of order/,
    ],
    [
      "a negative size",
      [header(1), floats({ shape: [2 ** 60] })],
      FormatError,
      /which cannot be|not a shape|too large/,
    ],
    [
      "a name without end",
      [header(1), entry("x".repeat(1001), { type: 1, shape: [], size: 4 })],
      FormatError,
      /longer than 1000/,
    ],
    [
      "an unknown shape",
      [header(1), [text("a"), [...number(1, 1), ...message(2, ...number(3, 1))]]],
      UnsupportedError,
      /no known shape/,
    ],
    ["the first format", [[[], message(1, 1, 2)]], UnsupportedError, /first format \(V1/],
  ])("%s", (_, entries, kind, text) => {
    expect(() => readIndex(entries)).toThrow(kind);
    expect(() => readIndex(entries)).toThrow(text);
  });

  it("a missing shard, what is no index, unknown options, an index that is too long", () => {
    const { index, shards } = bundle(everyType, { shards: 2 });
    const first = (suffix: string) => (suffix.startsWith(".data-00000") ? shards[suffix] : undefined);
    expect(() => readTensorflowCheckpoint(index, first)).toThrow('shard 2 of 2 ("….data-00001-of-00002") is missing');
    expect(() => readTensorflowCheckpoint(index.subarray(0, -1), first)).toThrow(/expected a checkpoint's index/);
    expect(() => readTensorflowCheckpoint(new Uint8Array(0), first)).toThrow(FormatError);
    expect(() => readTensorflowCheckpoint(index, first, { limit: 100 })).toThrow(LimitError);
    expect(() => readTensorflowCheckpoint(index, first, { nmae: "x" } as object)).toThrow(OptionError);
  });

  it("other compression", () => {
    const zstd = table([header(1)], { method: 2 });
    expect(() => readTable("t", zstd)).toThrow(UnsupportedError);
    expect(() => readTable("t", zstd)).toThrow("compressed by method 2; only snappy (1) is read");
  });

  it("keys that would become far more than the file", () => {
    const long = text("k".repeat(3000));
    const entries: Entry[] = Array.from({ length: 3000 }, (_, i) => [[...long, i >> 8, i & 255], []]);
    expect(() => readTable("t", table(entries, { perBlock: 3000, restart: 3000 }))).toThrow(LimitError);
  });

  it("or reads damaged copies right: checksums cover the index and the tensors", async () => {
    const files = bundle(everyType, { shards: 2, packed: true });
    const same = ({ tensors }: ReturnType<typeof read>) => {
      for (const [name, array] of tensors) expectSameArray(array, everyType[name]);
      expect(tensors.size).toBe(Object.keys(everyType).length);
    };
    const index = await fuzz(files.index, (bytes) => read({ ...files, index: bytes }), same, { rounds: 1000 });
    expect(index.refused).toBeGreaterThan(800);
    const [suffix] = Object.keys(files.shards);
    const withShard = (bytes: Uint8Array) => read({ ...files, shards: { ...files.shards, [suffix]: bytes } });
    const shard = await fuzz(files.shards[suffix], withShard, same, { rounds: 1000 });
    expect(shard.refused).toBeGreaterThan(500);
  });

  it("or reads messages that are damaged beneath right checksums", async () => {
    const entries = Object.entries(everyType).sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, array] of entries.slice(0, 4)) {
      const size = array.data.byteLength;
      const [key, value] = entry(name, { type: 1, shape: array.shape, size, crc: 7 });
      const damage = (bytes: Uint8Array) => readIndex([header(1), [key, [...bytes]]], new Uint8Array(4096));
      await fuzz(Uint8Array.from(value), damage, ({ tensors }) => tensors.forEach(expectWellFormed), { rounds: 500 });
    }
  });
});

describe("unpackSnappy", () => {
  const random = new Random(5);
  const data = Uint8Array.from({ length: 5000 }, (_, i) => (i % 700 < 400 ? i % 17 : random.integer(256)));

  it("gives what another program packed", () => {
    for (const bytes of [
      data,
      new Uint8Array(0),
      new Uint8Array(100_000),
      data.subarray(0, 61),
      data.subarray(0, 300),
    ]) {
      expect(unpackSnappy("s", packSnappy(new Uint8Array(bytes)), 2 ** 20)).toEqual(new Uint8Array(bytes));
    }
  });

  it("copies that reach into what they write, of each kind", () => {
    // 12: "ab" and ten more by an offset of 2, written in one, two and four bytes.
    for (const copy of [
      [((10 - 4) << 2) | 1, 2],
      [(9 << 2) | 2, 2, 0],
      [(9 << 2) | 3, 2, 0, 0, 0],
    ]) {
      expect(unpackSnappy("s", Uint8Array.of(12, 1 << 2, 97, 98, ...copy), 99)).toEqual(
        new TextEncoder().encode("ababababababab".slice(0, 12)),
      );
    }
  });

  it.each<[string, number[], RegExp]>([
    [
      "a literal of negative length, which sends snappyjs into an endless loop",
      [10, 63 << 2, 0xfa, 0xff, 0xff, 0xff, 0, 0, 0],
      /a literal is cut off/,
    ],
    ["a copy from before the beginning", [4, 0, 97, 1, 2], /before the data/],
    ["a copy from nowhere", [5, 0, 97, 1, 0], /before the data/],
    ["an element cut off", [5, 0, 97, 2, 1], /ends within an element/],
    ["more than it says", [1, 1 << 2, 97, 98], /more comes out/],
    ["less than it says", [9, 1 << 2, 97, 98], /2 bytes come out, it says 9/],
    ["a length that cannot be", [0xff, 0xff, 0xff, 0x7f, 0], /claim to hold/],
    ["a length without end", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], /no end/],
    ["nothing", [], /ends within/],
  ])("refuses %s", (_, bytes, text) => {
    expect(() => unpackSnappy("s", Uint8Array.from(bytes), 2 ** 30)).toThrow(FormatError);
    expect(() => unpackSnappy("s", Uint8Array.from(bytes), 2 ** 30)).toThrow(text);
  });

  it("takes no more than the limit", () => {
    expect(() => unpackSnappy("s", packSnappy(new Uint8Array(3000)), 2999)).toThrow(LimitError);
  });
});
