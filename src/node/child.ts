/** Child processes of this package: started from source or as built, their end told in words whatever it was. */
import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { LimitError } from "../errors.js";
import { asLimit } from "../limits.js";

export interface ChildEvents<M> {
  onMessage(message: M): void;
  /** Called once: how the child ended ("signal SIGKILL"), or the LimitError for which it could not be started. */
  onEnd(how: string | LimitError): void;
}

/** A child that runs the file `name` ("./job") beside `from` (import.meta.url), with a channel for JSON. */
export function startChild<M>(
  from: string,
  name: string,
  args: readonly string[],
  events: ChildEvents<M>,
): ChildProcess | undefined {
  // From source (tests, tsx) the file is TypeScript, which plain Node does not run.
  const extension = extname(from);
  let ended = false;
  const end = (how: string | LimitError) => {
    if (ended) return;
    ended = true;
    events.onEnd(how);
  };
  const fail = (error: unknown) => {
    const limit = asLimit(error, { what: "a child process cannot be started" });
    end(limit instanceof LimitError ? limit : String((error as Error).message));
  };
  try {
    const child = fork(fileURLToPath(new URL(`${name}${extension}`, from)), [...args], {
      execArgv: extension === ".ts" ? ["--import", "tsx"] : [],
      // What a library prints must not get among the results.
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "json",
    });
    child.on("message", (message) => events.onMessage(message as M));
    child.on("exit", (code, signal) => end(signal ? `signal ${signal}` : `exit code ${code}`));
    child.on("error", fail);
    return child;
  } catch (error) {
    // Some reasons are thrown, others come as an event.
    fail(error);
    return undefined;
  }
}
