/** Milliseconds that a frame takes, by stage. */
import type { StageTimes } from "./types.js";

export class Stopwatch {
  private before = performance.now();
  private readonly start = this.before;
  private readonly times: StageTimes = { read: 0, track: 0, extract: 0, search: 0, verify: 0, filter: 0, total: 0 };

  lap(stage: keyof StageTimes): void {
    const now = performance.now();
    this.times[stage] += now - this.before;
    this.before = now;
  }

  /** Time that another stage has told already. */
  skip(): void {
    this.before = performance.now();
  }

  add(stage: keyof StageTimes, time: number): void {
    this.times[stage] += time;
  }

  done(): StageTimes {
    this.times.total = this.before - this.start;
    return this.times;
  }
}
