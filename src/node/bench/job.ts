/**
 * A job of the benchmark: a child process that does tasks as they come and ends when its parent does or lets it go,
 * never with a file half-written.
 */
import { availableParallelism } from "node:os";
import { failureOf } from "../failure.js";
import type { ResultMessage, TaskMessage } from "./pool.js";

const threads = Number(process.argv[2]) || availableParallelism();

// Loaded here, so that what fails for want of memory or open files is an answer and not the process's end.
const opening = Promise.all([import("../extractor.js"), import("./runner.js")]).then(
  ([{ openExtractor }, { openRunner }]) => openRunner(threads, openExtractor),
);
opening.catch(() => {});
const answer = (message: ResultMessage) => process.send?.(message, undefined, undefined, () => {});

process.on("message", ({ id, task }: TaskMessage) => {
  opening
    .then((runner) => runner.run(task))
    .then(
      (value) => answer({ id, value }),
      (error: unknown) => answer({ id, failure: failureOf(error) }),
    );
});
process.on("disconnect", () => {
  const exit = () => process.exit(0);
  void opening.then((runner) => runner.settled()).then(exit, exit);
});
// Ctrl-C reaches the whole group of processes; the parent decides what becomes of the work.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
