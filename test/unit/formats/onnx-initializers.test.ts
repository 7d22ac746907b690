import { create, toBinary } from "@bufbuild/protobuf";
import {
  GraphProtoSchema,
  TensorProto_DataLocation as Location,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  SparseTensorProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorProto_DataType as Type,
} from "onnx-buf";
import { describe, expect, it } from "vitest";
import { FormatError, LimitError, OptionError, UnsupportedError } from "../../../src/errors.js";
import { bytesOf, DTYPES, type DType, type NdArray } from "../../../src/formats/ndarray.js";
import { readOnnxInitializers } from "../../../src/formats/onnx-initializers.js";
import { type ByteSource, sourceOf } from "../../../src/formats/source.js";
import { OnnxBuilder } from "../../../src/graph/onnx.js";
import { fuzz } from "../../fuzz.js";
import { expectSameArray, expectWellFormed, sampleArray } from "./samples.js";

const TYPES: Record<DType, Type> = {
  float64: Type.DOUBLE,
  float32: Type.FLOAT,
  float16: Type.FLOAT16,
  bfloat16: Type.BFLOAT16,
  int64: Type.INT64,
  uint64: Type.UINT64,
  int32: Type.INT32,
  uint32: Type.UINT32,
  int16: Type.INT16,
  uint16: Type.UINT16,
  int8: Type.INT8,
  uint8: Type.UINT8,
  bool: Type.BOOL,
};

type Fields = Partial<Omit<TensorProto, "$typeName" | "$unknown">>;
const proto = (fields: Fields): TensorProto => create(TensorProtoSchema, fields);
const head = (name: string, { dtype, shape }: NdArray): Fields => ({
  name,
  dataType: TYPES[dtype],
  dims: shape.map(BigInt),
});

/** As raw bytes, and as numbers of the field that onnx.proto says. */
const raw = (name: string, array: NdArray) =>
  proto({ ...head(name, array), rawData: new Uint8Array(bytesOf(array.data)) });
function typed(name: string, array: NdArray): TensorProto {
  const { dtype, data } = array;
  const start = head(name, array);
  const numbers = Array.from(data as ArrayLike<number>);
  const bigints = () => Array.from(data as ArrayLike<number | bigint>, BigInt);
  if (dtype === "float32") return proto({ ...start, floatData: numbers });
  if (dtype === "float64") return proto({ ...start, doubleData: numbers });
  if (dtype === "int64") return proto({ ...start, int64Data: bigints() });
  if (dtype === "uint64" || dtype === "uint32") return proto({ ...start, uint64Data: bigints() });
  return proto({ ...start, int32Data: numbers });
}

const external = (name: string, array: NdArray, pairs: Record<string, string>) =>
  proto({
    ...head(name, array),
    dataLocation: Location.EXTERNAL,
    externalData: Object.entries(pairs).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
  });

const model = (initializer: TensorProto[], more: object = {}): Uint8Array =>
  toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 10n,
      producerName: "test",
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: 20n })],
      metadataProps: [create(StringStringEntryProtoSchema, { key: "licence", value: "none" })],
      graph: create(GraphProtoSchema, {
        name: "g",
        node: [create(NodeProtoSchema, { opType: "Conv", input: ["x", "w"], output: ["y"] })],
        initializer,
        ...more,
      }),
    }),
  );

const arrays = DTYPES.map((dtype, i): [string, NdArray] => [dtype, sampleArray(dtype, [2, i + 1], i)]);
arrays.push(["scalar", sampleArray("float32", [])], ["empty", sampleArray("int64", [0])]);

/** A file that gives copies, and counts them. */
function counted(bytes: Uint8Array): ByteSource & { taken: number } {
  const source = {
    size: bytes.length,
    taken: 0,
    read: (offset: number, length: number) => {
      source.taken += length;
      return bytes.slice(offset, offset + length);
    },
  };
  return source;
}

