import { describe, expect, it } from "vitest";
import { FormatError, UnsupportedError } from "../../../src/errors.js";
import type { ByteSource } from "../../../src/formats/source.js";
import { readTorchCheckpoint } from "../../../src/formats/torch.js";
import { call, checkpoint, dict, global, int, latin1, list, raw, stackGlobal, tensor, text, tuple } from "./pickles.js";

const NONE = "N";
const ordered = call(global("collections", "OrderedDict"));

/** A tensor of a type that has no storage class, as PyTorch 2 pickles it: bytes, and the type beside them. */
function untyped(dtype: string, bytes: number, shape: number[], offset = 0, key = "0"): string {
  const id = tuple(text("storage"), stackGlobal("torch.storage", "UntypedStorage"), text(key), text("cpu"), int(bytes));
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const numbers = [tuple(...shape.map(int)), tuple(...strides.map(int))];
  const rebuild = global("torch._utils", "_rebuild_tensor_v3");
  return call(rebuild, `${id}Q`, int(offset), ...numbers, "\x89", ordered, global("torch", dtype));
}

const read = (root: string, data: ArrayBufferView) =>
  readTorchCheckpoint(checkpoint(root, { 0: raw(data) }), { name: "m.pth" });

/** A file of which only what is asked for is copied; the ranges are kept. */
function watched(bytes: Uint8Array): ByteSource & { ranges: [number, number][]; taken: number } {
  const source = {
    size: bytes.length,
    ranges: [] as [number, number][],
    taken: 0,
    read: (offset: number, length: number) => {
      source.ranges.push([offset, length]);
      source.taken += length;
      return bytes.slice(offset, offset + length);
    },
  };
  return source;
}

