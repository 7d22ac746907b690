/** An HDF5 file of features, stopped at every step that changes a name on the disk, then resumed: nothing is missing. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { readHlocFeatures } from "../../../src/formats/hloc.js";
import { fakeStrata, savePlain, temporaryFolder } from "../cli/fake.js";

/** Steps until the power goes; then nothing changes on the disk any more. `done`: the last step still happens. */
const power = vi.hoisted(() => ({ left: Number.POSITIVE_INFINITY, done: false, steps: [] as string[] }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const cut = () => Object.assign(new Error("the power is gone"), { code: "EIO" });
  const guard =
    <A extends unknown[], R>(name: string, step: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (power.left <= 0) throw cut();
      power.steps.push(name);
      power.left--;
      if (power.left > 0) return step(...args);
      if (power.done) await step(...args);
      throw cut();
    };
  const names = ["rename", "rm", "rmdir", "unlink", "link", "mkdir"] as const;
  return { ...real, ...Object.fromEntries(names.map((name) => [name, guard(name, real[name] as never)])) };
});

const folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
const extract = (...more: string[]) =>
  fakeStrata().run("extract", at("in"), "--format", "h5", "--out", at("all.h5"), ...more);
const stored = async () => {
  const images = await readHlocFeatures(readFileSync(at("all.h5")));
  return Object.fromEntries([...images].map(([name, { keypoints }]) => [name, Math.round(100 * keypoints[0])]));
};

/** Without temporary files, which here are those of a process that lives. */
const visible = () => readdirSync(at(".")).filter((name) => !name.startsWith("."));

beforeEach(() => {
  folder.remove();
  mkdirSync(at("in"), { recursive: true });
});
afterAll(() => folder.remove());

/** Runs with power for so many steps; then the process is dead, and its lock is nobody's. */
async function stopped(steps: number, done: boolean, ...more: string[]): Promise<void> {
  Object.assign(power, { left: steps, done, steps: [] });
  await extract(...more);
  power.left = Number.POSITIVE_INFINITY;
  rmSync(at(".all.h5.strata.lock"), { force: true });
}

/** How many steps a whole run takes. */
async function countSteps(prepare: () => Promise<void>, ...more: string[]): Promise<number> {
  await prepare();
  power.steps = [];
  expect((await extract(...more)).code).toBe(0);
  return power.steps.length;
}

describe.each([false, true])("a run that is stopped at a step (done: %s)", (done) => {
  it("and resumed has every image, of a new file", async () => {
    const prepare = async () => {
      for (const [i, name] of ["a.png", "b.png"].entries()) await savePlain(at("in", name), 10 + i);
    };
    const steps = await countSteps(prepare);
    expect(power.steps.filter((step) => step === "rename").length).toBeGreaterThanOrEqual(3);
    for (let n = 1; n <= steps; n++) {
      for (const name of readdirSync(at("."))) if (name !== "in") rmSync(at(name), { recursive: true });
      await stopped(n, done);
      const { code, err } = await extract("--resume");
      expect([n, code, err]).toEqual([n, 0, ""]);
      expect(await stored(), String(n)).toEqual({ "a.png": 10, "b.png": 11 });
      expect(visible().sort(), String(n)).toEqual(["all.h5", "in"]);
    }
  });

  it("keeps what the file held, while others are added and replaced", async () => {
    const prepare = async () => {
      rmSync(at("all.h5"), { force: true });
      rmSync(at("in"), { recursive: true });
      mkdirSync(at("in"));
      for (const name of ["a.png", "b.png", "c.png"]) await savePlain(at("in", name), 10);
      await extract();
      rmSync(at("in/c.png"));
      await savePlain(at("in/b.png"), 20);
      await savePlain(at("in/d.png"), 30);
    };
    const steps = await countSteps(prepare, "--resume");
    for (let n = 1; n <= steps; n++) {
      await prepare();
      await stopped(n, done, "--resume");
      // At no time is there less in the file than before.
      expect(Object.keys(await stored()), String(n)).toEqual(expect.arrayContaining(["a.png", "b.png", "c.png"]));
      // The next run names one image only; what the stopped one had finished goes in as well.
      rmSync(at("in/b.png"));
      const names = existsSync(at("all.h5.parts")) ? readdirSync(at("all.h5.parts")) : [];
      const parts = names.filter((name) => !name.startsWith(".")).length;
      expect((await extract("--resume")).code).toBe(0);
      const after = await stored();
      expect(after, String(n)).toMatchObject({ "a.png": 10, "c.png": 10, "d.png": 30 });
      if (parts > 0) expect(after["b.png"], String(n)).toBe(20);
      expect(visible().sort(), String(n)).toEqual(["all.h5", "in"]);
    }
  });
});
