/** First values of layers as PyTorch gives them. */
import type { Asked } from "../model/layers/record.js";
import { tensorsOf } from "../model/layers/record.js";
import type { Random } from "../random.js";
import type { Parameter } from "./parameters.js";

/** Biases of convolutions: as PyTorch draws them, or 0 where what they are added to is normalised. */
export type FirstBiases = "uniform" | "zero";

/**
 * Everything that learns, layer by layer. Kernel and bias of a convolution are uniform in ±1/√fan_in: PyTorch's
 * kaiming_uniform with a = √5. PyTorch takes the second axis for the inputs of transposed convolutions too, so one rule
 * serves encoders and decoders. Norms change nothing at first.
 */
export function initialParameters(layers: readonly Asked[], random: Random, biases: FirstBiases): Parameter[] {
  return layers.flatMap((layer) => {
    const [kernel, bias, ...norm] = tensorsOf(layer);
    const [, from, height, width] = kernel.shape;
    const bound = 1 / Math.sqrt(from * height * width);
    const drawn = [kernel, bias].map(({ name, shape }): Parameter => {
      const length = shape.reduce((a, b) => a * b, 1);
      return { name, shape, data: Float32Array.from({ length }, () => random.uniform(-bound, bound)) };
    });
    // A bias is drawn where there is none, too: other draws stay what they are.
    if (layer.kind === "convNorm" && !layer.style.bias) drawn.pop();
    else if (biases === "zero") drawn[1].data.fill(0);
    const [gain, shift] = norm;
    return gain ? [...drawn, filled(gain, 1), filled(shift, 0)] : drawn;
  });
}

/** Running statistics before any batch. */
export function initialStatistics(layers: readonly Asked[]): Parameter[] {
  return layers.flatMap((layer) =>
    tensorsOf(layer).flatMap((tensor) => {
      if (tensor.role === "mean") return [filled(tensor, 0)];
      return tensor.role === "variance" ? [filled(tensor, 1)] : [];
    }),
  );
}

const filled = ({ name, shape }: Pick<Parameter, "name" | "shape">, value: number): Parameter => ({
  name,
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
});
