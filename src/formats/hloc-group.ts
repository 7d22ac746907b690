/** One group of a file in hloc's layout: an image or a pair. Apart from hloc.ts, whose types must not need HDF5's library. */
import { OptionError } from "../errors.js";
import { FEATURE_ARRAYS } from "./feature-arrays.js";
import type { Hdf5File } from "./hdf5-file.js";
import type { NdArray } from "./ndarray.js";

/** Name of the attribute that says how an image's features were made; hloc reads datasets only. */
export const HLOC_PROVENANCE = "strata";

/** An image's arrays, or a pair's, in a group of their own. OptionError where the file has it already. */
export function writeHlocGroup(file: Hdf5File, name: string, arrays: Record<string, NdArray>): void {
  if (file.hasDataset(`${name}/${Object.keys(arrays)[0]}`)) {
    throw new OptionError(`${file.where}: "${name}" is in the file already`);
  }
  file.makeGroup(name);
  for (const [array, values] of Object.entries(arrays)) file.write(`${name}/${array}`, values);
}

/** The arrays that features have, of the image `name`, in the order in which they are written. */
export function readHlocGroup(file: Hdf5File, name: string, datasets: readonly string[]): Record<string, NdArray> {
  const there = FEATURE_ARRAYS.filter((array) => datasets.includes(array));
  return Object.fromEntries(there.map((array) => [array, file.read(`${name}/${array}`)]));
}
