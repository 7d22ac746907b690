/** Two matched images as data: JSON and npz, the same from the command line and in a page. */
import { checkFlag, checkList, checkObject, checkTexts, wrong } from "./check.js";
import type { ExtractorInfo } from "./extract/extractor.js";
import { checkHomography } from "./features.js";
import type { NdArray } from "./formats/ndarray.js";
import type { SessionInfo } from "./graph/session.js";
import { checkImage, type Image } from "./image/image.js";
import { matchedPoints } from "./match/points.js";
import type { MatchedImages } from "./pair.js";

/** Two matched images with all that a file of them tells. */
export interface MatchReport extends MatchedImages {
  /** What the images are called. */
  paths: readonly [string, string];
  images: readonly [Image, Image];
  /** The model, its runtime and options, as they are told. */
  info: Omit<ExtractorInfo, "session"> & Partial<SessionInfo> & Record<string, unknown>;
}

/** The report as it is, or an error that names what of it does not fit. */
export function checkMatchReport(where: string, report: MatchReport): MatchReport {
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
  const { paths, images, features, matches, homography, verdict, seconds, info } = checkMatchReport(
    "matchJson",
    report,
  );
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
export async function matchNpz(report: MatchReport): Promise<Uint8Array> {
  const { features, matches, homography } = checkMatchReport("matchNpz", report);
  const { writeNpz } = await import("./formats/npz.js");
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
