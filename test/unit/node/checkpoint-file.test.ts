import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, IoError, OptionError, UnsupportedError } from "../../../src/errors.js";
import type { NdArray } from "../../../src/formats/ndarray.js";
import { writeSafetensors } from "../../../src/formats/safetensors.js";
import { OnnxBuilder } from "../../../src/graph/onnx.js";
import { readTensorFile } from "../../../src/node/checkpoint-file.js";
import { type BundleFiles, bundle, header, message, table } from "../formats/bundles.js";
import { expectSameArray, sampleArray } from "../formats/samples.js";
import { checkpoint, dict, int, raw, tensor } from "../torch/pickles.js";

const array: NdArray = { dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
const others = { a: array, b: sampleArray("int64", [3]) };

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "strata-weights-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a file below the folder; its path. */
function put(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

function putBundle(prefix: string, { index, shards }: BundleFiles): string {
  for (const [suffix, bytes] of Object.entries(shards)) put(prefix + suffix, bytes);
  return put(`${prefix}.index`, index);
}

describe("readTensorFile", () => {
  it("tells PyTorch, safetensors and ONNX by their content, not by their names", async () => {
    const w = tensor({ storage: "FloatStorage", key: "0", count: 6, shape: [2, 3], strides: [3, 1] });
    const torch = checkpoint(dict({ state_dict: dict({ w }), epoch: int(3) }), { 0: raw(array.data) });
    const builder = new OnnxBuilder();
    const input = builder.input("x", "float32", [2, 3]);
    // Larger than what becomes a part of a node.
    const many = sampleArray("float32", [2, 300]);
    const sum = builder.node("MatMul", [
      input,
      input,
      builder.constant("float32", many.shape, many.data as Float32Array),
    ]);
    builder.output("y", sum, "float32", [2, 3]);
    const files = [
      ["torch", torch, array, { epoch: 3 }],
      ["safetensors", writeSafetensors([["w", array]], { model: "m" }), array, { model: "m" }],
      ["onnx", builder.toBytes("g"), many, { opset: { "ai.onnx": 20 } }],
    ] as const;
    for (const [format, bytes, expected, other] of files) {
      const read = await readTensorFile(put(`weights-${format}.bin`, bytes));
      expect(read.format).toBe(format);
      expect(read.tensors.size).toBe(1);
      for (const tensor of read.tensors.values()) expectSameArray(tensor, expected);
      expect(read.other).toMatchObject(other);
    }
  });

  it("finds a TensorFlow checkpoint by folder, index, shard or prefix", async () => {
    const files = bundle(others, { shards: 2 });
    const index = putBundle("plain/model.ckpt-7", files);
    const prefix = index.replace(/\.index$/, "");
    putBundle("saved/variables/variables", files);
    put("saved/saved_model.pb", "x");
    const shard = `${prefix}.data-00001-of-00002`;
    for (const path of [index, prefix, shard, dirname(index), join(folder, "saved"), join(folder, "saved/variables")]) {
      const { format, tensors } = await readTensorFile(path);
      expect(format).toBe("tensorflow");
      for (const [name, expected] of Object.entries(others)) expectSameArray(tensors.get(name)!, expected);
    }
  });

  it("reads external data of an ONNX file beside it, and nowhere else", async () => {
    const pair = (key: string, value: string) =>
      message(13, ...message(1, ...text(key)), ...message(2, ...text(value)));
    const text = (value: string) => [...new TextEncoder().encode(value)];
    const model = (location: string) => {
      // dims 2 and 3, float32, "w", in another file.
      const tensor = [8, 2, 8, 3, 16, 1, ...message(8, ...text("w")), ...pair("location", location), 14 * 8, 1];
      return Uint8Array.from([8, 10, ...message(7, ...message(5, ...tensor))]);
    };
    put("onnx/w.bin", raw(array.data));
    put("w.bin", raw(array.data));
    const { tensors } = await readTensorFile(put("onnx/a.onnx", model("w.bin")));
    expectSameArray(tensors.get("w")!, array);
    await expect(readTensorFile(put("onnx/b.onnx", model("../w.bin")))).rejects.toThrow(
      /no path below the model's folder/,
    );
    await expect(readTensorFile(put("onnx/c.onnx", model("none.bin")))).rejects.toThrow('"none.bin" is missing');
  });

  it.each<[string, string | Uint8Array | null, new (message: string) => Error, RegExp]>([
    ["nothing.pth", null, IoError, /nothing\.pth: there is no such file/],
    ["empty.pth", "", FormatError, /empty\.pth is empty/],
    ["page.pth", "<!DOCTYPE html><html>403</html>", FormatError, /page\.pth: a web page, not weights/],
    ["lfs.pth", "version https://git-lfs.github.com/spec/v1\n", FormatError, /a pointer of Git LFS/],
    ["r50delg.tar.gz", gzipSync("x"), UnsupportedError, /packed by gzip \(\.tar\.gz\); unpack it/],
    [
      "text.pth",
      "hello, these are no weights",
      FormatError,
      /not a file of weights that is known .* begins with 68 65 6c 6c 6f/,
    ],
    ["short.pth", "PK", FormatError, /short\.pth: not a zip archive/],
    [
      "old.ckpt",
      table([[[], message(1, 1)]]),
      UnsupportedError,
      /old\.ckpt: a checkpoint of TensorFlow's first format/,
    ],
  ])("refuses %s", async (name, bytes, kind, text) => {
    const path = bytes === null ? join(folder, name) : put(name, bytes);
    await expect(readTensorFile(path)).rejects.toThrow(kind);
    await expect(readTensorFile(path)).rejects.toThrow(text);
  });

  it("refuses an HDF5 file, a folder without a checkpoint or with two, and a missing shard", async () => {
    const keras = put("keras2.h5", Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10));
    await expect(readTensorFile(keras)).rejects.toThrow(UnsupportedError);
    mkdirSync(join(folder, "none/variables"), { recursive: true });
    await expect(readTensorFile(join(folder, "none"))).rejects.toThrow(OptionError);
    await expect(readTensorFile(join(folder, "none"))).rejects.toThrow(/no TensorFlow checkpoint in the folder/);
    putBundle("two/a", bundle(others));
    const b = putBundle("two/b", bundle(others));
    await expect(readTensorFile(join(folder, "two"))).rejects.toThrow(/holds 2 checkpoints \(a, b…\); name one/);
    rmSync(b.replace(".index", ".data-00000-of-00001"));
    await expect(readTensorFile(b)).rejects.toThrow(/b\.index: shard 1 of 1 \(".*of-00001"\) is missing/);
    put("two/b.data-00000-of-00001", "");
    await expect(readTensorFile(b)).rejects.toThrow(/is empty/);
    putBundle("big/m", { index: table([header(1, 1)]), shards: {} });
    await expect(readTensorFile(join(folder, "big/m"))).rejects.toThrow(/m\.index: written on a big-endian machine/);
  });
});
