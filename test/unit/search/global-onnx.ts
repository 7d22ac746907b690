/** Small global models, written with our own writer: a picture's colours in a coarse grid. */
import { OnnxBuilder } from "../../../src/graph/onnx.js";

interface Shape {
  /** Edge of the input; 0: left open. */
  edge?: number;
  /** Edge of the grid; the vector has 3 × grid² values. */
  grid?: number;
  /** Name of the output. */
  output?: string;
  /** All of the vector is multiplied with it. */
  scale?: number;
}

/** [1, 3, edge, edge] to [1, 3 × grid²]: the means of the grid's cells. */
export function globalOnnx({ edge = 8, grid = 4, output = "vector", scale = 1 }: Shape = {}): Uint8Array<ArrayBuffer> {
  const graph = new OnnxBuilder();
  const size = edge === 0 ? ["height", "width"] : [edge, edge];
  const pixels = graph.input("pixel_values", "float32", [1, 3, ...size]);
  const step = (edge || 8) / grid;
  const cells = graph.node("AveragePool", [pixels], { kernel_shape: [step, step], strides: [step, step] });
  const flat = graph.node("Flatten", [cells], { axis: 1 });
  const scaled = graph.node("Mul", [flat, graph.constant("float32", [1], Float32Array.of(scale))]);
  // What exporters put beside the vector.
  graph.output("last_hidden_state", cells, "float32", [1, 3, grid, grid]);
  graph.output(output, scaled, "float32", [1, 3 * grid * grid]);
  return graph.toBytes("global") as Uint8Array<ArrayBuffer>;
}
