import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OptionError, StateError } from "../../../src/errors.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import {
  bestCheckpoint,
  latestCheckpoint,
  openCheckpoints,
  type RunIdentity,
  readCheckpoint,
  resumeFrom,
} from "../../../src/node/train/checkpoint.js";
import { Random } from "../../../src/random.js";
import { type TrainOptions, trainOptions } from "../../../src/train/options.js";
import { layoutOf } from "../../../src/train/parameters.js";
import type { Task } from "../../../src/train/task.js";
import { type Snapshot, type StepRecord, train, type ValidationRecord } from "../../../src/train/trainer.js";
import type { PairSource, TrainingPair } from "../../../src/train/types.js";
import { toyTask } from "./toy.js";

const blank = { width: 2, height: 2, data: new Uint8Array(12) };
const pairOf = (id: string): TrainingPair => ({
  id,
  images: [blank, blank],
  warp: { kind: "homography", matrix: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1) },
});

/** Noisy points of y = 2x − 1, another set in each epoch; the indices in `bad` cannot be used. */
function points(length: number, { noise = 0.1, bad = [] as number[], seed = 1 } = {}): PairSource {
  return {
    digest: `points-${length}-${noise}-${seed}`,
    length,
    async pair(epoch, index) {
      if (bad.includes(index)) return { skipped: `point ${index} is bad` };
      const random = new Random(seed + 1000 * epoch + index);
      const x = random.uniform(-2, 2);
      return pairOf(`${x},${2 * x - 1 + noise * random.normal()}`);
    },
    dispose: async () => {},
  };
}

interface Trace {
  steps: StepRecord[];
  validations: ValidationRecord[];
  snapshots: { snapshot: Snapshot; best: boolean }[];
}

async function run(
  options: Partial<TrainOptions>,
  {
    task = toyTask(),
    source = points(10),
    validation = points(7, { seed: 99 }) as PairSource | null,
    ...rest
  }: {
    task?: Task;
    source?: PairSource;
    validation?: PairSource | null;
    resume?: Snapshot;
    stopAt?: number;
  } = {},
) {
  const seen: Trace = { steps: [], validations: [], snapshots: [] };
  const outcome = await train({
    task,
    train: source,
    validation,
    options: { rate: 0.05, ...options },
    resume: rest.resume,
    runtime: { runtime: nodeRuntime, threads: 1 },
    hooks: {
      onStep: (record) => void seen.steps.push(record),
      onValidation: (record) => void seen.validations.push(record),
      onCheckpoint: (snapshot, best) => void seen.snapshots.push({ snapshot, best }),
      shouldStop: () => seen.steps.length === rest.stopAt,
    },
  });
  return { ...seen, outcome };
}

