/** Errors as the command line says them: one plain line; the stack only with --debug. */
import { OptionError, StrataError } from "../errors.js";
import { asLimit } from "../limits.js";
import { EXIT } from "./context.js";

/** The sentence for an error. What strata did not foresee is called a bug, for it is one. */
export function plainMessage(thrown: unknown): string {
  const error = asLimit(thrown);
  if (error instanceof StrataError) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  const [line] = message.split("\n");
  return `unexpected error: ${line} (this is a bug in strata; --debug shows where)`;
}

/** Stable code of an error, for programs. */
export function errorCode(thrown: unknown): string {
  const error = asLimit(thrown);
  return error instanceof StrataError ? error.code : "E_UNEXPECTED";
}

/** Text for standard error, with a line break at its end. */
export function errorText(error: unknown, debug: boolean): string {
  // A line break in a name must not begin a line that reads as another message.
  const line = `strata: ${plainMessage(error).replaceAll("\n", "\n  ")}\n`;
  if (!debug) return line;
  let text = line;
  const seen = new Set<unknown>();
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    text += `${seen.size ? "caused by: " : ""}${at.stack ?? at.message}\n`;
    seen.add(at);
  }
  return text;
}

/** A wrong option is the caller's mistake, everything else a failure. */
export function exitCodeOf(error: unknown): number {
  return error instanceof OptionError ? EXIT.usage : EXIT.failed;
}
