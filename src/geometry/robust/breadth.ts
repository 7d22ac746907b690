/**
 * Whether pairs say anything about a plane: points on a line agree with every homography that fits that line. A line of
 * real keypoints is as broad as their noise, and noise can be fitted, so it is breadth against error that counts.
 */
import { STRIDE } from "./model.js";

/** Least breadth over the error of a coordinate: a line whose breadth is all noise has 1, a strip of 1:50 some 10. */
const LEAST_BREADTH = 3;
/** Least breadth over length: float32 keypoints are no better. */
const LEAST_SLIMNESS = 1e-6;

/**
 * Whether the pairs of squared error ≤ `limit` spread over a plane in both images, also without any one of them: a
 * point beside a line says no more about a plane than the line.
 */
export function spanPlane(points: Float64Array, errors: Float64Array, limit: number): boolean {
  let [count, sum] = [0, 0];
  for (const error of errors) {
    if (!(error <= limit)) continue;
    count++;
    sum += error;
  }
  if (count < 4) return false;
  const first = axesOf(points, errors, limit, 0);
  const second = axesOf(points, errors, limit, 2);
  // Deviation of a coordinate in image 2, and what it is in image 1. A homography has eight parameters to fit it with.
  const deviation = Math.sqrt(sum / Math.max(1, 2 * count - 8));
  const inFirst = deviation * (first.length / second.length);
  return isBroad(first, inFirst) && isBroad(second, deviation);
}

const isBroad = ({ length, breadth }: Axes, deviation: number) =>
  breadth > LEAST_BREADTH * deviation && breadth > LEAST_SLIMNESS * length;

/** Standard deviations along the longest direction of points and across it. */
interface Axes {
  length: number;
  breadth: number;
}

/** Axes of the near points of one image (`at` 0 or 2 within a pair), without the one farthest from the long axis. */
function axesOf(points: Float64Array, errors: Float64Array, limit: number, at: 0 | 2): Axes {
  const all = momentsOf(points, errors, limit, at, -1);
  let farthest = -1;
  let largest = -1;
  for (let i = 0; i < errors.length; i++) {
    if (!(errors[i] <= limit)) continue;
    const across = Math.abs(
      (points[STRIDE * i + at] - all.x) * all.normalX + (points[STRIDE * i + at + 1] - all.y) * all.normalY,
    );
    if (across > largest) {
      largest = across;
      farthest = i;
    }
  }
  return momentsOf(points, errors, limit, at, farthest);
}

/** Centroid, axes, and the direction across, of near points but for one. */
function momentsOf(points: Float64Array, errors: Float64Array, limit: number, at: 0 | 2, without: number) {
  let [count, x, y] = [0, 0, 0];
  for (let i = 0; i < errors.length; i++) {
    if (!(errors[i] <= limit) || i === without) continue;
    count++;
    x += points[STRIDE * i + at];
    y += points[STRIDE * i + at + 1];
  }
  x /= count;
  y /= count;
  let [xx, xy, yy] = [0, 0, 0];
  for (let i = 0; i < errors.length; i++) {
    if (!(errors[i] <= limit) || i === without) continue;
    const dx = points[STRIDE * i + at] - x;
    const dy = points[STRIDE * i + at + 1] - y;
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  const angle = Math.atan2(2 * xy, xx - yy) / 2; // of the long axis
  const [normalX, normalY] = [-Math.sin(angle), Math.cos(angle)];
  // Measured across the axis itself: as a difference of the moments it would be lost in rounding.
  let across = 0;
  for (let i = 0; i < errors.length; i++) {
    if (!(errors[i] <= limit) || i === without) continue;
    across += ((points[STRIDE * i + at] - x) * normalX + (points[STRIDE * i + at + 1] - y) * normalY) ** 2;
  }
  return {
    x,
    y,
    normalX,
    normalY,
    length: Math.sqrt(Math.max(0, xx + yy - across) / count),
    breadth: Math.sqrt(across / count),
  };
}
