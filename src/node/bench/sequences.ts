/**
 * Image sequences in the layout of HPatches: a folder per sequence with the images 1, 2, … (ppm, png, jpg, …) and the
 * homographies H_1_2, H_1_3, … All that is wrong with them is found before any work and said at once; a digest over
 * every image and homography names the data, so that results on other data are never taken for these.
 */

import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { sequenceKind } from "../../bench/hpatches.js";
import type { PairTruth, SequenceKind } from "../../bench/types.js";
import { checkTexts } from "../../check.js";
import { FormatError, OptionError, StrataError } from "../../errors.js";
import { withDefaults } from "../../options.js";
import { checkPath, ioError, readFileChecked } from "../atomic.js";
import { isImageName, passedOverKind } from "../image-kinds.js";

/** An image of a sequence. */
export interface SequenceImage {
  sequence: string;
  /** From 1. */
  number: number;
  path: string;
  /** "v_graf/1.ppm", as hloc's files name it. */
  name: string;
}

/** Images of one scene and the homographies between them. */
export interface Sequence {
  name: string;
  kind: SequenceKind;
  /** Image 1 first. */
  images: SequenceImage[];
  /** Image 1 with each other image. */
  pairs: PairTruth[];
}

/** What is wrong with a sequence, a sentence per fault. */
export interface BadSequence {
  name: string;
  problems: string[];
}

/** The sequences of a folder. */
export interface Sequences {
  /** Name of the folder. */
  name: string;
  folder: string;
  /** SHA-256 over all images and homographies of `sequences`. */
  digest: string;
  sequences: Sequence[];
  /** Left out, with `skipBad`. */
  bad: BadSequence[];
}

/** Which sequences are opened. */
export interface SequencesOptions {
  /** Leave sequences out that are not whole, instead of an error; default false. */
  skipBad: boolean;
  /** Names of the sequences to open; default null: all. */
  only: readonly string[] | null;
}

const NUMBERED = /^([1-9]\d*)\.[^.]+$/;
const HOMOGRAPHY = /^H_1_([1-9]\d*)$/;
/** A number above this is no image of a sequence. */
const MOST_IMAGES = 1000;

/**
 * The sequences in `folder`, by name; a folder that has images 1, 2, … itself is the one sequence. FormatError that
 * lists every fault of every sequence, OptionError for a name in `only` that is not there, IoError for a folder that
 * cannot be read.
 */
export async function openSequences(folder: string, options: Partial<SequencesOptions> = {}): Promise<Sequences> {
  const { skipBad, only } = withDefaults<SequencesOptions>("openSequences", { skipBad: false, only: null }, options);
  checkPath("openSequences", folder);
  if (only !== null) checkTexts("openSequences", '"only"', only);
  const root = resolve(folder);
  const found = await findFolders(root, folder);
  if (found.length === 0) {
    throw new FormatError(
      `${folder} has no sequences: expected folders with images 1.ppm, 2.ppm, … (or png, jpg, pgm) and H_1_2, …`,
    );
  }
  for (const name of only ?? []) {
    if (!found.some((entry) => entry.name === name)) {
      const names = found.map((entry) => entry.name).join(", ");
      throw new OptionError(`${folder} has no sequence "${name}"; there are: ${names}`);
    }
  }
  const chosen = only ? found.filter(({ name }) => only.includes(name)) : found;

  const digest = createHash("sha256");
  const sequences: Sequence[] = [];
  const bad: BadSequence[] = [];
  for (const entry of chosen) {
    const { sequence, lines, problems } = await readSequence(entry);
    if (problems.length > 0) {
      bad.push({ name: entry.name, problems });
      continue;
    }
    sequences.push(sequence);
    for (const line of lines) digest.update(`${line}\n`);
  }
  if (bad.length > 0 && (!skipBad || sequences.length === 0)) {
    const advice = sequences.length === 0 ? "no sequence is whole" : "--skip-bad goes on without them";
    throw new FormatError(`${folder}: ${describeBad(bad)}\n${advice}`);
  }
  return { name: basename(root), folder: root, digest: digest.digest("hex"), sequences, bad };
}

/** "2 bad sequences:" and a line for each fault. */
export function describeBad(bad: readonly BadSequence[]): string {
  const lines = bad.flatMap(({ name, problems }) => problems.map((problem) => `  ${name}: ${problem}`));
  return `${bad.length} bad sequence${bad.length === 1 ? "" : "s"}:\n${lines.join("\n")}`;
}

interface FoundFolder {
  name: string;
  path: string;
  files: string[];
}

