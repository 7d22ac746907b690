/** How a long run shows how far it is: a bar with rate and time left on a terminal, now and then a line elsewhere. */
import type { OpenStage } from "../node/stage.js";
import { printable } from "../printable.js";
import type { Context } from "./context.js";

export interface Progress {
  /** `done` of all things are settled; `worked` of them took work in this run (the others were finished before). */
  update(done: number, worked: number): void;
  /** A line that stays, above the bar. */
  log(line: string): void;
  stop(): void;
}

/** What is counted: "image", "images". */
export type Unit = readonly [one: string, many: string];

export interface ProgressOptions {
  total: number;
  /** Default: images. */
  unit?: Unit;
  /** Said before the count: "orb: "; default nothing. A function is asked each time. */
  label?: string | (() => string);
  /** Whether a bar can be drawn. */
  terminal: boolean;
  /** Only what is logged is shown. */
  quiet: boolean;
  write(text: string): void;
  /** Milliseconds, for tests; default: the clock. */
  now?: () => number;
}

/** Least seconds between two plain lines. */
const LINE_SECONDS = 10;

const IMAGES: Unit = ["image", "images"];

/** Stages of a library call, each shown as `openProgress` shows it. */
export function stageOf(
  quiet: boolean | undefined,
  { terminal, err: write }: Pick<Context, "terminal" | "err">,
): OpenStage {
  return async (label, unit, total) => openProgress({ total, unit, label, terminal, quiet: quiet ?? false, write });
}

export async function openProgress(options: ProgressOptions): Promise<Progress> {
  const { total, terminal, quiet, write } = options;
  const log = (line: string) => write(`${line}\n`);
  if (quiet || total < 2) return { update: () => {}, log, stop: () => {} };
  return terminal ? bar(options) : lines(options, log);
}

/** "12 of 40 images, 3.1 images/s, 9.0 s left". */
export function describeProgress(
  done: number,
  worked: number,
  total: number,
  seconds: number,
  unit: Unit = IMAGES,
): string {
  const text = `${done} of ${total} ${unit[1]}`;
  if (worked === 0 || seconds <= 0) return text;
  const rate = worked / seconds;
  return `${text}, ${describeRate(rate, unit)}${done < total ? `, ${describeSeconds((total - done) / rate)} left` : ""}`;
}

/** Images per second, or seconds per image where that reads better. */
export function describeRate(rate: number, [one, many]: Unit = IMAGES): string {
  return rate >= 1 ? `${rate.toFixed(1)} ${many}/s` : `${(1 / rate).toFixed(1)} s/${one}`;
}

/** "0.4 s", "12 s", "3 min 20 s", "2 h 5 min". */
export function describeSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const said = (label: string | (() => string)): string => (typeof label === "string" ? label : label());

function lines({ total, unit, label = "", now = Date.now }: ProgressOptions, log: (line: string) => void): Progress {
  const start = now();
  let last = start;
  return {
    update(done, worked) {
      const time = now();
      if (time - last < LINE_SECONDS * 1000 && done < total) return;
      if (done === total && last === start) return; // A short run needs no progress.
      last = time;
      log(said(label) + describeProgress(done, worked, total, (time - start) / 1000, unit));
    },
    log,
    stop: () => {},
  };
}

async function bar({ total, unit, label = "", write, now = Date.now }: ProgressOptions): Promise<Progress> {
  const { default: cliProgress } = await import("cli-progress");
  const start = now();
  const single = new cliProgress.SingleBar({
    format: "{bar} {text}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    gracefulExit: false,
    etaBuffer: 2,
    stream: process.stderr,
  });
  const text = (done: number, worked: number) =>
    printable(said(label)) + describeProgress(done, worked, total, (now() - start) / 1000, unit);
  single.start(total, 0, { text: text(0, 0) });
  return {
    update: (done, worked) => single.update(done, { text: text(done, worked) }),
    log(line) {
      // Past `write`, which spells control characters out.
      process.stderr.write("\r\u001B[K");
      write(`${line}\n`);
      single.render();
    },
    stop: () => single.stop(),
  };
}
