/** Layers with the numbers of a file, as constants of a graph: each a convolution, batch norms folded into them. */
import { FormatError } from "../../errors.js";
import type { InputSpec } from "../../graph/compile.js";
import { type Arr, type Conv, conv2d, decode1x1 } from "../operators.js";
import type { WeightReader } from "../weights.js";
import type { Layers, Network } from "./layers.js";
import { type AskedNorm, record, tensorsOf } from "./record.js";

/** Kernel and bias of each layer by its name (a normed one's is its convolution's), as a graph stores them. */
export type FoldedWeights = Record<string, { weight: InputSpec; bias: InputSpec }>;

/**
 * The weights that a network asks for. A FormatError for a wrong shape or a variance that is none; what is missing is
 * remembered by the reader, whose `finish` tells of it.
 */
export function fold(network: Network<unknown>, reader: WeightReader): FoldedWeights {
  return Object.fromEntries(
    record(network).map((layer) => {
      if (layer.kind === "convNorm") return [layer.conv, foldNorm(reader, layer)];
      const [weight, bias] = tensorsOf(layer).map(({ name, shape }) => reader.take(name, shape));
      return [layer.name, { weight, bias }];
    }),
  );
}

/**
 * A convolution (with a bias or without) and the batch norm after it, by running statistics, as one convolution:
 * w′ = w·γ/√(σ²+ε), b′ = β + (b − μ)·γ/√(σ²+ε).
 */
function foldNorm(reader: WeightReader, layer: AskedNorm): FoldedWeights[string] {
  const [kernel, inner, ...norm] = tensorsOf(layer);
  const out = layer.kernel[0];
  const weight = reader.take(kernel.name, kernel.shape);
  const bias = reader.has(inner.name) ? reader.take(inner.name, inner.shape).data : undefined;
  const [gamma, beta, mean, variance] = norm.map(({ name, shape }) => reader.take(name, shape).data);
  if (reader.lacksSome) return { weight, bias: { shape: [out], data: beta } };
  const { eps } = layer.style;
  const folded = new Float32Array(weight.data.length);
  const foldedBias = new Float32Array(out);
  const each = weight.data.length / out;
  for (let o = 0; o < out; o++) {
    if (!(variance[o] + eps > 0)) {
      throw new FormatError(
        `${reader.where}: the variance ${variance[o]} of batch norm "${layer.norm}" is not positive`,
      );
    }
    const scale = gamma[o] / Math.sqrt(variance[o] + eps);
    for (let i = o * each; i < (o + 1) * each; i++) folded[i] = weight.data[i] * scale;
    foldedBias[o] = beta[o] + ((bias?.[o] ?? 0) - mean[o]) * scale;
  }
  return { weight: { shape: weight.shape, data: folded }, bias: { shape: [out], data: foldedBias } };
}

/** A network of images as the function to compile, beside its weights. */
export const foldedPass =
  <O>(network: Network<(image: Arr) => O>) =>
  ({ image, params }: { image: Arr; params: Record<string, Conv> }): O =>
    network(foldedLayers(params))(image);

/** The layers of folded weights, once they are arrays; these are not consumed. */
export function foldedLayers(weights: Readonly<Record<string, Conv>>): Layers {
  const of = (name: string): Conv => ({ weight: weights[name].weight.ref, bias: weights[name].bias.ref });
  return {
    conv: (name, _, options) => Object.assign((x: Arr) => conv2d(x, of(name), options), { weights: () => of(name) }),
    convNorm: (conv, _norm, _kernel, _style, options) => (x) => conv2d(x, of(conv), options),
    decoder: (name) => (x) => decode1x1(x, of(name)),
  };
}
