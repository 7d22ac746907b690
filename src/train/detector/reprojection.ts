/**
 * Positions: a keypoint carried into the other image should fall on the keypoint found there, to a fraction of a pixel.
 * ALIKE's reprojection loss (Zhao et al. 2022): positions are soft maxima, so the score map learns from the distance.
 */
import { lax, numpy as np } from "@jax-js/jax";
import type { Arr } from "../../model/operators.js";
import { takeRows } from "../losses/cells.js";
import { meanWhere } from "./contrast.js";
import { swapHalves } from "./points.js";

export interface Reprojection {
  /** Soft positions of keypoints, and the same carried into the other image, [M, P, 2]. */
  positions: Arr;
  carried: Arr;
  /** Squared distances of carried keypoints to the other image's, [M, P, P]; they say which one is nearest. */
  distances: Arr;
  /** 1 where the keypoint has a true place in the other image, [M, P]. */
  valid: Arr;
}

export interface ReprojectionLoss {
  /** Mean distance in pixels over keypoints with another within reach. */
  loss: Arr;
  /** 1 where there is one, [M, P]. */
  repeated: Arr;
}

/** Mean distance between carried keypoints and the nearest ones found there, of those within `reach` pixels. */
export function reprojectionLoss(
  { positions, carried, distances, valid }: Reprojection,
  reach: number,
): ReprojectionLoss {
  const apart = lax.stopGradient(distances);
  const nearest = np.argmin(apart.ref, 2);
  const repeated = np
    .lessEqual(np.min(apart, 2), reach * reach)
    .astype(np.float32)
    .mul(valid);
  const found = takeRows(swapHalves(positions), nearest);
  const distance = np.sqrt(np.sum(np.square(carried.sub(found)), 2).add(1e-6));
  return { loss: meanWhere(distance, repeated.ref), repeated };
}
