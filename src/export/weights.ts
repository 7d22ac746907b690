/**
 * How an exported file stores its weights: as they are, as half floats, or as 8-bit numbers with a scale for each output
 * channel. Runtimes make them fp32 again when they load the file (nodes that read constants only are computed once), and
 * all arithmetic is in fp32: processors have no half-precision convolution, and what accuracy is lost, the weights lose.
 */
import { type Initializer, type Node, type OnnxBuilder, onnxTypeCode } from "../graph/onnx.js";
import { halfOf, type Packing, quantized } from "../model/pack.js";

/** Smaller tensors, biases among them, stay as they are: they hold next to nothing. */
const LEAST = 256;

/** Stores every large weight (float32, two axes or more) in the given precision. */
export function storeWeights(builder: OnnxBuilder, packing: Packing): void {
  if (packing === "fp32") return;
  const added: Node[] = [];
  const stored = builder.initializers.flatMap((weight) => {
    const { type, shape, data } = weight;
    if (type !== "float32" || shape.length < 2 || data.length < LEAST) return [weight];
    const { initializers, nodes } = packing === "fp16" ? asHalves(weight) : asBytes(weight);
    added.push(...nodes);
    return initializers;
  });
  builder.initializers.splice(0, builder.initializers.length, ...stored);
  builder.nodes.unshift(...added);
}

interface Stored {
  initializers: Initializer[];
  /** The last one makes what it was, under its name. */
  nodes: Node[];
}

const toFloats = (from: string, to: string): Node => ({
  op: "Cast",
  inputs: [from],
  outputs: [to],
  attributes: { to: onnxTypeCode("float32") },
});

function asHalves({ name, shape, data }: Initializer): Stored {
  const half = `${name}.fp16`;
  const bits = Uint16Array.from(data as Float32Array, (v) => halfOf(name, v));
  return { initializers: [{ name: half, type: "float16", shape, data: bits }], nodes: [toFloats(half, name)] };
}

/** Cast and Mul rather than DequantizeLinear, which onnxruntime computes anew in every run (1.5 times the time). */
function asBytes({ name, shape, data }: Initializer): Stored {
  const [bytes, scales, floats] = [`${name}.int8`, `${name}.scale`, `${name}.levels`];
  const { data: levels, scale } = quantized(data as Float32Array, shape[0]);
  return {
    initializers: [
      { name: bytes, type: "int8", shape, data: levels },
      { name: scales, type: "float32", shape: shape.map((size, axis) => (axis === 0 ? size : 1)), data: scale },
    ],
    nodes: [toFloats(bytes, floats), { op: "Mul", inputs: [floats, scales], outputs: [name], attributes: {} }],
  };
}
