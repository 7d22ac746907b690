/** The table on onnxruntime-node's CPU: the runtime that every machine has. */
import { describe, expect, it } from "vitest";
import { SUPPORTED_PRIMITIVES } from "../../../src/graph/lower/index.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { CASES, GROUPS } from "./cases.js";
import { check, complaint, primitivesOf } from "./check.js";

for (const [group, rows] of Object.entries(GROUPS)) {
  describe(`lowered graphs on node-cpu: ${group}`, () => {
    for (const row of rows.filter((row) => !row.except?.["node-cpu"])) {
      it(row.name, async () => {
        expect(complaint(row, await check(row, nodeRuntime, { threads: 1 }), "node-cpu")).toBe("");
      });
    }
  });
}

describe("the table", () => {
  it("has a name of its own for every row", () => {
    const names = CASES.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it("reaches every primitive that is lowered", async () => {
    const reached = new Set((await Promise.all(CASES.map(primitivesOf))).flat());
    expect(SUPPORTED_PRIMITIVES.filter((primitive) => !reached.has(primitive))).toEqual([]);
  });
});
