/** What the page needs and an old browser lacks. WebAssembly is asked for where a model is opened. */

/** Why the page cannot work in this browser, and which one it works in; null where it can. */
export function missingHere(): string | null {
  const lacks = ["OffscreenCanvas", "createImageBitmap"].filter((name) => !(name in globalThis));
  if (lacks.length === 0) return null;
  return (
    `This browser has no ${lacks.join(" and no ")}, which this page needs; Chrome and Edge have it from version 69 on, ` +
    "Firefox from 105 and Safari from 16.4"
  );
}
