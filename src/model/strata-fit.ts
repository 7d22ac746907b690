/**
 * Weights of a wider strata for a slimmer one, which begins with the channels that matter most, so that what was learnt is
 * not lost with the width.
 */
import { type NdArray, ndarray, toFloat32 } from "../formats/ndarray.js";
import { encoderOf, HEAD, headOutputs, levelConvs, type StrataShape, tapOf } from "./strata.js";

/** The tensors as far as they can be made to fit; whether they then do is for others to say. */
export function fitStrata(tensors: ReadonlyMap<string, NdArray>, network: StrataShape): Map<string, NdArray> {
  const result = new Map(tensors);
  for (const level of network.widths.keys()) {
    const { a, b } = levelConvs(level, network);
    slimInner(result, a.name, b.name, a.kernel[0]);
    const kernel = result.get(`${b.name}.conv.weight`);
    if (b.stride === 2 && kernel?.shape[2] === 3) result.set(`${b.name}.conv.weight`, meanOfShifts(kernel));
    if (network.descriptorLevels?.includes(level) === false) drop(result, encoderOf(level));
    if (network.scoreLevels?.includes(level) === false) drop(result, tapOf(level));
  }
  for (const name of [`${HEAD}.weight`, `${HEAD}.bias`]) {
    const tensor = result.get(name);
    if (tensor?.shape[0] === 2 && headOutputs(network) === 8) {
      result.set(name, take(tensor, 0, [0, 0, 0, 0, 1, 1, 1, 1]));
    }
  }
  return result;
}

function drop(tensors: Map<string, NdArray>, name: string): void {
  tensors.delete(`${name}.weight`);
  tensors.delete(`${name}.bias`);
}

/**
 * Keeps `count` of the channels between two convolutions: those with the largest gain times norm of the kernels that
 * read them.
 */
function slimInner(tensors: Map<string, NdArray>, a: string, b: string, count: number): void {
  const gain = tensors.get(`${a}.bn.weight`);
  const reader = tensors.get(`${b}.conv.weight`);
  if (!gain || !reader || reader.shape.length !== 4 || reader.shape[1] !== gain.shape[0] || gain.shape[0] <= count) {
    return;
  }
  const gains = toFloat32(gain);
  const kernels = toFloat32(reader);
  const inner = gains.length;
  const area = reader.shape[2] * reader.shape[3];
  const weight = Float64Array.from(gains, (g, c) => {
    let squares = 0;
    for (let o = 0; o < reader.shape[0]; o++) {
      for (let i = 0; i < area; i++) squares += kernels[(o * inner + c) * area + i] ** 2;
    }
    return Math.abs(g) * Math.sqrt(squares);
  });
  const kept = [...weight.keys()]
    .sort((p, q) => weight[q] - weight[p] || p - q)
    .slice(0, count)
    .sort((p, q) => p - q);
  for (const name of [`${a}.conv.weight`, ...["weight", "bias", "mean", "var"].map((part) => `${a}.bn.${part}`)]) {
    const tensor = tensors.get(name);
    if (tensor) tensors.set(name, take(tensor, 0, kept));
  }
  tensors.set(`${b}.conv.weight`, take(reader, 1, kept));
}

/** Entries `kept` along an axis, in that order. */
function take(tensor: NdArray, axis: number, kept: readonly number[]): NdArray {
  const values = toFloat32(tensor);
  const outer = tensor.shape.slice(0, axis).reduce((x, y) => x * y, 1);
  const each = tensor.shape.slice(axis + 1).reduce((x, y) => x * y, 1);
  const data = new Float32Array(outer * kept.length * each);
  for (let o = 0; o < outer; o++) {
    for (const [k, index] of kept.entries()) {
      const from = (o * tensor.shape[axis] + index) * each;
      data.set(values.subarray(from, from + each), (o * kept.length + k) * each);
    }
  }
  return ndarray(data, [...tensor.shape.slice(0, axis), kept.length, ...tensor.shape.slice(axis + 1)]);
}

/** A 4×4 kernel with a stride of 2 that sees what a 3×3 one and the mean of 2×2 pixels after it saw: [o, c, 4, 4]. */
function meanOfShifts(kernel: NdArray): NdArray {
  const values = toFloat32(kernel);
  const [out, from] = kernel.shape;
  const data = new Float32Array(out * from * 16);
  for (let k = 0; k < out * from; k++) {
    for (let y = 0; y < 3; y++) {
      for (let x = 0; x < 3; x++) {
        const share = values[9 * k + 3 * y + x] / 4;
        for (const [dy, dx] of [0, 1, 2, 3].map((i) => [i >> 1, i & 1])) data[16 * k + 4 * (y + dy) + x + dx] += share;
      }
    }
  }
  return ndarray(data, [out, from, 4, 4]);
}
