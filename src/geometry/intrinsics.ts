/** A pinhole camera's intrinsics, for coordinates that do not depend on the camera. */
import { checkNumbers, checkObject, described } from "../check.js";
import { OptionError } from "../errors.js";
import type { Matrix3 } from "./matrix3.js";

/** A pinhole camera: focal lengths and principal point in pixels, pixel centres on integers (COLMAP's minus 0.5). */
export interface Intrinsics {
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

/** Intrinsics as a person has them: by name, or as a 3×3 matrix [fx, 0, cx; 0, fy, cy; 0, 0, 1], row by row. */
export type IntrinsicsLike = Intrinsics | Matrix3;

/** Checked intrinsics; an OptionError for what is missing, skewed or no camera. */
export function checkIntrinsics(where: string, name: string, value: IntrinsicsLike | undefined): Intrinsics {
  if (value === undefined || value === null) {
    throw new OptionError(
      `${where}: an essential matrix needs "${name}": { fx, fy, cx, cy } in pixels, or a 3×3 matrix; ` +
        "without them estimate a fundamental matrix",
    );
  }
  const given = Array.isArray(value) || ArrayBuffer.isView(value) ? ofMatrix(where, name, value as Matrix3) : value;
  const { fx, fy, cx, cy } = checkObject(where, `"${name}"`, given) as Partial<Intrinsics> as Intrinsics;
  for (const [key, number] of Object.entries({ fx, fy, cx, cy })) {
    const positive = key.startsWith("f");
    if (typeof number !== "number" || !Number.isFinite(number) || (positive && number <= 0)) {
      const wanted = positive ? "a number above 0" : "a finite number";
      throw new OptionError(`${where}: "${name}.${key}" must be ${wanted}, in pixels, got ${described(number)}`);
    }
  }
  return { fx, fy, cx, cy };
}

function ofMatrix(where: string, name: string, value: Matrix3): Intrinsics {
  const k = checkNumbers(where, `"${name}"`, value);
  if (k.length !== 9) throw new OptionError(`${where}: "${name}" as a matrix has 9 numbers, got ${k.length}`);
  // A trace of skew is rounding of whoever calibrated.
  const skewed = !(Math.abs(k[1]) <= 1e-6 * Math.abs(k[0])) || k[3] !== 0;
  if (skewed || k[6] !== 0 || k[7] !== 0 || k[8] !== 1) {
    throw new OptionError(
      `${where}: "${name}" must be [fx, 0, cx, 0, fy, cy, 0, 0, 1], row by row and without skew, got [${Array.from(k).join(", ")}]`,
    );
  }
  return { fx: k[0], fy: k[4], cx: k[2], cy: k[5] };
}
