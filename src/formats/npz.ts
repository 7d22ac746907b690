/** NumPy's .npz: a zip archive of .npy files, stored (`np.savez`) or deflated (`np.savez_compressed`). */
import { checkObject } from "../check.js";
import { withDefaults } from "../options.js";
import type { NdArray } from "./ndarray.js";
import { readNpy, writeNpy } from "./npy.js";
import { readZip, writeZip, type ZipOptions } from "./zip.js";

/** How an npz file is packed. */
export interface NpzOptions {
  /** Deflate the arrays; default false, for floats hardly shrink. */
  compress: boolean;
}

/**
 * The arrays of a .npz file by name (without ".npy"). FormatError for damage, LimitError when they would unpack to more
 * than `limit` bytes (default 2 GiB), UnsupportedError for arrays that `readNpy` refuses.
 */
export function readNpz(bytes: Uint8Array, options: Partial<ZipOptions> = {}): Record<string, NdArray> {
  const arrays: [string, NdArray][] = [];
  for (const [name, file] of readZip(bytes, options, "readNpz")) {
    const key = name.replace(/\.npy$/, "");
    arrays.push([key, readNpy(file, `readNpz: "${key}"`)]);
  }
  return Object.fromEntries(arrays);
}

/** A .npz file of named arrays; the same arrays give the same bytes. */
export function writeNpz(arrays: Record<string, NdArray>, options: Partial<NpzOptions> = {}): Uint8Array {
  const { compress } = withDefaults<NpzOptions>("writeNpz", { compress: false }, options);
  const files = Object.entries(checkObject("writeNpz", "arrays", arrays) as Record<string, NdArray>).map(
    ([name, array]): [string, Uint8Array] => [`${name}.npy`, writeNpy(array)],
  );
  return writeZip(files, { compress });
}
