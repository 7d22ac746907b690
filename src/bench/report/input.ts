/** What a report is made of. All of it is data: names may come from anywhere, pictures are data URIs. */
import { OptionError, ShapeError } from "../../errors.js";
import type { ChangeCurve, MethodCurve, MethodRun } from "../types.js";

export interface ReportInput {
  /** Heading of the page; default: named after the data. */
  title?: string;
  /** When the runs ended, as it is to be shown. */
  date: string;
  /** The command line that repeats them. */
  command: string;
  /**
   * Whether the full HPatches (108 sequences) was scored. Only then, or where there are no runs at all, are published
   * curves shown: figures from other images say nothing about these.
   */
  full: boolean;
  runs: readonly MethodRun[];
  /** Curves from the reference's cache, shown beside the runs. */
  cached?: readonly MethodCurve[];
  /** Published curves; how they are called and grouped is in published-names.ts. */
  published?: readonly MethodCurve[];
  /** Scores over rotation and scale. */
  changes?: readonly ChangeCurve[];
  gallery?: Gallery;
  /** Sentences on what the reader should know: sequences left out, a fallback. */
  notes?: readonly string[];
}

/** Pictures of chosen pairs and images. */
export interface Gallery {
  /** By a key that pairs and score maps name; each is in the page once. */
  photos: Readonly<Record<string, Photo>>;
  pairs: readonly PairPicture[];
  scoreMaps: readonly ScoreMaps[];
}

/** A photograph, encoded smaller than it is. */
export interface Photo {
  /** A `data:image/…` URI. */
  href: string;
  /** Size in pixels of the photograph itself, in which keypoints are given. */
  width: number;
  height: number;
}

/** Matches of one pair. */
export interface PairPicture {
  method: string;
  protocol: string;
  sequence: string;
  images: readonly [number, number];
  /** "only": the sequence has one pair. */
  which: "best" | "worst" | "only";
  /** Keys of the photographs. */
  photos: readonly [string, string];
  /** All matches, and how many of them are right within 3 px. */
  matches: number;
  right: number;
  /** The drawn matches as xa, ya, xb, yb, …, and 1 for each that is right. */
  lines: ArrayLike<number>;
  isRight: ArrayLike<number>;
}

/** What a model sees in one photograph. */
export interface ScoreMaps {
  method: string;
  sequence: string;
  image: number;
  /** Key of the photograph. */
  photo: string;
  /** Named pictures; `width` and `height` in cells of the map. */
  maps: readonly { name: string; href: string; width: number; height: number }[];
  /** For the caption. */
  note: string;
}

/** Maps narrower than this are shown cell by cell (and encoded without loss); the others are smoothed. */
export const CELLS = 160;

/** Throws for what would make a page that is broken or that fetches something. */
export function checkReport(where: string, input: ReportInput): ReportInput {
  for (const name of ["date", "command"] as const) {
    if (typeof input[name] !== "string" || input[name] === "") {
      throw new OptionError(`${where}: "${name}" must be a text that is not empty, got ${String(input[name])}`);
    }
  }
  if (typeof input.full !== "boolean")
    throw new OptionError(`${where}: "full" must be true or false, got ${String(input.full)}`);
  for (const { info, records } of input.runs) {
    if (records.length === 0) {
      throw new ShapeError(`${where}: the run of "${info.method}" (${info.protocol}) has no pairs; leave it out`);
    }
  }
  for (const curve of [...(input.cached ?? []), ...(input.published ?? [])]) checkCurve(where, curve);
  for (const curve of input.changes ?? []) {
    for (const name of ["mma3", "homography3", "matches"] as const)
      checkLength(where, `${curve.method}: ${name}`, curve[name], curve.values.length);
  }
  if (input.gallery) checkGallery(where, input.gallery);
  return input;
}

function checkCurve(where: string, curve: MethodCurve): void {
  for (const name of ["overall", "illumination", "viewpoint"] as const)
    checkLength(where, `${curve.name}: ${name}`, curve[name], curve.thresholds.length);
}

function checkLength(where: string, what: string, values: ArrayLike<number>, length: number): void {
  if (values.length !== length) {
    throw new ShapeError(`${where}: ${what} has ${values.length} values, expected ${length}, one for each point`);
  }
}

function checkGallery(where: string, { photos, pairs, scoreMaps }: Gallery): void {
  const pictures: [string, Photo][] = [
    ...Object.entries(photos),
    ...scoreMaps.flatMap(({ maps }) => maps.map((map): [string, Photo] => [map.name, map])),
  ];
  for (const [name, { href, width, height }] of pictures) {
    if (!/^data:image\//i.test(href)) {
      throw new OptionError(`${where}: picture "${name}" must be a data:image/… URI, got "${href.slice(0, 40)}"`);
    }
    if (!(width > 0 && height > 0)) {
      throw new ShapeError(`${where}: picture "${name}" must have a positive size, got ${width}×${height}`);
    }
  }
  for (const key of [...pairs.flatMap((pair) => pair.photos), ...scoreMaps.map(({ photo }) => photo)]) {
    if (!Object.hasOwn(photos, key)) throw new OptionError(`${where}: no photo "${key}" in the gallery`);
  }
  for (const { sequence, lines, isRight } of pairs)
    checkLength(where, `lines of a pair of "${sequence}"`, lines, 4 * isRight.length);
}
