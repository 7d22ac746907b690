/**
 * What a student learns from a teacher's descriptors and scores, beside the losses of its own. Descriptors may differ
 * by a rotation, which no match can see: so they are compared after a projection that learns, and after the best rotation
 * (orthogonal Procrustes), as in EdgePoint2 (Yao et al. 2025, arXiv 2504.17280). Keypoints are where any of the teacher's
 * scales has one (CLIDD, arXiv 2601.09230).
 */
import { lax, numpy as np } from "@jax-js/jax";
import type { Arr } from "../../model/operators.js";

/** Added under logarithms: scores of exactly 0 and 1 stay finite. */
const EPSILON = 1e-6;

/** 1 − mean cosine of student rows [R, dim] by a projection [dim, d] and the teacher's rows [R, d] of unit length. */
export function projectedLoss(student: Arr, projection: Arr, teacher: Arr): Arr {
  const projected = np.matmul(student, projection);
  const square = np.sum(np.square(projected.ref), 1);
  const cosine = np.sum(projected.mul(lax.stopGradient(teacher)), 1).div(np.sqrt(np.maximum(square, 1e-12)));
  return np.subtract(1, np.mean(cosine));
}

/**
 * Half the mean squared distance of the student's rows [R, dim] to the teacher's [R, d], all of unit length, after the
 * rotation that makes it least: 1 − ‖SᵀT‖∗ / R. That the rotation is the best one makes the gradient at it whole without
 * one of its own.
 */
export function procrustesLoss(student: Arr, teacher: Arr): Arr {
  const target = lax.stopGradient(teacher);
  const rotation = nearestOrthogonal(np.matmul(lax.stopGradient(student.ref).transpose([1, 0]), target.ref));
  return np.subtract(1, np.mean(np.sum(np.matmul(student, rotation).mul(target), 1)));
}

/** Enough for singular values down to a thousandth of all together: each step makes small ones half as large again. */
const STEPS = 24;

/**
 * The orthogonal factor of a matrix [a, b] (orthonormal rows or columns where a ≠ b), by Newton and Schulz's iteration
 * X ← (3X − XXᵀX) / 2. Directions that the matrix does not have stay short, so it never lengthens anything.
 */
export function nearestOrthogonal(matrix: Arr): Arr {
  const norm = np.sqrt(np.sum(np.square(matrix.ref)).add(1e-20));
  let x = matrix.div(norm);
  for (let i = 0; i < STEPS; i++) {
    const gram = np.matmul(x.ref, x.ref.transpose([1, 0]));
    const cubed = np.matmul(gram, x.ref);
    x = x.mul(1.5).sub(cubed.mul(0.5));
  }
  return x;
}

/**
 * Mean over pixels of how far a score map [M, 1, H, W] in 0..1 is from the teacher's as chances of a keypoint: the
 * Kullback–Leibler divergence, 0 where they are equal.
 */
export function keypointLoss(score: Arr, teacher: Arr): Arr {
  const target = lax.stopGradient(teacher);
  const cross = (of: Arr): Arr => {
    const there = target.ref.mul(np.log(of.ref.add(EPSILON)));
    return there.add(np.subtract(1, target.ref).mul(np.log(np.subtract(1 + EPSILON, of))));
  };
  const divergence = np.mean(cross(target.ref).sub(cross(score)));
  target.dispose();
  return divergence;
}
