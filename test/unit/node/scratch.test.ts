/** Folders for what appears whole: nobody else's names, gone at the end, swept where their process is gone. */
import { existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ownerName } from "../../../src/node/owner.js";
import { withScratch } from "../../../src/node/scratch.js";
import { temporaryFolder } from "../cli/fake.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

describe("withScratch", () => {
  it("gives an empty folder beside the target, each time another one, and removes it", async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 2; round++) {
      const work = withScratch(`${folder.path("deep", "x")}/`, async (scratch) => {
        expect(readdirSync(scratch)).toEqual([]);
        expect(dirname(scratch)).toBe(folder.path("deep"));
        seen.add(scratch);
        writeFileSync(`${scratch}/a`, "");
        if (round === 1) throw new Error("no more");
        return 7;
      });
      if (round === 0) expect(await work).toBe(7);
      else await expect(work).rejects.toThrow("no more");
      expect(readdirSync(folder.path("deep"))).toEqual([]);
    }
    expect(seen.size).toBe(2);
  });

  it("removes what a killed process left, and nothing else", async () => {
    const [pid, start, system] = (await ownerName()).split("-");
    const mine = `.x.${pid}-${start}-${system}.01234567.tmp`;
    const others = [".x.my photographs.tmp", "x.unpacking", "x.tmp"];
    for (const name of [`.x.${2 ** 30}-${start}-${system}.01234567.tmp`, mine, ...others]) {
      mkdirSync(folder.path("left", name, "content"), { recursive: true });
    }
    await withScratch(folder.path("left/x"), async () => {});
    expect(readdirSync(folder.path("left")).sort()).toEqual([mine, ...others].sort());
  });

  it("gives what it leads to, of a link, also to what is not there, and bears the longest names", async () => {
    mkdirSync(folder.path("real/place"), { recursive: true });
    symlinkSync(folder.path("real/place"), folder.path("link"));
    symlinkSync("none/yet", folder.path("loose"));
    for (const [link, leadsTo] of [
      ["link", "real/place"],
      ["loose", "none/yet"],
    ]) {
      await withScratch(folder.path(link), async (scratch, target) => {
        const parent = realpathSync(dirname(folder.path(leadsTo)));
        expect([scratch, target].map((path) => realpathSync(dirname(path)))).toEqual([parent, parent]);
        expect(basename(target)).toBe(basename(leadsTo));
      });
    }
    for (const name of ["a".repeat(255), "ä".repeat(127)]) {
      await withScratch(folder.path(name), async (scratch) => {
        expect(Buffer.byteLength(basename(scratch))).toBeLessThanOrEqual(Buffer.byteLength(name));
        expect(existsSync(scratch)).toBe(true);
      });
    }
  });

  it("says where nothing can be made", async () => {
    writeFileSync(folder.path("file"), "");
    await expect(withScratch(folder.path("file", "x"), async () => {})).rejects.toThrow(/cannot write into .*file/);
  });
});
