/** Changes in folders, one after another: what happens together is told once, when it is over. */
import { type FSWatcher, watch } from "node:fs";
import { checkTexts, wrong } from "../../check.js";
import { ioError } from "../atomic.js";

/** Milliseconds without a change after which one is over. */
const QUIET = 500;

/**
 * Yields after each burst of changes below the folders (or of the files), until the signal is aborted. It watches from the call
 * on, so changes during other work before the first wait are told too. An IoError for a folder that cannot be watched.
 */
export function watchFolders(paths: readonly string[], signal: AbortSignal): AsyncGenerator<void> {
  checkTexts("watchFolders", "paths", paths);
  if (!(signal instanceof AbortSignal)) throw wrong("watchFolders", "the signal", "an AbortSignal", signal);
  const watched = new Watched(signal);
  for (const path of paths) watched.add(path);
  return watched.changes();
}

class Watched {
  private readonly watchers: FSWatcher[] = [];
  private changed = false;
  private failure: Error | null = null;
  private wake: () => void = () => {};
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener("abort", this.close);
  }

  add(path: string): void {
    // Nobody waits: there is no change.
    if (this.signal.aborted) return;
    try {
      const watcher = watch(path, { recursive: true }, this.onChange);
      watcher.on("error", (cause) => {
        this.failure = ioError("watch", path, cause);
        this.wake();
      });
      this.watchers.push(watcher);
    } catch (cause) {
      this.close();
      throw ioError("watch", path, cause);
    }
  }

  private readonly onChange = () => {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.changed = true;
      this.wake();
    }, QUIET);
  };

  private readonly close = () => {
    this.signal.removeEventListener("abort", this.close);
    clearTimeout(this.timer);
    for (const watcher of this.watchers) watcher.close();
    this.wake();
  };

  async *changes(): AsyncGenerator<void> {
    if (this.signal.aborted) return;
    try {
      while (true) {
        this.signal.throwIfAborted();
        if (this.failure) throw this.failure;
        if (this.changed) {
          this.changed = false;
          yield;
          continue;
        }
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      this.close();
    }
  }
}
