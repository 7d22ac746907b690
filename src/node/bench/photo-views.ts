/**
 * Sequences of views of photographs, in the layout of HPatches: what a model is chosen on beside the known sequences.
 * Each view is drawn by a known homography and has its own light.
 */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { OptionError } from "../../errors.js";
import type { HomographyOptions } from "../../train/data/homographies.js";
import { writeFileAtomic } from "../atomic.js";
import { makeFolder } from "../folders.js";
import { saveImage } from "../images.js";
import type { OpenStage } from "../stage.js";
import { PhotoSource } from "../train/photos.js";

/** Which views are drawn. */
export interface PhotoViewsOptions {
  photos: string;
  /** Folder of the sequences; it must be empty or not exist. */
  out: string;
  /** Pairs, of different photographs as long as there are some. */
  pairs: number;
  /** Edge of a view in pixels. */
  size: number;
  /** How the second view differs from the first. */
  homography: Partial<HomographyOptions>;
  seed: number;
  openStage?: OpenStage;
}

/** What was drawn. */
export interface DrawnViews {
  sequences: number;
  /** SHA-256 of the photographs and of what decides the views. */
  digest: string;
  /** What of the folder was not used, and why. */
  leftOut: string[];
}

/** Writes `v_NAME/1.png`, `2.png` and `H_1_2`, one folder for each pair. OptionError for a folder that holds files. */
export async function drawPhotoViews(options: PhotoViewsOptions): Promise<DrawnViews> {
  const { photos, out, pairs, size, homography, seed, openStage } = options;
  const source = await PhotoSource.open({ folder: photos, cropSize: size, homography, seed });
  try {
    await makeFolder(out);
    if ((await readdir(out)).length > 0) throw new OptionError(`${out} is not empty; name another folder`);
    const stage = await openStage?.("views", ["pair", "pairs"], pairs);
    let sequences = 0;
    for (let index = 0; sequences < pairs; index++) {
      const epoch = Math.floor(index / source.length);
      if (epoch > 0 && sequences === 0) throw new OptionError(`${photos} has no photograph that can be used`);
      const pair = await source.pair(epoch, index % source.length);
      if ("skipped" in pair || pair.warp.kind !== "homography") continue;
      const [photo] = pair.id.split(", epoch");
      const folder = join(out, `v_${basename(photo).replace(/\.\w+$/, "")}_${epoch}`);
      await makeFolder(folder);
      const [a, b] = pair.images;
      await saveImage(join(folder, "1.png"), a);
      await saveImage(join(folder, "2.png"), b);
      await writeFileAtomic(join(folder, "H_1_2"), rowsOf(pair.warp.matrix));
      sequences++;
      stage?.update(sequences, sequences);
    }
    stage?.stop();
    return { sequences, digest: source.digest, leftOut: source.leftOut() };
  } finally {
    await source.dispose();
  }
}

function rowsOf(matrix: ArrayLike<number>): string {
  return [0, 3, 6].map((row) => `${matrix[row]} ${matrix[row + 1]} ${matrix[row + 2]}\n`).join("");
}