/** Folders that look like a sequence, be it with faults: a numbered image or a homography is in them. */
async function findFolders(root: string, named: string): Promise<FoundFolder[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch((cause) => {
    throw ioError("read", named, cause);
  });
  const own = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  if (own.some(isPart)) return [{ name: basename(root), path: root, files: own }];
  const folders: FoundFolder[] = [];
  for (const { name } of entries.filter((entry) => !entry.isFile() && !entry.name.startsWith("."))) {
    const path = join(root, name);
    // A link may lead to a folder or not; what cannot be listed is no sequence.
    const files = await readdir(path).catch(() => []);
    if (files.some(isPart)) folders.push({ name, path, files });
  }
  return folders.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const imageNumber = (file: string): number => (isImageName(file) ? Number(NUMBERED.exec(file)?.[1] ?? 0) : 0);

const isPart = (file: string): boolean => imageNumber(file) > 0 || HOMOGRAPHY.test(file);

async function readSequence({ name, path, files }: FoundFolder) {
  const problems: string[] = [];
  const lines: string[] = [];
  const images = new Map<number, string>();
  let last = 2;
  for (const file of [...files].sort()) {
    const number = imageNumber(file) || Number(HOMOGRAPHY.exec(file)?.[1] ?? 0);
    if (number > MOST_IMAGES) {
      problems.push(`${file}: sequences of more than ${MOST_IMAGES} images are not read`);
      continue;
    }
    last = Math.max(last, number);
    if (imageNumber(file) === 0) continue;
    const other = images.get(number);
    if (other === undefined) images.set(number, file);
    else problems.push(`both ${other} and ${file} are image ${number}; keep one`);
  }
  const sequence: Sequence = { name, kind: sequenceKind(name), images: [], pairs: [] };
  for (let number = 1; number <= last; number++) {
    const file = images.get(number);
    if (file === undefined) problems.push(missing(number, files));
    else {
      const bytes = await attempt(problems, file, () => readFileChecked(join(path, file)));
      if (bytes) lines.push(`${name}/${number} ${sha256(bytes)}`);
      sequence.images.push({ sequence: name, number, path: join(path, file), name: `${name}/${file}` });
    }
    if (number === 1) continue;
    const truth = `H_1_${number}`;
    if (!files.includes(truth)) {
      problems.push(`the homography ${truth} is missing`);
      continue;
    }
    const matrix = await attempt(problems, truth, async () =>
      parseHomography(await readFileChecked(join(path, truth))),
    );
    if (!matrix) continue;
    lines.push(`${name}/${truth} ${sha256(new Uint8Array(matrix.buffer))}`);
    sequence.pairs.push({ sequence: name, kind: sequence.kind, images: [1, number], homography: matrix });
  }
  return { sequence, lines, problems };
}

/** That an image is not there, or only in a format that is not read. */
function missing(number: number, files: readonly string[]): string {
  const other = files.find((file) => NUMBERED.exec(file)?.[1] === `${number}` && passedOverKind(file) !== null);
  const instead = other === undefined ? "" : `; ${other} is ${passedOverKind(other)}, which is not read`;
  return `image ${number} is missing (${number}.ppm, .png, .jpg, …)${instead}`;
}

/** Nine finite numbers, row-major, of an invertible matrix. */
export function parseHomography(bytes: Uint8Array): Float64Array {
  const words = new TextDecoder()
    .decode(bytes)
    .trim()
    .split(/[\s,;]+/);
  const matrix = Float64Array.from(words, Number);
  const wrong = matrix.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new FormatError(`"${words[wrong].slice(0, 40)}" is not a finite number`);
  if (matrix.length !== 9) throw new FormatError(`expected 9 numbers (3 rows of 3), got ${matrix.length}`);
  if (isSingular(matrix)) throw new FormatError("the matrix is singular: it has no inverse");
  return matrix;
}

/** Also up to rounding: the determinant is next to nothing beside the product of the rows' lengths. */
function isSingular(matrix: Float64Array): boolean {
  const [a, b, c, d, e, f, g, h, i] = matrix;
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  const volume = Math.hypot(a, b, c) * Math.hypot(d, e, f) * Math.hypot(g, h, i);
  return !(Math.abs(determinant) > 1e-12 * volume);
}

/** What `work` gives, or undefined with its error among the problems. */
async function attempt<T>(problems: string[], file: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StrataError)) throw error;
    problems.push(error.message.includes(file) ? error.message : `${file}: ${error.message}`);
    return undefined;
  }
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
