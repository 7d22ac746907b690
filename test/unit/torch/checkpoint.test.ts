import { describe, expect, it } from "vitest";
import { FormatError, LimitError, OptionError, UnsupportedError } from "../../../src/errors.js";
import { checkNdArray, toFloat32 } from "../../../src/formats/ndarray.js";
import { readTorchCheckpoint } from "../../../src/formats/torch.js";
import { writeZip } from "../../../src/formats/zip.js";
import { fuzz } from "../../fuzz.js";
import {
  call,
  checkpoint,
  dict,
  global,
  int,
  latin1,
  list,
  raw,
  short,
  stackGlobal,
  type TensorSpec,
  tensor,
  text,
  tuple,
} from "./pickles.js";

const counting = (count: number) => raw(Float32Array.from({ length: count }, (_, i) => i));
const floats = (spec: Omit<TensorSpec, "storage">) => tensor({ storage: "FloatStorage", ...spec });
const vector = floats({ key: "0", count: 3, shape: [3], strides: [1] });
const one = (spec: Omit<TensorSpec, "storage" | "key" | "count">, count = 12) =>
  readTorchCheckpoint(
    checkpoint(dict({ t: floats({ key: "0", count, ...spec }) }), { 0: counting(count) }),
  ).tensors.get("t")!;

