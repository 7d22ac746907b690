/** Named weights of a model: taken one by one with their shapes checked, so that a wrong file is told what is wrong. */
import { FormatError } from "../errors.js";
import { type NdArray, toFloat32 } from "../formats/ndarray.js";
import type { InputSpec } from "../graph/compile.js";

/** A convolution's kernel [out, in, kh, kw] and bias [out], as constants of a graph. */
export interface ConvWeights {
  [name: string]: InputSpec;
  weight: InputSpec;
  bias: InputSpec;
}

/** At most this many names are listed in one error. */
const LISTED = 5;

export class WeightReader {
  private readonly taken = new Set<string>();
  private readonly missing: string[] = [];

  /** `where` names the file in errors. */
  constructor(
    private readonly where: string,
    private readonly tensors: ReadonlyMap<string, NdArray>,
  ) {}

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /**
   * Values of a tensor of that shape. A wrong shape is a FormatError at once; a missing tensor is remembered and
   * reported by `finish`, so that all of them are named together; until then it is empty.
   */
  take(name: string, shape: readonly number[]): { data: Float32Array; shape: number[] } {
    const tensor = this.tensors.get(name);
    this.taken.add(name);
    if (!tensor) {
      // No zeros in its place: a size may come out of a damaged file, and `finish` will throw.
      this.missing.push(name);
      return { data: new Float32Array(0), shape: [...shape] };
    }
    if (tensor.shape.length !== shape.length || shape.some((size, i) => size !== tensor.shape[i])) {
      throw new FormatError(`${this.where}: tensor "${name}" has shape [${tensor.shape}], the model needs [${shape}]`);
    }
    return { data: toFloat32(tensor), shape: [...tensor.shape] };
  }

  /** A convolution with its own bias: NAME.weight, NAME.bias. */
  conv(name: string, shape: readonly [number, number, number, number]): ConvWeights {
    return { weight: this.take(`${name}.weight`, shape), bias: this.take(`${name}.bias`, [shape[0]]) };
  }

  /**
   * A convolution (with a bias or without) followed by batch norm in inference mode, as one convolution:
   * w′ = w·γ/√(σ²+ε), b′ = β + (b − μ)·γ/√(σ²+ε). `statistics` are the names of mean and variance.
   */
  convNorm(
    conv: string,
    norm: string,
    shape: readonly [number, number, number, number],
    {
      eps = 1e-5,
      statistics = ["mean", "var"],
    }: { eps?: number; statistics?: readonly [string, string] | string[] } = {},
  ): ConvWeights {
    const out = shape[0];
    const weight = this.take(`${conv}.weight`, shape);
    const bias = this.has(`${conv}.bias`) ? this.take(`${conv}.bias`, [out]).data : undefined;
    const [gamma, beta, mean, variance] = ["weight", "bias", ...statistics].map(
      (n) => this.take(`${norm}.${n}`, [out]).data,
    );
    if (this.missing.length) return { weight, bias: { shape: [out], data: beta } };
    const folded = new Float32Array(weight.data.length);
    const foldedBias = new Float32Array(out);
    const each = weight.data.length / out;
    for (let o = 0; o < out; o++) {
      if (!(variance[o] + eps > 0)) {
        throw new FormatError(`${this.where}: the variance ${variance[o]} of batch norm "${norm}" is not positive`);
      }
      const scale = gamma[o] / Math.sqrt(variance[o] + eps);
      for (let i = o * each; i < (o + 1) * each; i++) folded[i] = weight.data[i] * scale;
      foldedBias[o] = beta[o] + ((bias?.[o] ?? 0) - mean[o]) * scale;
    }
    return { weight: { shape: weight.shape, data: folded }, bias: { shape: [out], data: foldedBias } };
  }

  /** Marks tensors that belong to the file but not to what is built here (e.g. decoders, batch counters). */
  ignore(pattern: RegExp): void {
    for (const name of this.tensors.keys()) if (pattern.test(name)) this.taken.add(name);
  }

  /** FormatError that names what is missing and what is left over. */
  finish(): void {
    const extra = [...this.tensors.keys()].filter((name) => !this.taken.has(name));
    const list = (names: string[]) =>
      names.slice(0, LISTED).join(", ") + (names.length > LISTED ? `, … (${names.length} in all)` : "");
    if (this.missing.length) {
      const hint = extra.length ? `; it has, unused: ${list(extra)}` : "";
      throw new FormatError(`${this.where}: missing tensors: ${list(this.missing)}${hint}`);
    }
    if (extra.length) throw new FormatError(`${this.where}: tensors that this model does not have: ${list(extra)}`);
  }
}
