/** Layers without numbers: what a network asks for, noted down. */
import { StateError } from "../../errors.js";
import type { ConvLayer, Kernel, Layers, Network, Norm } from "./layers.js";

/** A layer that was asked for. */
export type Asked =
  | { kind: "conv"; name: string; kernel: Kernel }
  | AskedNorm
  | { kind: "decoder"; name: string; from: number; to: number };

export interface AskedNorm {
  kind: "convNorm";
  conv: string;
  norm: string;
  kernel: Kernel;
  style: Norm;
}

/** The layers of a network, in the order in which it asks for them. */
export const record = (network: Network<unknown>): Asked[] => outline(network).asked;

/** A network without numbers, for what it says of itself, and its layers in the order in which it asks for them. */
export function outline<N>(build: Network<N>): { network: N; asked: Asked[] } {
  const asked: Asked[] = [];
  const noted = (layer: Asked): ConvLayer => {
    asked.push(layer);
    const fail = (): never => {
      throw new StateError("record: a recorded network has no numbers to compute with");
    };
    return Object.assign(fail, { weights: fail });
  };
  const layers: Layers = {
    conv: (name, kernel) => noted({ kind: "conv", name, kernel }),
    convNorm: (conv, norm, kernel, style) => noted({ kind: "convNorm", conv, norm, kernel, style }),
    decoder: (name, from, to) => noted({ kind: "decoder", name, from, to }),
  };
  return { network: build(layers), asked };
}

/** A tensor of a layer. `role` says what it is to the layer; a bias before a norm may be missing from a file. */
export interface AskedTensor {
  name: string;
  shape: readonly number[];
  role: "kernel" | "bias" | "inner bias" | "gain" | "shift" | "mean" | "variance";
}

/** The tensors of a layer, kernel first. */
export function tensorsOf(layer: Asked): AskedTensor[] {
  if (layer.kind === "convNorm") {
    const { conv, norm, kernel, style } = layer;
    const shape = [kernel[0]];
    const [mean, variance] = style.statistics;
    return [
      { name: `${conv}.weight`, shape: kernel, role: "kernel" },
      { name: `${conv}.bias`, shape, role: "inner bias" },
      { name: `${norm}.weight`, shape, role: "gain" },
      { name: `${norm}.bias`, shape, role: "shift" },
      { name: `${norm}.${mean}`, shape, role: "mean" },
      { name: `${norm}.${variance}`, shape, role: "variance" },
    ];
  }
  const { name } = layer;
  const [kernel, outputs] =
    layer.kind === "conv" ? [layer.kernel, layer.kernel[0]] : [[layer.from, layer.to, 1, 1], layer.to];
  return [
    { name: `${name}.weight`, shape: kernel, role: "kernel" },
    { name: `${name}.bias`, shape: [outputs], role: "bias" },
  ];
}
