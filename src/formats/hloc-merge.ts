/**
 * Files of features in hloc's layout joined into one: their arrays are taken over as they are, without becoming features in
 * between, which takes half the time and changes no bit.
 */
import { createHdf5, openHdf5 } from "./hdf5.js";
import { HLOC_PROVENANCE, readHlocGroup, writeHlocGroup } from "./hloc-group.js";
import type { NdArray } from "./ndarray.js";
import { DEFAULT_UNPACK_LIMIT } from "./zip.js";

/** One of the files, and which of its images are taken, in their order; names that it lacks are passed over. */
export interface HlocPart {
  bytes: Uint8Array;
  names: readonly string[];
}

interface HlocGroup {
  arrays: Record<string, NdArray>;
  provenance: string | null;
}

/** An HDF5 file of the images of all parts. OptionError for a name that comes twice; as `openHdf5` for a damaged part. */
export async function mergeHlocFeatures(
  parts: Iterable<HlocPart> | AsyncIterable<HlocPart>,
  expectedBytes = 0,
): Promise<Uint8Array> {
  const where = "mergeHlocFeatures";
  return createHdf5(
    where,
    null,
    async (file) => {
      for await (const { bytes, names } of parts) {
        const groups = await readGroups(where, bytes);
        for (const name of names) {
          const group = groups.get(name);
          if (!group) continue;
          writeHlocGroup(file, name, group.arrays);
          if (group.provenance !== null) file.writeText(name, HLOC_PROVENANCE, group.provenance);
        }
      }
    },
    expectedBytes,
  );
}

async function readGroups(where: string, bytes: Uint8Array): Promise<Map<string, HlocGroup>> {
  return openHdf5(where, bytes, DEFAULT_UNPACK_LIMIT, (file) => {
    const groups = new Map<string, HlocGroup>();
    file.visit((name, datasets) => {
      if (!datasets.includes("keypoints")) return;
      groups.set(name, {
        arrays: readHlocGroup(file, name, datasets),
        provenance: file.readText(name, HLOC_PROVENANCE),
      });
    });
    return groups;
  });
}
