/** A job of `strata train prepare-megadepth`: a child process that prepares scenes until its parent lets it go. */
import { answerOf, type JobOrder } from "./prepare-jobs.js";
import { prepareScene } from "./prepare-scene.js";

process.on("message", async ({ scene, out, options }: JobOrder) => {
  const answer = await prepareScene(scene, out, options).then(
    (summary) => answerOf({ summary }),
    (error: unknown) => answerOf({ error }),
  );
  process.send?.(answer, undefined, undefined, () => {});
});
// Ctrl-C reaches every process of a terminal; the parent decides what becomes of it.
process.on("SIGINT", () => {});
// Without a parent no further scene comes: Node ends by itself once the one at work is written.
process.on("disconnect", () => {});
