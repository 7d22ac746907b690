/** A training's folder belongs to one process at a time. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { afterAll, describe, expect, it } from "vitest";
import { ndarray } from "../../../src/formats/ndarray.js";
import { isLocked } from "../../../src/node/lock.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { readLog } from "../../../src/node/train/log.js";
import type { ModelTask } from "../../../src/node/train/model-task.js";
import { type RunRequest, runTraining } from "../../../src/node/train/run.js";
import type { PairSource } from "../../../src/train/types.js";
import { temporaryFolder } from "../cli/fake.js";
import { toyTask } from "./toy.js";

const { path: at, remove } = temporaryFolder();
afterAll(remove);

const task: ModelTask = {
  ...toyTask(),
  config: { kind: "reference", name: "line", preprocessing: "none" },
  checkpoint: (parameters) => new Map(parameters.map(({ name, data }) => [name, ndarray(data)])),
};
const blank = { width: 2, height: 2, data: new Uint8Array(12) };
const points: PairSource = {
  digest: "points",
  length: 4,
  pair: async (epoch, index) => ({
    id: `${index},${epoch}`,
    images: [blank, blank],
    warp: { kind: "homography", matrix: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1) },
  }),
  dispose: async () => {},
};
const request = (out: string, rest: Partial<RunRequest> = {}): RunRequest => ({
  out: at(out),
  task,
  train: points,
  validation: points,
  options: { batch: 2, epochs: 2, rate: 1e-3, seed: 5 },
  runtime: { runtime: nodeRuntime, threads: 1 },
  versions: { strata: "test" },
  events: null,
  ...rest,
});
const json = (...parts: string[]) => JSON.parse(readFileSync(at(...parts), "utf8"));
const weights = (out: string) => readFileSync(at(out, "model/model.safetensors"));

describe("a training's folder", () => {
  it("lets one of two that begin at once train, and refuses the other", async () => {
    const both = [1e-3, 2e-3].map((rate) => request("two", { options: { batch: 2, epochs: 2, rate } }));
    const outcomes = await Promise.allSettled(both.map(runTraining));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const winner = outcomes.findIndex(({ status }) => status === "fulfilled");
    const { reason } = outcomes[1 - winner] as PromiseRejectedResult;
    expect(isLocked(reason)).toBe(true);
    expect(reason.message).toContain(`is at work in the folder ${at("two")}; wait until it is done`);
    // What says how the weights were made is of the run that made them.
    const { rate } = both[winner].options;
    expect(json("two", "run.json").options.rate).toBe(rate);
    expect(json("two", "model", "config.json").training.options.rate).toBe(rate);
    expect(readdirSync(at("two")).sort()).toEqual(["checkpoints", "log.jsonl", "model", "run.json"]);
  });

  it("is not resumed, thrown away or begun again meanwhile; its log can be read", async () => {
    const met: string[] = [];
    const intrude = async () => {
      for (const existing of ["resume", "overwrite", "refuse"] as const) {
        const error = await runTraining(request("live", { existing })).catch((reason) => reason);
        met.push(isLocked(error) ? existing : String(error));
      }
      met.push(`${(await readLog(at("live"))).records.length} records`);
    };
    const onStep = ({ step }: { step: number }) => (step === 3 ? intrude() : undefined);
    const result = await runTraining(request("live", { hooks: { onStep } }));
    expect(met).toEqual(["resume", "overwrite", "refuse", "5 records"]);
    const alone = await runTraining(request("alone"));
    expect(result).toEqual({ ...alone, model: at("live/model") });
    expect(weights("live").equals(weights("alone"))).toBe(true);
  });

  it("is taken over from one that was killed, and given back by one that fails or is stopped", async () => {
    mkdirSync(at("killed"));
    writeFileSync(at("killed/.strata.lock"), `${2 ** 30} 1 ${hostname()}\n`);
    const failing = { onStep: () => Promise.reject(new Error("the disk is full")) };
    await expect(runTraining(request("killed", { hooks: failing }))).rejects.toThrow("the disk is full");
    expect(readdirSync(at("killed"))).not.toContain(".strata.lock");
    const stopped = await runTraining(request("killed", { existing: "resume", shouldStop: () => true }));
    expect(stopped.ended).toBe("stopped");
    expect(readdirSync(at("killed"))).not.toContain(".strata.lock");
    expect(await runTraining(request("killed", { existing: "resume" }))).toMatchObject({ ended: "finished" });
  });

  it("left by a run on another machine says what can be done", async () => {
    mkdirSync(at("moved"));
    writeFileSync(at("moved/.strata.lock"), "7 1 node17\n");
    await expect(runTraining(request("moved", { existing: "resume" }))).rejects.toThrow(
      `another strata (process 7 on node17) is at work in the folder ${at("moved")}; wait until it is done, or remove ` +
        `${at("moved/.strata.lock")} if it is not running, which cannot be seen from here`,
    );
    expect(readdirSync(at("moved"))).toEqual([".strata.lock"]);
  });
});
