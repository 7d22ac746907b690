/** The result of `matchImages` as files: JSON, npz and pictures. */

import { basename, extname } from "node:path";
import { OptionError } from "../errors.js";
import { checkMatchReport, type MatchReport, matchJson, matchNpz } from "../match-report.js";
import { checkPath, writeFileAtomic } from "./atomic.js";

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
  checkMatchReport("saveMatches", report);
  if (kind === ".json") await writeFileAtomic(path, `${JSON.stringify(matchJson(report, true))}\n`);
  else if (kind === ".npz") await writeFileAtomic(path, await matchNpz(report));
  else await writeFileAtomic(path, await matchPicture(report, kind));
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
