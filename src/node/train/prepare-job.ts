/** A job of `strata train prepare-megadepth`: a child process that prepares scenes until its parent lets it go. */
import { failureOf } from "../failure.js";
import type { JobAnswer, JobOrder } from "./prepare-jobs.js";

// Loaded here, so that what fails for want of memory or open files is an answer and not the process's end.
const opening = import("./prepare-scene.js");
opening.catch(() => {});

process.on("message", async ({ scene, out, options }: JobOrder) => {
  const answer: JobAnswer = await opening
    .then(({ prepareScene }) => prepareScene(scene, out, options))
    .then(
      (summary) => ({ summary }),
      (error: unknown) => ({ failure: failureOf(error) }),
    );
  process.send?.(answer, undefined, undefined, () => {});
});
// Ctrl-C reaches every process of a terminal; the parent decides what becomes of it.
process.on("SIGINT", () => {});
// Without a parent no further scene comes: Node ends by itself once the one at work is written.
process.on("disconnect", () => {});
