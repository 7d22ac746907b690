/** Features as a MAT-5 file. */
import { readMat, writeMat } from "../mat.js";
import { arraysCodec } from "./arrays.js";

export const codec = arraysCodec(
  (bytes, names) => readMat(bytes, { names }),
  (arrays) => writeMat(arrays),
);
