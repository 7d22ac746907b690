/** What killed processes leave, and names as paths. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, expect, it } from "vitest";
import { FormatError } from "../../../src/errors.js";
import { isModelName } from "../../../src/model/registry-entry.js";
import { isBelow } from "../../../src/names.js";
import { writeFileAtomic } from "../../../src/node/atomic.js";
import { pathBelow } from "../../../src/node/names.js";
import { ownerName } from "../../../src/node/owner.js";
import { temporaryFor } from "../../../src/node/temporary.js";
import { temporaryFolder } from "../cli/fake.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

it("the next one that writes into a folder removes what dead processes have left there, and nothing else", async () => {
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const [pid, start, system] = (await ownerName()).split("-");
  const old = new Date(Date.now() - 3 * 24 * 3600 * 1000);
  const files: [owner: string, leftOver: boolean, time?: Date][] = [
    [`${dead}-${start}-${system}`, true],
    [`${dead}`, true], // as names were
    [`${pid}-${start}-${system}`, false],
    [`${pid}`, false],
    [`${pid}-${"0".repeat(6)}-${system}`, process.platform !== "win32"], // the id is another process's now
    [`${dead}-${start}-ffffff`, false], // of another machine or container, whose processes nobody sees here
    [`${dead}-${start}-ffffff`, true, old],
  ];
  const nameOf = (owner: string, i: number) => `.a.${i}.npz.${owner}.0123abcd.tmp`;
  for (const [i, [owner, , time]] of files.entries()) {
    writeFileSync(folder.path(nameOf(owner, i)), "half");
    if (time) utimesSync(folder.path(nameOf(owner, i)), time, time);
  }
  mkdirSync(folder.path(`.step-1.${dead}.0123abcd.tmp`));
  const others = [
    `a.${dead}.0123abcd.tmp`,
    `.a.${dead}.tmp`,
    `.a.${dead}.0123abcd.tmp.npz`,
    ".a.x.0123abcd.tmp",
    ".tmp",
  ];
  for (const name of others) writeFileSync(folder.path(name), "");
  await writeFileAtomic(folder.path("new"), "x");
  const stay = files.flatMap(([owner, leftOver], i) => (leftOver ? [] : [nameOf(owner, i)]));
  expect(readdirSync(folder.path()).sort()).toEqual([...stay, ...others, "new"].sort());
});

it("a killed process's file is one of them", async () => {
  mkdirSync(folder.path("killed"));
  const script = `import { temporaryFor } from ${JSON.stringify(new URL("../../../src/node/temporary.ts", import.meta.url).href)};
    import { writeFileSync } from "node:fs";
    writeFileSync(await temporaryFor(process.argv[1]), "half"); process.kill(process.pid, "SIGKILL");`;
  const args = ["--import", "tsx", "--input-type=module", "-e", script, folder.path("killed/a.npz")];
  const { signal, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect([signal, stderr]).toEqual(["SIGKILL", ""]);
  expect(readdirSync(folder.path("killed"))).toHaveLength(1);
  await writeFileAtomic(folder.path("killed/b.npz"), "x");
  expect(readdirSync(folder.path("killed"))).toEqual(["b.npz"]);
});

it("a temporary name is no longer than the final one, unless that is short", async () => {
  for (const name of ["a", "n".repeat(100), "写".repeat(85), "😀".repeat(63)]) {
    const temporary = basename(await temporaryFor(folder.path(name)));
    expect(Buffer.byteLength(temporary)).toBeLessThanOrEqual(Math.max(64, Buffer.byteLength(name)));
    expect(temporary).not.toContain("\ufffd");
    expect(existsSync(folder.path(temporary))).toBe(false);
  }
});

it("names that lead out of a folder are none of files in it", () => {
  const outside = [
    "../x",
    "a/../../x",
    "/etc/passwd",
    "C:/x",
    "c:\\x",
    "a\\..\\b",
    "a//b",
    "",
    ".",
    "a/.",
    "a\0b",
    "a/",
  ];
  for (const name of outside) {
    for (const platform of ["linux", "win32"]) expect(isBelow(name, platform), name).toBe(false);
    expect(() => pathBelow("out", name, ".npz")).toThrow(FormatError);
  }
  for (const name of ["..a/b..c/...d", "a b/ü.png", "写/x"]) {
    for (const platform of ["linux", "win32"]) expect(isBelow(name, platform), name).toBe(true);
  }
  const reserved = ["con", "a/NUL.png", "com1.tar.gz", "LPT9 .x", "a/b:stream", "x.", "x /y", 'q"', "a?b", "tab\tx"];
  for (const name of reserved) {
    expect([isBelow(name, "linux"), isBelow(name, "win32")], name).toEqual([true, false]);
  }
  expect(["con", "nul.onnx", "strata-s", "conman"].map(isModelName)).toEqual([false, false, true, true]);
});
