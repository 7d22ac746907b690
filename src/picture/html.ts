/**
 * One page on which matches can be looked at, whole by itself: images, data, style and script are in it, its security
 * policy allows nothing else, and it opens from a disk without a server.
 */
import { escapeXml, jsonForScript } from "../escape.js";
import { matchesMarkup, pageData } from "./markup.js";
import { openControls } from "./page/controls.js";
import { openStage } from "./page/stage.js";
import { type PictureInput, preparePicture } from "./picture.js";
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
  const [a, b] = picture.images.map(({ name }) => escapeXml(name));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${a} – ${b}: ${picture.counts.matches} matches</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
${matchesMarkup(picture)}
<script type="application/json" id="data">${jsonForScript(pageData(picture))}</script>
<script>
"use strict";
${SCRIPT}
</script>
</body>
</html>
`;
}
