/** What a training shows: the log and TensorBoard's files of a run that is interrupted are those of one that is not. */
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, IoError, OptionError } from "../../../src/errors.js";
import { readTfEvents, type TfEvent } from "../../../src/formats/tfevents.js";
import { newEventsFolder, openEvents } from "../../../src/node/train/events-writer.js";
import { readLog } from "../../../src/node/train/log.js";
import { type WatchOptions, watchTraining } from "../../../src/node/train/watch.js";
import { cutLog, parseLog, type TrainLog } from "../../../src/train/log.js";
import type { Snapshot, StepRecord, ValidationRecord } from "../../../src/train/trainer.js";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "strata-log-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A clock that moves by half a second each time it is looked at. */
function clock(start = Date.UTC(2026, 0, 2, 3, 4, 5)) {
  let time = start;
  return () => (time += 500);
}

const facts = {
  name: "toy",
  task: "attention",
  recipe: { loss: "d2net" },
  options: { rate: 0.1 },
  data: { train: "abc", validation: null },
  versions: { strata: "0" },
  total: 9,
};
const open = (folder: string, rest: Partial<WatchOptions> = {}) =>
  watchTraining({ directory: join(directory, folder), resumeAt: null, now: clock(), ...facts, ...rest });

const step = (n: number): StepRecord => ({
  step: n,
  epoch: Math.floor((n - 1) / 3),
  pairs: 4,
  loss: 1 / n,
  metrics: { mean: n / 10 },
  rate: 0.1,
  norm: n === 2 ? Number.NaN : 3 * n,
  skipped: n === 2 ? [{ epoch: 0, index: 5, reason: "no overlap" }] : [],
});
const validation = (n: number): ValidationRecord => ({
  step: n,
  epoch: n / 3 - 1,
  pairs: 2,
  loss: 2 / n,
  metrics: { mean: 0.5 },
  best: n !== 6,
});
const snapshot = (n: number): Snapshot => ({
  step: n,
  cursor: { epoch: Math.floor(n / 3), index: n % 3 },
  state: {
    flat: Float32Array.of(n),
    first: new Float32Array(1),
    second: new Float32Array(1),
    state: new Float32Array(1),
  },
  best: null,
  stale: 0,
});

/** Steps from..to as the trainer has them: validation after every third, then a checkpoint; one in between at step 4. */
async function run(watch: Awaited<ReturnType<typeof open>>, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    await watch.onStep(step(n));
    if (n % 3 === 0) await watch.onValidation(validation(n));
    if (n % 3 === 0 || n === 4) await watch.onCheckpoint(snapshot(n), n % 3 === 0 && n !== 6);
  }
}

/** The log but for times and speed, which no two runs share. */
function timeless({ head, records }: TrainLog) {
  const { resumed: _, time: __, events: ___, ...rest } = head;
  return {
    head: rest,
    records: records.map((record) => ({ ...record, time: "", imagesPerSecond: 0 })),
  };
}

/** TensorBoard's view of a folder: files by name, in order; a start after the first takes back its step and later ones. */
function seenByTensorBoard(folder: string): TfEvent[] {
  let events: TfEvent[] = [];
  let started = false;
  for (const name of readdirSync(folder).sort()) {
    const read = readTfEvents(readFileSync(join(folder, name)));
    expect(read.events[0].version).toBe("brain.Event:2");
    for (const event of read.events) {
      if (event.session === "start") {
        if (started) events = events.filter(({ step }) => step < event.step);
        started = true;
      } else if (event.values.length > 0) events.push(event);
    }
  }
  return events;
}

const scalarsOf = (events: TfEvent[]) =>
  events.flatMap(({ step, values }) =>
    values.map((value) => [step, value.tag, value.kind === "scalar" ? value.value : value.kind] as const),
  );
const steady = (events: TfEvent[]) => scalarsOf(events).filter(([, tag]) => tag !== "images_per_second");