describe("readTorchCheckpoint", () => {
  it.each<[string, string, ArrayBufferView, number[]]>([
    ["FloatStorage", "float32", new Float32Array([1.5, -2]), [1.5, -2]],
    ["DoubleStorage", "float64", new Float64Array([1.5, -2]), [1.5, -2]],
    ["HalfStorage", "float16", new Uint16Array([0x3e00, 0xc000]), [1.5, -2]],
    ["BFloat16Storage", "bfloat16", new Uint16Array([0x3fc0, 0xc000]), [1.5, -2]],
    ["LongStorage", "int64", new BigInt64Array([7n, -2n]), [7, -2]],
    ["IntStorage", "int32", new Int32Array([7, -2]), [7, -2]],
    ["ShortStorage", "int16", new Int16Array([7, -2]), [7, -2]],
    ["CharStorage", "int8", new Int8Array([7, -2]), [7, -2]],
    ["ByteStorage", "uint8", new Uint8Array([7, 254]), [7, 254]],
    ["BoolStorage", "bool", new Uint8Array([1, 0]), [1, 0]],
  ])("reads %s as %s", (storage, dtype, data, expected) => {
    const root = dict({ t: tensor({ storage, key: "0", count: 2, shape: [2, 1], strides: [1, 1] }) });
    const array = checkNdArray("t", readTorchCheckpoint(checkpoint(root, { 0: raw(data) })).tensors.get("t")!);
    expect([array.dtype, array.shape, [...toFloat32(array)]]).toEqual([dtype, [2, 1], expected]);
  });

  it("reads views, transposed, strided, expanded, empty and single tensors", () => {
    expect(one({ shape: [2, 2], strides: [2, 1], offset: 5 }).data).toEqual(new Float32Array([5, 6, 7, 8]));
    expect(one({ shape: [3, 4], strides: [1, 3] }).data).toEqual(
      new Float32Array([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]),
    );
    expect(one({ shape: [3], strides: [4], offset: 3 }).data).toEqual(new Float32Array([3, 7, 11]));
    expect(one({ shape: [2, 3], strides: [1, 0], offset: 1 }).data).toEqual(new Float32Array([1, 1, 1, 2, 2, 2]));
    expect(one({ shape: [], strides: [], offset: 11 }).data).toEqual(new Float32Array([11]));
    expect(one({ shape: [4, 0], strides: [1, 1] })).toEqual({
      dtype: "float32",
      shape: [4, 0],
      data: new Float32Array(0),
    });
    // The stride of an axis of size 1 says nothing.
    expect(one({ shape: [1, 4], strides: [77, 1] }).data).toEqual(new Float32Array([0, 1, 2, 3]));
  });

  it("does not copy contiguous tensors, and tensors of one storage share it", () => {
    const root = dict({
      a: floats({ key: "0", count: 64, shape: [8, 8], strides: [8, 1] }),
      b: floats({ key: "0", count: 64, offset: 8, shape: [8], strides: [1] }),
    });
    // The storage's place in this file decides whether it is aligned: the copy made for it must be shared as well.
    for (const pad of [0, 1, 2, 3]) {
      const bytes = checkpoint(`${short("x".repeat(pad))}0${root}`, { 0: counting(64) });
      const { tensors } = readTorchCheckpoint(bytes);
      const [a, b] = [tensors.get("a")!.data, tensors.get("b")!.data];
      expect(b.buffer).toBe(a.buffer);
      expect([...b]).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
    }
  });

  it("takes state_dict of a Lightning checkpoint and keeps the rest as plain data", () => {
    const root = dict({
      epoch: int(27),
      state_dict: dict({ "net.w": vector }),
      hparams: `${global("argparse", "Namespace")})\x81${dict({ lr: "G\x3f\x50\x62\x4d\xd2\xf1\xa9\xfc" })}b`,
      hyper_parameters: `${global("pytorch_lightning.utilities.parsing", "AttributeDict")})\x81(${text("n")}${int(64)}u`,
      callbacks: `}${stackGlobal("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")}${dict({ best: vector })}s`,
      device: call(global("torch", "device"), text("cuda"), int(0)),
      dtype: global("torch", "float32"),
      size: call(global("torch", "Size"), list(int(1), int(2))),
      seen: call(global("builtins", "set"), list(int(3))),
      raw: "C\x02ab",
      big: `\x8a\x09${"\x00".repeat(8)}\x01`,
      __proto__x: "N",
    });
    const { tensors, meta } = readTorchCheckpoint(checkpoint(root, { 0: counting(3) }));
    expect([...tensors.keys()]).toEqual(["net.w"]);
    expect(meta).toEqual({
      epoch: 27,
      hparams: { lr: 0.001 },
      hyper_parameters: { n: 64 },
      callbacks: { "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint": { best: "tensor float32 [3]" } },
      device: "cuda:0",
      dtype: "torch.float32",
      size: [1, 2],
      seen: [3],
      raw: "2 bytes",
      big: "18446744073709551616",
      __proto__x: null,
    });
  });

  it("joins nested dictionaries and parameters, and pollutes no prototype", () => {
    const parameter = call(global("torch._utils", "_rebuild_parameter"), vector, "\x88", "}");
    const inner = `}(${text("w")}${parameter}${text("note")}${text("hi")}${int(4)}${vector}u`;
    const root = `}(${text("model")}${inner}${text("__proto__")}${dict({ polluted: "\x88" })}u`;
    const { tensors, meta } = readTorchCheckpoint(checkpoint(root, { 0: counting(3) }));
    expect([...tensors.keys()]).toEqual(["model.w", "model.4"]);
    expect(meta).toEqual({ "model.note": "hi", "__proto__.polluted": true });
    const nested = dict({ state_dict: dict({ w: vector }) }).replace(
      /u$/,
      `${text("__proto__")}${dict({ x: "\x88" })}u`,
    );
    expect(Object.keys(readTorchCheckpoint(checkpoint(nested, { 0: counting(3) })).meta)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>).x).toBe(undefined);
    expect(readTorchCheckpoint(checkpoint("}")).tensors.size).toBe(0);
  });

  it("reads deflated members too", () => {
    const bytes = checkpoint(dict({ w: vector }), { 0: counting(3) }, true);
    expect(readTorchCheckpoint(bytes).tensors.get("w")!.data).toEqual(new Float32Array([0, 1, 2]));
  });
});

