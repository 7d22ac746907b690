/**
 * The weights of an ONNX file: the initializers of its main graph, by name. The file is walked field by field, so nodes
 * and the weights' bytes are passed over, not parsed; weights in other files (external data) come by a callback.
 */
import { checkFunction, checkText } from "../check.js";
import { FormatError, LimitError, UnsupportedError } from "../errors.js";
import { withDefaults } from "../options.js";
import { checkByteLimit, type NdArray } from "./ndarray.js";
import { describeTensor, isText, readPair, readTensorData, readTensorHead } from "./onnx/tensor.js";
import { type WireField, type WireRange, WireReader } from "./protobuf.js";
import { type Bytes, sourceOf } from "./source.js";

/** Weights of an ONNX file. */
export interface OnnxInitializers {
  /** The initializers by name, in the file's order; float16 and bfloat16 are their bits. */
  tensors: Map<string, NdArray>;
  /** Producer, versions, operator sets, metadata; what text tensors there are. */
  meta: Record<string, string | number | Record<string, string | number>>;
}

/** Limits of reading them. */
export interface OnnxOptions {
  /**
   * The file of external data with that name (a relative path below the model's folder; others are refused), undefined
   * where it is missing. Default: none, and external data is refused.
   */
  external?: (location: string) => Bytes | undefined;
  /** Most bytes of all tensors; default 64 MiB + 8 × the model's file + external files. */
  limit?: number;
  /** How the file is called in errors; default "readOnnxInitializers". */
  name?: string;
}

/** More weights than any network has. */
const MAX_TENSORS = 1_000_000;

/** Fields of `ModelProto` and `GraphProto` (onnx.proto). */
const MODEL = { irVersion: 1, producer: 2, producerVersion: 3, domain: 4, version: 5, graph: 7, opset: 8, props: 14 };
const GRAPH = { name: 2, initializer: 5, sparse: 15 };

/**
 * FormatError for damage (a shape that does not fit its data names tensor, expected and found), UnsupportedError
 * (naming the tensor) for external data without `external`, sparse tensors, segments, and types without a typed array.
 */
export function readOnnxInitializers(bytes: Bytes, options: OnnxOptions = {}): OnnxInitializers {
  const source = sourceOf(bytes);
  const { external, limit, name } = withDefaults<OnnxOptions>(
    "readOnnxInitializers",
    { external: undefined, limit: undefined, name: "readOnnxInitializers" },
    options,
  );
  const where = checkText("readOnnxInitializers", "name", name);
  if (limit !== undefined) checkByteLimit(where, 0, limit);
  if (external !== undefined) checkFunction(where, "external", external);
  const wire = new WireReader(where, source);
  const reader = new Initializers(wire, new Externals(where, external), limit ?? 2 ** 26 + 8 * source.size);
  const meta: OnnxInitializers["meta"] = {};
  const opset = new Map<string, number>();
  const metadata = new Map<string, string>();
  let graphs = 0;
  for (const field of wire.fields(wire.all)) {
    switch (field.number) {
      case MODEL.irVersion:
        meta.ir_version = wire.count(field, "the version");
        break;
      case MODEL.version:
        meta.model_version = String(BigInt.asIntN(64, field.value));
        break;
      case MODEL.producer:
        meta.producer_name = wire.text(field, "the producer");
        break;
      case MODEL.producerVersion:
        meta.producer_version = wire.text(field, "the producer's version");
        break;
      case MODEL.domain:
        meta.domain = wire.text(field, "the domain");
        break;
      case MODEL.opset:
        opset.set(...readOpset(wire, field));
        break;
      case MODEL.props:
        metadata.set(...readPair(wire, field));
        break;
      case MODEL.graph:
        graphs++;
        reader.graph(wire.range(field, "the graph"));
    }
  }
  if (graphs === 0) throw new FormatError(`${where}: expected an ONNX model, found no graph in it`);
  if (opset.size > 0) meta.opset = Object.fromEntries(opset);
  if (metadata.size > 0) meta.metadata = Object.fromEntries(metadata);
  return { tensors: reader.tensors, meta: { ...meta, ...Object.fromEntries(reader.texts) } };
}

class Initializers {
  readonly tensors = new Map<string, NdArray>();
  readonly texts = new Map<string, string>();
  private taken = 0;

  constructor(
    private readonly wire: WireReader,
    private readonly externals: Externals,
    private readonly limit: number,
  ) {}

  graph(range: WireRange): void {
    const { wire } = this;
    for (const field of wire.fields(range)) {
      if (field.number === GRAPH.initializer) this.add(wire.range(field, "an initializer"));
      else if (field.number === GRAPH.sparse) {
        throw new UnsupportedError(`${wire.where}: a sparse initializer, which is not offered; save it dense`);
      }
    }
  }

  private add(range: WireRange): void {
    const { wire, tensors, texts, externals } = this;
    const head = readTensorHead(wire, range);
    if (tensors.has(head.name) || texts.has(head.name)) {
      throw new FormatError(`${wire.where}: two initializers are called ${JSON.stringify(head.name)}`);
    }
    if (tensors.size + texts.size >= MAX_TENSORS) {
      throw new LimitError(`${wire.where}: more than ${MAX_TENSORS} initializers`);
    }
    if (isText(head)) {
      texts.set(head.name, describeTensor(head));
      return;
    }
    const spend = (bytes: number) => {
      this.taken += bytes;
      checkByteLimit(wire.where, this.taken, this.limit + externals.size);
    };
    tensors.set(
      head.name,
      readTensorData(wire, range, head, (location) => externals.open(location), spend),
    );
  }
}

/** Files of external data, each asked for once. */
class Externals {
  size = 0;
  private readonly files = new Map<string, ReturnType<typeof sourceOf>>();

  constructor(
    private readonly where: string,
    private readonly find: OnnxOptions["external"],
  ) {}

  open(location: string) {
    const { where, find, files } = this;
    const shown = JSON.stringify(location.slice(0, 200));
    const known = files.get(location);
    if (known) return known;
    if (!find) {
      throw new UnsupportedError(
        `${where}: weights lie in another file, ${shown}; give "external", or save the model in one file`,
      );
    }
    const parts = location.split("/");
    if (/[\\:\0]/.test(location) || parts.some((part) => part === "" || part === "..")) {
      throw new FormatError(`${where}: external data in ${shown}, which is no path below the model's folder; refused`);
    }
    const bytes = find(location);
    if (!bytes) throw new FormatError(`${where}: its external data ${shown} is missing`);
    const file = sourceOf(bytes);
    files.set(location, file);
    this.size += file.size;
    return file;
  }
}

/** An operator set: its domain ("ai.onnx" where it is empty) and version. */
function readOpset(wire: WireReader, field: WireField): [string, number] {
  let domain = "";
  let version = 0;
  for (const part of wire.fields(wire.range(field, "an operator set"))) {
    if (part.number === 1) domain = wire.text(part, "a domain");
    if (part.number === 2) version = wire.count(part, "a version");
  }
  return [domain || "ai.onnx", version];
}
