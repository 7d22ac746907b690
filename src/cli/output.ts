/**
 * Standard output and standard error as places that text arrives at or does not: the first failure is remembered, the rest
 * is dropped, and the work goes on. Nothing here throws or ends the process: what is asked of the disk is still written, and
 * the exit code tells at the end.
 */
import { fstatSync, type Stats, writeSync } from "node:fs";
import { isatty } from "node:tty";

export interface Output {
  write(text: string): void;
  /** Waits until the system has everything; what went wrong first, or null. */
  flush(): Promise<Error | null>;
}

/** Milliseconds between two tries where the system takes nothing for now. */
const RETRY = 10;

/** The output that `stream` stands for. */
export function openOutput(stream: NodeJS.WritableStream & { fd: number }): Output {
  let failure: Error | null = null;
  const fail = (error?: Error | null) => {
    failure ??= error ?? null;
  };
  // Whoever else writes to it (a progress bar, a library) must not end the process either.
  stream.on("error", fail);
  if (isWrittenAtOnce(stream.fd)) {
    return {
      write(text) {
        if (failure) return;
        try {
          writeAll(stream.fd, Buffer.from(text));
        } catch (error) {
          fail(error as Error);
        }
      },
      flush: async () => failure,
    };
  }
  return {
    write(text) {
      if (!failure) stream.write(text, fail);
    },
    flush: () =>
      new Promise((resolve) => {
        const settle = (error?: Error | null) => {
          fail(error);
          resolve(failure);
        };
        if (failure) return settle();
        stream.once("error", settle);
        stream.write("", settle);
      }),
  };
}

/** Whether it is a file or a device: Node's own stream for these takes a part for the whole when the disk is nearly full. */
function isWrittenAtOnce(fd: number): boolean {
  let stats: Stats;
  try {
    stats = fstatSync(fd);
  } catch {
    return true;
  }
  return !isatty(fd) && !stats.isFIFO() && !stats.isSocket();
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY);
    }
  }
}
