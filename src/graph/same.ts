/**
 * Whether the graphs of two samples of the named dimensions are one and the same, so that it serves every size: the
 * test that a function does not bake its sizes in.
 */
import { UnsupportedError } from "../errors.js";
import {
  type Attribute,
  attributeText,
  type ConstantData,
  type Initializer,
  type Node,
  numberText,
  type OnnxBuilder,
} from "./onnx.js";
import type { Sample, Samples } from "./samples.js";

/** Builds the graph at every sample, and gives the first one where all are the same; an UnsupportedError otherwise. */
export async function buildForEverySize<T extends { builder: OnnxBuilder }>(
  { given, exchanged }: Samples,
  build: (sample: Sample) => T | Promise<T>,
): Promise<T> {
  const first = await build(given[0]);
  for (const sample of given.slice(1)) requireSameGraph(first.builder, (await build(sample)).builder);
  for (const sample of exchanged) {
    let other: T;
    try {
      other = await build(sample);
    } catch {
      // The function itself refuses these sizes: its dimensions belong together as the given ones do.
      continue;
    }
    requireSameGraph(first.builder, other.builder);
  }
  return first;
}

/** Compares two graphs node by node, bodies of loops included. Constants count by value, whatever their size. */
function requireSameGraph(a: OnnxBuilder, b: OnnxBuilder): void {
  const difference = graphDifference(a, b);
  if (difference === null) return;
  throw new UnsupportedError(
    `compile: the graph depends on its named dimensions ${difference}; give these dimensions as numbers`,
  );
}

/** Where two graphs differ, in words; null where they do not. */
function graphDifference(a: OnnxBuilder, b: OnnxBuilder): string | null {
  if (describe(a.inputs.map(typed)) !== describe(b.inputs.map(typed))) return "in its inputs";
  // Names are counted through, so those of one graph may be shifted; what counts is that they stand for the same.
  const partners = new Map<string, string>(a.inputs.map(({ name }, i) => [name, b.inputs[i].name]));
  const [left, right] = [a.live().nodes, b.live().nodes];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [p, q] = [left[i], right[i]];
    if (p?.op !== q?.op) return `at node ${i} (${p?.op ?? "no node"} against ${q?.op ?? "none"})`;
    const difference = inputDifference(a, b, p, q, partners) ?? attributeDifference(p, q);
    if (difference !== null) return `at node ${i} (${p.op}: ${difference})`;
    p.outputs.forEach((name, k) => {
      partners.set(name, q.outputs[k]);
    });
  }
  const ports = (graph: OnnxBuilder) => describe(graph.outputs.map(typed));
  const paired = a.outputs.every(({ name }, i) => partners.get(name) === b.outputs[i]?.name);
  return paired && ports(a) === ports(b) ? null : `in its outputs (${ports(a)} against ${ports(b)})`;
}

/** What an input or output promises; in a body names are counted through too. */
const typed = ({ name, type, shape }: OnnxBuilder["outputs"][number]) =>
  `${name.replace(/^body_\d+\./, "")}: ${type} [${shape}]`;

function inputDifference(
  a: OnnxBuilder,
  b: OnnxBuilder,
  p: Node,
  q: Node,
  partners: Map<string, string>,
): string | null {
  for (let k = 0; k < Math.max(p.inputs.length, q.inputs.length); k++) {
    const [left, right] = [p.inputs[k], q.inputs[k]];
    if (left !== undefined && partners.get(left) === right) continue;
    const [one, other] = [a.initializer(left), b.initializer(right)];
    if (!one || !other) {
      if (left === "" && right === "") continue;
      return `another value as input ${k}`;
    }
    const difference = constantDifference(one, other);
    if (difference !== null) return `input ${k} is ${difference}`;
    // Compared once, however many nodes read it.
    partners.set(left, right);
  }
  return null;
}

/** Where two constants differ, by one of their values; null where they do not. */
function constantDifference(a: Initializer, b: Initializer): string | null {
  const [left, right] = [a, b].map(({ type, shape }) => `${type} [${shape}]`);
  if (left !== right) return `a constant ${left} against ${right}`;
  const place = firstDifference(a.data, b.data);
  if (place < 0) return null;
  const at = a.data.length === 1 ? "" : ` at position ${place}`;
  return `a constant ${left}, ${numberText(a.data[place])} against ${numberText(b.data[place])}${at}`;
}

/** The first place where values differ (−0 from 0, but no NaN from another); −1 where none does. */
function firstDifference(a: ConstantData, b: ConstantData): number {
  // Weights are the same array in both graphs.
  if (a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength) return -1;
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) if (!Object.is(a[i], b[i])) return i;
  return -1;
}

function attributeDifference({ attributes: a }: Node, { attributes: b }: Node): string | null {
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [left, right] = [a[key], b[key]];
    const [inner, other] = [bodyOf(left), bodyOf(right)];
    if (inner && other) {
      const difference = graphDifference(inner, other);
      if (difference !== null) return `${key} differs ${difference}`;
    } else if (attributeText(left) !== attributeText(right)) {
      return `${key} ${attributeText(left)} against ${attributeText(right)}`;
    }
  }
  return null;
}

const bodyOf = (value: Attribute | undefined): OnnxBuilder | undefined =>
  typeof value === "object" && "body" in value ? value.body : undefined;

const describe = (list: readonly string[]): string => list.join("; ");
