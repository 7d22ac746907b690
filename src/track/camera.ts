/** The camera that looks at targets: its intrinsics, given or assumed, and the projection that draws with it. */
import { OptionError } from "../errors.js";
import { checkIntrinsics, type Intrinsics, type IntrinsicsLike } from "../geometry/intrinsics.js";
import { checkNumber } from "../options.js";

/** Field of view across the longer edge that is assumed of a camera that nobody has measured, in degrees. */
export const ASSUMED_FIELD_OF_VIEW = 60;

/** Intrinsics of a camera with 60° across the longer edge of its frames and the principal point in their middle. */
export function assumedIntrinsics(width: number, height: number): Intrinsics {
  checkNumber("assumedIntrinsics", "width", width, { min: 1 });
  checkNumber("assumedIntrinsics", "height", height, { min: 1 });
  const focal = Math.max(width, height) / 2 / Math.tan((ASSUMED_FIELD_OF_VIEW * Math.PI) / 360);
  return { fx: focal, fy: focal, cx: (width - 1) / 2, cy: (height - 1) / 2 };
}

/**
 * The projection matrix, column-major 4×4 as WebGL and three.js have it, that draws over frames of width × height as the
 * camera sees them, from `near` to `far` (in the unit of poses). Default: the assumed intrinsics.
 */
export function projectionMatrix(
  width: number,
  height: number,
  near: number,
  far: number,
  intrinsics: IntrinsicsLike = assumedIntrinsics(width, height),
): Float64Array {
  const where = "projectionMatrix";
  checkNumber(where, "width", width, { min: 1 });
  checkNumber(where, "height", height, { min: 1 });
  checkNumber(where, "near", near, { min: Number.MIN_VALUE });
  checkNumber(where, "far", far, { min: Number.MIN_VALUE });
  if (far <= near) throw new OptionError(`${where}: "far" must be above "near" (${near}), got ${far}`);
  const { fx, fy, cx, cy } = checkIntrinsics(where, "intrinsics", intrinsics);
  // Pixel centres lie on integers: the frame goes from −½ to width − ½.
  const m = new Float64Array(16);
  m[0] = (2 * fx) / width;
  m[5] = (2 * fy) / height;
  m[8] = 1 - (2 * (cx + 0.5)) / width;
  m[9] = (2 * (cy + 0.5)) / height - 1;
  m[10] = -(far + near) / (far - near);
  m[11] = -1;
  m[14] = (-2 * far * near) / (far - near);
  return m;
}
