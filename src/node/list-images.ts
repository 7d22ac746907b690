/** What a person names on a command line (files, folders, globs) as a list of image files. */
import { stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { IoError } from "../errors.js";
import { withDefaults } from "../options.js";
import { ioError } from "./atomic.js";

export interface ListImagesOptions {
  /** Whether folders are searched with all folders in them; default false. */
  recursive?: boolean;
}

const IMAGE_FILE = /\.(jpe?g|png|webp|avif|tiff?|gif|ppm|pgm|pnm)$/i;

/**
 * The image files that `inputs` name, sorted and each once. A file is taken whatever it is called; of folders and globs
 * those with an image's ending, without hidden ones. An IoError names a path that is not there or a glob that finds
 * nothing; a folder without images gives none.
 */
export async function listImages(inputs: string[], options: ListImagesOptions = {}): Promise<string[]> {
  const { recursive } = withDefaults<Required<ListImagesOptions>>("listImages", { recursive: false }, options);
  // By absolute path, so that a file named twice in two ways is taken once, as it was named first.
  const found = new Map<string, string>();
  for (const input of inputs) {
    for (const path of await expand(input, recursive)) {
      const absolute = resolve(path);
      if (!found.has(absolute)) found.set(absolute, path);
    }
  }
  return [...found.values()].sort();
}

async function expand(input: string, recursive: boolean): Promise<string[]> {
  let failure: unknown;
  try {
    const info = await stat(input);
    if (!info.isDirectory()) return [input];
    const names = await search(recursive ? "**/*" : "*", input);
    return names.map((name) => join(input, name));
  } catch (cause) {
    failure = cause;
  }
  // An existing name wins over its reading as a pattern: a file may well be called "a[1].png".
  const pattern = process.platform === "win32" ? input.replaceAll("\\", "/") : input;
  if (!isDynamicPattern(pattern)) throw ioError("read", input, failure);
  const paths = await search(pattern);
  if (paths.length === 0) throw new IoError(`no image matches ${input}`);
  return paths;
}

async function search(pattern: string, cwd?: string): Promise<string[]> {
  const paths = await glob(pattern, { cwd, absolute: isAbsolute(pattern), expandDirectories: false });
  return paths.filter((path) => IMAGE_FILE.test(path));
}
