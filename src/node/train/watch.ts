/**
 * What a training shows of itself while it runs: a log in JSON lines, TensorBoard's files, a bar or lines on the
 * terminal. All of it hangs on the trainer's hooks; a resumed run continues what was shown up to its checkpoint.
 */

import { join, relative, resolve } from "node:path";
import { checkObject } from "../../check.js";
import type { TfValue } from "../../formats/tfevents.js";
import type { Image } from "../../image/image.js";
import { checkNumber } from "../../options.js";
import type { RunFacts } from "../../train/log.js";
import type { Snapshot, StepRecord, TrainHooks, TrainOutcome, ValidationRecord } from "../../train/trainer.js";
import { checkPath, ioError } from "../atomic.js";
import { makeFolder } from "../folders.js";
import { encodePng } from "../images.js";
import { type EventsWriter, newEventsFolder, openEvents } from "./events-writer.js";
import { type LogWriter, openLog } from "./log.js";

/** A bar or lines; src/cli/progress.ts has them. */
export interface WatchProgress {
  update(done: number, worked: number): void;
  log(line: string): void;
  stop(): void;
}

export interface NamedImage {
  /** Its tag in TensorBoard, e.g. "scores/pair 0". */
  name: string;
  image: Image;
}

/** How a training is logged and shown. */
export interface WatchOptions extends Omit<RunFacts, "events"> {
  /** The run's folder; log.jsonl is in it. It is made. */
  directory: string;
  /** Step of the checkpoint from which the run goes on, 0 for its beginning; null: a new run. */
  resumeAt: number | null;
  /** Folder of TensorBoard's files, where they are in NAME/version_K. null: none. Default: tb_logs in `directory`. */
  events?: string | null;
  /** Keeps a checkpoint; called before the log says that there is one. */
  save?(snapshot: Snapshot, best: boolean): Promise<unknown>;
  /** Whether to end now. */
  shouldStop?(): boolean;
  /** Opens a bar over so many updates. `label` says what stands before the count, anew at each call. */
  progress?(total: number, label: () => string): Promise<WatchProgress>;
  /** Pictures for TensorBoard, drawn from checkpoints: at the first one `every` steps after the last, or per epoch. */
  images?: { every: number | "epoch"; draw(snapshot: Snapshot): Promise<NamedImage[]> | NamedImage[] };
  /** Milliseconds since 1970, for tests; default: the clock. */
  now?: () => number;
}

/** Hooks for the trainer, and what is to be called when it has ended. */
export interface TrainWatch extends Required<Omit<TrainHooks, "onSession">> {
  /** TensorBoard's folder of this run. */
  readonly events: string | null;
  /** Writes how it ended: an outcome, or what was thrown. Never throws for the latter. */
  close(ended: TrainOutcome["ended"] | { error: unknown }): Promise<void>;
}

