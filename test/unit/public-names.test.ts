/** docs/architecture.md lists every public name; `npm run docs` writes the list. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const PAGE = readFileSync(fileURLToPath(new URL("../../docs/architecture.md", import.meta.url)), "utf8");
const listed = new Set([...PAGE.matchAll(/^- `(\w+)`: \S/gm)].map(([, name]) => name));

describe("docs/architecture.md", () => {
  it.each(["index", "node/index", "web/index", "train/index", "node/train/index", "bench/index", "node/bench/index"])(
    "has a line for each value of src/%s.ts; npm run docs writes them",
    async (door) => {
      const names = Object.keys(await import(`../../src/${door}.ts`));
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter((name) => !listed.has(name))).toEqual([]);
    },
  );

  it("lists no name twice in a door", () => {
    for (const part of PAGE.split(/^\*\*`/m).slice(1)) {
      const names = [...part.matchAll(/^- `(\w+)`/gm)].map(([, name]) => name);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});
