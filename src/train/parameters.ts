/**
 * Parameters as one flat vector. A network sees named tensors, which are slices of it; the optimizer, checkpoints and the
 * way between runtime and JavaScript see a single array, so a step has a handful of inputs however many layers there are.
 */
import { numpy as np } from "@jax-js/jax";
import { ShapeError } from "../errors.js";
import type { Arr } from "../model/operators.js";

/** A named tensor and its first values. */
export interface Parameter {
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

/** Where each tensor lies in the flat vector. */
export interface Layout {
  entries: readonly { name: string; shape: readonly number[]; offset: number; length: number }[];
  length: number;
}

export function layoutOf(parameters: readonly Parameter[]): Layout {
  let offset = 0;
  const names = new Set<string>();
  const entries = parameters.map(({ name, shape, data }) => {
    const length = shape.reduce((a, b) => a * b, 1);
    if (length !== data.length)
      throw new ShapeError(`parameter "${name}" of shape [${shape}] has ${data.length} values, expected ${length}`);
    if (names.has(name)) throw new ShapeError(`parameter "${name}" is there twice`);
    names.add(name);
    offset += length;
    return { name, shape, offset: offset - length, length };
  });
  return { entries, length: offset };
}

/** All values in a row. */
export function flatten(parameters: readonly Parameter[]): Float32Array {
  const { entries, length } = layoutOf(parameters);
  const flat = new Float32Array(length);
  for (const [i, { offset }] of entries.entries()) flat.set(parameters[i].data, offset);
  return flat;
}

/** The tensors of a flat vector, copied. */
export function unflatten({ entries, length }: Layout, flat: Float32Array): Parameter[] {
  if (flat.length !== length) throw new ShapeError(`${flat.length} values for parameters of ${length}`);
  return entries.map(({ name, shape, offset, length: own }) => ({
    name,
    shape,
    data: flat.slice(offset, offset + own),
  }));
}

/** In the graph: named tensors of the flat vector. */
export function unpack({ entries }: Layout, flat: Arr): Record<string, Arr> {
  const tensors = Object.fromEntries(
    entries.map(({ name, shape, offset, length }) => [
      name,
      flat.ref.slice([offset, offset + length]).reshape([...shape]),
    ]),
  );
  flat.dispose();
  return tensors;
}

/** In the graph: the flat vector of named tensors. */
export function pack({ entries }: Layout, tensors: Record<string, Arr>): Arr {
  return np.concatenate(entries.map(({ name }) => tensors[name].reshape([-1])));
}
