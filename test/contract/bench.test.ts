/** The benchmark as people run it: bin/strata.js in a process of its own, with jobs, Ctrl-C, and real methods. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PairRecord } from "../../src/bench/types.js";
import { writeSequence } from "../unit/node/bench/drawn.js";
import { runStrata, startStrata, until } from "./command.js";

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strata-bench-"));
  const size = { width: 256, height: 192 };
  await writeSequence(at("data/i_one"), 1, 3, size);
  await writeSequence(at("data/v_two"), 2, 3, size);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const strata = (...args: string[]) => runStrata(folder, args);
const bench = (...args: string[]) => strata("bench", "hpatches", "--data", "data", ...args);

/** All records in a results folder but for the time that they took, by pair. */
function recordsIn(out: string, method: string): Record<string, unknown> {
  const name = readdirSync(at(out, "results")).find((file) => file.startsWith(method) && file.includes(".own-"));
  const lines = readFileSync(at(out, "results", name ?? "none"), "utf8")
    .trimEnd()
    .split("\n");
  const records = lines.map((line) => ({ ...(JSON.parse(line) as PairRecord), seconds: null }));
  return Object.fromEntries(records.map((record) => [`${record.sequence} ${record.images.join("-")}`, record]));
}

describe("strata bench hpatches", () => {
  it("gives with two jobs what it gives with one, and from the cache the same at once", () => {
    const methods = ["--method", "strata-s", "--method", "orb", "--method", "akaze"];
    const { code, out } = bench(...methods, "--out", "two", "--jobs", "2");
    expect(code).toBe(0);
    expect(out).toMatch(/2 sequences, 4 pairs/);
    for (const name of ["strata-s", "orb", "akaze"]) expect(out).toMatch(new RegExp(`^${name} +\\d+`, "m"));
    expect(bench(...methods, "--out", "one", "--jobs", "1").code).toBe(0);
    for (const name of ["strata-s", "orb", "akaze"]) {
      const records = recordsIn("two", name);
      expect(Object.keys(records)).toHaveLength(4);
      expect(records).toEqual(recordsIn("one", name));
    }
    expect(bench(...methods, "--out", "two", "--jobs", "1").out).toBe(out);
  });

  it("writes a report that needs nothing else, with the command that repeats it", () => {
    const { code, out } = bench("--method", "orb", "--out", "two", "--report", "r.html", "--curves", "--quiet");
    expect([code, out]).toEqual([0, ""]);
    const page = readFileSync(at("r.html"), "utf8");
    const words = page.replace(/data:[\w/;+-]+,[\w+/=]*/g, "PICTURE");
    // Booleans, for a failure would print the page.
    expect(words.includes("strata bench hpatches --data data --method orb --out two --report r.html")).toBe(true);
    expect(/(src|href)="(https?:)?\/\//.test(words)).toBe(false);
    expect([words.includes("PICTURE"), words.includes("NaN")]).toEqual([true, false]);
  });

  it("stopped by Ctrl-C, with its jobs, it leaves whole files, and the same command goes on", async () => {
    const args = ["bench", "hpatches", "--data", "data", "--out", "stopped", "--jobs", "2"];
    // A group of its own, so that the signal reaches the jobs as well, as Ctrl-C in a terminal does.
    const running = startStrata(folder, args, { detached: true });
    const images = () =>
      existsSync(at("stopped/features")) ? readdirSync(at("stopped/features"), { recursive: true }).map(String) : [];
    await until(running, () => images().some((name) => name.endsWith(".npz")));
    process.kill(-(running.child.pid as number), "SIGINT");
    expect(await running.ended).toBe(130);
    expect(running.text()).toMatch(/interrupted; what is finished is kept in stopped; the same command goes on/);
    expect(images().filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(strata(...args).code).toBe(0);
    expect(recordsIn("stopped", "strata-s")).toEqual(recordsIn("two", "strata-s"));
  });

  it("says what is wrong with sequences, features and methods in plain words", () => {
    writeFileSync(at("data/v_two/1.png.x"), "no npz");
    const { code, err } = bench("--method", "files:.x", "--out", "two");
    expect(code).toBe(1);
    expect(err).toMatch(/v_two: .*1\.png\.x/);
    expect(err).toMatch(/i_one: .*1\.png\.x.*there is no such file/);
    expect(bench("--method", "no-such-model", "--out", "two")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/no model "no-such-model"/),
    });
    expect(strata("bench", "hpatches", "--data", "nowhere")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/nowhere: there is no such file or folder/),
    });
  });
});

describe("strata bench compare and help", () => {
  it("compares two methods of a run", () => {
    const { code, out } = strata("bench", "compare", "strata-s", "orb", "--out", "two");
    expect(code).toBe(0);
    expect(out).toMatch(/4 pairs/);
    expect(out).toMatch(/^homography@3 px /m);
  });

  it("helps with examples", () => {
    for (const args of [[], ["hpatches"], ["compare"], ["published"], ["download"]]) {
      const { code, out } = strata("bench", ...args, "--help");
      expect(code).toBe(0);
      expect(out).toMatch(/Examples:[\s\S]*strata bench /);
    }
  });
});
