/** The lock of a place: one owner, whose death frees it. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isLocked, lockBeside, lockPath, takeLock, withLock } from "../../../src/node/lock.js";
import { ownerLine, parseOwner, standingOf } from "../../../src/node/owner.js";
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
    expect(readdirSync(folder.path())).toEqual([]);
    // The next one's lock is not the first one's to release.
    const next = await take();
    await lock.release();
    expect(readdirSync(folder.path())).toEqual([".strata.lock"]);
    await next.release();
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

  it("does not judge processes of other machines, and says so", async () => {
    writeFileSync(path(), "1 1 another-host\n");
    await expect(take()).rejects.toThrow(
      `another strata (process 1 on another-host) is at work in the folder x; wait until it is done, or remove ${path()} if it is not running, which cannot be seen from here`,
    );
    expect(readFileSync(path(), "utf8")).toBe("1 1 another-host\n");
  });

  it("takes over what a crash has torn, and leaves alone what is no lock of strata", async () => {
    for (const torn of ["\0\0\0\0", "123", "123 45", "\n"]) {
      writeFileSync(path(), torn);
      utimesSync(path(), new Date(0), new Date(0));
      await (await take()).release();
    }
    for (const foreign of ["held by another program", "pid 123", "123 of my notes are here\nand more"]) {
      writeFileSync(path(), foreign);
      utimesSync(path(), new Date(0), new Date(0));
      // Numbers, a word and a third one could be an owner; then it is a host that nobody can see.
      await expect(take()).rejects.toThrow("at work in the folder x");
      expect(readFileSync(path(), "utf8")).toBe(foreign);
    }
  });

  it("goes on where somebody was killed within a take-over", async () => {
    writeFileSync(path(), `${2 ** 30} 1 ${hostname()}\n`);
    writeFileSync(`${path()}.takeover`, `${2 ** 30} 2 ${hostname()}\n`);
    await (await take()).release();
    expect(readdirSync(folder.path())).toEqual([]);
  });

  it("does not take over while somebody who lives does", async () => {
    writeFileSync(path(), `${2 ** 30} 1 ${hostname()}\n`);
    writeFileSync(`${path()}.takeover`, await ownerLine());
    await expect(take()).rejects.toThrow("at work in the folder x");
    expect(readdirSync(folder.path()).sort()).toEqual([".strata.lock", ".strata.lock.takeover"]);
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

  it("lies beside a file, of a link beside what it leads to, under a name that is not too long", async () => {
    mkdirSync(folder.path("real"));
    writeFileSync(folder.path("real", "a.h5"), "");
    symlinkSync(folder.path("real", "a.h5"), folder.path("link.h5"));
    symlinkSync(folder.path("real"), folder.path("folder"));
    const real = await lockBeside(folder.path("real", "a.h5"));
    expect(real.endsWith("/real/.a.h5.strata.lock")).toBe(true);
    expect(await lockBeside(folder.path("link.h5"))).toBe(real);
    expect(await lockBeside(folder.path("folder", "a.h5"))).toBe(real);
    const long = ["a", "b"].map((end) => folder.path("real", "ä".repeat(126) + end));
    const [a, b] = await Promise.all(long.map(lockBeside));
    expect(a).not.toBe(b);
    await (await takeLock(a, "x")).release();
  });
});

describe("the standing of an owner", () => {
  const line = async (change: Partial<{ pid: number; start: string; host: string; system: string }>) => {
    const owner = parseOwner(await ownerLine());
    return standingOf({ ...(owner as NonNullable<typeof owner>), ...change });
  };

  it("is here for this process, whatever is not known", async () => {
    expect(await line({})).toBe("here");
    expect(await line({ start: "?" })).toBe("here");
    expect(await line({ system: "?" })).toBe("here");
    expect(await line({ system: "" })).toBe("here");
  });

  it.runIf(process.platform === "linux")(
    "is gone after the machine was started anew, not on one of the same name",
    async () => {
      const [machine, , namespace] = parseOwner(await ownerLine())?.system.split("/") ?? [];
      if (machine !== "?") expect(await line({ system: `${machine}/00000000-0000/${namespace}` })).toBe("gone");
      expect(await line({ system: `0123456789ab/00000000-0000/${namespace}` })).toBe("another host");
      expect(await line({ system: `?/00000000-0000/${namespace}` })).toBe("another host");
    },
  );

  it.runIf(process.platform === "linux")("is not judged by ids of another container", async () => {
    const [machine, boot] = parseOwner(await ownerLine())?.system.split("/") ?? [];
    expect(await line({ pid: 2 ** 30, system: `${machine}/${boot}/1` })).toBe("another container");
  });

  it.runIf(process.platform === "linux")("is gone for a process that was killed and not waited for", async () => {
    // What takes the shell's place knows nothing of the shell's child, and never asks how it ended.
    const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
    const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
    const until = async (file: string, text: RegExp) => {
      while (!text.test(readFileSync(file, "utf8"))) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await until(`/proc/${parent.pid}/comm`, /^sleep/);
    process.kill(pid, "SIGKILL");
    await until(`/proc/${pid}/stat`, /\) Z/);
    expect(await line({ pid, start: "?" })).toBe("gone");
    parent.kill();
  });
});
