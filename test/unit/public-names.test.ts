/** docs/architecture.md lists every public name; `npm run docs` writes the list. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const PAGE = readFileSync(fileURLToPath(new URL("../../docs/architecture.md", import.meta.url)), "utf8");
const listed = new Set([...PAGE.matchAll(/^- `(\w+)`: \S/gm)].map(([, name]) => name));

const DOORS: Record<string, () => Promise<object>> = {
  ".": () => import("../../src/index.js"),
  "./node": () => import("../../src/node/index.js"),
  "./web": () => import("../../src/web/index.js"),
  "./track": () => import("../../src/track/index.js"),
  "./search": () => import("../../src/search/index.js"),
  "./search in Node": () => import("../../src/node/search/index.js"),
  "./jobs": () => import("../../src/node/jobs/index.js"),
  "./train": () => import("../../src/train/index.js"),
  "./train in Node": () => import("../../src/node/train/index.js"),
  "./bench": () => import("../../src/bench/index.js"),
  "./bench in Node": () => import("../../src/node/bench/index.js"),
};

describe("docs/architecture.md", () => {
  it.each(Object.entries(DOORS))("has a line for each value of %s; npm run docs writes them", async (_, open) => {
    const names = Object.keys(await open());
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !listed.has(name))).toEqual([]);
  });

  it("lists no name twice in a door", () => {
    for (const part of PAGE.split(/^\*\*`/m).slice(1)) {
      const names = [...part.matchAll(/^- `(\w+)`/gm)].map(([, name]) => name);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});
