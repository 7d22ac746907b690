import { describe, expect, it } from "vitest";
import { Interrupted, processInterrupt } from "../../../src/cli/context.js";
import { describeMatrix } from "../../../src/cli/match.js";
import { describeProgress, describeSeconds, openProgress } from "../../../src/cli/progress.js";
import { errorText, exitCodeOf } from "../../../src/cli/report-error.js";
import { FormatError, IoError, OptionError } from "../../../src/errors.js";
import { emptyFeatures } from "../../../src/features.js";
import { decodeRecord, encodeRecord, FILE_FORMATS, sameProvenance } from "../../../src/formats/record.js";
import { commonFolder } from "../../../src/node/names.js";
import { fakeStrata } from "./fake.js";

describe("provenance", () => {
  it("comes back out of every format, also of a file without keypoints", () => {
    const provenance = { model: "m", options: { a: [1, null], text: "ä\n" } };
    for (const format of FILE_FORMATS) {
      const bytes = encodeRecord(format, emptyFeatures([4, 3], 64), provenance);
      expect(decodeRecord(format, bytes)).toMatchObject({ provenance, features: { count: 0, imageSize: [4, 3] } });
    }
  });

  it("is compared by what it says", () => {
    expect(sameProvenance({ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 })).toBe(true);
    expect(sameProvenance({ a: [1, 2] }, { a: [2, 1] })).toBe(false);
    expect(sameProvenance({ a: 1 }, null)).toBe(false);
  });
});

describe("commonFolder", () => {
  it("is the innermost folder of all", () => {
    expect(commonFolder(["/a/b/x.png"])).toBe("/a/b");
    expect(commonFolder(["/a/b/x.png", "/a/bc/y.png"])).toBe("/a");
    expect(commonFolder(["/a/b/c/x.png", "/a/b/y.png"])).toBe("/a/b");
    expect(commonFolder(["/a/x.png", "/b/y.png"])).toBe("/");
    expect(commonFolder(["/x.png"])).toBe("/");
    expect(commonFolder([])).toBe("/");
  });
});

describe("progress", () => {
  it("counts only work that was done for its rate", () => {
    expect(describeProgress(30, 10, 40, 20)).toBe("30 of 40 images, 2.0 s/image, 20 s left");
    expect(describeProgress(40, 20, 40, 5)).toBe("40 of 40 images, 4.0 images/s");
    expect(describeProgress(5, 0, 40, 1)).toBe("5 of 40 images");
    expect([0.42, 59.2, 125, 7300].map(describeSeconds)).toEqual(["0.4 s", "1 min 0 s", "2 min 5 s", "2 h 1 min"]);
  });

  it("off a terminal is a line now and then, and none for a short run or when quiet", async () => {
    const told = async (quiet: boolean, millisecondsPerImage: number) => {
      let [text, time] = ["", 0];
      const write = (more: string) => {
        text += more;
      };
      const progress = await openProgress({ total: 1000, terminal: false, quiet, write, now: () => time });
      for (let i = 1; i <= 1000; i++) {
        time += millisecondsPerImage;
        progress.update(i, i);
      }
      progress.stop();
      return text.split("\n").length - 1;
    };
    expect(await told(false, 100)).toBe(10);
    expect(await told(false, 1)).toBe(0);
    expect(await told(true, 100)).toBe(0);
  });
});

describe("errors", () => {
  it("are one line; bugs are told apart; causes are shown with --debug", () => {
    const error = new IoError("cannot write x", { cause: new Error("EIO") });
    expect(errorText(error, false)).toBe("strata: cannot write x\n");
    expect(errorText(error, true)).toMatch(
      /^strata: cannot write x\nIoError: cannot write x\n\s+at [\s\S]*caused by: Error: EIO/,
    );
    expect(errorText(new RangeError("Invalid array length\nmore"), false)).toMatch(
      /^strata: unexpected error: Invalid array length \(.*--debug.*\)\n$/,
    );
    expect([new OptionError(""), new FormatError(""), new Error("")].map(exitCodeOf)).toEqual([2, 1, 1]);
    const circle = new Error("round");
    circle.cause = circle;
    expect(errorText(circle, true)).toContain("round");
  });

  it("of the command line end in 2 and print nothing on standard output", async () => {
    for (const argv of [[], ["frobnicate"], ["match", "a"], ["match", "a", "b", "c"], ["info", "--jsno"]]) {
      const { code, out, err } = await fakeStrata().run(...argv);
      expect([code, out]).toEqual([2, ""]);
      expect(err).not.toBe("");
    }
    for (const [flag, ...argv] of [
      ["--out", "extract", "a.png", "--out", ""],
      ["--root", "extract", "a.png", "--root="],
      ["--list", "extract", "--list", ""],
      ["--out", "match", "a.png", "b.png", "--out", "m.svg", "--out", ""],
      ["--images", "convert", "a.h5", "--to", "npz", "--out", "x", "--images", ""],
      ["--data", "bench", "hpatches", "--data", ""],
      ["--out", "export", "--out", ""],
      ["an argument", "models", "info", ""],
    ]) {
      const { code, err } = await fakeStrata().run(...argv);
      expect([code, err], argv.join(" ")).toEqual([2, expect.stringContaining(`strata: ${flag} is empty`)]);
    }
    const { code, err } = await fakeStrata().run("info");
    expect(code).toBe(1);
    expect(err).toMatch(/^strata: unexpected error: not asked for here/);
  });
});

describe("processInterrupt", () => {
  it("stops what it races with once, and leaves no listener behind", async () => {
    const before = process.listenerCount("SIGINT");
    const interrupt = processInterrupt();
    expect(await interrupt.race(Promise.resolve(3))).toBe(3);
    await expect(interrupt.race(Promise.reject(new FormatError("no")))).rejects.toThrow(FormatError);
    const endless = interrupt.race(new Promise(() => {}));
    process.emit("SIGINT");
    await expect(endless).rejects.toThrow(Interrupted);
    await expect(interrupt.race(Promise.resolve(3))).rejects.toThrow(Interrupted);
    expect(interrupt.requested).toBe(true);
    expect(process.listenerCount("SIGINT")).toBe(before);
  });
});

describe("describeMatrix", () => {
  it("is three rows of equal width", () => {
    const rows = describeMatrix([1, -0.25, 1000.5, 0, 1, 2, 1e-5, 0, 1]);
    expect(rows).toHaveLength(3);
    expect(new Set(rows.map((row) => row.length)).size).toBe(1);
    expect(rows[0].trim().split(/\s+/).map(Number)).toEqual([1, -0.25, 1000.5]);
  });
});
