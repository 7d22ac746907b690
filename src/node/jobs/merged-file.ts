/** The merge of shards into one HDF5 file, where that is possible. */
import { join } from "node:path";
import { writeFileAtomic } from "../atomic.js";
import type { MergeWork } from "./kinds.js";

/** An HDF5 file is made in memory, and files above 2 GiB are neither written nor read at once. */
const SIZE_LIMIT = 1.9 * 2 ** 30;

/** Writes what `make` gives as the job's result, and says where; null where it is too large for one file. */
export async function writeMerged(
  { folder, plan, bytes }: MergeWork,
  make: () => Promise<Uint8Array>,
): Promise<string | null> {
  if (bytes > SIZE_LIMIT) return null;
  const path = join(folder, plan.result);
  await writeFileAtomic(path, await make());
  return path;
}
