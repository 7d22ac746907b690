/**
 * Tasks spread over jobs. One job is this process; more are child processes, for OpenCV and the runtime each want a
 * process of their own, and a peak of memory is a process's. A job that dies is an error that says so, not a wait
 * without end.
 */
import { StateError } from "../../errors.js";
import { startChild } from "../child.js";
import { errorOf, type Failure } from "../failure.js";
import type { OpenExtractor } from "./methods.js";
import { openRunner, type ResultOf, type Task } from "./runner.js";

/** How a task ended. */
export type Outcome<T extends Task> = { value: ResultOf<T> } | { error: unknown };

export interface Pool {
  readonly jobs: number;
  /**
   * Runs all tasks; `onDone` gets each outcome as it comes and is waited for. Rejects when `onDone` does or a job dies;
   * tasks that have not begun are then left alone.
   */
  map<T extends Task>(tasks: readonly T[], onDone: (task: T, outcome: Outcome<T>) => Promise<void>): Promise<void>;
  /** Ends the jobs once no file is half-written; `dispose`: also frees what this process holds. */
  close(dispose: boolean): Promise<void>;
}

/** Sends a task, or receives one: an id, and what crosses as JSON. */
export interface TaskMessage {
  id: number;
  task: Task;
}
export type ResultMessage = { id: number; value: unknown } | { id: number; failure: Failure };
interface Job {
  /** Whether it ended by itself; the run ends with it. */
  hasDied(): boolean;
  run<T extends Task>(task: T): Promise<ResultOf<T>>;
  close(dispose: boolean): Promise<void>;
}

/** Patience with a job that is asked to end, in milliseconds. */
const PATIENCE = 5000;

export interface PoolOptions {
  jobs: number;
  /** Threads of each job. */
  threads: number;
  /** Opens models in this process; jobs in other processes open theirs by the same options. */
  openExtractor: OpenExtractor;
}

export function openPool({ jobs, threads, openExtractor }: PoolOptions): Pool {
  // A job is started when there is work for it.
  const children: Job[] = [];
  let here: Job | undefined;
  let closed = false;
  const local = () => {
    here ??= localJob(threads, openExtractor);
    return here;
  };
  const jobOf = (index: number, task: Task): Job => {
    if (jobs === 1 || isReading(task)) return local();
    children[index] ??= childJob(threads);
    return children[index];
  };
  return {
    jobs,
    async map(tasks, onDone) {
      let next = 0;
      let stopped = false;
      let reporting: Promise<void> = Promise.resolve();
      const work = async (index: number) => {
        while (next < tasks.length && !stopped && !closed) {
          const task = tasks[next++];
          const job = jobOf(index, task);
          const outcome = await settle(job.run(task));
          if (stopped) return;
          if ("error" in outcome && job.hasDied()) throw outcome.error;
          // One outcome at a time, so that nothing that is written is interleaved.
          reporting = reporting.then(() => onDone(task, outcome));
          await reporting;
        }
      };
      const guarded = async (index: number) => {
        try {
          await work(index);
        } catch (error) {
          stopped = true;
          throw error;
        }
      };
      await Promise.all(Array.from({ length: Math.min(jobs, tasks.length) }, (_, index) => guarded(index)));
    },
    async close(dispose) {
      closed = true;
      await Promise.all([here, ...children].map((job) => job?.close(dispose)));
    },
  };
}

/** Others' features are only read, and one file may hold all of them: once, in this process. */
const isReading = (task: Task): boolean =>
  task.type === "extract" && (task.method.kind === "files" || task.method.kind === "h5");

async function settle<T extends Task>(work: Promise<ResultOf<T>>): Promise<Outcome<T>> {
  try {
    return { value: await work };
  } catch (error) {
    return { error };
  }
}

function localJob(threads: number, openExtractor: OpenExtractor): Job {
  const runner = openRunner(threads, openExtractor);
  return {
    hasDied: () => false,
    run: (task) => runner.run(task),
    async close(dispose) {
      await runner.settled();
      if (dispose) await runner.dispose();
    },
  };
}

const endedBy = (how: string): string =>
  `a job of the benchmark ended by itself (${how}); if memory ran out, use fewer --jobs or a smaller --max-edge; the ` +
  "same command goes on";

function childJob(threads: number): Job {
  const waiting = new Map<number, { resolve(value: never): void; reject(error: unknown): void }>();
  let died: Error | undefined;
  let last = 0;
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const child = startChild<ResultMessage>(import.meta.url, "./job", [String(threads)], {
    onEnd(how) {
      died = typeof how === "string" ? new StateError(endedBy(how)) : how;
      for (const { reject } of waiting.values()) reject(died);
      waiting.clear();
      end();
    },
    onMessage(message) {
      const task = waiting.get(message.id);
      waiting.delete(message.id);
      if ("failure" in message) task?.reject(errorOf(message.failure));
      else task?.resolve(message.value as never);
    },
  });
  return {
    hasDied: () => died !== undefined,
    run(task) {
      if (died) return Promise.reject(died);
      const id = ++last;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        // A failed send is followed by the job's end, which rejects.
        child?.send({ id, task } satisfies TaskMessage, () => {});
      });
    },
    async close() {
      if (child?.connected) child.disconnect();
      const timer = setTimeout(() => child?.kill("SIGKILL"), PATIENCE);
      await ended;
      clearTimeout(timer);
    },
  };
}
