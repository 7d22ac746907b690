/** Names of images as paths of files. */
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { FormatError, OptionError } from "../errors.js";
import { isBelow } from "../names.js";

/** Where an image's file lies below `folder`. FormatError for a name that leads out of it or that cannot be a file's. */
export function pathBelow(folder: string, name: string, extension = ""): string {
  if (isBelow(name, process.platform)) return join(folder, ...name.split("/")) + extension;
  throw new FormatError(`the image name "${name}" is no path below a folder; no file is looked for or written there`);
}

/** The innermost folder that holds all of these absolute paths. */
export function commonFolder(paths: readonly string[]): string {
  let common: string[] | undefined;
  for (const path of paths) {
    const parts = dirname(path).split(sep);
    if (!common) common = parts;
    let same = 0;
    while (same < common.length && common[same] === parts[same]) same++;
    common = common.slice(0, same);
  }
  return common?.join(sep) || sep;
}

/** What an image is called when names start from `root`. OptionError for one that lies outside. */
export function nameBelow(root: string, path: string): string {
  const name = relative(root, path);
  // Only a whole part ".." leads out: a name may begin with two dots.
  if (name.split(sep)[0] === ".." || isAbsolute(name) || resolve(root, name) !== path) {
    throw new OptionError(`${path} lies outside --root ${root}`);
  }
  return name.split(sep).join("/");
}
