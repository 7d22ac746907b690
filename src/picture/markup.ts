/** What the page of matches consists of, and the data that its script works on: the same in a file and in an element. */
import { escapeXml } from "../escape.js";
import type { PageData } from "./page/stage.js";
import type { Picture } from "./picture.js";

/** Headline, controls, images, canvas and the line about a match; every id that the script asks for is in it. */
export function matchesMarkup(picture: Picture): string {
  const { images, counts, matrix, options } = picture;
  const [a, b] = images.map(({ name }) => escapeXml(name));
  const { keypoints, matches, inliers } = counts;
  const share = matches > 0 ? ` (${Math.round((100 * inliers) / matches)} %)` : "";
  const checked = (name: "inliers" | "outliers" | "keypoints" | "outline") => (options[name] ? " checked" : "");
  const toggle = (name: "inliers" | "outliers" | "keypoints" | "outline", mark: string, label: string) =>
    `<label><input type="checkbox" id="${name}"${checked(name)}><i class="mark ${mark}"></i>${label}</label>`;
  const element = (k: 0 | 1) =>
    `<img id="image${k}" src="${escapeXml(images[k].href)}" width="${images[k].width}" height="${images[k].height}" alt="" draggable="false">`;
  return `<h1><bdi>${a}</bdi> <span>and</span> <bdi>${b}</bdi></h1>
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
<div class="told">
<canvas id="patches" width="232" height="112" aria-label="What lies around the match in A and in B"></canvas>
<p id="detail" aria-live="polite"></p>
</div>
<p class="help">Drag to move, wheel or pinch to zoom, point at a match to see it, click to hold it. Keys, with the images focused: <kbd>←</kbd> <kbd>→</kbd> matches, <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom, <kbd>Shift</kbd> + arrows move, <kbd>Esc</kbd> let go.</p>`;
}

/** What the script works on; hundredths of pixels and ten-thousandths of similarity are enough for it. */
export function pageData({
  images,
  keypoints,
  looks,
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
    looks: looks.map((look) => [...look]),
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
