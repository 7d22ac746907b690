/**
 * The hinge of D2-Net's triplet margin loss (Dusmanu et al. 2019), per cell of image 1: max(0, 1 + p − min(n₁, n₂)), with
 * squared distances. p is that of the pair; n₂ the smallest from d₁ to a descriptor of image 2 more than four cells
 * (Chebyshev) from the true position; n₁ the smallest from d₂ to one of image 1 more than four cells from this cell.
 *
 * The gradient of a minimum belongs to the one descriptor that attains it. So that descriptor is searched for without a
 * gradient, and its distance computed again: the backward pass never sees a P × P matrix.
 */
import { lax, numpy as np } from "@jax-js/jax";
import "../../graph/jax-now.js";
import type { Arr } from "../../model/operators.js";
import { cellsOf } from "../../model/sampling.js";
import { type CellPositions, cellIndex, type Grid, gridCells, nearCells, takeRows, targetCells } from "./cells.js";
import { cosines, squaredDistance, unitRows } from "./descriptors.js";
import type { DescribedPairs } from "./pairs.js";

const MARGIN = 1;
/** Descriptors of cells so near are not told apart. */
const SAFE_RADIUS = 4;
/** Added to distances within the radius, above every other: squared distances are at most 4. */
const EXCLUDED = 10;

/** Hinges [N, P], and the cells of image 2 (int32 [N, P]) that the cells of image 1 fall on. */
export function tripletHinges({ maps, targets }: Pick<DescribedPairs, "maps" | "targets">): {
  hinges: Arr;
  index: Arr;
} {
  const [, , height, width] = maps[0].shape;
  const grid = { width, height };
  const [d1, d2] = maps.map(unitRows);
  const there = targetCells(targets, grid);
  const index = cellIndex({ x: there.x.ref, y: there.y.ref }, grid);
  const counterparts = takeRows(d2.ref, index.ref);
  const positive = squaredDistance(d1.ref, counterparts.ref);
  const inSecond = hardestNegative(d1.ref, d2, there, grid);
  const inFirst = hardestNegative(counterparts, d1, gridCells(grid), grid);
  const negative = np.minimum(inFirst, inSecond);
  // Zero comes first: at exactly 0 the hinge has no slope.
  return { hinges: np.maximum(0, positive.sub(negative).add(MARGIN)), index };
}

/** Squared distance of each query [N, P, C] to the most similar candidate [N, Q, C] outside the radius → [N, P]. */
function hardestNegative(queries: Arr, candidates: Arr, centres: CellPositions, grid: Grid): Arr {
  const similarity = cosines(lax.stopGradient(queries.ref), lax.stopGradient(candidates.ref));
  const centre = { x: centres.x.ref, y: centres.y.ref };
  // Half of what distances gain: distance² = 2 − 2·cos.
  const allowed = similarity.sub(nearCells(centre, grid, SAFE_RADIUS).mul(EXCLUDED / 2));
  const hardest = np.argmax(allowed, 2);
  const found = cellsOf(hardest.ref, grid.width);
  const distance = squaredDistance(queries, takeRows(candidates, hardest));
  // On a grid so small that nothing lies outside the radius there is no negative.
  const apart = np.maximum(np.abs(found.x.sub(centres.x)), np.abs(found.y.sub(centres.y)));
  return distance.add(np.lessEqual(apart, SAFE_RADIUS).astype(np.float32).mul(EXCLUDED));
}
