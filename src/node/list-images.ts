/** What a person names on a command line (files, folders, globs) as a list of image files. */

import { readdir, realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { checkTexts } from "../check.js";
import { IoError } from "../errors.js";
import { withDefaults } from "../options.js";
import { checkPath, ioError } from "./atomic.js";
import { describePassedOver, isImageName, passedOverKind } from "./image-kinds.js";

/** How folders are searched. */
export interface ListImagesOptions {
  /** Whether folders are searched with all folders in them; default false. */
  recursive?: boolean;
}

/** Image files, and what was passed over. */
export interface FoundImages {
  /** Paths of the images as they were named, sorted, each once. */
  paths: string[];
  /** How many files of folders and globs are of kinds that are not read: { HEIC: 12, BMP: 1 }. */
  passedOver: Record<string, number>;
}

/**
 * The image files that `inputs` name, sorted and each once. A file is taken whatever it is called; of folders and globs
 * those with an image's ending, without hidden ones. Folders at the beginning of a glob that are there are taken as they
 * are called (`photos (1)/*.png`). An IoError names a path that is not there or a glob that finds nothing; a folder
 * without images gives none.
 */
export async function listImages(inputs: string[], options: ListImagesOptions = {}): Promise<string[]> {
  return (await findImages(inputs, options)).paths;
}

/** As `listImages`, and what was passed over. */
export async function findImages(inputs: readonly string[], options: ListImagesOptions = {}): Promise<FoundImages> {
  const { recursive } = withDefaults<Required<ListImagesOptions>>("listImages", { recursive: false }, options);
  for (const [i, input] of checkTexts("listImages", "inputs", inputs).entries())
    checkPath(`listImages: inputs[${i}]`, input);
  const search = new ImageSearch(recursive);
  for (const input of inputs) await search.add(input);
  return { paths: [...search.images.values()].sort(), passedOver: search.passedOver };
}

/** Gathers images input by input, for a caller to whom one bad input is not the end. */
export class ImageSearch {
  /** By absolute path, so that a file named twice in two ways is taken once, as it was named first. */
  readonly images = new Map<string, string>();
  private readonly others = new Map<string, string>();

  constructor(private readonly recursive: boolean) {}

  /** Adds what `input` names; errors as of `listImages`. */
  async add(input: string): Promise<void> {
    const { what, files, closed } = await expand(input, this.recursive);
    const images = what === "file" ? files : files.filter(isImageName);
    for (const path of images.sort()) {
      const absolute = resolve(path);
      if (!this.images.has(absolute)) this.images.set(absolute, path);
    }
    const others = what === "file" ? [] : othersAmong(files, new Set(images));
    for (const path of closed) others.push([path, CLOSED]);
    if (what === "glob" && images.length === 0) {
      const counts = describePassedOver(countKinds(new Map(others)));
      throw new IoError(`no image matches ${input}${counts && ` (passed over: ${counts})`}`);
    }
    for (const [path, kind] of others) this.others.set(resolve(path), kind);
  }

  /** How many files were passed over, by kind. */
  get passedOver(): Record<string, number> {
    return countKinds(this.others);
  }
}

/** What folders that may not be read and links that lead nowhere are told as. */
const CLOSED = "without access";

/** The files that are no images, with their kinds. */
function othersAmong(files: readonly string[], images: ReadonlySet<string>): [string, string][] {
  const found: [string, string][] = [];
  for (const path of files) {
    const kind = passedOverKind(path);
    // What is called as an image and more (a.jpg.strata-s, a.jpg.pp3) is about that image.
    const isCompanion = () => [...path.matchAll(/\./g)].some(({ index }) => images.has(path.slice(0, index)));
    if (kind !== null && !isCompanion()) found.push([path, kind]);
  }
  return found;
}

function countKinds(kinds: ReadonlyMap<string, string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of kinds.values()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

interface Expanded {
  what: "file" | "folder" | "glob";
  /** All files, images or not, without hidden ones. */
  files: string[];
  /** Folders and links below that cannot be looked into. */
  closed: string[];
}

async function expand(input: string, recursive: boolean): Promise<Expanded> {
  let failure: unknown;
  try {
    if (!(await stat(input)).isDirectory()) return { what: "file", files: [input], closed: [] };
  } catch (cause) {
    failure = cause;
  }
  if (failure === undefined) {
    const found: Expanded = { what: "folder", files: [], closed: [] };
    await walk(input, recursive, [], found).catch((cause) => {
      throw ioError("read", input, cause);
    });
    return found;
  }
  // An existing name wins over its reading as a pattern: a file may well be called "a[1].png", its folder "photos (1)".
  const [folder, pattern] = await literalFolder(process.platform === "win32" ? input.replaceAll("\\", "/") : input);
  if (!isDynamicPattern(pattern)) throw ioError("read", input, failure);
  let files = await match(folder, withPlainParentheses(pattern));
  // Nothing: perhaps brackets and braces are part of names, as in "a[1]*.png".
  if (files.length === 0) files = await match(folder, pattern.replace(/(?<!\\)[()[\]{}|!+@]/g, "\\$&"));
  return { what: "glob", files, closed: [] };
}

/** Adds the files of a folder; `above` are the real paths of the folders that led here by links, which may form circles. */
async function walk(folder: string, recursive: boolean, above: readonly string[], found: Expanded): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const here = recursive ? [...above, await realpath(folder)] : above;
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    const info = entry.isSymbolicLink() ? await stat(path).catch(() => null) : entry;
    if (info === null) found.closed.push(path);
    else if (info.isFile()) found.files.push(path);
    else if (recursive && info.isDirectory() && !(entry.isSymbolicLink() && here.includes(await realpath(path)))) {
      await walk(path, true, here, found).catch(() => found.closed.push(path));
    }
  }
}

/** The leading folders of a pattern that are there under these very names, and the rest. */
async function literalFolder(pattern: string): Promise<[folder: string, rest: string]> {
  const parts = pattern.split("/");
  let known = 0;
  while (known < parts.length - 1) {
    const folder = parts.slice(0, known + 1).join("/") || "/";
    const isFolder = await stat(folder).then(
      (info) => info.isDirectory(),
      () => false,
    );
    if (!isFolder) break;
    known++;
  }
  return [known === 0 ? "." : parts.slice(0, known).join("/") || "/", parts.slice(known).join("/")];
}

async function match(folder: string, pattern: string): Promise<string[]> {
  const names = await glob(pattern, { cwd: folder, expandDirectories: false });
  return names.map((name) => join(folder, name));
}

/** Parentheses are part of a name ("IMG (1)*.png", "*(1).png"), but in "(a|b)" and after +, @ and !; so is a leading "!". */
function withPlainParentheses(pattern: string): string {
  return pattern.replace(/(?<![+@!\\])\(([^()|]*)\)/g, "\\($1\\)").replace(/^!(?!\()/, "\\!");
}
