/** Jobs in other processes: the same results as in this one, errors as they were, deaths told. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChangeScores, PairScores } from "../../../../src/bench/types.js";
import { FormatError, IoError, LimitError, StrataError } from "../../../../src/errors.js";
import { decodeRecord } from "../../../../src/formats/record.js";
import { isHopeless } from "../../../../src/node/atomic.js";
import { openPool } from "../../../../src/node/bench/pool.js";
import type { ChangeTask, ExtractTask, ScoreTask } from "../../../../src/node/bench/runner.js";
import { openSequences, type Sequences } from "../../../../src/node/bench/sequences.js";
import { openExtractor } from "../../../../src/node/extractor.js";
import { errorOf, failureOf } from "../../../../src/node/failure.js";
import { temporaryFolder } from "../../cli/fake.js";
import { writeSequence } from "./drawn.js";

const folder = temporaryFolder();
const at = (...parts: string[]) => folder.path(...parts);
let data: Sequences;
beforeAll(async () => {
  await writeSequence(at("data/v_a"), 1, 4, { width: 320, height: 240 });
  data = await openSequences(at("data"));
});
afterAll(() => folder.remove());

const tasksInto = (out: string): ExtractTask[] =>
  data.sequences[0].images.map((image) => ({
    type: "extract",
    method: { kind: "baseline", baseline: "orb", maxFeatures: 300 },
    image,
    loading: { pixelLimit: 1e6, orientation: true },
    path: at(out, `${image.number}.npz`),
    provenance: { key: "k" },
  }));

async function evaluate(jobs: number, out: string): Promise<[PairScores[], ChangeScores[]]> {
  mkdirSync(at(out));
  const pool = openPool({ jobs, threads: 1, openExtractor });
  try {
    await pool.map(tasksInto(out), async (_, outcome) => {
      if ("error" in outcome) throw outcome.error;
      expect(outcome.value.keypoints).toBeGreaterThan(20);
      expect(outcome.value.seconds).toBeGreaterThan(0);
    });
    const scores = new Map<number, PairScores>();
    const tasks = data.sequences[0].pairs.map(
      ({ homography, ...truth }): ScoreTask => ({
        type: "score",
        paths: [at(out, "1.npz"), at(out, `${truth.images[1]}.npz`)],
        spread: false,
        limit: 200,
        truth: { ...truth, homography: [...homography] },
        seed: 3,
      }),
    );
    await pool.map(tasks, async (task, outcome) => {
      if ("error" in outcome) throw outcome.error;
      scores.set(task.truth.images[1], { ...outcome.value, seconds: { match: 0, score: 0 } });
    });
    const changes = new Map<number, ChangeScores>();
    const [image] = data.sequences[0].images;
    const { method, loading } = tasksInto(out)[0];
    const turns = [0, 90, 200].map(
      (value): ChangeTask => ({
        type: "change",
        method,
        image,
        loading,
        limit: 200,
        change: "rotation",
        value,
        seed: 3,
      }),
    );
    await pool.map(turns, async ({ value }, outcome) => {
      if ("error" in outcome) throw outcome.error;
      changes.set(value, outcome.value);
    });
    return [[2, 3, 4].map((k) => scores.get(k) as PairScores), [0, 90, 200].map((v) => changes.get(v) as ChangeScores)];
  } finally {
    await pool.close(true);
  }
}

describe("openPool", () => {
  it("gives the same features and scores from one job, here, and from two in processes of their own", async () => {
    const [one, two] = [await evaluate(1, "one"), await evaluate(2, "two")];
    expect(two).toEqual(one);
    // The drawings are moved by whole pixels: most is right.
    const [[first], [same, ...turned]] = one;
    expect(first.correct[2] / first.matches).toBeGreaterThan(0.6);
    expect([same.matches, same.correct[0]]).toEqual([200, 200]);
    // ORB turns with the image.
    for (const { matches, correct } of turned) expect(correct[2] / matches).toBeGreaterThan(0.6);
    for (const name of readdirSync(at("one"))) {
      const features = (out: string) => decodeRecord("npz", readFileSync(at(out, name))).features;
      expect(features("two")).toEqual(features("one"));
    }
  });

  it.each([1, 2])("with %i jobs an error is its task's, with its kind", async (jobs) => {
    const pool = openPool({ jobs, threads: 1, openExtractor });
    writeFileSync(at("bad.png"), "no image");
    const tasks = tasksInto("one");
    tasks[1] = { ...tasks[1], image: { ...tasks[1].image, path: at("bad.png") } };
    tasks[2] = { ...tasks[2], image: { ...tasks[2].image, path: at("missing.png") } };
    tasks[3] = { ...tasks[3], path: at("nowhere/4.npz") };
    const outcomes = new Map<number, unknown>();
    await pool.map(tasks, async ({ image }, outcome) => {
      outcomes.set(image.number, "error" in outcome ? (outcome.error as StrataError).code : "done");
    });
    await pool.close(true);
    expect([1, 2, 3, 4].map((k) => outcomes.get(k))).toEqual(["done", "E_FORMAT", "E_IO", "E_IO"]);
  });

  it("stops giving out tasks when an outcome is refused, and when it is closed", async () => {
    for (const jobs of [1, 2]) {
      const pool = openPool({ jobs, threads: 1, openExtractor });
      let seen = 0;
      const work = pool.map([...tasksInto("one"), ...tasksInto("one")], async () => {
        seen++;
        throw new LimitError("enough");
      });
      await expect(work).rejects.toThrow("enough");
      expect(seen).toBe(1);
      await pool.close(true);
    }
  });

  it("a job that dies is an error that says so", async () => {
    const pool = openPool({ jobs: 2, threads: 1, openExtractor });
    let close = () => {};
    const first = new Promise<void>((resolve) => {
      close = resolve;
    });
    const work = pool.map([...tasksInto("one"), ...tasksInto("one")], async () => close());
    const told = expect(work).rejects.toThrow(/a job of the benchmark ended by itself .*--jobs/);
    // With the first of eight done both jobs are at work, and closing lets them go in the middle of it.
    await first;
    await pool.close(false);
    await told;
    expect(readdirSync(at("one")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("errors between processes", () => {
  it("keep code, message and the system's reason", () => {
    const full = new IoError("cannot write x", { cause: Object.assign(new Error("no space"), { code: "ENOSPC" }) });
    const again = errorOf(JSON.parse(JSON.stringify(failureOf(full))));
    expect(again).toBeInstanceOf(StrataError);
    expect(again).toMatchObject({ code: "E_IO", message: "cannot write x" });
    expect(isHopeless(again)).toBe(true);
    expect(isHopeless(errorOf(failureOf(new FormatError("x"))))).toBe(false);
  });

  it("of bugs stay bugs, with their stack", () => {
    const bug = new TypeError("x is not a function");
    const again = errorOf(JSON.parse(JSON.stringify(failureOf(bug))));
    expect(again).not.toBeInstanceOf(StrataError);
    expect([again.message, again.stack]).toEqual([bug.message, bug.stack]);
    expect(errorOf(failureOf("odd")).message).toBe("odd");
  });
});
