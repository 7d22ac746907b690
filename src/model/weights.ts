/** Named weights of a model: taken one by one with their shapes checked, so that a wrong file is told what is wrong. */
import { FormatError } from "../errors.js";
import { type NdArray, toFloat32 } from "../formats/ndarray.js";

/** At most this many names are listed in one error. */
const LISTED = 5;

export class WeightReader {
  private readonly taken = new Set<string>();
  private readonly missing: string[] = [];

  /** `where` names the file in errors. */
  constructor(
    readonly where: string,
    private readonly tensors: ReadonlyMap<string, NdArray>,
  ) {}

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** Whether a tensor that was asked for is missing. */
  get lacksSome(): boolean {
    return this.missing.length > 0;
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
