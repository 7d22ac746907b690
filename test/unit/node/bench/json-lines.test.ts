import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { parseImageRecord, parsePairRecord } from "../../../../src/bench/records.js";
import { IoError } from "../../../../src/errors.js";
import { openJsonLines } from "../../../../src/node/bench/json-lines.js";
import { temporaryFolder } from "../../cli/fake.js";
import { madeInfo, madeRecord } from "./records.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const numbers = (value: unknown) => (typeof value === "number" ? value : null);

describe("openJsonLines", () => {
  it("keeps what is appended, a line each, and makes no file before", async () => {
    const path = folder.path("a.jsonl");
    const lines = await openJsonLines(path, numbers);
    expect([lines.values, existsSync(path)]).toEqual([[], false]);
    await lines.append(1);
    await lines.append(2);
    expect(readFileSync(path, "utf8")).toBe("1\n2\n");
    expect((await openJsonLines(path, numbers)).values).toEqual([1, 2]);
  });

  it("drops a torn last line, also one that reads back by chance, and is whole again for the next", async () => {
    const path = folder.path("torn.jsonl");
    for (const torn of ['{"a', "12"]) {
      writeFileSync(path, `1\n2\n${torn}`);
      const lines = await openJsonLines(path, numbers);
      expect([lines.values, lines.dropped]).toEqual([[1, 2], 1]);
      expect(readFileSync(path, "utf8")).toBe("1\n2\n");
      await lines.append(3);
      expect((await openJsonLines(path, numbers)).values).toEqual([1, 2, 3]);
    }
  });

  it("drops lines of other kinds and rubbish anywhere", async () => {
    const path = folder.path("mixed.jsonl");
    writeFileSync(path, '1\n"x"\n\n\u0000\u0000\n{}\n2\n');
    const lines = await openJsonLines(path, numbers);
    expect([lines.values, lines.dropped]).toEqual([[1, 2], 4]);
  });

  it("a line that cannot be written is an IoError that names the file", async () => {
    mkdirSync(folder.path("folder.jsonl"));
    await expect(openJsonLines(folder.path("folder.jsonl"), numbers)).rejects.toThrow(IoError);
    const lines = await openJsonLines(folder.path("no/such/folder"), numbers);
    await expect(lines.append(1)).rejects.toThrow(/cannot write .*no\/such\/folder/);
    // A device that is always full, where there is one.
    if (existsSync("/dev/full")) {
      await expect((await openJsonLines("/dev/null", numbers)).append(1)).resolves.toBeUndefined();
      const full = { path: "/dev/full" };
      expect(() => appendFileSync(full.path, "x")).toThrow(/ENOSPC/);
    }
  });
});

describe("records out of files", () => {
  it("are taken whole only", () => {
    const good = madeRecord("v_a", 2);
    expect(parsePairRecord(JSON.parse(JSON.stringify(good)))).toEqual(good);
    expect(parsePairRecord({ ...good, cornerError: { ...good.cornerError, magsac: null } })).not.toBeNull();
    for (const change of [
      { matches: -1 },
      { matches: 1.5 },
      { matches: "10" },
      { correct: [1, 2, 3] },
      { keypoints: [1] },
      { images: [1, null] },
      { kind: "dark" },
      { refined: null },
      { refined: { matches: 3 } },
      { cornerError: { magsac: 1 } },
      { cornerError: { ...good.cornerError, dlt: "x" } },
      { seconds: {} },
      { run: null },
      { run: { ...madeInfo(), data: {} } },
      { run: { ...madeInfo(), key: 7 } },
    ]) {
      expect(parsePairRecord({ ...good, ...change }), JSON.stringify(change)).toBeNull();
    }
    for (const value of [null, 1, "x", [], [good]]) expect(parsePairRecord(value)).toBeNull();
  });

  it("of images as well", () => {
    const good = { sequence: "v_a", image: 1, keypoints: 0, seconds: null, peakMB: null };
    expect(parseImageRecord(good)).toEqual(good);
    for (const change of [
      { image: "1" },
      { keypoints: -1 },
      { seconds: "fast" },
      { sequence: null },
      { fallback: 1 },
    ]) {
      expect(parseImageRecord({ ...good, ...change })).toBeNull();
    }
    expect(parseImageRecord(undefined)).toBeNull();
  });
});
