/**
 * TensorBoard's files of a run: ROOT/NAME/version_K/events.out.tfevents.TIME.HOST.PID.N, as the reference and Lightning
 * have them. Each session of a run writes a file of its own; TensorBoard reads a folder's files in the order of their
 * names and lets a later session take back the steps after the checkpoint it began at.
 */
import { mkdir, open, readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { OptionError } from "../../errors.js";
import { TFEVENTS_VERSION, type TfEvent, type TfValue, writeTfEvent } from "../../formats/tfevents.js";
import { ioError } from "../atomic.js";
import { makeFolder } from "../folders.js";

export interface EventsWriter {
  /** The folder version_K. */
  readonly folder: string;
  write(step: number, values: TfValue[]): Promise<void>;
  close(): Promise<void>;
}

export interface OpenEventsOptions {
  /** Milliseconds since 1970, for tests. */
  now: () => number;
  /** First step that this session writes; what earlier sessions wrote from there on is taken back. */
  firstStep: number;
}

/** Makes the next version_K of ROOT/NAME and returns its path; sessions that do so at once get one each. */
export async function newEventsFolder(root: string, name: string): Promise<string> {
  if (!/^[^/\\\0]+$/.test(name) || name === "." || name === "..") {
    throw new OptionError(`TensorBoard: "${name}" cannot be the name of a folder`);
  }
  const parent = join(root, name);
  await madeFolder(parent);
  const versions = (await readdir(parent)).map((entry) => /^version_(\d{1,9})$/.exec(entry)?.[1]);
  let version = 1 + Math.max(-1, ...versions.map((text) => (text === undefined ? -1 : Number(text))));
  for (; ; version++) {
    const folder = join(parent, `version_${version}`);
    try {
      await mkdir(folder);
      return folder;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw ioError("make", folder, cause);
    }
  }
}

/** A new file in `folder`, which is made. */
export async function openEvents(folder: string, { now, firstStep }: OpenEventsOptions): Promise<EventsWriter> {
  await madeFolder(folder);
  const path = join(folder, await nextName(folder, now));
  const file = await open(path, "wx").catch((cause) => {
    throw ioError("write", path, cause);
  });
  const append = async (...events: Omit<TfEvent, "wallTime">[]): Promise<void> => {
    const wallTime = now() / 1000;
    for (const event of events) {
      await file.appendFile(writeTfEvent({ wallTime, ...event })).catch((cause) => {
        throw ioError("write", path, cause);
      });
    }
  };
  // TensorBoard takes nothing back at the first mark of a run, so the first session needs one too.
  await append({ step: 0, version: TFEVENTS_VERSION, values: [] }, { step: firstStep, session: "start", values: [] });
  return {
    folder,
    write: (step, values) => append({ step, values }),
    close: () => file.close(),
  };
}

/** A name that comes after those that are there, whatever other machines' clocks say. */
async function nextName(folder: string, now: () => number): Promise<string> {
  const names = await readdir(folder);
  const times = names.map((name) => Number(/^events\.out\.tfevents\.(\d{10})\./.exec(name)?.[1] ?? 0));
  const time = Math.max(Math.floor(now() / 1000), 1 + Math.max(0, ...times));
  const host = hostname().replace(/[^\w.-]/g, "_");
  return `events.out.tfevents.${String(time).padStart(10, "0")}.${host}.${process.pid}.0`;
}

async function madeFolder(path: string): Promise<void> {
  await makeFolder(path).catch((cause) => {
    throw ioError("make", path, cause);
  });
}