describe("readOnnxInitializers", () => {
  it.each([
    ["raw bytes", raw],
    ["fields of numbers", typed],
  ])("reads every type exactly, from %s", (_, make) => {
    const bytes = model(arrays.map(([name, array]) => make(name, array)));
    for (const source of [bytes, sourceOf(bytes), counted(bytes)]) {
      const { tensors, meta } = readOnnxInitializers(source);
      expect([...tensors.keys()]).toEqual(arrays.map(([name]) => name));
      for (const [name, array] of arrays) expectSameArray(tensors.get(name)!, array);
      const expected = {
        ir_version: 10,
        producer_name: "test",
        opset: { "ai.onnx": 20 },
        metadata: { licence: "none" },
      };
      expect(meta).toEqual(expected);
    }
  });

  it("reads the ends of the ranges of numbers", () => {
    const ends = proto({ name: "a", dataType: Type.INT64, dims: [3n], int64Data: [-(2n ** 63n), -1n, 2n ** 63n - 1n] });
    const most = proto({ name: "b", dataType: Type.UINT64, dims: [2n], uint64Data: [2n ** 64n - 1n, 2n ** 35n + 5n] });
    const small = proto({ name: "c", dataType: Type.INT8, dims: [3n], int32Data: [-128, -1, 127] });
    const large = proto({ name: "d", dataType: Type.INT32, dims: [2n], int32Data: [-(2 ** 31), 2 ** 31 - 1] });
    const { tensors } = readOnnxInitializers(model([ends, most, small, large]));
    expect(tensors.get("a")!.data).toEqual(BigInt64Array.of(-(2n ** 63n), -1n, 2n ** 63n - 1n));
    expect(tensors.get("b")!.data).toEqual(BigUint64Array.of(2n ** 64n - 1n, 2n ** 35n + 5n));
    expect(tensors.get("c")!.data).toEqual(Int8Array.of(-128, -1, 127));
    expect(tensors.get("d")!.data).toEqual(Int32Array.of(-(2 ** 31), 2 ** 31 - 1));
  });

  it("reads what strata itself writes, and numbers that are not packed", () => {
    const builder = new OnnxBuilder();
    const weights = sampleArray("float32", [5, 30]).data as Float32Array;
    const w = builder.constant("float32", [5, 30], weights);
    builder.output("y", builder.node("Add", [builder.input("x", "float32", [5, 30]), w]), "float32", [5, 30]);
    const [tensor] = readOnnxInitializers(builder.toBytes("g")).tensors.values();
    expectSameArray(tensor, { dtype: "float32", shape: [5, 30], data: weights });
    // dims 2; type float32; float_data 1.5, then 2.5, each with a tag of its own.
    const loose = [8, 2, 16, 1, 0x25, 0, 0, 0xc0, 0x3f, 0x25, 0, 0, 0x20, 0x40, 66, 1, 97];
    const graph = [42, loose.length, ...loose];
    const { tensors } = readOnnxInitializers(Uint8Array.of(8, 10, 58, graph.length, ...graph));
    expectSameArray(tensors.get("a")!, { dtype: "float32", shape: [2], data: Float32Array.of(1.5, 2.5) });
  });

  it("of a large file takes the weights and little more", () => {
    const big = sampleArray("float32", [500_000]);
    const file = counted(model([raw("a", big), raw("b", big)]));
    readOnnxInitializers(file);
    expect(file.size).toBeGreaterThan(4e6);
    expect(file.taken).toBeLessThan(file.size + 300_000);
  });

  it("reads external data by the callback", () => {
    const [a, b] = [sampleArray("float32", [3]), sampleArray("int16", [2, 2])];
    const data = new Uint8Array(30);
    data.set(bytesOf(a.data), 2);
    data.set(bytesOf(b.data), 20);
    const bytes = model([
      external("a", a, { location: "w/x.bin", offset: "2", length: "12" }),
      external("b", b, { location: "w/x.bin", offset: "20" }),
    ]);
    const asked: string[] = [];
    const open = (location: string) => {
      asked.push(location);
      return data;
    };
    const { tensors } = readOnnxInitializers(bytes, { external: open });
    expectSameArray(tensors.get("a")!, a);
    expectSameArray(tensors.get("b")!, b);
    expect(asked).toEqual(["w/x.bin"]);
  });

  it("says of text what it is", () => {
    const words = proto({ name: "words", dataType: Type.STRING, dims: [1n], stringData: [new Uint8Array(3)] });
    expect(readOnnxInitializers(model([words])).meta.words).toBe("tensor string [1]");
  });
});

