/** Names of images as paths of files. */
import { join } from "node:path";
import { FormatError } from "../errors.js";
import { isBelow } from "../names.js";

/** Where an image's file lies below `folder`. FormatError for a name that leads out of it or that cannot be a file's. */
export function pathBelow(folder: string, name: string, extension = ""): string {
  if (isBelow(name, process.platform)) return join(folder, ...name.split("/")) + extension;
  throw new FormatError(`the image name "${name}" is no path below a folder; no file is looked for or written there`);
}
