/** What a function that is compiled takes: a tree of these. */
import type { ElementType, TensorData } from "./session.js";

/** An input of the function. With `data` it is a constant of the graph (weights), otherwise it is fed to `run`. */
export interface InputSpec {
  /** Default "float32". */
  type?: ElementType;
  /** A name instead of a number is a size that may differ from run to run; see CompileOptions.dims. */
  shape: readonly (number | string)[];
  data?: TensorData;
}

export const isSpec = (value: unknown): value is InputSpec =>
  typeof value === "object" && value !== null && Array.isArray((value as InputSpec).shape);
