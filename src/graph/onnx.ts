/**
 * Builds one ONNX graph: nodes, initializers, inputs, outputs. Equal nodes are made once (every operator used here is
 * pure), equal constants are stored once, and what no output needs is dropped before the bytes are written.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { StateError } from "../errors.js";
import { type OnnxType, onnxTypeCode } from "./onnx-types.js";

export { type OnnxType, onnxTypeCode } from "./onnx-types.js";

export type Attribute = number | string | readonly number[] | { float: number } | { body: OnnxBuilder };
export type ConstantData =
  | Float32Array
  | Float64Array
  | Int32Array
  | BigInt64Array
  | Uint32Array
  | Int8Array
  | Uint8Array
  | Uint16Array;

/** What a model file says of itself beside its graph. */
export interface ModelNotes {
  /** Version of strata. */
  producerVersion?: string;
  description?: string;
  metadata?: Readonly<Record<string, string>>;
}

export interface Node {
  op: string;
  inputs: string[];
  outputs: string[];
  attributes: Record<string, Attribute>;
}
export interface Initializer {
  name: string;
  type: OnnxType;
  shape: readonly number[];
  data: ConstantData;
}
interface Port {
  name: string;
  type: OnnxType;
  /** A string stands for a size that is only known when the graph runs. */
  shape: readonly (number | string)[];
}

const OPSET = 20;
const IR_VERSION = 10;
/** Constants up to this many elements are compared by value, so that each is stored once. */
const SMALL_CONSTANT = 64;

export class OnnxBuilder {
  readonly nodes: Node[] = [];
  readonly initializers: Initializer[] = [];
  readonly inputs: Port[] = [];
  readonly outputs: Port[] = [];
  private counter = 0;
  private readonly made = new Map<string, string[]>();
  private readonly constants = new Map<string, string>();
  private readonly large = new Map<ConstantData, Initializer>();
  private readonly byName = new Map<string, Initializer>();
  private readonly makers = new Map<string, Node>();
  private readonly names: Set<string>;

  /** `parent` makes a graph inside another one, the body of a Loop: its names must differ from all names outside. */
  constructor(
    parent?: OnnxBuilder,
    private readonly prefix = "",
  ) {
    this.names = parent?.names ?? new Set();
  }

  /** The graph of a Loop's body, to be given as its attribute `body`. It reads its own inputs and constants only. */
  body(): OnnxBuilder {
    return new OnnxBuilder(this, `${this.fresh("body")}.`);
  }

  /** A graph input; its name is how the session is fed. */
  input(name: string, type: OnnxType, shape: readonly (number | string)[]): string {
    const own = this.prefix + name;
    this.claim(own);
    this.inputs.push({ name: own, type, shape });
    return own;
  }

  /**
   * Makes `value` a graph output (through an Identity, so that one value can be two outputs, or be an input). It is
   * called `name`, or something close where an input has that name already; the name it got is returned.
   */
  output(name: string, value: string, type: OnnxType, shape: readonly (number | string)[]): string {
    let own = this.prefix + name;
    while (this.names.has(own)) own += "_out";
    this.claim(own);
    this.nodes.push({ op: "Identity", inputs: [value], outputs: [own], attributes: {} });
    this.outputs.push({ name: own, type, shape });
    return own;
  }

  /**
   * A stored constant. Small ones are shared when equal, large ones when they are one and the same array, which is kept,
   * uncopied.
   */
  constant(type: OnnxType, shape: readonly number[], data: ConstantData, hint = "c"): string {
    const small = data.length <= SMALL_CONSTANT;
    const key = small ? `${type}[${shape}]${Array.from(data as ArrayLike<number | bigint>, numberText)}` : "";
    const known = small ? this.constants.get(key) : this.sameArray(type, shape, data);
    if (known) return known;
    const name = this.fresh(hint);
    const initializer = { name, type, shape, data };
    this.initializers.push(initializer);
    this.byName.set(name, initializer);
    if (small) this.constants.set(key, name);
    else this.large.set(data, initializer);
    return name;
  }

  private sameArray(type: OnnxType, shape: readonly number[], data: ConstantData): string | undefined {
    const stored = this.large.get(data);
    return stored?.type === type && `${stored.shape}` === `${shape}` ? stored.name : undefined;
  }

  /** One-dimensional int64 constant: axes, starts, shapes. */
  ints(values: readonly number[]): string {
    return this.constant(
      "int64",
      [values.length],
      BigInt64Array.from(values, (v) => BigInt(v)),
      "ints",
    );
  }

  /** The initializer of that name, for lowerings that can work on its values at once. */
  initializer(name: string): Initializer | undefined {
    return this.byName.get(name);
  }

