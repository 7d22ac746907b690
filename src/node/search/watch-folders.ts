/** Changes in folders, one after another: what happens together is told once, when it is over. */
import { type FSWatcher, watch } from "node:fs";
import { checkTexts, wrong } from "../../check.js";
import { ioError } from "../atomic.js";

/** Milliseconds without a change after which one is over. */
const QUIET = 500;

/** Yields after each burst of changes below the folders (or of the files), until the signal is aborted. */
export async function* watchFolders(paths: readonly string[], signal: AbortSignal): AsyncGenerator<void> {
  checkTexts("watchFolders", "paths", paths);
  if (!(signal instanceof AbortSignal)) throw wrong("watchFolders", "the signal", "an AbortSignal", signal);
  // Nothing to be watched, or nobody who waits: there is no change.
  if (signal.aborted) return;
  const watchers: FSWatcher[] = [];
  let changed = false;
  let failure: Error | null = null;
  let wake: () => void = () => {};
  let timer: NodeJS.Timeout | undefined;
  const onChange = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      changed = true;
      wake();
    }, QUIET);
  };
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort);
  try {
    for (const path of paths) {
      try {
        const watcher = watch(path, { recursive: true }, onChange);
        watcher.on("error", (cause) => {
          failure = ioError("watch", path, cause);
          wake();
        });
        watchers.push(watcher);
      } catch (cause) {
        throw ioError("watch", path, cause);
      }
    }
    while (true) {
      signal.throwIfAborted();
      if (failure) throw failure;
      if (changed) {
        changed = false;
        yield;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  }
}
