/**
 * One page on which matches can be looked at, whole by itself: images, data, style and script are in it, its security
 * policy allows nothing else, and it opens from a disk without a server.
 */
import { escapeXml, jsonForScript } from "../escape.js";
import { openControls } from "./page/controls.js";
import { openStage, type PageData } from "./page/stage.js";
import { type Picture, type PictureInput, preparePicture } from "./picture.js";
import { STYLE } from "./style.js";

/** Nothing is fetched but the images, which are data URIs. */
const POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * The page's script: the text of two functions, called on the data. A build that keeps functions' names (esbuild's keepNames)
 * wraps inner ones in a helper, which the page has to have.
 */
const SCRIPT = `{
const __name = (value) => value;
(${openControls})((${openStage})(JSON.parse(document.getElementById("data").textContent)));
}`;

/**
 * An HTML document: side by side or with A laid over B, zoom and pan, every match with its similarity and coordinates,
 * all by pointer, touch or keyboard. Throws a ShapeError or an OptionError for input that does not fit; see PictureInput.
 */
export function matchesHtml(input: PictureInput): string {
  const picture = preparePicture("matchesHtml", input);
  const { images, counts, matrix, options } = picture;
  const [a, b] = images.map(({ name }) => escapeXml(name));
  const { keypoints, matches, inliers } = counts;
  const share = matches > 0 ? ` (${Math.round((100 * inliers) / matches)} %)` : "";
  const checked = (name: "inliers" | "outliers" | "keypoints" | "outline") => (options[name] ? " checked" : "");
  const toggle = (name: "inliers" | "outliers" | "keypoints" | "outline", mark: string, label: string) =>
    `<label><input type="checkbox" id="${name}"${checked(name)}><i class="mark ${mark}"></i>${label}</label>`;
  const element = (k: 0 | 1) =>
    `<img id="image${k}" src="${escapeXml(images[k].href)}" width="${images[k].width}" height="${images[k].height}" alt="" draggable="false">`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${a} – ${b}: ${matches} matches</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<h1><bdi>${a}</bdi> <span>and</span> <bdi>${b}</bdi></h1>
<p class="counts"><b>${keypoints[0]} + ${keypoints[1]}</b> keypoints, <b>${matches}</b> matches, ${matrix ? `<b>${inliers}</b> inliers${share}` : "<b>no homography</b>"}; <span id="shown"></span></p>
<div class="bar">
  <fieldset class="group"><legend>View</legend>
    <label><input type="radio" name="view" value="side" checked>Side by side</label>
    <label><input type="radio" name="view" value="overlay"${matrix ? "" : " disabled"}>A over B</label>
  </fieldset>
  <span class="group">
    <button id="out" aria-label="Zoom out">−</button><button id="in" aria-label="Zoom in">+</button><button id="fit">Fit</button>
  </span>
  <fieldset class="bar"><legend>Show</legend>
    ${toggle("inliers", "inlier", "Inliers")}
    ${toggle("outliers", "outlier", "Outliers")}
    ${toggle("keypoints", "keypoint", "Keypoints")}
    ${toggle("outline", "outline", "Frame of A")}
  </fieldset>
  <label class="wide">Similarity ≥ <input type="range" id="least"><output id="leastValue"></output></label>
</div>
<div class="bar" id="mixing" hidden>
  <label class="wide">B <input type="range" id="mix" min="0" max="1" step="0.01" value="0.5" aria-label="Share of A over B"> A</label>
  <button id="blink" aria-pressed="false">Blink</button>
</div>
<div id="stage" tabindex="0" role="group" aria-label="Images and matches. Left and right arrows step through the matches, plus and minus zoom, shift and arrows move, 0 fits." aria-describedby="detail">
${element(0)}
${element(1)}
<canvas id="canvas"></canvas>
</div>
<p id="detail" aria-live="polite"></p>
<p class="help">Drag to move, wheel or pinch to zoom, point at a match to see it, click to hold it. Keys, with the images focused: <kbd>←</kbd> <kbd>→</kbd> matches, <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom, <kbd>Shift</kbd> + arrows move, <kbd>Esc</kbd> let go.</p>
<script type="application/json" id="data">${jsonForScript(pageData(picture))}</script>
<script>
"use strict";
${SCRIPT}
</script>
</body>
</html>
`;
}

/** What the script works on; hundredths of pixels and ten-thousandths of similarity are enough for it. */
function pageData({
  images,
  keypoints,
  pairs,
  pointsA,
  pointsB,
  scores,
  inlier,
  errors,
  matrix,
  outline,
  options,
}: Picture): PageData {
  // What is not finite is null in JSON.
  const rounded = (values: ArrayLike<number>, unit: number) =>
    Array.from(values, (value) => Math.round(value * unit) / unit);
  return {
    sizes: images.map(({ width, height }) => [width, height]),
    keypoints: keypoints.map((points) => rounded(points, 100)),
    pairs: [...pairs],
    points: [rounded(pointsA, 100), rounded(pointsB, 100)],
    scores: rounded(scores, 1e4),
    inlier: [...inlier],
    errors: rounded(errors, 100),
    matrix: matrix && [...matrix],
    outline: rounded(outline, 100),
    maxLines: options.maxLines,
  };
}
