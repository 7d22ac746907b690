/**
 * Scenes prepared one after another in this process, or by several child processes: it is computing, not waiting, that
 * takes the time. A job that is let go finishes its scene first, so that no file is left half-written.
 */
import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { type ErrorCode, StateError, StrataError } from "../../errors.js";
import { type PrepareOptions, prepareScene, type SceneSummary } from "./prepare-scene.js";

export interface JobOrder {
  scene: string;
  out: string;
  options: Partial<PrepareOptions>;
}

/** How a scene ended. */
export type SceneOutcome = { summary: SceneSummary } | { error: unknown };

/** As it crosses between processes; `system` is the code of the system's error beneath. */
export type JobAnswer =
  | { summary: SceneSummary }
  | { failure: { code: ErrorCode | null; message: string; system?: string } };

/** Does all orders, `jobs` at a time. `onDone` may throw to stop early; then no further scene is begun. */
export async function prepareScenes(
  orders: readonly JobOrder[],
  jobs: number,
  onDone: (order: JobOrder, outcome: SceneOutcome) => void,
): Promise<void> {
  let next = 0;
  let stopped = false;
  const work = async () => {
    let job = jobs > 1 ? childJob() : localJob;
    try {
      while (next < orders.length && !stopped) {
        if (job.hasDied()) job = childJob();
        const order = orders[next++];
        const outcome = await job.run(order);
        if (!stopped) onDone(order, outcome);
      }
    } catch (error) {
      stopped = true;
      throw error;
    } finally {
      job.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, orders.length) }, work));
}

interface Job {
  run(order: JobOrder): Promise<SceneOutcome>;
  /** Whether it ended by itself; its scene has failed, the next one needs another job. */
  hasDied(): boolean;
  close(): void;
}

const localJob: Job = {
  run: async ({ scene, out, options }) => {
    try {
      return { summary: await prepareScene(scene, out, options) };
    } catch (error) {
      return { error };
    }
  },
  hasDied: () => false,
  close: () => {},
};

function childJob(): Job {
  // From source (tests, tsx) the job's file is TypeScript, which plain Node does not run.
  const extension = extname(import.meta.url);
  const child: ChildProcess = fork(fileURLToPath(new URL(`./prepare-job${extension}`, import.meta.url)), [], {
    execArgv: extension === ".ts" ? ["--import", "tsx"] : [],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let finish: (outcome: SceneOutcome) => void = () => {};
  let died: StateError | undefined;
  const end = (how: string) => {
    died ??= new StateError(`its job ended by itself (${how}); if memory ran out, use fewer --jobs`);
    finish({ error: died });
  };
  child.on("exit", (code, signal) => end(signal ? `signal ${signal}` : `exit code ${code}`));
  child.on("error", (error) => end(error.message));
  child.on("message", (answer: JobAnswer) => finish("summary" in answer ? answer : { error: errorOf(answer.failure) }));
  return {
    run: (order) =>
      new Promise((resolve) => {
        finish = resolve;
        // A failed send is followed by the job's end.
        child.send(order, () => {});
      }),
    hasDied: () => died !== undefined,
    close: () => {
      if (child.connected) child.disconnect();
    },
  };
}

export function answerOf(outcome: SceneOutcome): JobAnswer {
  if ("summary" in outcome) return outcome;
  const { error } = outcome;
  const known = error instanceof StrataError;
  const beneath = (known ? error.cause : error) as NodeJS.ErrnoException | undefined;
  const message = error instanceof Error ? error.message : String(error);
  return { failure: { code: known ? error.code : null, message, system: beneath?.code } };
}

function errorOf({ code, message, system }: { code: ErrorCode | null; message: string; system?: string }): Error {
  const cause = system === undefined ? undefined : Object.assign(new Error(system), { code: system });
  return code === null ? new Error(message, { cause }) : new StrataError(code, message, { cause });
}
