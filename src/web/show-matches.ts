/** Two images and their matches in an element of a page, to look around in. */
import { wrong } from "../check.js";
import { matchesMarkup, pageData } from "../picture/markup.js";
import { openControls } from "../picture/page/controls.js";
import { openStage } from "../picture/page/stage.js";
import { type PictureInput, preparePicture } from "../picture/picture.js";
import { STYLE } from "../picture/style.js";

/** The page's style, for a tree within an element: what it says of the page holds for the element. */
const SHEET = STYLE.replaceAll(":root", ":host")
  .replace(/\bhtml, body \{/, ":host {")
  .replaceAll(/^(\s*)body \{/gm, "$1#view {");

/**
 * Shows in `element` what `matchesHtml` shows on a page of its own: side by side or A laid over B, zoom and pan, every match
 * with its similarity, by pointer, touch or keyboard. Images may have `blob:` addresses too. It lies in a shadow tree of its
 * own, whose style nothing outside touches; calling it again shows something else. Errors are those of `matchesHtml`.
 */
export function showMatches(element: HTMLElement, input: PictureInput): void {
  if (typeof element?.attachShadow !== "function")
    throw wrong("showMatches", "element", "an element of the page", element);
  const picture = preparePicture("showMatches", input, "page");
  const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(SHEET);
  // Sheets made by script need no permission of the page's content policy, as a style element would.
  root.adoptedStyleSheets = [sheet];
  // Chromium keeps radio buttons that leave a shadow tree in their group, and with them all that was shown: they leave it first.
  for (const radio of root.querySelectorAll("input[type=radio]")) radio.removeAttribute("name");
  root.innerHTML = `<div id="view">${matchesMarkup(picture)}</div>`;
  openControls(openStage(pageData(picture), root));
}
