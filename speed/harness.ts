/** Timing as every benchmark here does it: warm-up, repeats, median and spread, and the machine it ran on. */
import { cpus, totalmem } from "node:os";

export interface Timing {
  /** Milliseconds. */
  median: number;
  min: number;
  max: number;
  repeats: number;
}

/** Times `work` after `warmup` runs that do not count. */
export async function time(work: () => Promise<unknown>, { warmup = 2, repeats = 7 } = {}): Promise<Timing> {
  for (let i = 0; i < warmup; i++) await work();
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return summarize(times);
}

export function summarize(times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1], repeats: sorted.length };
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  node: string;
  platform: string;
}

export function machine(): Machine {
  const list = cpus();
  return {
    cpu: list[0]?.model ?? "unknown",
    cores: list.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
}

/** A short name for files: "2-core-intel-xeon-processor". */
export function machineSlug({ cpu, cores }: Machine): string {
  const words =
    cpu
      .toLowerCase()
      .replace(/\(r\)|\(tm\)/g, "")
      .match(/[a-z0-9]+/g) ?? [];
  return `${cores}-core-${words.slice(0, 4).join("-")}`;
}