describe("training", () => {
  it("fits a line: batches of the size asked for, the rest of an epoch in a smaller one", async () => {
    const { steps, validations, outcome } = await run({ epochs: 60, batch: 4 });
    expect(steps).toHaveLength(180);
    expect(steps.slice(0, 4).map(({ step, epoch, pairs }) => [step, epoch, pairs])).toEqual([
      [1, 0, 4],
      [2, 0, 4],
      [3, 0, 2],
      [4, 1, 4],
    ]);
    expect(validations.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(validations[0].pairs).toBe(7);
    const [w, b] = outcome.parameters;
    expect([w.name, b.name, b.shape]).toEqual(["w", "b", [1, 1]]);
    expect(w.data[0]).toBeCloseTo(2, 1);
    expect(b.data[0]).toBeCloseTo(-1, 1);
    expect(validations.at(-1)!.loss).toBeLessThan(0.05);
    expect(outcome.ended).toBe("finished");
    expect(outcome.state[0].name).toBe("mean");
  });

  it("gives the same twice, and another with another seed", async () => {
    const losses = async (seed: number) => (await run({ epochs: 3, seed })).steps.map(({ loss }) => loss);
    const first = await losses(1);
    expect(await losses(1)).toEqual(first);
    expect(await losses(2)).not.toEqual(first);
  });

  it("leaves out pairs that cannot be used, and says which", async () => {
    const { steps } = await run({ epochs: 1, batch: 3 }, { source: points(8, { bad: [0, 4, 7] }) });
    expect(steps.map(({ pairs }) => pairs)).toEqual([3, 2]);
    expect(steps.flatMap(({ skipped }) => skipped.map(({ index }) => index))).toEqual([0, 4, 7]);
    expect(steps[0].skipped[0].reason).toBe("point 0 is bad");
    // The last group is full before the epoch's last pairs turn out to be bad.
    const full = await run({ epochs: 2, batch: 3 }, { source: points(8, { bad: [6, 7] }) });
    expect(full.steps.map(({ epoch, pairs, skipped }) => [epoch, pairs, skipped.length])).toEqual([
      [0, 3, 0],
      [0, 3, 2],
      [1, 3, 0],
      [1, 3, 2],
    ]);
    await expect(run({}, { source: points(3, { bad: [0, 1, 2] }) })).rejects.toThrow(
      /none of the 3 pairs.*point 0 is bad/,
    );
    await expect(run({}, { source: points(0) })).rejects.toThrow(OptionError);
    await expect(run({}, { task: toyTask({ minCorrespondences: 5 }) })).rejects.toThrow(
      /4 correspondences, at least 5/,
    );
  });

  it("accumulates: two passes of 2 are one of 4", async () => {
    const whole = await run({ epochs: 2, batch: 4 }, { source: points(8) });
    const parts = await run({ epochs: 2, batch: 2, accumulate: 2 }, { source: points(8) });
    expect(parts.steps).toHaveLength(whole.steps.length);
    for (const [i, { loss, norm, pairs }] of parts.steps.entries()) {
      expect(loss).toBeCloseTo(whole.steps[i].loss, 5);
      expect(norm).toBeCloseTo(whole.steps[i].norm, 4);
      expect(pairs).toBe(4);
    }
  });

  it("ends after so many steps, or epochs without getting better", async () => {
    const byStep = await run({ steps: 5, batch: 4 });
    expect(byStep.steps).toHaveLength(5);
    expect(byStep.outcome.snapshot.step).toBe(5);
    const byPatience = await run({ epochs: 50, rate: 0, patience: 3 });
    expect(byPatience.outcome.ended).toBe("patience");
    expect(byPatience.validations.map(({ best }) => best)).toEqual([true, false, false, false]);
  });

  it("follows the schedule", async () => {
    const { steps } = await run({ epochs: 4, batch: 5, rate: 1, schedule: "cosine", warmup: 2, floor: 0 }, {});
    expect(steps.map(({ rate }) => Number(rate.toFixed(4)))).toEqual(
      [0.5, 1, ...[0, 1, 2, 3, 4, 5].map((i) => 0.5 * (1 + Math.cos((Math.PI * i) / 6)))].map((v) =>
        Number(v.toFixed(4)),
      ),
    );
  });

  it("stops at a loss that is no number, naming step, batch and norms; nothing after the checkpoint is kept", async () => {
    const source: PairSource = {
      ...points(10),
      pair: async (_, index) => pairOf(index === 6 ? "NaN,1" : `${index},1`),
    };
    const own: Snapshot[] = [];
    const request = train({
      task: toyTask(),
      train: source,
      validation: null,
      options: { batch: 2, checkpointEvery: 2 },
      runtime: { runtime: nodeRuntime, threads: 1 },
      hooks: { onCheckpoint: (snapshot) => void own.push(snapshot) },
    });
    await expect(request).rejects.toThrow(StateError);
    await expect(request).rejects.toThrow(
      /the loss is NaN at step 4 \(epoch 0\); the last checkpoint \(step 2\) is kept\. Batch: NaN,1, 7,1\. Largest norms of parameters: w [\d.]+, b [\d.]+/,
    );
    expect(own).toHaveLength(1);
    expect(own[0].state.flat.every(Number.isFinite)).toBe(true);
  });

  it.each([1, 2, 3, 5, 6, 9])(
    "resumed after %i steps gives the losses of the uninterrupted run, bit for bit",
    async (at) => {
      const options = { epochs: 5, batch: 4, checkpointEvery: 1, patience: 4 };
      const source = points(10, { bad: [3, 9] });
      const whole = await run(options, { source });
      const first = await run(options, { source, stopAt: at });
      expect(first.outcome.ended).toBe("stopped");
      const second = await run(options, { source, resume: first.snapshots.at(-1)!.snapshot });
      const all = [...first.steps, ...second.steps];
      expect(all.map(({ loss, norm }) => [loss, norm])).toEqual(whole.steps.map(({ loss, norm }) => [loss, norm]));
      expect([...first.validations, ...second.validations]).toEqual(whole.validations);
      expect(second.outcome.snapshot).toEqual(whole.outcome.snapshot);
    },
  );
});

describe("checkpoints", () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "strata-checkpoints-"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const task = toyTask();
  const identity = (given: Partial<TrainOptions> = {}): RunIdentity => ({
    task: task.name,
    recipe: task.recipe,
    options: { ...trainOptions(given) },
    data: { train: "a", validation: "b" },
  });
  const layouts = [layoutOf(task.parameters(0)), layoutOf(task.state())] as const;
  const store = (folder: string, keep?: number) =>
    openCheckpoints(join(directory, folder), {
      identity: identity(),
      layout: layouts[0],
      stateLayout: layouts[1],
      versions: { strata: "test" },
      keep,
    });
  const snapshot = (step: number, best: Snapshot["best"] = null): Snapshot => ({
    step,
    cursor: { epoch: 1, index: step },
    best,
    stale: 2,
    state: {
      flat: Float32Array.of(step, 0.1),
      first: Float32Array.of(0.2, 1e-30),
      second: Float32Array.of(3, 4),
      state: Float32Array.of(-step),
    },
  });

  it("read back what was saved, to the last bit", async () => {
    const saved = snapshot(12, { step: 9, loss: 0.5 });
    const path = await (await store("round")).save(saved, false);
    expect(readdirSync(path).sort()).toEqual(["model.safetensors", "training.json"]);
    const found = await latestCheckpoint(join(directory, "round"));
    expect(found?.path).toBe(path);
    expect(resumeFrom(found!.checkpoint, identity(), ...layouts)).toEqual(saved);
    // When to end may be decided anew.
    expect(resumeFrom(found!.checkpoint, identity({ epochs: 99, checkpointEvery: 3 }), ...layouts)).toEqual(saved);
  });

  it("the newest two and the best are kept, older ones go", async () => {
    const own = await store("many");
    for (const step of [1, 2, 3, 4, 5]) await own.save(snapshot(step, { step: Math.min(step, 2), loss: 1 }), step <= 2);
    expect(readdirSync(join(directory, "many")).sort()).toEqual([
      "best.json",
      "step-00000002",
      "step-00000004",
      "step-00000005",
    ]);
    expect(await bestCheckpoint(join(directory, "many"))).toBe(join(directory, "many/step-00000002"));
    expect((await latestCheckpoint(join(directory, "many")))?.checkpoint.step).toBe(5);
  });

  it("that are damaged are passed over and named", async () => {
    const own = await store("damaged", 5);
    for (const step of [1, 2, 3]) await own.save(snapshot(step), false);
    truncateSync(join(directory, "damaged/step-00000003/model.safetensors"), 40);
    const found = await latestCheckpoint(join(directory, "damaged"));
    expect(found?.checkpoint.step).toBe(2);
    expect(found?.damaged).toEqual([expect.stringMatching(/step-00000003: model\.safetensors is not the file/)]);
    expect(await latestCheckpoint(join(directory, "nowhere"))).toBeNull();
    expect(await bestCheckpoint(join(directory, "nowhere"))).toBeNull();
  });

  it("of another task, recipe, data set or option are refused, naming what differs", async () => {
    await (await store("other")).save(snapshot(1), false);
    const checkpoint = await readCheckpoint(join(directory, "other/step-00000001"));
    const refused = (change: Partial<RunIdentity>, message: RegExp) =>
      expect(() => resumeFrom(checkpoint, { ...identity(), ...change }, ...layouts)).toThrow(message);
    refused({ task: "other" }, /another task/);
    refused({ recipe: { kind: "line", teacher: "abc" } }, /another recipe, in "teacher": none, now "abc"/);
    refused({ recipe: { kind: "curve" } }, /another recipe, in "kind": "line", now "curve"/);
    refused({ data: { train: "x", validation: "b" } }, /another data set/);
    refused({ options: { ...trainOptions({ rate: 0.5 }) } }, /another option "rate": 0\.001, now 0\.5/);
    refused({ options: { ...trainOptions({ seed: 5 }) } }, /option "seed"/);
    const wrong = layoutOf([{ name: "v", shape: [2], data: new Float32Array(2) }]);
    expect(() => resumeFrom(checkpoint, identity(), wrong, layouts[1])).toThrow(/no float32 tensor "v"/);
  });

  it("say where the run is, in JSON", async () => {
    const path = await (await store("json")).save(snapshot(3), false);
    const json = JSON.parse(readFileSync(join(path, "training.json"), "utf8"));
    expect(json).toMatchObject({
      format: 1,
      task: "line",
      step: 3,
      cursor: { epoch: 1, index: 3 },
      random: { seed: 0 },
      data: { train: "a" },
      versions: { strata: "test" },
    });
  });
});
