/** One file in two places: linked where the file system links, copied elsewhere, whole in both cases. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { IoError } from "../../../src/errors.js";
import { linkOrCopy } from "../../../src/node/place-file.js";
import { temporaryFolder } from "../cli/fake.js";

const { path: at, remove } = temporaryFolder();
afterAll(remove);

/** Another file system than that of temporary files, on most Linux machines. */
const OTHER = "/dev/shm";
const isOther = existsSync(OTHER) && statSync(OTHER).dev !== statSync(at()).dev;

describe("linkOrCopy", () => {
  it("links, also over what is there, and again; nothing else is left", async () => {
    writeFileSync(at("from"), "new");
    writeFileSync(at("to"), "old");
    for (let i = 0; i < 2; i++) await linkOrCopy(at("from"), at("to"));
    expect(readFileSync(at("to"), "utf8")).toBe("new");
    expect(statSync(at("to")).ino).toBe(statSync(at("from")).ino);
    expect(readdirSync(at()).sort()).toEqual(["from", "to"]);
  });

  it("says what cannot be written or read", async () => {
    await expect(linkOrCopy(at("from"), at("none/to"))).rejects.toThrow(IoError);
    await expect(linkOrCopy(at("nothing"), at("to"))).rejects.toThrow(IoError);
    expect(readFileSync(at("to"), "utf8")).toBe("new");
  });

  it.skipIf(!isOther)("copies to another file system", async () => {
    const other = mkdtempSync(join(OTHER, "strata-"));
    try {
      await linkOrCopy(at("from"), join(other, "to"));
      expect(readFileSync(join(other, "to"), "utf8")).toBe("new");
      expect(readdirSync(other)).toEqual(["to"]);
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });
});
