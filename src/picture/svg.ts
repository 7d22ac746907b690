/** Two images side by side with the matches between them, as an SVG that is whole by itself. */
import { escapeXml, shorten } from "../escape.js";
import { PALETTE, type Picture, type PictureInput, preparePicture } from "./picture.js";

/** Units of the drawing; strokes and letters keep their size whatever that of the images. */
const WIDTH = 1600;
/** Tall images are scaled to this height, and the drawing becomes narrower, though never too narrow for its caption. */
const MAX_HEIGHT = 1200;
const MIN_WIDTH = 1100;
const GAP = 8;
const MARGIN = 16;
const FONT = 20;
/** Mean width of a letter in ems, rounded up: SVG cannot measure text. */
const LETTER = 0.56;
/** Of the caption's sample of an outlier. */
const DASH = ` stroke-dasharray="6 4"`;

/** An image on the drawing: top left corner and units per pixel. */
interface Place {
  x: number;
  width: number;
  scale: number;
}

/**
 * An SVG document (1600 units wide, less for tall images): both images at one height, inliers as solid and outliers as
 * dashed lines, keypoints as dots, the frame of A in B, and a caption with the counts. Throws a ShapeError or an
 * OptionError for input that does not fit; see PictureInput.
 */
export function matchesSvg(input: PictureInput): string {
  const picture = preparePicture("matchesSvg", input);
  const { images, keypoints, outline, options } = picture;
  const { width, height, places } = layOut(picture);
  const drawn = Math.min(options.maxLines, picture.scores.length);
  const lines = (wanted: 0 | 1) => linePath(picture, places, drawn, wanted);
  const total = height + 4.6 * FONT;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(total)}" width="${round(width)}" height="${round(total)}" role="img" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="${FONT}">`,
    `<title>${escapeXml(`${images[0].name} and ${images[1].name}: ${summary(picture, drawn).join(", ")}`)}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
  ];
  for (const [k, place] of places.entries()) {
    const box = `x="${round(place.x)}" width="${round(place.width)}" height="${round(height)}"`;
    parts.push(
      `<clipPath id="frame${k}"><rect ${box}/></clipPath>`,
      `<image href="${escapeXml(images[k].href)}" ${box} preserveAspectRatio="none"/>`,
    );
  }
  if (options.keypoints) {
    for (const [k, place] of places.entries()) {
      parts.push(dots(keypoints[k], place, `clip-path="url(#frame${k})" data-what="keypoints"`));
    }
  }
  if (options.outliers)
    parts.push(stroke(lines(0), PALETTE.outlier, 1.2, `stroke-dasharray="7 5" opacity="0.75"`, "outliers"));
  if (options.inliers) parts.push(stroke(lines(1), PALETTE.inlier, 1.5, "", "inliers"));
  if (options.outline && outline.length > 0) {
    const points = Array.from({ length: outline.length / 2 }, (_, k) => at(outline, k, places[1]));
    parts.push(
      `<g clip-path="url(#frame1)">${stroke(`M${points.join("L")}Z`, PALETTE.outline, 3, `stroke-linejoin="round"`, "outline")}</g>`,
    );
  }
  parts.push(caption(picture, places, drawn, height), "</svg>\n");
  return parts.filter((part) => part !== "").join("\n");
}

/** Both images at one height, together as wide as the drawing. */
function layOut({ images }: Picture): { width: number; height: number; places: [Place, Place] } {
  const aspects = images.map((image) => image.width / image.height);
  const height = Math.min(MAX_HEIGHT, (WIDTH - GAP) / (aspects[0] + aspects[1]));
  const across = height * (aspects[0] + aspects[1]) + GAP;
  const width = Math.max(across, MIN_WIDTH);
  const left = (width - across) / 2;
  const place = (k: 0 | 1, x: number): Place => ({ x, width: height * aspects[k], scale: height / images[k].height });
  return { width, height, places: [place(0, left), place(1, left + height * aspects[0] + GAP)] };
}

/** "x y" of a point; pixel centres lie on integers. */
function at(points: ArrayLike<number>, k: number, { x, scale }: Place): string {
  return `${round(x + (points[2 * k] + 0.5) * scale)} ${round((points[2 * k + 1] + 0.5) * scale)}`;
}

/** The first `drawn` matches of which `inlier` is `wanted`. */
function linePath({ pointsA, pointsB, inlier }: Picture, places: [Place, Place], drawn: number, wanted: 0 | 1): string {
  let path = "";
  for (let m = 0; m < drawn; m++) {
    if (inlier[m] === wanted) path += `M${at(pointsA, m, places[0])}L${at(pointsB, m, places[1])}`;
  }
  return path;
}

/** A path with a darker one below it, which sets it off from light images. */
function stroke(path: string, colour: string, width: number, attributes: string, what: string): string {
  if (path === "") return "";
  const common = `fill="none" data-what="${what}" ${attributes}`;
  return `<g ${common}><path d="${path}" stroke="${PALETTE.casing}" stroke-opacity="0.35" stroke-width="${width + 1.4}"/><path d="${path}" stroke="${colour}" stroke-width="${width}"/></g>`;
}

/** All keypoints of an image as two paths of round dots: much smaller than a circle for each. */
function dots(points: Float32Array, place: Place, attributes: string): string {
  if (points.length === 0) return "";
  const path = Array.from({ length: points.length / 2 }, (_, k) => `M${at(points, k, place)}h0`).join("");
  return `<g fill="none" stroke-linecap="round" ${attributes}><path d="${path}" stroke="${PALETTE.casing}" stroke-opacity="0.6" stroke-width="4.4"/><path d="${path}" stroke="${PALETTE.keypoint}" stroke-width="2.4"/></g>`;
}

/** What the counts say: keypoints, matches, inliers, and how many are drawn where not all are. */
function summary({ counts, matrix, scores }: Picture, drawn: number): string[] {
  const { keypoints, matches, inliers } = counts;
  const share = matches > 0 ? ` (${Math.round((100 * inliers) / matches)} %)` : "";
  const said = [
    `${keypoints[0]} + ${keypoints[1]} keypoints`,
    `${matches} matches`,
    matrix ? `${inliers} inliers${share}` : "no homography",
  ];
  if (drawn < scores.length) said.push(`the ${drawn} most similar drawn`);
  return said;
}

/** Names below their images, then the counts with a sample of each kind of line. */
function caption(picture: Picture, places: [Place, Place], drawn: number, height: number): string {
  const { images, options, matrix, counts } = picture;
  const parts: string[] = [];
  for (const [k, { x, width }] of places.entries()) {
    const letters = Math.max(8, Math.floor((width - MARGIN) / (LETTER * FONT)));
    const left = Math.max(MARGIN, x + (k === 0 ? 0 : MARGIN / 2));
    const name = escapeXml(shorten(images[k].name, letters));
    parts.push(`<text x="${round(left)}" y="${round(height + 1.5 * FONT)}" font-weight="600">${name}</text>`);
  }
  const y = height + 3.5 * FONT;
  const [keypoints, matches, inliers, cut] = summary(picture, drawn);
  const sample =
    (colour: string, dash = "") =>
    (x: number) =>
      `<path d="M${round(x)} ${round(y - 0.35 * FONT)}h28" stroke="${PALETTE.casing}" stroke-width="6"/><path d="M${round(x + 1)} ${round(y - 0.35 * FONT)}h26" stroke="${colour}" stroke-width="4"${dash}/>`;
  const dot = (x: number) =>
    `<circle cx="${round(x + 20)}" cy="${round(y - 0.35 * FONT)}" r="5" fill="${PALETTE.keypoint}" stroke="${PALETTE.casing}" stroke-width="2"/>`;
  const items: [string, ((x: number) => string) | null][] = [
    [keypoints, options.keypoints ? dot : null],
    [matches, options.outliers && !matrix ? sample(PALETTE.outlier, DASH) : null],
    [inliers, options.inliers && matrix ? sample(PALETTE.inlier) : null],
    [
      matrix ? `${counts.matches - counts.inliers} outliers` : "",
      options.outliers ? sample(PALETTE.outlier, DASH) : null,
    ],
    [options.outline && picture.outline.length > 0 ? "frame of A" : "", sample(PALETTE.outline)],
    [cut ?? "", null],
  ];
  let x = MARGIN;
  for (const [text, mark] of items) {
    if (text === "") continue;
    if (mark) {
      parts.push(mark(x));
      x += 36;
    }
    parts.push(`<text x="${round(x)}" y="${round(y)}" fill="#333">${text}</text>`);
    x += LETTER * FONT * text.length + 30;
  }
  return parts.join("\n");
}

/** Two decimals are finer than any screen shows. */
function round(value: number): number {
  return Math.round(value * 100) / 100;
}
