/** Features as npz; see formats.md. */
import { readNpz, writeNpz } from "../npz.js";
import { arraysCodec } from "./arrays.js";

export const codec = arraysCodec(
  (bytes) => readNpz(bytes),
  (arrays, { compress }) => writeNpz(arrays, { compress }),
);
