/**
 * Text that is safe to show on a terminal. Names of files, archive entries, tensors and models, and words of servers and
 * libraries come from outside: an escape sequence in them could repaint the screen, a carriage return or a bidirectional
 * override could make a line read as another one.
 */

/**
 * Control characters but line break and tab, which lay text out; what orders text right to left; and Unicode's own line
 * separators.
 */
const UNSAFE = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** `text` with what is unsafe spelled out, as in "\u001b". JSON stays JSON of the same value. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
