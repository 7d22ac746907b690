/** h5wasm, the HDF5 library as WASM: loaded on first use, its reports caught, its clock stopped while it writes. */

import { checkPeer, peerError } from "../peers.js";

type Library = typeof import("h5wasm");
export type Module = Awaited<Library["ready"]>;

/** The library, and the WASM module with its memory and its files. */
export interface Loaded {
  library: Library;
  module: Module;
}

let loading: Promise<Loaded> | undefined;
/** What the library printed last; it reports errors as text on its standard error. */
let report = "";

/** The part of Emscripten's terminal that prints; h5wasm's types leave it out. */
interface Streams {
  getStream(descriptor: number): {
    tty?: { ops: { put_char(tty: unknown, byte: number | null): void; fsync(): void } };
  };
}

async function importLibrary(): Promise<Library> {
  checkPeer("h5wasm");
  try {
    return await import("h5wasm");
  } catch (cause) {
    throw peerError("h5wasm", cause);
  }
}

/** Loads the library with the first call. */
export async function loadHdf5(): Promise<Loaded> {
  loading ??= (async () => {
    const library = await importLibrary();
    const module = await library.ready;
    const stderr = (module.FS as unknown as Streams).getStream(2);
    if (stderr?.tty) {
      const put_char = (_: unknown, byte: number | null): void => {
        if (byte) report += String.fromCharCode(byte);
      };
      stderr.tty.ops = { put_char, fsync: () => {} };
    }
    return { library, module };
  })();
  // A package that is missing may be installed by the next call.
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}

/** Forgets what the library printed before. */
export function clearReport(): void {
  report = "";
}

/**
 * The library notes when it made each object, and has no switch for that in JavaScript: the clock stands still for it, so that
 * the same content gives the same bytes.
 */
export function atFixedTime<T>(work: () => T): T {
  const { now } = Date;
  Date.now = () => 0;
  try {
    return work();
  } finally {
    Date.now = now;
  }
}

/** The library's last report in one line: its deepest frame says what was wrong with the bytes. */
export function reportedReason(cause: unknown): string {
  const frames = report.split("\n").filter((line) => /^ +#\d+:/.test(line));
  const text = /\(\): (.*)$/.exec(frames.at(-1) ?? "")?.[1];
  return text ?? (cause instanceof Error ? cause.message : String(cause));
}
