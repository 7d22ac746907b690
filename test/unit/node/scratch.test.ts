/** Folders for what appears whole: nobody else's names, gone at the end, swept where their process is gone. */
import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockPath, takeLock } from "../../../src/node/lock.js";
import { withScratch } from "../../../src/node/scratch.js";
import { temporaryFolder } from "../cli/fake.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());
const left = () => readdirSync(folder.path()).sort();

describe("withScratch", () => {
  it("gives an empty folder beside the target, each time another one, and removes it", async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 2; round++) {
      const work = withScratch(`${folder.path("deep", "x")}/`, async (scratch) => {
        expect(readdirSync(scratch)).toEqual([]);
        expect(dirname(dirname(scratch))).toBe(folder.path("deep"));
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
    const dead = `${2 ** 30} 1 ${hostname()}\n`;
    const make = (name: string, lock: string | null, old = false) => {
      mkdirSync(folder.path(name, "content"), { recursive: true });
      if (lock !== null) writeFileSync(lockPath(folder.path(name)), lock);
      if (old) utimesSync(folder.path(name), 0, 0);
    };
    const id = (k: number) => String(k).repeat(16);
    make(`.x.${id(1)}.strata-scratch`, dead);
    make(`.x.${id(2)}.strata-scratch`, null, true);
    const stay = [
      `.x.${id(3)}.strata-scratch`,
      `.x.${id(4)}.strata-scratch`,
      `.x.${id(5)}.strata-scratch`,
      `.y.${id(6)}.strata-scratch`,
      ".x.my photographs.strata-scratch",
      "x.unpacking",
    ];
    // Just being made; of another machine; of a process that lives; of another target; not ours.
    make(stay[0], null);
    make(stay[1], "1 1 another-host\n");
    make(stay[2], null);
    const lock = await takeLock(lockPath(folder.path(stay[2])), "x");
    for (const name of stay.slice(3)) make(name, dead);
    writeFileSync(folder.path(`.x.${id(7)}.strata-scratch`), "a file");
    await withScratch(folder.path("x"), async () => {});
    expect(left()).toEqual([...stay, `.x.${id(7)}.strata-scratch`].sort());
    await lock.release();
    utimesSync(folder.path(stay[2]), 0, 0);
    await withScratch(folder.path("x"), async () => {});
    expect(left()).not.toContain(stay[2]);
  });

  it("follows a link to a folder, and bears the longest names", async () => {
    mkdirSync(folder.path("real/place"), { recursive: true });
    symlinkSync(folder.path("real/place"), folder.path("link"));
    await withScratch(folder.path("link"), async (scratch) => {
      expect(dirname(dirname(scratch))).toBe(folder.path("real"));
    });
    for (const name of ["a".repeat(255), "ä".repeat(127)]) {
      await withScratch(folder.path(name), async (scratch) => {
        expect(Buffer.byteLength(basename(dirname(scratch)))).toBeLessThan(255);
        expect(existsSync(scratch)).toBe(true);
      });
    }
  });

  it("says where nothing can be made", async () => {
    writeFileSync(folder.path("file"), "");
    await expect(withScratch(folder.path("file", "x"), async () => {})).rejects.toThrow(/cannot write into .*file/);
  });
});