  /** The node that makes `name`, for lowerings that look back. */
  maker(name: string): Readonly<Node> | undefined {
    return this.makers.get(name);
  }

  /** A node with one output; returns the output's name. */
  node(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    return this.nodeMany(op, inputs, attributes, 1)[0];
  }

  /** A node with several outputs; returns their names. */
  nodeMany(op: string, inputs: readonly string[], attributes: Record<string, Attribute>, outputs: number): string[] {
    // A graph inside is one of its own, never equal to another.
    const own = Object.values(attributes).some((value) => typeof value === "object" && "body" in value);
    const texts = Object.entries(attributes).map(([name, value]) => `${name}=${attributeText(value)}`);
    const key = `${op}|${inputs.join(",")}|${texts}|${outputs}`;
    const known = own ? undefined : this.made.get(key);
    if (known) return known;
    const names = Array.from({ length: outputs }, () => this.fresh(op));
    const node = { op, inputs: [...inputs], outputs: names, attributes };
    this.nodes.push(node);
    for (const name of names) this.makers.set(name, node);
    if (!own) this.made.set(key, names);
    return names;
  }

  /** Nodes and initializers that an output depends on, in order. */
  live(): { nodes: Node[]; initializers: Initializer[] } {
    const needed = new Set(this.outputs.map((port) => port.name));
    const nodes: Node[] = [];
    for (let i = this.nodes.length - 1; i >= 0; i--) {
      const node = this.nodes[i];
      if (!node.outputs.some((name) => needed.has(name))) continue;
      for (const name of node.inputs) needed.add(name);
      nodes.push(node);
    }
    return { nodes: nodes.reverse(), initializers: this.initializers.filter(({ name }) => needed.has(name)) };
  }

  /** The model as ONNX protobuf bytes, without stored tensors that `leaveOut` picks. */
  toBytes(
    graphName: string,
    { producerVersion, description, metadata = {} }: ModelNotes = {},
    leaveOut: (weight: Initializer) => boolean = () => false,
  ): Uint8Array {
    const model = create(ModelProtoSchema, {
      irVersion: BigInt(IR_VERSION),
      producerName: "strata-features",
      producerVersion,
      docString: description,
      metadataProps: Object.entries(metadata).map(([key, value]) =>
        create(StringStringEntryProtoSchema, { key, value }),
      ),
      opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: BigInt(OPSET) })],
      graph: this.toProto(graphName, leaveOut),
    });
    return toBinary(ModelProtoSchema, model);
  }

  /** The graph as a message: of the model, or of a body inside it. */
  toProto(name: string, leaveOut: (weight: Initializer) => boolean = () => false): GraphProto {
    const { nodes, initializers } = this.live();
    return create(GraphProtoSchema, {
      name,
      node: nodes.map((node) =>
        create(NodeProtoSchema, {
          opType: node.op,
          name: node.outputs[0],
          input: node.inputs,
          output: node.outputs,
          attribute: Object.entries(node.attributes).map(([key, value]) => attributeProto(key, value)),
        }),
      ),
      initializer: initializers.filter((weight) => !leaveOut(weight)).map(tensorProto),
      input: this.inputs.map(portProto),
      output: this.outputs.map(portProto),
    });
  }

  private fresh(hint: string): string {
    const name = `${this.prefix}${hint}_${this.counter++}`;
    if (this.names.has(name)) return this.fresh(hint);
    this.names.add(name);
    return name;
  }

  private claim(name: string): void {
    if (this.names.has(name)) throw new StateError(`graph: the name "${name}" is used twice`);
    this.names.add(name);
  }
}

/** A number in words that tell −0 from 0. */
export const numberText = (value: number | bigint | undefined): string => (Object.is(value, -0) ? "-0" : String(value));

/** An attribute in words that tell all its values apart, which JSON does not do: it has no NaN, no infinity and no −0. */
export function attributeText(value: Attribute | undefined): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return numberText(value);
  if ("body" in value) return "a graph";
  if ("float" in value) return `float ${numberText(value.float)}`;
  return `[${value.map(numberText).join(", ")}]`;
}

function attributeProto(name: string, value: Attribute) {
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  }
  if (typeof value === "number")
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if ("body" in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: value.body.toProto(name) });
  if ("float" in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map((v) => BigInt(v)) });
}

function tensorProto({ name, type, shape, data }: Initializer) {
  const rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return create(TensorProtoSchema, { name, dims: shape.map((d) => BigInt(d)), dataType: onnxTypeCode(type), rawData });
}

function portProto({ name, type, shape }: Port) {
  const dim = shape.map((size) => ({
    value:
      typeof size === "string"
        ? { case: "dimParam" as const, value: size }
        : { case: "dimValue" as const, value: BigInt(size) },
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType: onnxTypeCode(type), shape: { dim } } } },
  });
}
