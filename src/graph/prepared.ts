/**
 * Prepared graphs: a function that was lowered before it is needed, as an ONNX file without the weights that lie beside it
 * already. Opening one traces nothing and loads neither jax-js nor the lowering: the weights are put back, and the file's
 * own account says what is fed and what comes out, of which code, model and options it was made, and whether it is whole.
 *
 * The file is an ONNX model whose stored tensors of the function's inputs are left out, and behind it the account as its
 * metadata. Readers of protobuf merge a message that occurs twice, so the weights are appended as more of the graph.
 */
import { FormatError } from "../errors.js";
import { crc32, encodeUtf8, parseJson } from "../formats/bytes.js";
import { WireReader } from "../formats/protobuf.js";
import { sourceOf } from "../formats/source.js";
import { bindSession, type Compiled, type CompileStats, type Lowered, type OutputPort } from "./bind.js";
import { defaultRuntime, type ElementType, type Runtime, type SessionOptions } from "./session.js";
import { type InputSpec, isSpec } from "./specs.js";
import { leavesOf, type Tree } from "./trace.js";
import { sizeOf } from "./views.js";

/** What a graph was made of, by names of the caller's own; it is used where all of it is the same. */
export type GraphKey = Readonly<Record<string, string>>;

/** A prepared graph's account of itself. */
export interface Account {
  key: GraphKey;
  fed: [name: string, port: { type: ElementType; shape: readonly (number | string)[] }][];
  outputs: OutputPort[];
  /** Stored inputs by their path, and the names that the graph has for them. */
  weights: { path: string; name: string; shape: readonly number[] }[];
  stats: CompileStats;
  /** What the caller wants to find again beside the graph. */
  notes?: unknown;
}

/** The account's name among the model's metadata. */
const ACCOUNT = "strata.prepared";

/** Fields of ModelProto, GraphProto, TensorProto and StringStringEntryProto (onnx.proto). */
const FIELD = { graph: 7, metadata: 14, initializer: 5, dims: 1, type: 2, name: 8, raw: 9, key: 1, value: 2 };
const FLOAT = 1;

/** A prepared graph's file, of a model's bytes without weights. */
export function writePrepared(model: Uint8Array, account: Account): Uint8Array {
  const json = encodeUtf8(JSON.stringify(account));
  const check = crc32(joined([model, json]))
    .toString(16)
    .padStart(8, "0");
  const value = joined([encodeUtf8(`${check} ${model.length} `), json]);
  return joined([
    model,
    ...field(FIELD.metadata, [...field(FIELD.key, [encodeUtf8(ACCOUNT)]), ...field(FIELD.value, [value])]),
  ]);
}

/** The same graph with notes of the caller's beside it. */
export function withNotes(where: string, file: Uint8Array, notes: unknown): Uint8Array {
  const { model, account } = readAccount(where, file);
  return writePrepared(model, { ...account, notes });
}

/** Those notes; undefined where there are none. */
export const notesOf = (where: string, file: Uint8Array): unknown => readAccount(where, file).account.notes;

/** A session over a prepared graph as a function; a FormatError says why a file does not fit `key` and `inputs`. */
export async function openPrepared(
  where: string,
  file: Uint8Array,
  key: GraphKey,
  inputs: Tree<InputSpec>,
  options: SessionOptions & { runtime?: Runtime },
): Promise<Compiled> {
  const started = performance.now();
  const graph = readPrepared(where, file, key, inputs);
  const session = await (options.runtime ?? defaultRuntime()).open(graph.onnx, {
    backend: options.backend,
    threads: options.threads,
  });
  graph.stats.milliseconds.open = performance.now() - started;
  return bindSession(session, graph);
}

/** The whole graph of a prepared one, its weights taken from `inputs`. */
export function readPrepared(where: string, file: Uint8Array, key: GraphKey, inputs: Tree<InputSpec>): Lowered {
  const { model, account } = readAccount(where, file);
  for (const part of new Set([...Object.keys(key), ...Object.keys(account.key)])) {
    if (account.key[part] !== key[part]) throw new FormatError(`${where}: the graph was made for another ${part}`);
  }
  const specs = new Map(leavesOf(inputs, isSpec));
  const tensors = account.weights.map(({ path, name, shape }) => {
    const spec = specs.get(path);
    const fits = spec?.data instanceof Float32Array && spec.data.length === sizeOf(shape);
    if (!fits)
      throw new FormatError(`${where}: the graph needs "${path}" of shape [${shape}], the model has [${spec?.shape}]`);
    return tensorField(name, shape, spec.data as Float32Array);
  });
  const onnx = joined([model, ...field(FIELD.graph, tensors.flat())]);
  const { fed, outputs, stats } = account;
  return {
    onnx,
    fed: new Map(fed),
    outputs,
    stats: { ...stats, bytes: onnx.length, milliseconds: { trace: 0, lower: 0, open: 0 } },
  };
}

function readAccount(where: string, file: Uint8Array): { model: Uint8Array; account: Account } {
  const wire = new WireReader(where, sourceOf(file));
  for (const entry of wire.fields(wire.all)) {
    if (entry.number !== FIELD.metadata) continue;
    const [name, value] = wire.fields(wire.range(entry, "metadata"));
    if (!name || !value || wire.text(name, "a name") !== ACCOUNT) continue;
    const text = wire.text(value, "the account");
    const [head, check, length] = /^([0-9a-f]{8}) (\d+) /.exec(text) ?? [];
    if (head === undefined) break;
    const model = file.subarray(0, Number(length));
    const json = encodeUtf8(text.slice(head.length));
    if (
      crc32(joined([model, json]))
        .toString(16)
        .padStart(8, "0") !== check
    )
      break;
    return { model, account: parseJson(where, json) as Account };
  }
  throw new FormatError(`${where}: no prepared graph, or a damaged one`);
}

/** A float32 tensor as an initializer. */
function tensorField(name: string, shape: readonly number[], data: Float32Array): Uint8Array[] {
  return field(FIELD.initializer, [
    ...field(FIELD.dims, shape.map(varint)),
    varint(8 * FIELD.type),
    varint(FLOAT),
    ...field(FIELD.name, [encodeUtf8(name)]),
    ...field(FIELD.raw, [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  ]);
}

/** A field of bytes, text, packed numbers or a message, in pieces. */
function field(number: number, content: readonly Uint8Array[]): Uint8Array[] {
  return [varint(8 * number + 2), varint(content.reduce((sum, { length }) => sum + length, 0)), ...content];
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
