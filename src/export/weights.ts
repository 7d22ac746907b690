/**
 * How an exported file stores its weights: as they are, as half floats, or as 8-bit numbers with a scale for each output
 * channel (symmetric). They become fp32 again inside the graph, when it is loaded or when it runs, and all arithmetic is
 * in fp32: processors have no half-precision convolution, and accuracy is lost in the weights alone.
 */
import { float16Bits } from "../graph/lower/lowering.js";
import { type Initializer, type Node, type OnnxBuilder, onnxTypeCode } from "../graph/onnx.js";

export const PRECISIONS = ["fp32", "fp16", "int8"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Smaller tensors, biases among them, stay as they are: they hold next to nothing. */
const SMALLEST = 256;

/** Stores every large weight (float32, two axes or more) in the given precision. */
export function storeWeights(builder: OnnxBuilder, precision: Precision): void {
  if (precision === "fp32") return;
  const added: Node[] = [];
  const stored = builder.initializers.flatMap((weight) => {
    const { type, shape, data } = weight;
    if (type !== "float32" || shape.length < 2 || data.length < SMALLEST) return [weight];
    const { initializers, node } = precision === "fp16" ? asHalves(weight) : asBytes(weight);
    added.push(node);
    return initializers;
  });
  builder.initializers.splice(0, builder.initializers.length, ...stored);
  builder.nodes.unshift(...added);
}

interface Stored {
  initializers: Initializer[];
  /** Makes what it was, under its name. */
  node: Node;
}

function asHalves({ name, shape, data }: Initializer): Stored {
  const half = `${name}.fp16`;
  return {
    initializers: [{ name: half, type: "float16", shape, data: Uint16Array.from(data as Float32Array, float16Bits) }],
    node: { op: "Cast", inputs: [half], outputs: [name], attributes: { to: onnxTypeCode("float32") } },
  };
}

function asBytes({ name, shape, data }: Initializer): Stored {
  const values = data as Float32Array;
  const [channels] = shape;
  const each = values.length / channels;
  const bytes = new Int8Array(values.length);
  const scales = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    const own = values.subarray(c * each, (c + 1) * each);
    const largest = own.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    // A channel of zeros has any scale.
    scales[c] = largest > 0 ? largest / 127 : 1;
    own.forEach((v, i) => {
      bytes[c * each + i] = Math.max(-127, Math.min(127, Math.round(v / scales[c])));
    });
  }
  const [quantized, scale] = [`${name}.int8`, `${name}.scale`];
  return {
    initializers: [
      { name: quantized, type: "int8", shape, data: bytes },
      { name: scale, type: "float32", shape: [channels], data: scales },
    ],
    node: { op: "DequantizeLinear", inputs: [quantized, scale], outputs: [name], attributes: { axis: 0 } },
  };
}
