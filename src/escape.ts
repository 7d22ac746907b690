/** Names and data from outside, made safe to stand in XML, HTML and inline scripts. */

/** Characters that XML 1.0 forbids, and line breaks, which a name has no use for; \p{Cs} is half a surrogate pair. */
export const FORBIDDEN = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu;

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** `text` for element content and quoted attributes of XML and HTML; forbidden characters become U+FFFD. */
export function escapeXml(text: string): string {
  return text.replace(FORBIDDEN, "\uFFFD").replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/**
 * `value` as JSON that may stand inside `<script>`: without `<`, so that neither `</script>` nor `<!--` can end or
 * change it, whatever the strings in it say.
 */
export function jsonForScript(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** `text` cut in its middle to at most `length` characters, with an ellipsis; the end of a path says most. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(text);
  if (characters.length <= length) return text;
  const head = Math.floor((length - 1) / 3);
  return `${characters.slice(0, head).join("")}…${characters.slice(characters.length - (length - 1 - head)).join("")}`;
}
