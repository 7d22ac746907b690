/**
 * Limits of the machine, by what engines, runtimes and systems say when they meet them: each has words of its own for
 * "memory ran out". The one place that knows them, so that a lack of memory is called that and not a bug.
 */
import { LimitError, StrataError } from "./errors.js";

type Limit = "memory" | "files" | "processes";

/** V8, SpiderMonkey, JavaScriptCore, WebAssembly; C++ (bad_alloc); ONNX Runtime, CUDA, WebGPU; the C library. */
const MEMORY = [
  /\bout of (?:memory|heap)\b|\bOOM\b|OutOfMemory/i,
  /(?:failed|fails|unable|not able|could not|couldn't|cannot|can't|can not) (?:to )?(?:allocate|enlarge|grow)\b/i,
  /(?:insufficient|not enough) memory|(?:memory|buffer) allocation (?:failed|of)/i,
  /\bbad[_ ]alloc|bad_array_new_length|memory limit/i,
  /^Invalid (?:typed array|array buffer|string) length(?!: -)/,
  /^(?:Map|Set) maximum size exceeded|^Cannot create a string longer than/,
];

const CODES: Readonly<Record<string, Limit>> = {
  ENOMEM: "memory",
  ERR_MEMORY_ALLOCATION_FAILED: "memory",
  ERR_WORKER_OUT_OF_MEMORY: "memory",
  ERR_STRING_TOO_LONG: "memory",
  EMFILE: "files",
  ENFILE: "files",
  EAGAIN: "processes",
  ERR_WORKER_INIT_FAILED: "processes",
};

const SAID: Readonly<Record<Limit, string>> = {
  memory: "memory ran out",
  files: "too many files are open at once",
  processes: "the system starts no more processes or threads",
};

const REMEDIES: Readonly<Record<Limit, string>> = {
  memory:
    "make images smaller (--max-edge, in code maxEdge), do less at a time (--jobs, --batch, --workers), or allow more " +
    "memory (ulimit -v, the container's limit)",
  files: "allow more (ulimit -n), or do less at a time (--jobs, --workers)",
  processes: "allow more (ulimit -u, the container's limit), or do less at a time (--jobs, --workers, --threads)",
};

/** Each memory of WebAssembly reserves far more addresses than it fills. */
const ADDRESSES = "allow more address space (ulimit -v): WebAssembly reserves 10 GB of it for each of its memories";

/** Characters of a runtime's own words that are repeated. */
const QUOTED = 100;

/** Which limit an error speaks of; null where it speaks of none. Errors of strata are what they say they are. */
function limitOf(error: unknown): Limit | null {
  if (error instanceof StrataError) return null;
  const code = codeOf(error);
  // EAGAIN of a file means another thing.
  const spawning = code !== "EAGAIN" || /^spawn/.test(String((error as { syscall?: unknown }).syscall));
  if (code !== undefined && code in CODES && spawning) return CODES[code];
  return memoryWords(error) === null ? null : "memory";
}

const codeOf = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
};

/** An error's message, or the part that speaks of a lack of memory where it is long; null where it speaks of none. */
function memoryWords(error: unknown): string | null {
  const message = error instanceof Error ? error.message : typeof error === "string" ? error : "";
  for (const pattern of MEMORY) {
    const found = pattern.exec(message);
    if (!found) continue;
    const whole = message.split(/\n|\)?\. Build with/)[0];
    return (whole.length > QUOTED ? whole.slice(found.index) : whole).slice(0, QUOTED);
  }
  return null;
}

export interface LimitContext {
  /** What could not be done, e.g. "an image of 9000 × 9000 pixels"; default: nothing is said of it. */
  what?: string;
  /** What to do where memory ran out; default: what helps everywhere. */
  remedy?: string;
}

/**
 * The error as a LimitError that says what to do, where it speaks of memory, open files or processes that ran out; any
 * other error as it is. One that was made here is given the `what` that only a caller further out knows.
 */
export function asLimit(error: unknown, { what, remedy }: LimitContext = {}): unknown {
  if (error instanceof MachineLimitError && what === undefined) return error;
  const cause = error instanceof MachineLimitError ? error.cause : error;
  const limit = limitOf(cause);
  if (limit === null) return error;
  const words = (limit === "memory" ? memoryWords(cause) : null) ?? codeOf(cause) ?? "";
  const start = what === undefined ? "" : `${what}: `;
  const reserved = cause instanceof Error && /WebAssembly\.(?:Memory|instantiate)/.test(cause.message);
  const helps = limit !== "memory" ? REMEDIES[limit] : reserved ? ADDRESSES : (remedy ?? REMEDIES.memory);
  return new MachineLimitError(`${start}${SAID[limit]}${words && ` (${words})`}; ${helps}`, { cause });
}

/** A LimitError whose cause is the machine's. */
class MachineLimitError extends LimitError {
  constructor(message: string, options: { cause: unknown }) {
    super(message, options);
    this.name = "LimitError";
  }
}

/** Runs what takes memory by the hundred megabytes; running out of it is a LimitError. */
export async function withinLimits<T>(work: () => T | Promise<T>, context: LimitContext = {}): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asLimit(error, context);
  }
}