describe("storages", () => {
  it("of unsigned types, which PyTorch keeps untyped", () => {
    const data = Uint16Array.of(1, 2, 65535, 4, 5, 6);
    const { tensors } = read(dict({ a: untyped("uint16", 12, [2, 2], 2), b: untyped("uint32", 12, [3]) }), data);
    expect(tensors.get("a")).toEqual({ dtype: "uint16", shape: [2, 2], data: Uint16Array.of(65535, 4, 5, 6) });
    expect(tensors.get("b")).toEqual({ dtype: "uint32", shape: [3], data: new Uint32Array(data.buffer) });
    expect(() => read(dict({ a: untyped("uint16", 12, [7]) }), data)).toThrow(/does not fit its storage of 6 values/);
    expect(() => read(dict({ a: untyped("uint16", 14, [7]) }), data)).toThrow(/needs 14 bytes .*, 12 are there/);
  });

  it("of parameters with a state of their own", () => {
    const w = tensor({ storage: "FloatStorage", key: "0", count: 2, shape: [2], strides: [1] });
    const parameter = call(global("torch._utils", "_rebuild_parameter_with_state"), w, "\x88", ordered, "}");
    expect(read(dict({ w: parameter }), Float32Array.of(1, 2)).tensors.get("w")?.data).toEqual(Float32Array.of(1, 2));
  });

  it.each(["ComplexFloat", "ComplexDouble", "QInt8", "QUInt8", "QInt32"])("of %s are refused by name", (kind) => {
    const w = tensor({ storage: `${kind}Storage`, key: "0", count: 1, shape: [1], strides: [1] });
    expect(() => read(dict({ w }), new Float64Array(2))).toThrow(UnsupportedError);
    expect(() => read(dict({ w }), new Float64Array(2))).toThrow(
      `a tensor of torch.${kind}Storage, which is not offered`,
    );
  });

  it("of 8-bit floats and of what is no type are refused", () => {
    const float8 = dict({ w: untyped("float8_e4m3fn", 8, [8]) });
    expect(() => read(float8, new Float64Array(1))).toThrow(UnsupportedError);
    expect(() => read(float8, new Float64Array(1))).toThrow(/torch\.float8_e4m3fn, which is not offered/);
    const size = dict({ w: untyped("Size", 8, [8]) });
    expect(() => read(size, new Float64Array(1))).toThrow(/described with the wrong values/);
    expect(() => read(dict({ w: untyped("load", 8, [8]) }), new Float64Array(1))).toThrow(/asks for torch\.load/);
  });

  it("that are views of others, as PyTorch before 0.4 wrote, are refused", () => {
    const id = tuple(text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"), int(2), list(text("1")));
    const rebuild = global("torch._utils", "_rebuild_tensor");
    const w = call(rebuild, `${id}Q`, int(0), tuple(int(2)), tuple(int(1)));
    expect(() => read(dict({ w }), Float32Array.of(1, 2))).toThrow(/a storage that is a view of another/);
    const plain = call(rebuild, `${id.replace(list(text("1")), NONE)}Q`, int(0), tuple(int(2)), tuple(int(1)));
    expect(read(dict({ w: plain }), Float32Array.of(1, 2)).tensors.get("w")?.data).toEqual(Float32Array.of(1, 2));
  });
});

describe("of a file only what the state dict needs is read", () => {
  const tensorOf = (key: string, count: number) =>
    tensor({ storage: "FloatStorage", key, count, shape: [count], strides: [1] });
  const data = Float32Array.from({ length: 1000 }, (_, i) => i);
  const moments = new Float32Array(100_000);

  it("from an archive with an optimizer's state", () => {
    const root = dict({
      state_dict: dict({ w: tensorOf("0", 1000), again: tensorOf("0", 1000) }),
      optimizer_states: dict({ exp_avg: tensorOf("1", 100_000) }),
    });
    const file = watched(checkpoint(root, { 0: raw(data), 1: raw(moments) }));
    const { tensors, meta } = readTorchCheckpoint(file);
    expect(tensors.get("w")?.data).toEqual(data);
    expect(tensors.get("again")?.data.buffer).toBe(tensors.get("w")?.data.buffer);
    expect(meta.optimizer_states).toEqual({ exp_avg: "tensor float32 [100000]" });
    // The archive's last 64 kB are looked at for its end record.
    expect(file.taken).toBeLessThan(70_000 + 4000 + 2000);
    expect(file.size).toBeGreaterThan(400_000);
  });

  it("from a legacy stream, wherever its pickles end", () => {
    const magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    const id = (key: string, count: number) => tensorOf(key, count).replace("tQ", `${NONE}tQ`);
    const note = text("x".repeat(2_000_000));
    const head = (root: string) =>
      latin1(`${magic}M\xe9\x03.${dict({ little_endian: "\x88" })}.${root}.${list(text("0"), text("1"))}.`);
    const length = (count: number) => raw(BigUint64Array.of(BigInt(count)));
    for (const more of [{}, { note }] as Record<string, string>[]) {
      const root = dict({
        state_dict: dict({ w: id("0", 1000) }),
        optimizer_states: dict({ exp_avg: id("1", 1_000_000) }),
        ...more,
      });
      const parts = [head(root), length(1000), raw(data), length(1_000_000), new Uint8Array(4_000_000)];
      const file = watched(new Uint8Array(Buffer.concat(parts)));
      const { tensors } = readTorchCheckpoint(file);
      expect(tensors.get("w")?.data).toEqual(data);
      // One piece of 1 MiB, or one more of 8: the moments are not read for themselves.
      expect(file.ranges.filter(([, size]) => size === 4_000_000)).toEqual([]);
    }
  });

  it("and what is damaged but not needed does not hinder", () => {
    const root = dict({ state_dict: dict({ w: tensorOf("0", 1000) }), rest: dict({ m: tensorOf("1", 100_000) }) });
    const bytes = checkpoint(root, { 0: raw(data), 1: raw(moments) });
    bytes[bytes.length - 1000] ^= 1;
    expect(readTorchCheckpoint(bytes).tensors.get("w")?.data).toEqual(data);
    bytes[1000] ^= 1;
    expect(() => readTorchCheckpoint(bytes)).toThrow(FormatError);
    expect(() => readTorchCheckpoint(bytes)).toThrow(/"archive\/data(\.pkl|\/0)" does not match its checksum/);
  });
});
