/** Whether COLMAP will find the images of features, and see them as the features were made. */

import { stat } from "node:fs/promises";
import { FormatError, OptionError, ShapeError } from "../../errors.js";
import type { Features } from "../../features.js";
import { plural } from "../../plural.js";
import { pathBelow } from "../names.js";

/**
 * That the images are there, under the names of the features, as large as the features say; an error that names those
 * that are not. `notes` gets what is worth knowing.
 */
export async function checkImages(
  features: ReadonlyMap<string, Features>,
  folder: string,
  notes: string[],
): Promise<void> {
  const there = await stat(folder).catch(() => undefined);
  if (!there?.isDirectory()) throw new OptionError(`--images ${folder} is not a folder`);
  const { readImageSize } = await import("../images.js");
  const missing: string[] = [];
  let turned = 0;
  for (const [name, { imageSize }] of features) {
    const path = pathBelow(folder, name);
    if (!(await stat(path).catch(() => undefined))) {
      missing.push(name);
      continue;
    }
    const { width, height, orientation } = await readImageSize(path);
    const stored = imageSize[0] === width && imageSize[1] === height;
    // COLMAP reads pixels as they are stored.
    if (orientation > 1) turned++;
    if (!stored && !(orientation >= 5 && imageSize[0] === height && imageSize[1] === width)) {
      throw new ShapeError(
        `${path} has ${width}×${height} pixels, its features are of an image of ${imageSize.join("×")}`,
      );
    }
  }
  if (missing.length > 0) {
    const some = missing.slice(0, 3).map((name) => `"${name}"`);
    throw new FormatError(
      `${missing.length} of ${features.size} images are not in ${folder}: ${some.join(", ")}${missing.length > 3 ? ", …" : ""}; ` +
        "names of features must be the images' paths below that folder (`strata extract --root` sets where they begin)",
    );
  }
  if (turned > 0) {
    notes.push(
      `${plural(turned, "image")} ${turned === 1 ? "is" : "are"} turned by EXIF orientation, which COLMAP does not read: extract with --no-orientation`,
    );
  }
}