describe("watching", () => {
  it("logs updates, validations, checkpoints and skipped pairs", async () => {
    const watch = await open("plain");
    await run(watch, 1, 9);
    await watch.close("finished");
    const { head, records } = await readLog(join(directory, "plain"));
    expect(head).toMatchObject({ ...facts, kind: "run", resumed: [], events: "tb_logs/toy/version_0" });
    expect(records.map(({ kind, step }) => [kind[0], step].join(""))).toEqual(
      "s1 s2 s2 s3 v3 c3 s4 c4 s5 s6 v6 c6 s7 s8 s9 v9 c9 e9".split(" "),
    );
    expect(records[0]).toMatchObject({ kind: "step", step: 1, pairs: 4, loss: 1, metrics: { mean: 0.1 }, norm: 3 });
    expect(records[1]).toMatchObject({ kind: "step", norm: null });
    expect(records[2]).toMatchObject({ kind: "skip", step: 2, epoch: 0, index: 5, reason: "no overlap" });
    expect(records[4]).toMatchObject({ kind: "validation", epoch: 0, loss: 2 / 3, best: true });
    expect(records.at(-1)).toMatchObject({ kind: "end", ended: "finished" });
    expect(Date.parse(records[0].time)).toBeGreaterThan(Date.parse(head.time));
  });

  it("writes scalars under the reference's names, and its own", async () => {
    const watch = await open("scalars");
    await run(watch, 1, 3);
    await watch.close("stopped");
    expect(watch.events).toBe(join(directory, "scalars/tb_logs/toy/version_0"));
    const events = seenByTensorBoard(watch.events!);
    expect(scalarsOf(events.slice(0, 1)).map(([, tag]) => tag)).toEqual([
      ...["train_loss", "epoch", "train_mean", "learning_rate", "gradient_norm", "images_per_second"],
    ]);
    const all = scalarsOf(events);
    expect(all.filter(([, tag]) => tag === "train_loss").map(([n, , value]) => [n, value])).toEqual([
      [1, 1],
      [2, 0.5],
      [3, Math.fround(1 / 3)],
    ]);
    expect(all.filter(([, tag]) => tag.startsWith("validation"))).toEqual([
      [3, "validation_loss", Math.fround(2 / 3)],
      [3, "validation_mean", 0.5],
    ]);
    const [name] = readdirSync(watch.events!);
    expect(name).toMatch(new RegExp(`^events\\.out\\.tfevents\\.\\d{10}\\.[\\w.-]+\\.${process.pid}\\.0$`));
  });

  it("counts images per second of updates, not of validation and checkpoints", async () => {
    let time = 0;
    const save = async () => {
      time += 60_000;
    };
    const watch = await open("pace", { now: () => time, save });
    for (const n of [1, 2, 3]) {
      time += 2000;
      await watch.onStep(step(n));
      await watch.onCheckpoint(snapshot(n), false);
    }
    await watch.close("finished");
    const { records } = await readLog(join(directory, "pace"));
    const rates = records.flatMap((record) => (record.kind === "step" ? [record.imagesPerSecond] : []));
    // 4 pairs of 2 images in 2 s.
    expect(rates).toEqual([4, 4, 4]);
  });

  it.each([0, 3, 4, 6])("continued at step %i after a kill, is as if there had been none", async (at) => {
    const folder = `killed-${at}`;
    const whole = await open(`whole-${at}`);
    await run(whole, 1, 9);
    await whole.close("finished");

    const first = await open(folder);
    await run(first, 1, 8);
    // Killed: nothing is closed, and a line is half written.
    appendFileSync(join(directory, folder, "log.jsonl"), '{"kind":"step","st');
    const [events] = readdirSync(first.events!);
    appendFileSync(join(first.events!, events), Uint8Array.of(24, 0, 0));
    const second = await open(folder, { resumeAt: at, now: clock() });
    expect(second.events).toBe(first.events);
    expect(readdirSync(second.events!)).toHaveLength(2);
    const cut = await readLog(join(directory, folder));
    expect(Math.max(0, ...cut.records.map((record) => record.step))).toBe(at);
    await run(second, at + 1, 9);
    await second.close("finished");
    await first.close({ error: "its files are others by now" });

    const [one, two] = await Promise.all([`whole-${at}`, folder].map((name) => readLog(join(directory, name))));
    expect(timeless(two)).toEqual(timeless(one));
    expect(two.head.resumed).toEqual([{ step: at, time: expect.any(String) }]);
    expect(two.head.time).toBe(one.head.time);
    expect(steady(seenByTensorBoard(second.events!))).toEqual(steady(seenByTensorBoard(whole.events!)));
  });

  it("adds the checkpoint's line where the run was killed before it was written", async () => {
    const watch = await open("unsaid", {
      save: async ({ step }) => {
        if (step === 6) throw new Error("killed");
      },
    });
    await expect(run(watch, 1, 9)).rejects.toThrow("killed");
    const again = await open("unsaid", { resumeAt: 6 });
    await again.close("stopped");
    await watch.close({ error: "its files are others by now" });
    const { records } = await readLog(join(directory, "unsaid"));
    expect(records.slice(-3).map(({ kind, step }) => [kind, step])).toEqual([
      ["validation", 6],
      ["checkpoint", 6],
      ["end", 6],
    ]);
  });

  it("saves before it says so, and has the log on the disk by then", async () => {
    const seen: number[] = [];
    const watch = await open("order", {
      save: async () => {
        const { records } = await readLog(join(directory, "order"));
        seen.push(records.filter(({ kind }) => kind === "checkpoint").length, records.at(-1)!.step);
      },
    });
    await run(watch, 1, 4);
    await watch.close("stopped");
    expect(seen).toEqual([0, 3, 1, 4]);
  });

  it("a failure is the last line, and a broken disk does not hide it", async () => {
    const watch = await open("failed");
    await run(watch, 1, 2);
    await watch.close({ error: new Error("the loss is NaN at step 3") });
    const { records } = await readLog(join(directory, "failed"));
    expect(records.at(-1)).toMatchObject({
      kind: "end",
      step: 2,
      ended: "failed",
      message: "the loss is NaN at step 3",
    });
    // Closed already: writing the end fails, which only an orderly end reports.
    await watch.close({ error: new Error("again") });
    await expect(watch.close("finished")).rejects.toThrow(IoError);
  });

  it("draws pictures per epoch or every so many steps, from checkpoints", async () => {
    const drawn = async (folder: string, every: number | "epoch", resumeAt: number | null = null) => {
      const steps: number[] = [];
      const draw = ({ step }: Snapshot) => {
        steps.push(step);
        return [{ name: "scores/a", image: { width: 2, height: 1, data: Uint8Array.of(255, 0, 0, 0, 0, 255) } }];
      };
      const watch = await open(folder, { images: { every, draw }, resumeAt });
      await run(watch, (resumeAt ?? 0) + 1, 9);
      await watch.close("finished");
      const pictures = seenByTensorBoard(watch.events!).flatMap(({ step, values }) =>
        values.flatMap((value) => (value.kind === "image" ? [{ ...value, step }] : [])),
      );
      for (const { tag, width, height, encoded } of pictures) {
        expect([tag, width, height]).toEqual(["scores/a", 2, 1]);
        expect([...encoded.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
      }
      return { steps, pictures: pictures.map(({ step }) => step) };
    };
    expect(await drawn("pictures-epoch", "epoch")).toEqual({ steps: [3, 6, 9], pictures: [3, 6, 9] });
    expect(await drawn("pictures-4", 4)).toEqual({ steps: [4, 9], pictures: [4, 9] });
    expect(await drawn("pictures-4", 4, 4)).toEqual({ steps: [9], pictures: [4, 9] });
    await expect(drawn("pictures-0", 0)).rejects.toThrow(/"images.every" must be a whole number ≥ 1/);
  });

  it("shows loss, speed and epochs", async () => {
    const lines: string[] = [];
    const counts: number[][] = [];
    let label = () => "";
    const watch = await open("shown", {
      progress: async (total, say) => {
        label = say;
        counts.push([total]);
        return {
          update: (...done) => void counts.push(done),
          log: (line) => void lines.push(line),
          stop: () => void counts.push([]),
        };
      },
    });
    expect(label()).toBe("");
    await run(watch, 1, 6);
    expect(label()).toMatch(/^epoch 2, loss 0\.1667, \d+\.\d images\/s: $/);
    await watch.close("stopped");
    expect(counts).toEqual([[9], [0, 0], [1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6], []]);
    // (1 + 1/2 + 1/3) / 3, (1/4 + 1/5 + 1/6) / 3
    expect(lines).toEqual([
      "epoch 1: loss 0.6111, validation 0.6667, the least so far; 1 pair skipped",
      "epoch 2: loss 0.2056, validation 0.3333",
    ]);
  });

  it("refuses a folder with another run's log, and one that cannot be written", async () => {
    await (await open("taken")).close("stopped");
    await expect(open("taken")).rejects.toThrow(OptionError);
    await expect(open("taken")).rejects.toThrow(/is the log of another run; resume that one, or choose another folder/);
    writeFileSync(join(directory, "file"), "");
    await expect(open("file/in-it")).rejects.toThrow(IoError);
    await expect(open("x", { resumeAt: -1 })).rejects.toThrow(/"resumeAt"/);
    const none = await open("no-events", { events: null });
    expect(none.events).toBeNull();
    await run(none, 1, 3);
    await none.close("finished");
    expect(readdirSync(join(directory, "no-events"))).toEqual(["log.jsonl"]);
  });
});

describe("TensorBoard's folders", () => {
  it("are the next version, also for sessions that begin at once", async () => {
    const root = join(directory, "versions");
    mkdirSync(join(root, "n/version_7"), { recursive: true });
    mkdirSync(join(root, "n/version_x"));
    const made = await Promise.all(Array.from({ length: 5 }, () => newEventsFolder(root, "n")));
    expect(made.map((path) => path.slice(root.length + 1)).sort()).toEqual(
      [8, 9, 10, 11, 12].map((k) => `n/version_${k}`).sort(),
    );
    for (const name of ["", "..", "a/b", "a\\b"])
      await expect(newEventsFolder(root, name)).rejects.toThrow(OptionError);
  });

  it("have files whose names sort as they were opened, whatever the clocks say", async () => {
    const folder = join(directory, "clocks");
    for (const seconds of [2e9, 1.9e9, 2e9]) {
      const events = await openEvents(folder, { now: () => seconds * 1000, firstStep: 1 });
      await events.write(1, [{ kind: "scalar", tag: "a", value: seconds }]);
      await events.close();
    }
    const files = readdirSync(folder).sort();
    const values = files.map((name) => readTfEvents(readFileSync(join(folder, name))).events[2].values[0]);
    expect(values.map((value) => value.kind === "scalar" && Math.round(value.value / 1e8))).toEqual([20, 19, 20]);
  });
});

describe("a log's text", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const head = JSON.stringify({ kind: "run", format: 1, time: "t", ...facts, events: null, resumed: [] });
  const line = JSON.stringify({ kind: "checkpoint", time: "t", step: 3, best: true });

  it("is cut after a step, without the end", () => {
    const end = JSON.stringify({ kind: "end", time: "t", step: 3, ended: "stopped" });
    const later = line.replace(":3", ":4");
    const log = parseLog(bytes(`${[head, line, end, later].join("\n")}\n`), "log");
    expect(cutLog(log, 3).records.map(({ kind, step }) => [kind, step])).toEqual([["checkpoint", 3]]);
  });

  it("may lack the end of its last line, and nothing else", () => {
    expect(parseLog(bytes(`${head}\n${line}\n{"kind`), "log").records).toHaveLength(1);
    const refused = (text: string, message: RegExp) => {
      expect(() => parseLog(bytes(text), "log")).toThrow(FormatError);
      expect(() => parseLog(bytes(text), "log")).toThrow(message);
    };
    refused("", /no line is complete/);
    refused(head, /no line is complete/);
    refused(`${head}\n{"kind\n${line}\n`, /log: line 2: not JSON/);
    refused(`${line}\n`, /does not begin as a log/);
    refused(`${head.replace('"format":1', '"format":2')}\n`, /format 2; this version reads 1/);
    refused(`${head.replace('"abc"', "5")}\n`, /fields of its first line/);
    refused(`${head}\n[]\n`, /line 2: not an object/);
    refused(
      `${head}\n${line.replace("checkpoint", "toString")}\n`,
      /"kind" must be one of step, validation.*"toString"/,
    );
    refused(`${head}\n${line.replace("3", "-3")}\n`, /line 2: fields are missing or wrong: step/);
    refused(
      `${head}\n{"kind":"step","step":1,"time":"t"}\n`,
      /epoch, pairs, loss, rate, norm, imagesPerSecond, metrics/,
    );
    expect(() => parseLog(Uint8Array.of(0xff, 10), "log")).toThrow(FormatError);
  });
});
