/** Errors that cross between processes and threads: code, message and stack stay, and what the system said beneath. */
import { type ErrorCode, StrataError, strataError } from "../errors.js";
import { asLimit } from "../limits.js";

export interface Failure {
  /** null: not foreseen by strata. */
  code: ErrorCode | null;
  message: string;
  stack?: string;
  /** Code of the system's error beneath. */
  cause?: string;
}

/** An error as it crosses. */
export function failureOf(thrown: unknown): Failure {
  const error = asLimit(thrown);
  const known = error instanceof StrataError;
  const cause = (known ? error.cause : error) as NodeJS.ErrnoException | undefined;
  return {
    code: known ? error.code : null,
    message: error instanceof Error ? error.message : String(error),
    stack: error instanceof Error ? error.stack : undefined,
    cause: typeof cause?.code === "string" ? cause.code : undefined,
  };
}

/** The error again, with its code and its cause's. */
export function errorOf({ code, message, stack, cause }: Failure): Error {
  const beneath = cause === undefined ? undefined : Object.assign(new Error(cause), { code: cause });
  const error =
    code === null
      ? Object.assign(new Error(message), cause && { code: cause })
      : strataError(code, message, { cause: beneath });
  if (stack !== undefined) error.stack = stack;
  return error;
}
