/** Targets in files: compiled ones, image targets of 8th Wall, and plain pictures, which are compiled as they are read. */
import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { checkText } from "../../check.js";
import { IoError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import type { Image } from "../../image/image.js";
import { withDefaults } from "../../options.js";
import { eighthWallPicture, readEighthWallTarget } from "../../track/eighth-wall.js";
import { type CompileTargetOptions, compileTarget, type Target } from "../../track/target.js";
import { isTarget, readTarget } from "../../track/target-file.js";
import { checkPath, readFileChecked } from "../atomic.js";
import { type LoadImageOptions, loadImage } from "../images.js";

/** Options of loadTarget: of a picture that is compiled, and how it is decoded. */
export interface LoadTargetOptions extends CompileTargetOptions {
  image?: Pick<LoadImageOptions, "pixelLimit" | "orientation" | "onWarning">;
}

/**
 * The target in a file: of `strata target compile`, an image target of 8th Wall (.json, its picture beside it), or a picture,
 * which is compiled with `extractor`. Its name is that of the file unless the file or `name` says otherwise.
 */
export async function loadTarget(
  path: string,
  extractor: () => Promise<Pick<Extractor, "extract" | "info">>,
  options: LoadTargetOptions = {},
): Promise<Target> {
  checkPath("loadTarget", path);
  const { image, ...compile } = withDefaults<LoadTargetOptions>(
    "loadTarget",
    { image: undefined, name: undefined, physicalWidth: undefined },
    options,
  );
  const bytes = await readFileChecked(path);
  if (isTarget(bytes)) {
    const target = readTarget(bytes, path);
    return {
      ...target,
      name: compile.name ?? (target.name || nameOf(path)),
      physicalWidth: compile.physicalWidth ?? target.physicalWidth,
    };
  }
  if (extname(path).toLowerCase() === ".json") {
    const described = readEighthWallTarget(path, bytes);
    const picture = await loadBeside(path, [described.imagePath, ...described.otherPaths], image);
    const upright = eighthWallPicture(path, described, picture);
    return compileTarget(upright, await extractor(), {
      ...compile,
      name: compile.name ?? (described.name || nameOf(path)),
    });
  }
  const picture = await loadImage(bytes, { name: path, ...image });
  return compileTarget(picture, await extractor(), { ...compile, name: compile.name ?? nameOf(path) });
}

/** The file's name without its last ending. */
export const nameOf = (path: string): string => basename(checkText("target", "path", path), extname(path));

/** The picture that a JSON file names, by its path from the file or from the project's folder above, or just beside it. */
async function loadBeside(json: string, names: readonly string[], options: LoadTargetOptions["image"]): Promise<Image> {
  const folder = dirname(json);
  const places = names.flatMap((name) => [join(folder, name), join(folder, "..", name), join(folder, basename(name))]);
  const place = places.find((path) => existsSync(path));
  if (place === undefined) {
    throw new IoError(
      `${json}: its picture ${names[0]} is not there; it is looked for beside the file and in the folder above`,
    );
  }
  return loadImage(place, options);
}
