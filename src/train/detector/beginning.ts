/** Weights that a training begins with; a family may make those of another shape fit (families.ts). */
import { OptionError } from "../../errors.js";
import { toFloat32 } from "../../formats/ndarray.js";
import type { Tensors } from "../../model/checkpoint.js";
import type { Parameter } from "../parameters.js";

/** Weights to begin with, and what they are. */
export interface Beginning {
  tensors: Tensors;
  digest: string;
}

/** `own` parameters with the values of `begin`; OptionError where it is of another architecture. */
export function beginWith(
  recipe: string,
  begin: Beginning,
  adapt: (tensors: Tensors) => Tensors,
  own: readonly Parameter[],
): Map<string, Parameter> {
  const tensors = adapt(begin.tensors);
  const names = new Set(own.map(({ name }) => name));
  const stranger = [...tensors.keys()].find((name) => !names.has(name));
  if (stranger !== undefined) {
    throw new OptionError(`${recipe}: the weights to begin with have "${stranger}", which this network has not`);
  }
  return new Map(own.map((parameter) => [parameter.name, startFrom(tensors, parameter)]));
}

function startFrom(tensors: Tensors, { name, shape }: Parameter): Parameter {
  const tensor = tensors.get(name);
  if (!tensor || tensor.shape.length !== shape.length || shape.some((size, i) => size !== tensor.shape[i])) {
    const found = tensor ? `has shape [${tensor.shape}]` : "is missing";
    throw new OptionError(
      `the weights to begin with do not fit: "${name}" ${found}, the network needs [${shape}]; give weights of the same configuration`,
    );
  }
  return { name, shape, data: toFloat32(tensor).slice() };
}
