/** Models with random weights of realistic size: timing does not need trained ones. */
import { type NdArray, ndarray, Random } from "../src/index.js";
import { type FoldedWeights, fold } from "../src/model/layers/folded.js";
import type { Layers, Network } from "../src/model/layers/layers.js";
import { record, tensorsOf } from "../src/model/layers/record.js";
import { referenceNetwork } from "../src/model/reference.js";
import { resnet } from "../src/model/resnet.js";
import { WeightReader } from "../src/model/weights.js";

/** Everything that a network asks for: convolutions He-initialised, norms that change nothing. */
function randomTensors(network: Network<unknown>, seed: number): Map<string, NdArray> {
  const random = new Random(seed);
  const all = record(network).flatMap(tensorsOf);
  return new Map(
    all.map(({ name, shape, role }) => {
      const length = shape.reduce((a, b) => a * b, 1);
      const scale = Math.sqrt((2 * shape[0]) / length);
      // Residual branches are damped, as training does, so that activations stay in range through all blocks.
      const gain = /bn3/.test(name) ? 0.2 : 1;
      const value = role === "gain" ? gain : role === "variance" ? 1 : 0;
      const data = Float32Array.from({ length }, () => (role === "kernel" ? scale * random.normal() : value));
      return [name, ndarray(data, [...shape])];
    }),
  );
}

/** An ordinary ResNet-50. */
export const plainBackbone = (layers: Layers) =>
  resnet(layers, "", 50, { firstStride: 2, replaceStrideWithDilation: false });

/** Its weights for a graph. */
export const randomBackbone = (seed: number): FoldedWeights =>
  fold(plainBackbone, new WeightReader("random backbone", randomTensors(plainBackbone, seed)));

/** A whole checkpoint of the reference with ResNet-50, 64-d encoders and two-layer heads. */
export function randomReference(seed: number): Map<string, NdArray> {
  const shape = { depth: 50, attention: "multi_attention_model2", dim: 64 } as const;
  const options = { firstStride: 1, replaceStrideWithDilation: false, squash: false } as const;
  return randomTensors((layers) => referenceNetwork(layers, shape, options), seed);
}
