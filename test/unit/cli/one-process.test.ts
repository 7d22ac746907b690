/** Commands that write into one place, two at a time: the second one is refused in a sentence, and what the first has stays. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSafetensors } from "../../../src/formats/safetensors.js";
import { writeText } from "../../../src/node/colmap/text-files.js";
import { type Lock, lockBeside, lockPath, takeLock } from "../../../src/node/lock.js";
import { strataTensors, TINY } from "../../models.js";
import { type Fake, fakeStrata, savePlain, temporaryFolder } from "./fake.js";

let folder = temporaryFolder();
let fake: Fake;
let locks: Lock[];
const at = (...parts: string[]) => folder.path(...parts);
beforeEach(() => {
  folder = temporaryFolder();
  fake = fakeStrata();
  locks = [];
});
afterEach(async () => {
  for (const lock of locks) await lock.release();
  folder.remove();
});

/** Another process at work; ours, which is as alive as any. */
async function hold(path: string): Promise<void> {
  locks.push(await takeLock(path, "there"));
}
async function refused(place: string, ...argv: string[]): Promise<void> {
  const { code, out, err } = await fake.run(...argv);
  expect(err).toMatch(/^strata: another strata \(process \d+ on [^\n]*\n$/);
  expect(err).toContain(`is at work in ${place}; wait until it is done, or remove `);
  expect([code, out]).toEqual([1, ""]);
}
function model(name: string): void {
  mkdirSync(at(name));
  writeFileSync(at(name, "model.safetensors"), writeSafetensors(strataTensors(TINY, 1)));
  writeFileSync(at(name, "config.json"), JSON.stringify(TINY));
}
const tree = (name: string) => readdirSync(at(name), { recursive: true }).sort();

describe("one process at a time", () => {
  it("measures into a folder; what is there can be compared meanwhile", async () => {
    mkdirSync(at("data/v_a"), { recursive: true });
    for (const k of [1, 2]) await savePlain(at("data/v_a", `${k}.png`), 40 * k);
    writeFileSync(at("data/v_a/H_1_2"), "1 0 0.4 0 1 0 0 0 1");
    const bench = ["bench", "hpatches", "--data", at("data"), "--out", at("out"), "--jobs", "1"];
    const both = await Promise.all([fake.run(...bench), fake.run(...bench)]);
    expect(both.map(({ code }) => code).sort()).toEqual([0, 1]);
    expect(both.find(({ code }) => code === 1)?.err).toContain(`is at work in the folder ${at("out")}; wait`);
    const results = join(
      "out/results",
      readdirSync(at("out/results")).find((name) => name.includes(".own-")) as string,
    );
    expect(readFileSync(at(results), "utf8").trimEnd().split("\n")).toHaveLength(1);
    await hold(lockPath(at("out")));
    const before = tree("out");
    await refused(`the folder ${at("out")}`, ...bench, "--seed", "3");
    expect(tree("out")).toEqual(before);
    expect((await fake.run("bench", "compare", at(results), at(results))).code).toBe(0);
  });

  it("goes on from a benchmark whose process was killed, and frees the folder when it fails", async () => {
    mkdirSync(at("out"));
    writeFileSync(lockPath(at("out")), `${2 ** 30} 1 ${hostname()}\n`);
    const { code, err } = await fake.run("bench", "hpatches", "--data", at("none"), "--out", at("out"));
    expect([code, err.includes("another strata")]).toEqual([1, false]);
    expect(tree("out")).toEqual(["results"]);
  });

  it("writes a model: a verdict, an import, a packing", async () => {
    model("own");
    await hold(lockPath(at("own")));
    const place = `the model folder ${at("own")}`;
    const config = readFileSync(at("own/config.json"), "utf8");
    await refused(place, "bench", "verdict", "--photos", at("photos"), "--into", at("own"));
    expect(fake.opened).toEqual([]);
    model("other");
    await refused(place, "models", "pack", at("other"), "--out", at("own"), "--weights", "fp16", "--force");
    await refused(place, "models", "import", at("other"), "--out", at("own"), "--force");
    expect(readFileSync(at("own/config.json"), "utf8")).toBe(config);
    // What is not there yet has its lock beside it.
    await hold(await lockBeside(at("new")));
    await refused(
      `the model folder ${at("new")}`,
      "models",
      "pack",
      at("other"),
      "--out",
      at("new"),
      "--weights",
      "fp16",
    );
    await locks.pop()?.release();
    const pack = ["models", "pack", at("other"), "--weights", "fp16", "--quiet", "--out", at("new")];
    expect((await fake.run(...pack)).code).toBe(0);
    const both = await Promise.all(
      ["fp16", "fp32"].map((w) => fake.run(...pack.slice(0, 4), w, ...pack.slice(5, -1), at("two"))),
    );
    expect(both.map(({ code }) => code).sort()).not.toEqual([0, 0]);
    expect(tree("two")).toEqual(["config.json", "model.safetensors"]);
    expect(tree("").filter((name) => `${name}`.includes(".tmp") || `${name}`.includes("lock"))).toEqual([
      "own/.strata.lock",
    ]);
  });

  it("exports into a file, and lists for COLMAP into a folder", async () => {
    mkdirSync(at("lists"));
    await hold(lockPath(at("lists")));
    await expect(writeText(new Map(), [], at("lists"))).rejects.toThrow(
      `is at work in the folder ${at("lists")}; wait`,
    );
    rmSync(at("lists"), { recursive: true });
    await hold(await lockBeside(at("m.onnx")));
    await refused(at("m.onnx"), "export", "--matcher", "--out", at("m.onnx"));
    await locks.pop()?.release();
    expect((await fake.run("export", "--matcher", "--out", at("m.onnx"))).code).toBe(0);
    expect(tree("")).toEqual(["m.onnx"]);
  });

  it("fetches a data set", async () => {
    await hold(await lockBeside(at("set")));
    writeFileSync(at("a.tar"), "");
    await refused(
      `the folder ${at("set")}`,
      "bench",
      "download",
      "hpatches",
      "--archive",
      at("a.tar"),
      "--out",
      at("set"),
    );
  });

  it("prepares scenes", async () => {
    mkdirSync(at("base/Undistorted_SfM/A"), { recursive: true });
    mkdirSync(at("base/scene_info"));
    await hold(lockPath(at("base/scene_info")));
    await refused(`the folder ${at("base/scene_info")}`, "train", "prepare-megadepth", "--base", at("base"));
  });
});
