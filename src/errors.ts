/**
 * Errors that a person or a program can act on. Each says what was expected, what came, and what to do;
 * `code` is stable and meant for programs, the message for people.
 */
export type ErrorCode =
  | "E_OPTION" // an option, name or value that is not offered
  | "E_SHAPE" // a tensor or array of the wrong shape or length
  | "E_FORMAT" // bytes that are not what they claim to be
  | "E_LIMIT" // more than a stated limit allows
  | "E_UNSUPPORTED" // understood, but not offered here
  | "E_IO" // a file or folder that cannot be read or written
  | "E_STATE"; // used in the wrong order, e.g. after dispose()

/** Base of every error that strata throws on purpose. */
export class StrataError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** An option, name or value that is not offered. */
export class OptionError extends StrataError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("E_OPTION", message, options);
  }
}
/** A tensor or array of the wrong shape or length. */
export class ShapeError extends StrataError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("E_SHAPE", message, options);
  }
}
/** Bytes that are not what they claim to be. */
export class FormatError extends StrataError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("E_FORMAT", message, options);
  }
}
/** More than a stated limit, or than the machine, allows. */
export class LimitError extends StrataError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("E_LIMIT", message, options);
  }
}
/** Understood, but not offered here. */
export class UnsupportedError extends StrataError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("E_UNSUPPORTED", message, options);
  }
}
/** A file, folder or address that cannot be read or written. */
export class IoError extends StrataError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("E_IO", message, options);
  }
}
/** Used in the wrong order, e.g. after dispose(). */
export class StateError extends StrataError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("E_STATE", message, options);
  }
}

const CLASSES: Readonly<Record<ErrorCode, new (message: string, options?: { cause?: unknown }) => StrataError>> = {
  E_OPTION: OptionError,
  E_SHAPE: ShapeError,
  E_FORMAT: FormatError,
  E_LIMIT: LimitError,
  E_UNSUPPORTED: UnsupportedError,
  E_IO: IoError,
  E_STATE: StateError,
};

/** The error of that code, of its class. */
export function strataError(code: ErrorCode, message: string, options?: { cause?: unknown }): StrataError {
  return new CLASSES[code](message, options);
}
