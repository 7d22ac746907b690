/** The result of `matchImages` as files: JSON, npz and pictures. */

import { basename, extname } from "node:path";
import { checkFlag, checkList, checkObject, checkTexts, wrong } from "../check.js";
import { OptionError } from "../errors.js";
import type { ExtractorInfo } from "../extract/extractor.js";
import { checkHomography } from "../features.js";
import type { NdArray } from "../formats/ndarray.js";
import type { SessionInfo } from "../graph/session.js";
import type { Image } from "../image/image.js";
import { checkImage } from "../image/image.js";
import { matchedPoints } from "../match/points.js";
import type { MatchedImages } from "../pair.js";
import { checkPath, writeFileAtomic } from "./atomic.js";

/** Two matched images with all that a file of them tells. */
export interface MatchReport extends MatchedImages {
  /** What the images are called. */
  paths: readonly [string, string];
  images: readonly [Image, Image];
  /** The model, its runtime and options, as they are told. */
  info: Omit<ExtractorInfo, "session"> & Partial<SessionInfo> & Record<string, unknown>;
}

/** Endings of the files that `saveMatches` writes. */
export const MATCH_FILES = [".svg", ".png", ".html", ".json", ".npz"] as const;

/** The file's kind by its ending; an OptionError, which names `where`, for another one. */
export function matchFileKind(where: string, path: string): (typeof MATCH_FILES)[number] {
  checkPath(where, path);
  const kind = MATCH_FILES.find((ending) => ending === extname(path).toLowerCase());
  if (!kind) throw new OptionError(`${where} ${path}: its ending must be one of ${MATCH_FILES.join(", ")}`);
  return kind;
}

/**
 * Writes the file that the path's ending asks for, whole or not at all: .svg and .png (a picture with the matches drawn),
 * .html (a page to look around in), .json (`matchJson` with every match), .npz (`matchNpz`).
 */
export async function saveMatches(path: string, report: MatchReport): Promise<void> {
  const kind = matchFileKind("saveMatches:", path);
  checkReport("saveMatches", report);
  if (kind === ".json") await writeFileAtomic(path, `${JSON.stringify(matchJson(report, true))}\n`);
  else if (kind === ".npz") await writeFileAtomic(path, await matchNpz(report));
  else await writeFileAtomic(path, await matchPicture(report, kind));
}

function checkReport(where: string, report: MatchReport): MatchReport {
  checkObject(where, "report", report);
  const { paths, images, features, matches, homography, verdict, seconds, info } = report;
  if (checkTexts(where, "paths", paths).length !== 2) throw wrong(where, "paths", "two names", paths);
  for (const [name, two] of Object.entries({ images, features })) {
    if (checkList(where, name, two).length !== 2) throw wrong(where, name, `two ${name}`, two);
  }
  for (const image of images) checkImage(where, image);
  matchedPoints(where, features[0], features[1], matches);
  checkHomography(where, homography);
  if (verdict !== null) checkObject(where, "verdict", verdict);
  checkObject(where, "seconds", seconds);
  checkObject(where, "info", info);
  return report;
}

/**
 * What `strata match --json` prints. With `points`, as in a .json file, also every match: `points` [[x1, y1, x2, y2], …],
 * `scores` and `inlierIndices` (into the matches).
 */
export function matchJson(report: MatchReport, points = false): Record<string, unknown> {
  const { paths, images, features, matches, homography, verdict, seconds, info } = checkReport("matchJson", report);
  checkFlag("matchJson", "points", points);
  const json: Record<string, unknown> = {
    images: paths.map((path, i) => ({ path, width: images[i].width, height: images[i].height })),
    keypoints: features.map(({ count }) => count),
    matches: matches.count,
    inliers: homography.inliers.length,
    homography: homography.matrix && [...homography.matrix],
    ...verdict,
    seconds,
    info,
  };
  if (points) {
    const [a, b] = matchedPoints("match", ...features, matches);
    json.points = Array.from({ length: matches.count }, (_, m) => [a[2 * m], a[2 * m + 1], b[2 * m], b[2 * m + 1]]);
    json.scores = [...matches.scores];
    json.inlierIndices = [...homography.inliers];
  }
  return json;
}

/**
 * An npz: keypoints0/1 [N, 2], scores0/1 [N], image_size0/1 [2], matches [M, 2] (indices), matching_scores [M],
 * inliers [M] (bool), and homography [3, 3] (float64) where one was found.
 */
async function matchNpz({ features, matches, homography }: MatchReport): Promise<Uint8Array> {
  const { writeNpz } = await import("../formats/npz.js");
  const inliers = new Uint8Array(matches.count);
  for (const index of homography.inliers) inliers[index] = 1;
  const arrays: Record<string, NdArray> = {};
  for (const [k, { count, keypoints, scores, imageSize }] of features.entries()) {
    arrays[`keypoints${k}`] = { dtype: "float32", shape: [count, 2], data: keypoints };
    arrays[`scores${k}`] = { dtype: "float32", shape: [count], data: scores };
    arrays[`image_size${k}`] = { dtype: "int32", shape: [2], data: Int32Array.from(imageSize) };
  }
  arrays.matches = { dtype: "uint32", shape: [matches.count, 2], data: matches.pairs };
  arrays.matching_scores = { dtype: "float32", shape: [matches.count], data: matches.scores };
  arrays.inliers = { dtype: "bool", shape: [matches.count], data: inliers };
  if (homography.matrix) arrays.homography = { dtype: "float64", shape: [3, 3], data: homography.matrix };
  return writeNpz(arrays);
}

/**
 * Longest edge in pixels of the images inside a picture. A drawing is 1600 across with both, so this is twice what it
 * shows and leaves something to zoom into; two photos of 24 megapixels would make a page of 20 MB.
 */
const EMBEDDED_EDGE = 1600;

/** A picture of the matches, with both images inside: .svg, .png (the SVG drawn) or .html (a page to look around in). */
async function matchPicture(report: MatchReport, kind: ".svg" | ".png" | ".html"): Promise<string | Uint8Array> {
  const { matchesHtml, matchesSvg } = await import("../picture/index.js");
  const { encodeJpeg, renderSvg } = await import("./images.js");
  const { fitSize, resizeImage } = await import("../image/resize.js");
  const { paths, images, features, matches, homography } = report;
  const [imageA, imageB] = await Promise.all(
    images.map(async (image, i) => {
      const { width, height } = image;
      const jpeg = await encodeJpeg(resizeImage(image, ...fitSize(width, height, { maxEdge: EMBEDDED_EDGE })));
      const href = `data:image/jpeg;base64,${Buffer.from(jpeg).toString("base64")}`;
      return { href, width, height, name: basename(paths[i]) };
    }),
  );
  const input = { imageA, imageB, featuresA: features[0], featuresB: features[1], matches, homography };
  if (kind === ".html") return matchesHtml(input);
  const svg = matchesSvg(input);
  return kind === ".png" ? renderSvg(svg) : svg;
}
