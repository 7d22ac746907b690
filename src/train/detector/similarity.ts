/**
 * Repeatability maps of the two images of a pair should be alike where both see the same, as in R2D2 (Revaud et al.
 * 2019): the cosine of small patches, one map warped onto the other. That they are not flat is up to peakyLoss.
 */
import { numpy as np } from "@jax-js/jax";
import "../../graph/jax-now.js";
import type { Arr } from "../../model/operators.js";
import { inside, sampleRows } from "../../model/sampling.js";
import { meanWhere } from "./contrast.js";
import { type Carrying, matricesAt, project, samePlane } from "./points.js";

/** Share of a patch that both images must see. */
const SEEN = 0.5;

/**
 * 1 − mean cosine of patch × patch windows (side by side) of the first images' maps [N, 1, H, W] and the second ones'
 * [N, 1, H, W] carried over, first to second; of several planes with the labels of the second ones [N, 1, H, W]. A scalar.
 */
export function similarityLoss(first: Arr, second: Arr, carrying: Carrying, patch: number, secondLabels?: Arr): Arr {
  const [n, , height, width] = first.shape;
  const grid = pixelGrid(n, width, height);
  const { labels } = carrying;
  const places = project(grid.ref, matricesAt(grid.ref, { ...carrying, labels: labels?.ref }));
  const within = inside(places.ref, width, height, 0);
  const seen = labels && secondLabels ? within.mul(samePlane(grid.ref, places.ref, labels, secondLabels)) : within;
  grid.dispose();
  const { rows, coverage } = sampleRows(second, places);
  coverage.dispose();
  const own = first.reshape([n, height * width]).mul(seen.ref);
  const carried = rows.reshape([n, height * width]).mul(seen.ref);
  const patches = (values: Arr): Arr => {
    const split = values.reshape([n, height / patch, patch, width / patch, patch]);
    return np.sum(split, [2, 4]);
  };
  const product = patches(own.ref.mul(carried.ref));
  const norms = patches(np.square(own)).mul(patches(np.square(carried)));
  const cosine = product.div(np.sqrt(norms.add(1e-12)));
  const counts = np.greaterEqual(patches(seen), SEEN * patch * patch).astype(np.float32);
  return meanWhere(np.subtract(1, cosine), counts);
}

/** Every pixel, row by row: [N, H·W, 2]. */
function pixelGrid(n: number, width: number, height: number): Arr {
  const data = new Float32Array(2 * width * height);
  for (let i = 0; i < width * height; i++) {
    data[2 * i] = i % width;
    data[2 * i + 1] = Math.floor(i / width);
  }
  const grid = np.array(data).reshape([1, width * height, 2]);
  return np.broadcastTo(grid, [n, width * height, 2]);
}