describe("readOnnxInitializers refuses", () => {
  const array = sampleArray("float32", [2, 3]);
  const beside = (pairs: Record<string, string>) => model([external("w", array, pairs)]);

  it.each<[string, Uint8Array, new (message: string) => Error, RegExp]>([
    [
      "raw data of another length",
      model([proto({ ...head("w", array), rawData: new Uint8Array(20) })]),
      FormatError,
      /m\.onnx: "w": shape \[2,3\] of float32 needs 24 bytes, the file holds 20/,
    ],
    [
      "too few numbers",
      model([proto({ ...head("w", array), floatData: [1, 2] })]),
      FormatError,
      /needs 6 values, the file holds 2/,
    ],
    ["no values", model([proto(head("w", array))]), FormatError, /needs 6 values, the file holds 0/],
    ["a shape that cannot be", model([proto({ ...head("w", array), dims: [-1n] })]), FormatError, /not a shape/],
    [
      "a shape of astronomic size",
      model([proto({ ...head("w", array), dims: [2n ** 40n, 2n ** 40n] })]),
      FormatError,
      /too large/,
    ],
    [
      "numbers beyond their type",
      model([proto({ name: "w", dataType: Type.UINT8, dims: [1n], int32Data: [256] })]),
      FormatError,
      /256 is no value of uint8/,
    ],
    [
      "complex numbers",
      model([proto({ ...head("w", array), dataType: Type.COMPLEX64 })]),
      UnsupportedError,
      /"w": data type number 14; read are float32/,
    ],
    [
      "8-bit floats",
      model([proto({ ...head("w", array), dataType: Type.FLOAT8E4M3FN })]),
      UnsupportedError,
      /number 17/,
    ],
    [
      "sparse tensors",
      model([], { sparseInitializer: [create(SparseTensorProtoSchema, {})] }),
      UnsupportedError,
      /sparse/,
    ],
    ["one name twice", model([raw("w", array), raw("w", array)]), FormatError, /two initializers are called "w"/],
    [
      "external data without a callback",
      beside({ location: "x.bin" }),
      UnsupportedError,
      /lie in another file, "x.bin"/,
    ],
    ["no model at all", new TextEncoder().encode("hello, this is no model"), FormatError, /truncated or damaged/],
    ["no graph", Uint8Array.of(8, 10), FormatError, /found no graph/],
    ["nothing", new Uint8Array(0), FormatError, /found no graph/],
  ])("%s", (_, bytes, kind, text) => {
    expect(() => readOnnxInitializers(bytes, { name: "m.onnx" })).toThrow(kind);
    expect(() => readOnnxInitializers(bytes, { name: "m.onnx" })).toThrow(text);
  });

  it.each(["../x", "/etc/passwd", "a/../../x", "C:x", "a\\b", "", "a//b"])("external data in %j", (location) => {
    const read = () => readOnnxInitializers(beside({ location }), { external: () => new Uint8Array(99) });
    expect(read).toThrow(FormatError);
    expect(read).toThrow(/no path below the model's folder/);
  });

  it("external data that is missing, too short or of another length", () => {
    const give = (size: number) => ({ external: () => (size ? new Uint8Array(size) : undefined) });
    expect(() => readOnnxInitializers(beside({ location: "x" }), give(0))).toThrow('external data "x" is missing');
    expect(() => readOnnxInitializers(beside({ location: "x" }), give(20))).toThrow(/"w", in "x": data needs 24 bytes/);
    expect(() => readOnnxInitializers(beside({ location: "x", offset: "-1" }), give(99))).toThrow(
      /no sensible "offset"/,
    );
    expect(() => readOnnxInitializers(beside({ location: "x", length: "20" }), give(99))).toThrow(/holds 20/);
  });

  it("one file of external data that would become many times itself", () => {
    const big = sampleArray("float32", [2 ** 20]);
    const file = new Uint8Array(2 ** 22);
    const bytes = model(Array.from({ length: 40 }, (_, i) => external(`w${i}`, big, { location: "x" })));
    expect(() => readOnnxInitializers(bytes, { external: () => file })).toThrow(LimitError);
    expect(() => readOnnxInitializers(model([]), { nmae: "x" } as object)).toThrow(OptionError);
  });

  it("or reads damaged copies as something sound", async () => {
    const bytes = model(arrays.map(([name, array], i) => (i % 2 ? raw : typed)(name, array)));
    const check = ({ tensors }: { tensors: Map<string, NdArray> }) => tensors.forEach(expectWellFormed);
    const { refused } = await fuzz(bytes, readOnnxInitializers, check, { rounds: 2000 });
    expect(refused).toBeGreaterThan(1000);
  });
});
