/** The lock of a place: one owner, whose death frees it. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isLocked, lockPath, takeLock, withLock } from "../../../src/node/lock.js";
import { temporaryFolder } from "../cli/fake.js";

let folder: ReturnType<typeof temporaryFolder>;
const path = () => lockPath(folder.path());
const take = () => takeLock(path(), "the folder x");

describe("takeLock", () => {
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => folder.remove());

  it("lets one in, names the owner to the next, and is free again after release", async () => {
    const lock = await take();
    const error = await take().catch((e) => e);
    expect(isLocked(error)).toBe(true);
    expect(error.message).toBe(
      `another strata (process ${process.pid} on ${hostname()}) is at work in the folder x; wait until it is done, ` +
        `or remove ${path()} if it is not running`,
    );
    await lock.release();
    await lock.release();
    expect(readdirSync(folder.path())).toEqual([]);
    expect(await withLock(path(), "x", async () => existsSync(path()))).toBe(true);
    expect(readdirSync(folder.path())).toEqual([]);
  });

  it("takes over a lock whose process is gone", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await new Promise((done) => child.once("exit", done));
    writeFileSync(path(), `${child.pid} 1 ${hostname()}\n`);
    await (await take()).release();
    expect(readdirSync(folder.path())).toEqual([]);
  });

  it.skipIf(process.platform === "win32")("takes over a lock whose number another process has now", async () => {
    writeFileSync(path(), `${process.pid} 1 ${hostname()}\n`);
    await (await take()).release();
  });

  it("takes over an empty lock that is not just being made", async () => {
    writeFileSync(path(), "");
    await expect(take()).rejects.toThrow("another strata is at work in the folder x");
    utimesSync(path(), new Date(0), new Date(0));
    await (await take()).release();
  });

  it("does not judge processes of other machines", async () => {
    writeFileSync(path(), "1 1 another-host\n");
    await expect(take()).rejects.toThrow("(process 1 on another-host)");
    expect(readFileSync(path(), "utf8")).toBe("1 1 another-host\n");
  });

  it("lets exactly one of many take over a stale lock", async () => {
    for (let round = 0; round < 20; round++) {
      writeFileSync(path(), `${2 ** 30} 1 ${hostname()}\n`);
      const locks = await Promise.allSettled(Array.from({ length: 8 }, take));
      const held = locks.filter((result) => result.status === "fulfilled");
      expect(held).toHaveLength(1);
      await held[0].value.release();
    }
  });

  it("says why a lock cannot be made", async () => {
    await expect(takeLock(folder.path("none", ".lock"), "x")).rejects.toThrow("cannot write");
  });
});