describe("readTorchCheckpoint refuses", () => {
  const read = (root: string, storages: Record<string, Uint8Array> = { 0: counting(12) }) =>
    readTorchCheckpoint(checkpoint(root, storages), { name: "model.ckpt" });

  it("foreign classes, by name, wherever they lie", () => {
    const evil = call(global("os", "system"), text("id"));
    expect(() => read(dict({ state_dict: dict({ w: vector }), hook: evil }))).toThrow(
      /^model\.ckpt: the pickle asks for os\.system, which is not on the list of harmless classes/,
    );
    expect(() => read(dict({ w: `${vector}${dict({ hook: evil })}b` }))).toThrow(/os\.system/);
    for (const [module, name] of [
      ["torch.nn.modules.linear", "Linear"],
      ["builtins", "getattr"],
      ["builtins", "complex"],
      ["torch", "load"],
      ["torch.storage", "_load_from_bytes"],
      ["numpy.core.multiarray", "_reconstruct"],
    ]) {
      expect(() => read(dict({ w: stackGlobal(module, name) }))).toThrow(`asks for ${module}.${name}`);
    }
    expect(() => read(dict({ w: call(global("builtins", "dict"), "N") }))).toThrow(/may be named, not called/);
  });

  it.each<[string, Partial<TensorSpec>]>([
    ["that is too long", { shape: [13], strides: [1] }],
    ["that begins too late", { shape: [12], strides: [1], offset: 1 }],
    ["whose strides leave the storage", { shape: [2, 2], strides: [11, 1] }],
    ["of astronomic size", { shape: [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1], strides: [0, 0, 0] }],
    ["of negative size", { shape: [-1], strides: [1] }],
    ["of negative offset", { shape: [1], strides: [1], offset: -1 }],
    ["with too few strides", { shape: [2, 2], strides: [1] }],
    ["of 65 dimensions", { shape: Array(65).fill(1), strides: Array(65).fill(1) }],
    ["whose storage has another length", { shape: [2], strides: [1], count: 11 }],
    ["of another type than its storage", { storage: "DoubleStorage", shape: [2], strides: [1] }],
    ["of an unknown storage", { key: "9", shape: [2], strides: [1] }],
  ])("a tensor %s", (_, spec) => {
    const base = { storage: "FloatStorage", key: "0", count: 12, shape: [1], strides: [1] };
    expect(() => read(dict({ t: tensor({ ...base, ...spec }) }))).toThrow(FormatError);
  });

  it("a few bytes that would become gigabytes", () => {
    const expanded = { key: "0", count: 12, shape: [2 ** 30], strides: [0] };
    expect(() => read(dict({ t: floats(expanded) }))).toThrow(LimitError);
    const zeros = checkpoint(
      dict({ t: floats({ ...expanded, count: 2 ** 18 }) }),
      { 0: new Uint8Array(2 ** 20) },
      true,
    );
    expect(zeros.length).toBeLessThan(2 ** 12);
    expect(() => readTorchCheckpoint(zeros, { limit: 2 ** 19 })).toThrow(LimitError);
    expect(() => one({ shape: [2, 3], strides: [1, 0] })).not.toThrow();
    const small = checkpoint(dict({ t: floats({ ...expanded, shape: [2, 3], strides: [1, 0] }) }), { 0: counting(12) });
    expect(() => readTorchCheckpoint(small, { limit: 100 })).not.toThrow();
    expect(() => readTorchCheckpoint(small, { limit: 1 })).toThrow(LimitError);
  });

  it("values that contain themselves, or each other without end", () => {
    expect(() => read(dict({ state_dict: "}", loop: "]q\x00h\x00a" }))).toThrow(/without end/);
    expect(() => read(`}q\x00${text("me")}h\x00s`)).toThrow(FormatError);
    // A billion laughs: each list holds the one before ten times.
    let laughs = "]q\x00";
    for (let level = 0; level < 12; level++) laughs += `0](${"h\x00".repeat(10)}eq\x00`;
    expect(() => read(dict({ state_dict: "}", laughs }))).toThrow(/without end/);
    let dicts = `}q\x00`;
    for (let level = 0; level < 12; level++) {
      const entries = Array.from({ length: 10 }, (_, i) => `K${String.fromCharCode(i)}h\x00`);
      dicts = `${dicts}0}(${entries.join("")}uq\x00`;
    }
    expect(() => read(dicts)).toThrow(/without end/);
    const device = call(global("torch", "device"), laughs, int(0));
    expect(read(dict({ state_dict: "}", device })).meta.device).toBe("?:0");
  });

  it("names without end, twice the same name, what is no state dict", () => {
    expect(() => read(dict({ ["x".repeat(1001)]: vector }), { 0: counting(3) })).toThrow(/longer than 1000/);
    expect(() => read(`}(${text("1")}${vector}K\x01${vector}u`, { 0: counting(3) })).toThrow(/two tensors/);
    expect(() => read(vector, { 0: counting(3) })).toThrow(/holds a tensor float32 \[3\]/);
    expect(() => read(list(vector), { 0: counting(3) })).toThrow(/holds a list/);
    expect(() => read(dict({ w: `${tuple(text("module"), text("x"))}Q` }))).toThrow(/persistent id/);
    expect(() => read(dict({ w: call(global("torch._utils", "_rebuild_tensor_v2"), "N") }))).toThrow(/wrong values/);
    expect(() => read(dict({ w: call(global("torch._utils", "_rebuild_parameter"), "N") }))).toThrow(/no tensor/);
  });

  it("bytes that are no checkpoint", () => {
    const whole = checkpoint(dict({ w: vector }), { 0: counting(3) });
    expect(() => readTorchCheckpoint(new Uint8Array(0))).toThrow(/the file is empty/);
    expect(() => readTorchCheckpoint(latin1("hello"))).toThrow(/expected a PyTorch checkpoint/);
    expect(() => readTorchCheckpoint(latin1("\x80\x02}."))).toThrow(/expected a PyTorch checkpoint/);
    expect(() => readTorchCheckpoint(writeZip([["a.txt", latin1("a")]]))).toThrow(/no data\.pkl/);
    for (let cut = 0; cut < whole.length; cut += 7) {
      expect(() => readTorchCheckpoint(whole.subarray(0, cut)), `cut at ${cut}`).toThrow(FormatError);
    }
    const big: [string, Uint8Array][] = [
      ["archive/data.pkl", latin1("}.")],
      ["archive/byteorder", latin1("big")],
    ];
    expect(() => readTorchCheckpoint(writeZip(big))).toThrow(UnsupportedError);
    expect(() => readTorchCheckpoint(whole, { nmae: "x" } as object)).toThrow(OptionError);
  });

  it("the legacy stream when it is cut, foreign or big-endian", () => {
    const magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    const system = (little: boolean) => `${dict({ little_endian: little ? "\x88" : "\x89" })}.`;
    const data = `\x03${"\x00".repeat(7)}${String.fromCharCode(...counting(3))}`;
    const legacy = (little: boolean, root: string, keys = list(text("0"))) =>
      latin1(`${magic}M\xe9\x03.${system(little)}${root}.${keys}.${data}`);
    const whole = legacy(true, dict({ w: vector.replace("tQ", "NtQ") }));
    expect(readTorchCheckpoint(whole).tensors.get("w")!.data).toEqual(new Float32Array([0, 1, 2]));
    for (let cut = magic.length; cut < whole.length; cut += 5) {
      expect(() => readTorchCheckpoint(whole.subarray(0, cut)), `cut at ${cut}`).toThrow(FormatError);
    }
    expect(() => readTorchCheckpoint(legacy(false, dict({ w: vector })))).toThrow(UnsupportedError);
    expect(() => readTorchCheckpoint(legacy(true, global("os", "system")))).toThrow(/os\.system/);
    expect(() => readTorchCheckpoint(legacy(true, dict({ w: vector }), list(text("5"))))).toThrow(/list of storages/);
    expect(() => readTorchCheckpoint(legacy(true, dict({ w: vector }), "N"))).toThrow(FormatError);
    expect(() => readTorchCheckpoint(legacy(true, dict({ w: vector }), "]"))).toThrow(/is missing/);
  });

  it("or reads 500 damaged copies, and nothing else happens", async () => {
    const root = dict({
      state_dict: dict({
        a: floats({ key: "0", count: 12, shape: [3, 4], strides: [1, 3] }),
        b: floats({ key: "0", count: 12, shape: [3], strides: [1] }),
      }),
      epoch: int(3),
    });
    const bytes = checkpoint(root, { 0: counting(12) });
    const check = ({ tensors }: ReturnType<typeof readTorchCheckpoint>) => {
      for (const [name, array] of tensors) checkNdArray(name, array);
    };
    expect(readTorchCheckpoint(bytes).tensors.size).toBe(2);
    const counts = await fuzz(bytes, readTorchCheckpoint, check, { rounds: 500 });
    expect(counts.refused).toBeGreaterThan(250);
    // The archive's checksums catch most damage; the pickle itself is damaged on its own.
    const pickle = latin1(`\x80\x02${root}.`);
    const inner = (damaged: Uint8Array) =>
      readTorchCheckpoint(
        writeZip([
          ["archive/data.pkl", damaged],
          ["archive/data/0", counting(12)],
        ]),
      );
    const deep = await fuzz(pickle, inner, check, { rounds: 500, seed: 2 });
    expect(deep.read + deep.refused).toBe(500);
    expect(deep.read).toBeGreaterThan(10);
  });
});
