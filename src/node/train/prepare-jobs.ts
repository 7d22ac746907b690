/**
 * Scenes prepared one after another in this process, or by several child processes: it is computing, not waiting, that
 * takes the time. A job that is let go finishes its scene first, so that no file is left half-written.
 */
import { StateError } from "../../errors.js";
import { startChild } from "../child.js";
import { errorOf, type Failure } from "../failure.js";
import { type PrepareOptions, prepareScene, type SceneSummary } from "./prepare-scene.js";

export interface JobOrder {
  scene: string;
  out: string;
  options: Partial<PrepareOptions>;
}

/** How a scene ended. */
export type SceneOutcome = { summary: SceneSummary } | { error: unknown };

/** As it crosses between processes. */
export type JobAnswer = { summary: SceneSummary } | { failure: Failure };

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
  let finish: (outcome: SceneOutcome) => void = () => {};
  let died: Error | undefined;
  const child = startChild<JobAnswer>(import.meta.url, "./prepare-job", [], {
    onEnd(how) {
      died = typeof how === "string" ? new StateError(endedBy(how)) : how;
      finish({ error: died });
    },
    onMessage: (answer) => finish("summary" in answer ? answer : { error: errorOf(answer.failure) }),
  });
  return {
    run: (order) =>
      new Promise((resolve) => {
        if (died) return resolve({ error: died });
        finish = resolve;
        // A failed send is followed by the job's end.
        child?.send(order, () => {});
      }),
    hasDied: () => died !== undefined,
    close: () => {
      if (child?.connected) child.disconnect();
    },
  };
}

const endedBy = (how: string): string => `its job ended by itself (${how}); if memory ran out, use fewer --jobs`;
