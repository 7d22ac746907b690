/** Facts as a list of names and values, and options in words. */
import { escapeXml } from "../escape.js";

/** A `<dl>` of names and plain texts. */
export function factList(entries: readonly (readonly [name: string, value: string])[]): string {
  return `<dl>${entries.map(([name, value]) => `<div><dt>${escapeXml(name)}</dt><dd>${escapeXml(value)}</dd></div>`).join("\n")}</dl>`;
}

/** "nms true, maxFeatures 2000", and what is nested in brackets: "ransac (threshold 3, seed 0)". */
export function settings(values: Readonly<Record<string, unknown>>): string {
  const said = Object.entries(values).map(([name, value]) => {
    if (isNested(value)) return `${name} (${settings(value)})`;
    return `${name} ${typeof value === "string" ? value : (JSON.stringify(value) ?? "not set")}`;
  });
  return said.length > 0 ? said.join(", ") : "none";
}

function isNested(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
