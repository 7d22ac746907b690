/** Which images a command line names: files, folders, globs and list files; and the name each goes by in outputs. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { OptionError } from "../errors.js";
import { ioError } from "../node/atomic.js";
import { describePassedOver } from "../node/image-kinds.js";
import { ImageSearch } from "../node/list-images.js";
import { commonFolder, nameBelow } from "../node/names.js";
import type { ImageFailure, NamedImage } from "../node/stores/store.js";

export interface Inputs {
  images: NamedImage[];
  failures: ImageFailure[];
  /** How many files of folders and globs are of kinds that are not read, by kind. */
  passedOver: Record<string, number>;
}

export interface InputOptions {
  /** Text file with one path a line; empty lines and lines that begin with # are skipped. */
  list?: string;
  /** Search folders with all folders in them. */
  recursive?: boolean;
  /** Folder that names start from; default: the innermost one that holds all images. */
  root?: string;
}

/**
 * The images in the order they were named, each once; what is not there is a failure of its own. OptionError when
 * nothing is named or an image lies outside `root`, IoError for a list that cannot be read.
 */
export async function collectImages(named: readonly string[], options: InputOptions): Promise<Inputs> {
  const inputs = [...named, ...(options.list === undefined ? [] : await readList(options.list))];
  if (inputs.length === 0) {
    throw new OptionError(
      options.list === undefined
        ? "no images named: give files, folders or globs, or --list FILE"
        : `the list ${options.list} names no images`,
    );
  }
  const failures: ImageFailure[] = [];
  const search = new ImageSearch(options.recursive ?? false);
  for (const input of inputs) {
    try {
      await search.add(input);
    } catch (error) {
      failures.push({ path: input, error });
    }
  }
  const root = options.root === undefined ? commonFolder([...search.images.keys()]) : resolve(options.root);
  const images = [...search.images].map(([absolute, path]) => ({ path, name: nameBelow(root, absolute) }));
  return { images, failures, passedOver: search.passedOver };
}

/** One line on what was passed over; empty where nothing was. */
export function passedOverNote(passedOver: Readonly<Record<string, number>>): string {
  const counts = describePassedOver(passedOver);
  return counts && `strata: note: passed over, for they are not read: ${counts}\n`;
}

async function readList(list: string): Promise<string[]> {
  const text = await readFile(list, "utf8").catch((cause) => {
    throw ioError("read", list, cause);
  });
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
}
