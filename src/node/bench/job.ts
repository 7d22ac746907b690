/**
 * A job of the benchmark: a child process that does tasks as they come and ends when its parent does or lets it go,
 * never with a file half-written.
 */
import { availableParallelism } from "node:os";
import { openExtractor } from "../extractor.js";
import { failureOf } from "../failure.js";
import type { ResultMessage, TaskMessage } from "./pool.js";
import { openRunner } from "./runner.js";

const threads = Number(process.argv[2]) || availableParallelism();

const runner = openRunner(threads, openExtractor);
const answer = (message: ResultMessage) => process.send?.(message, undefined, undefined, () => {});

process.on("message", ({ id, task }: TaskMessage) => {
  runner.run(task).then(
    (value) => answer({ id, value }),
    (error: unknown) => answer({ id, failure: failureOf(error) }),
  );
});
process.on("disconnect", () => {
  void runner.settled().then(() => process.exit(0));
});
// Ctrl-C reaches the whole group of processes; the parent decides what becomes of the work.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
