/**
 * Training as people run it: bin/strata.js in a process of its own, killed at random moments, asked to stop, on a disk
 * that fills up; and the example that proves what training is for.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawDemoPair } from "../../demo/draw.js";
import { resizeImage } from "../../src/image/resize.js";
import { saveImage } from "../../src/node/images.js";
import { readCheckpoint } from "../../src/node/train/checkpoint.js";
import { Random } from "../../src/random.js";
import { checkpointBytes, referenceTensors } from "../models.js";
import { describeShared } from "../shared.js";
import { runStrata, startStrata, until } from "./command.js";

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strata-train-"));
  writeFileSync(at("r18.ckpt"), checkpointBytes(referenceTensors({ depth: 18, dim: 16 })));
  mkdirSync(at("photos"));
  for (let i = 0; i < 4; i++) {
    const { a, b } = drawDemoPair(i + 1);
    await saveImage(at("photos", `${2 * i}.png`), resizeImage(a, 200, 150));
    await saveImage(at("photos", `${2 * i + 1}.png`), resizeImage(b, 200, 150));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Encoders of a ResNet-18 on drawn photographs: an update takes a few hundredths of a second. */
const training = (out: string, ...rest: string[]) => [
  ...["train", "encoder", "--recipe", "cfe16", "--backbone", "r18.ckpt", "--preprocessing", "torch"],
  ...["--photos", "photos", "--crop", "64", "--batch", "2", "--pairs-per-photo", "4", "--epochs", "3"],
  ...["--checkpoint-every", "2", "--workers", "1", "--threads", "1", "--out", out, ...rest],
];

const strata = (...args: string[]) => runStrata(folder, args);

/** What of a log does not depend on time: steps and validations with all their digits. */
function logged(out: string): unknown[] {
  const lines = readFileSync(at(out, "log.jsonl"), "utf8").trimEnd().split("\n");
  return lines
    .map((line) => JSON.parse(line))
    .filter(({ kind }) => kind === "step" || kind === "validation")
    .map(({ time, imagesPerSecond, ...rest }) => rest);
}
const stepsIn = (out: string) =>
  existsSync(at(out, "log.jsonl")) ? readFileSync(at(out, "log.jsonl"), "utf8").split('"kind":"step"').length - 1 : 0;
