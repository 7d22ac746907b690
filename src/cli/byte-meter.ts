/** How far a download or an unpacking is, in megabytes. */
import type { Context } from "./context.js";
import { openProgress, type Progress } from "./progress.js";

const MB = 1e6;

/** Flags under which nothing is shown. */
export interface MeterFlags {
  json?: boolean;
  quiet?: boolean;
}

export interface Meter {
  update(done: number, total: number | null, worked: number): void;
  /** A line that stays, above the bar. */
  log(line: string): void;
  stop(): void;
}

/** Progress in MB, opened when the total is known; without one nothing is shown. */
export function byteMeter({ quiet, json }: MeterFlags, { terminal, err }: Context): Meter {
  let opening = false;
  let stopped = false;
  let progress: Progress | undefined;
  return {
    update(done, total, worked) {
      if (total === null || stopped) return;
      if (!opening) {
        opening = true;
        const silent = (quiet ?? false) || (json ?? false);
        openProgress({ total: Math.ceil(total / MB), unit: ["MB", "MB"], terminal, quiet: silent, write: err }).then(
          (opened) => {
            if (stopped) opened.stop();
            else progress = opened;
          },
          () => {},
        );
      }
      progress?.update(done === total ? Math.ceil(total / MB) : Math.floor(done / MB), worked / MB);
    },
    log(line) {
      if (progress && !stopped) progress.log(line);
      else err(`${line}\n`);
    },
    stop() {
      stopped = true;
      progress?.stop();
    },
  };
}
