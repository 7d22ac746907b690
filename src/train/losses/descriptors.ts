/** Descriptors as rows of unit length, and the distances between them: distance² = 2 − 2·cos. */
import { numpy as np } from "@jax-js/jax";
import type { Arr } from "../../model/operators.js";

/** Maps [N, C, h, w] → rows [N, h·w, C] of unit length. A descriptor of zeros stays one, and so does its gradient. */
export function unitRows(map: Arr): Arr {
  const [n, c] = map.shape;
  const flat = map.reshape([n, c, -1]);
  const square = np.sum(np.square(flat.ref), 1, { keepdims: true });
  // The floor stands under the root, whose slope at 0 would be infinite.
  return flat.div(np.sqrt(np.maximum(square, 1e-24))).transpose([0, 2, 1]);
}

/** All cosines of rows a [N, P, C] and b [N, Q, C] → [N, P, Q], as one matrix product. */
export function cosines(a: Arr, b: Arr): Arr {
  return np.matmul(a, b.transpose([0, 2, 1]));
}

/** Squared distance of corresponding unit rows [N, P, C] → [N, P]. */
export function squaredDistance(a: Arr, b: Arr): Arr {
  return np.subtract(2, np.sum(a.mul(b), 2).mul(2));
}