/** When each update was logged, in milliseconds. */
const updateTimes = (out: string): number[] =>
  readFileSync(at(out, "log.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .flatMap(({ kind, time }) => (kind === "step" ? Date.parse(time) : []));
const model = (out: string) => readFileSync(at(out, "model", "model.safetensors"));

describe("a training that is interrupted", () => {
  /** Milliseconds that this machine takes to its first update, and for an update. */
  let pace: { start: number; update: number };
  beforeAll(() => {
    const began = Date.now();
    expect(strata(...training("whole", "--quiet")).err).toBe("");
    const times = updateTimes("whole");
    pace = { start: times[0] - began, update: (times[times.length - 1] - times[0]) / (times.length - 1) };
  });

  it("by kill -9 at random moments, and resumed, has the losses and the model of an uninterrupted one", async () => {
    const total = logged("whole").length;
    expect(total).toBeGreaterThan(30);
    const random = new Random(20261125);
    const reached: number[] = [];
    for (let kill = 0; kill < 6; kill++) {
      const before = stepsIn("killed");
      const run = startStrata(folder, training("killed", "--resume", "--quiet"));
      // Some during the start, most in the middle of steps and checkpoints.
      const wanted = kill === 0 ? 0 : random.integer(8);
      await until(run, () => run.isOver() || stepsIn("killed") >= before + wanted);
      await new Promise((resolve) => setTimeout(resolve, random.uniform(0, kill === 0 ? pace.start : 3 * pace.update)));
      run.child.kill("SIGKILL");
      await run.ended;
      reached.push(stepsIn("killed"));
    }
    // It was killed in the middle, more than once.
    expect(reached.filter((steps) => steps > 0 && steps < total).length).toBeGreaterThan(2);
    const { code, out } = strata(...training("killed", "--resume", "--json"));
    expect(code).toBe(0);
    expect(JSON.parse(out).resumedFrom).toBeGreaterThan(0);
    expect(logged("killed")).toEqual(logged("whole"));
    expect(model("killed").equals(model("whole"))).toBe(true);
    const left = readdirSync(at("killed"), { recursive: true }).filter((name) => String(name).includes(".tmp"));
    expect(left.filter((name) => !String(name).startsWith("."))).toEqual([]);
  });

  it.each(["SIGINT", "SIGTERM", "SIGUSR1"] as const)(
    "by %s ends its step, keeps a checkpoint, says how to go on, and goes on",
    async (signal) => {
      const out = `stopped-${signal}`;
      const run = startStrata(folder, training(out, "--checkpoint-every", "1000"));
      await until(run, () => stepsIn(out) >= 2);
      run.child.kill(signal);
      expect(await run.ended).toBe(130);
      const steps = stepsIn(out);
      expect(run.text()).toMatch(
        new RegExp(`stopped after update ${steps}, which is kept; the same command with --resume goes on`),
      );
      expect(readdirSync(at(out, "checkpoints"))).toContain(`step-${String(steps).padStart(8, "0")}`);
      expect(existsSync(at(out, "model"))).toBe(false);
      expect(strata(...training(out, "--resume", "--quiet", "--checkpoint-every", "1000")).code).toBe(0);
      expect(logged(out)).toEqual(logged("whole"));
    },
  );

  it("is not resumed as another one, and not overwritten by chance", () => {
    expect(strata(...training("whole"))).toMatchObject({
      code: 2,
      err: expect.stringMatching(/holds a training already/),
    });
    const other = strata(...training("whole", "--resume", "--recipe", "cfe32"));
    expect(other).toMatchObject({ code: 2, err: expect.stringMatching(/made with another (task|recipe)/) });
    const data = strata(...training("whole", "--resume", "--pairs-per-photo", "5"));
    expect(data).toMatchObject({ code: 2, err: expect.stringMatching(/made with another data set/) });
  });

  it("can be looked at by strata train report, and its model by strata info", () => {
    expect(strata("train", "report", "whole", "--out", "r.html").code).toBe(0);
    expect(readFileSync(at("r.html"), "utf8")).toMatch(/cfe16/);
    // An encoder alone detects nothing: extraction and info say so.
    expect(strata("info", "whole/model").err).toMatch(/no attention head/);
    const heads = [
      "train",
      "attention",
      "--recipe",
      "distinctiveness-n2-lambda0.5-squashed-dim16",
      "--encoder",
      "whole",
    ];
    const rest = ["--photos", "photos", "--crop", "64", "--batch", "4", "--epochs", "1", "--out", "heads", "--quiet"];
    expect(strata(...heads, ...rest)).toMatchObject({ code: 0, err: "" });
    const info = JSON.parse(strata("info", "heads/model", "--json").out);
    expect(info).toMatchObject({ kind: "reference", config: { backbone: "resnet18", preprocessing: "torch" } });
    const extracted = strata(
      "extract",
      "photos/0.png",
      "--model",
      "heads/model",
      "--thresh",
      "0",
      "--max-features",
      "20",
      "--out",
      "f",
      "--json",
    );
    expect(extracted.code).toBe(0);
  });
});

describe("a disk that fills up", () => {
  it("at a checkpoint ends the training plainly; the old checkpoints stay, and it goes on when there is room", async ({
    skip,
  }) => {
    mkdirSync(at("disk"));
    if (!mount("mount", "-t", "tmpfs", "-o", "size=1000k", "tmpfs", at("disk"))) {
      skip("no right to mount a small disk");
    }
    try {
      const { code, err } = strata(...training("disk/run", "--no-tb-logs", "--checkpoint-every", "1"));
      expect(code).toBe(1);
      expect(err).toMatch(/cannot write .*disk\/run\/checkpoints\/step-\d+: the disk is full/);
      expect(err).toMatch(/the last checkpoint is kept in disk\/run, the same command with --resume goes on/);
      const kept = readdirSync(at("disk/run/checkpoints")).sort();
      expect(kept.every((name) => /^step-\d{8}$/.test(name))).toBe(true);
      for (const name of kept) await readCheckpoint(at("disk/run/checkpoints", name));
      expect(mount("mount", "-o", "remount,size=100m", at("disk"))).toBe(true);
      expect(strata(...training("disk/run", "--no-tb-logs", "--resume", "--quiet")).code).toBe(0);
      expect(logged("disk/run")).toEqual(logged("whole"));
    } finally {
      mount("umount", at("disk"));
    }
  });
});

function mount(...command: [string, ...string[]]): boolean {
  try {
    execFileSync(command[0], command.slice(1), { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describeShared("examples/train-reference.ts", (shared) => {
  it("in its small version trains an encoder and attention that matches better than an untrained one", () => {
    const example = fileURLToPath(new URL("../../examples/train-reference.ts", import.meta.url));
    const done = spawnSync("npx", ["tsx", example, "--tiny", "--reference", join(shared, "reference")], {
      encoding: "utf8",
    });
    expect(done.stderr).toBe("");
    expect(done.status).toBe(0);
    const figures = JSON.parse(done.stdout.trimEnd().split("\n").at(-1) as string);
    expect(figures.encoder.after).toBeLessThan(0.6 * figures.encoder.before);
    expect(figures.attention.after).toBeLessThan(0.9 * figures.attention.before);
    expect(figures.mma3.trained).toBeGreaterThan(figures.mma3.untrained);
    expect(figures.mma3.trained).toBeLessThan(1);
  });
});