/** Opens everything that shows a run. Throws before the first step where a folder cannot be written. */
export async function watchTraining(options: WatchOptions): Promise<TrainWatch> {
  checkObject("watchTraining", "options", options);
  checkPath("watchTraining: directory", options.directory);
  const { directory, resumeAt, name, task, recipe, options: settings, data, versions, total, now = Date.now } = options;
  const { events: root = join(directory, "tb_logs"), images, save, shouldStop = () => false } = options;
  if (resumeAt !== null) checkNumber("watchTraining", "resumeAt", resumeAt, { min: 0, integer: true });
  if (images && images.every !== "epoch") {
    checkNumber("watchTraining", "images.every", images.every, { min: 1, integer: true });
  }
  await makeFolder(directory).catch((cause) => {
    throw ioError("make", directory, cause);
  });
  const newEvents = async () => {
    if (root === null) return null;
    return relative(resolve(directory), resolve(await newEventsFolder(root, name))).replaceAll("\\", "/");
  };
  const facts = { name, task, recipe, options: settings, data, versions, total };
  const log = await openLog(directory, { facts, newEvents, resumeAt, now });
  const first = resumeAt ?? 0;
  const events = root === null ? null : await eventsOf(log, directory, first + 1, now);

  const pace = new Pace(now);
  const epoch = new EpochMeans();
  let last: StepRecord | null = null;
  const bar = await options.progress?.(total, () => label(last, pace));
  bar?.update(first, 0);
  let drawn = first;

  async function draw(snapshot: Snapshot): Promise<void> {
    if (!images || !events || !isDue(images.every, snapshot, drawn)) return;
    drawn = snapshot.step;
    const values = (await images.draw(snapshot)).map(async ({ name: tag, image }): Promise<TfValue> => {
      const { width, height } = image;
      return { kind: "image", tag, width, height, encoded: await encodePng(image) };
    });
    await events.write(snapshot.step, await Promise.all(values));
  }

  return {
    events: events?.folder ?? null,
    async onStep(record) {
      last = record;
      const imagesPerSecond = pace.step(2 * record.pairs);
      const { skipped, ...step } = record;
      const skips = skipped.map((skip) => ({ kind: "skip" as const, step: step.step, ...skip }));
      epoch.add(record);
      await log.append({ kind: "step", ...step, imagesPerSecond }, ...skips);
      await events?.write(step.step, [
        scalar("train_loss", step.loss),
        scalar("epoch", step.epoch),
        ...scalars("train_", step.metrics),
        scalar("learning_rate", step.rate),
        scalar("gradient_norm", step.norm),
        scalar("images_per_second", imagesPerSecond),
      ]);
      bar?.update(step.step, step.step - first);
    },
    async onValidation(record) {
      const { step, loss, metrics } = record;
      await log.append({ kind: "validation", ...record });
      await events?.write(step, [scalar("validation_loss", loss), ...scalars("validation_", metrics)]);
      bar?.log(epoch.end(record));
      pace.rest();
    },
    async onCheckpoint(snapshot, best) {
      // A log that is behind its checkpoint could not be continued.
      await log.sync();
      await save?.(snapshot, best);
      await log.append({ kind: "checkpoint", step: snapshot.step, best });
      await draw(snapshot);
      pace.rest();
    },
    shouldStop,
    async close(ended) {
      bar?.stop();
      const failed = typeof ended === "object";
      const step = last?.step ?? first;
      try {
        if (!failed) await log.append({ kind: "end", step, ended });
        else await log.append({ kind: "end", step, ended: "failed", message: messageOf(ended.error) });
        await log.sync();
      } catch (error) {
        // What failed first is what people need to hear.
        if (!failed) throw error;
      } finally {
        await Promise.allSettled([log.close(), events?.close()]);
      }
    },
  };
}

async function eventsOf(
  log: LogWriter,
  directory: string,
  firstStep: number,
  now: () => number,
): Promise<EventsWriter | null> {
  const { events } = log.head;
  if (events === null) return null;
  return openEvents(resolve(directory, events), { now, firstStep }).catch(async (error) => {
    await log.close();
    throw error;
  });
}

const scalar = (tag: string, value: number): TfValue => ({ kind: "scalar", tag, value });

const scalars = (prefix: string, values: Record<string, number>): TfValue[] =>
  Object.entries(values).map(([name, value]) => scalar(prefix + name, value));

function isDue(every: number | "epoch", { step, cursor }: Snapshot, drawn: number): boolean {
  if (every === "epoch") return cursor.index === 0;
  return Math.floor(step / every) > Math.floor(drawn / every);
}

/** Images per second of updates, without the time of validation and checkpoints. */
class Pace {
  /** Smoothed over about ten updates, for people. */
  smooth = Number.NaN;
  private mark: number;

  constructor(private readonly now: () => number) {
    this.mark = now();
  }

  step(images: number): number {
    const seconds = Math.max(1e-3, (this.now() - this.mark) / 1000);
    this.rest();
    const rate = images / seconds;
    this.smooth = Number.isNaN(this.smooth) ? rate : 0.9 * this.smooth + 0.1 * rate;
    return rate;
  }

  rest(): void {
    this.mark = this.now();
  }
}

/** Mean training loss of an epoch, as far as this session has seen it. */
class EpochMeans {
  private sum = 0;
  private pairs = 0;
  private skipped = 0;

  add({ loss, pairs, skipped }: StepRecord): void {
    this.sum += loss * pairs;
    this.pairs += pairs;
    this.skipped += skipped.length;
  }

  /** "epoch 3: loss 0.1234, validation 0.1300, the least so far; 2 pairs skipped" */
  end({ epoch, loss, best }: ValidationRecord): string {
    const training = this.pairs > 0 ? `loss ${short(this.sum / this.pairs)}, ` : "";
    const skipped = this.skipped > 0 ? `; ${this.skipped} pair${this.skipped === 1 ? "" : "s"} skipped` : "";
    Object.assign(this, { sum: 0, pairs: 0, skipped: 0 });
    return `epoch ${epoch + 1}: ${training}validation ${short(loss)}${best ? ", the least so far" : ""}${skipped}`;
  }
}

/** "epoch 3, loss 0.1234, 45.1 images/s: " */
function label(last: StepRecord | null, { smooth }: Pace): string {
  if (last === null) return "";
  return `epoch ${last.epoch + 1}, loss ${short(last.loss)}, ${smooth.toFixed(1)} images/s: `;
}

/** Four significant digits. */
const short = (value: number): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
