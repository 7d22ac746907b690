/** What a command gets from the outside world, so that tests can give it another one. */
import { setMaxListeners } from "node:events";
import { untilAborted } from "../abort.js";
import type { Ask } from "../node/models/login.js";
import type { Engine } from "./engine.js";

/** Exit codes: everything done; something failed; the command line itself was wrong; stopped by Ctrl-C. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface Context {
  engine: Engine;
  /** Results, and nothing else. */
  out(text: string): void;
  /** Progress, notes and errors. */
  err(text: string): void;
  /** Whether `err` is a terminal that a progress bar can be drawn on. */
  terminal: boolean;
  /** Asks whoever sits at the terminal; undefined where nobody does. */
  ask?: Ask;
  /** Listens for the wish to stop, by default Ctrl-C and a polite kill; `release` stops listening. */
  listenForInterrupt(signals?: readonly StopSignal[]): Interrupt;
}

/** Slurm and others send SIGUSR1 some time before they take a machine away. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGUSR1";

export interface Interrupt {
  /** Aborted, with `Interrupted` as its reason, as soon as the user asks to stop. */
  readonly signal: AbortSignal;
  /** Rejects with `Interrupted` as soon as the user asks to stop, else settles as `work` does. */
  race<T>(work: Promise<T>): Promise<T>;
  readonly requested: boolean;
  release(): void;
}

/** Thrown through a command to its end; not an error to report. */
export class Interrupted extends Error {}

/** A download that can be interrupted: its result, or null when it was stopped, which then has been told. */
export async function untilInterrupted<T>(
  context: Context,
  start: (signal: AbortSignal) => Promise<T>,
): Promise<T | null> {
  const interrupt = context.listenForInterrupt();
  const stop = new AbortController();
  const work = start(stop.signal);
  try {
    return await interrupt.race(work);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    stop.abort(error);
    await work.catch(() => {});
    context.err("strata: interrupted; what has arrived is kept, and the same command goes on from there\n");
    return null;
  } finally {
    interrupt.release();
  }
}

/** Ctrl-C and the like, once; a second one ends the process at once, as without us. */
export function processInterrupt(signals: readonly StopSignal[] = ["SIGINT", "SIGTERM"]): Interrupt {
  const interrupt = openInterrupt(() => {
    for (const signal of signals) process.off(signal, onSignal);
  });
  const onSignal = () => interrupt.stop();
  for (const signal of signals) process.on(signal, onSignal);
  return interrupt;
}

/** An Interrupt that `stop` sets off; `release` is also called by it, once. */
export function openInterrupt(release: () => void = () => {}): Interrupt & { stop(): void } {
  const controller = new AbortController();
  const { signal } = controller;
  // As many waits as a command likes, on many cores, are no leak.
  setMaxListeners(0, signal);
  return {
    signal,
    race: (work) => untilAborted(work, signal),
    get requested() {
      return signal.aborted;
    },
    release,
    stop() {
      if (signal.aborted) return;
      release();
      controller.abort(new Interrupted());
    },
  };
}
