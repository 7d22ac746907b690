/**
 * The file of a training's log, log.jsonl. Lines are appended as things happen, so that what a killed run has written
 * is there; when the run goes on, the file is replaced as a whole by one that ends at the checkpoint.
 */
import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, OptionError } from "../../errors.js";
import {
  cutLog,
  type LogHead,
  type LogRecord,
  logLine,
  logText,
  parseLog,
  type RunFacts,
  type TrainLog,
} from "../../train/log.js";
import { ioError, readFileChecked, writeFileAtomic } from "../atomic.js";

export const LOG_FILE = "log.jsonl";

/** A record before its time is written to it. */
type Untimed<T> = T extends unknown ? Omit<T, "time"> : never;

export interface LogWriter {
  readonly head: LogHead;
  append(...records: Untimed<LogRecord>[]): Promise<void>;
  /** Returns when everything is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenLogOptions {
  facts: Omit<RunFacts, "events">;
  /** Called where the run has no folder of TensorBoard's files yet; see RunFacts.events. */
  newEvents: () => Promise<string | null>;
  /** Step of the checkpoint from which the run goes on, 0 for its beginning; null: a new run. */
  resumeAt: number | null;
  /** Milliseconds since 1970, for tests. */
  now: () => number;
}

/** The log of a run in `directory`, which is there. An OptionError where a new run finds an older one's log. */
export async function openLog(
  directory: string,
  { facts, newEvents, resumeAt, now }: OpenLogOptions,
): Promise<LogWriter> {
  const path = join(directory, LOG_FILE);
  const time = () => new Date(now()).toISOString();
  const old = await oldLog(path, resumeAt);
  const head: LogHead = {
    kind: "run",
    format: 1,
    time: old?.head.time ?? time(),
    ...facts,
    events: old?.head.events ?? (await newEvents()),
    resumed: [...(old?.head.resumed ?? []), ...(resumeAt === null ? [] : [{ step: resumeAt, time: time() }])],
  };
  const records = resumeAt !== null && old ? cutLog(old, resumeAt).records : [];
  // A run that is killed between keeping a checkpoint and saying so lacks the line.
  const said = records.some(({ kind, step }) => kind === "checkpoint" && step === resumeAt);
  if (resumeAt !== null && resumeAt > 0 && !said) {
    const validation = records.findLast(({ kind, step }) => kind === "validation" && step === resumeAt);
    const best = validation?.kind === "validation" && validation.best;
    records.push({ kind: "checkpoint", time: time(), step: resumeAt, best });
  }
  await writeFileAtomic(path, logText({ head, records }));
  const file = await open(path, "a").catch((cause) => {
    throw ioError("write", path, cause);
  });
  return {
    head,
    append: (...added) => write(file, path, added.map((record) => logLine({ ...record, time: time() })).join("")),
    sync: () =>
      file.sync().catch((cause) => {
        throw ioError("write", path, cause);
      }),
    close: () => file.close(),
  };
}

/** The log of a run; it may be running. */
export async function readLog(directory: string): Promise<TrainLog> {
  const path = join(directory, LOG_FILE);
  return parseLog(await readFileChecked(path), path);
}

/** What an earlier session has written, or null. */
async function oldLog(path: string, resumeAt: number | null): Promise<TrainLog | null> {
  const size = await stat(path).then(
    (info) => info.size,
    () => 0,
  );
  if (size === 0) return null;
  if (resumeAt === null) {
    throw new OptionError(`${path} is the log of another run; resume that one, or choose another folder`);
  }
  try {
    return parseLog(await readFileChecked(path), path);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(`${error.message}. Move it away to go on with a new log`, { cause: error });
  }
}

async function write(file: FileHandle, path: string, text: string): Promise<void> {
  try {
    await file.appendFile(text);
  } catch (cause) {
    throw ioError("write", path, cause);
  }
}
