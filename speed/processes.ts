/** What processes take, those of a browser above all, as Linux tells it. */
import { readdirSync, readFileSync } from "node:fs";

/** Megabytes of one process: at its peak with all that it shares, and now: its own, and shared files (the browser itself). */
export interface ProcessMemory {
  pid: number;
  peak: number;
  own: number;
  files: number;
}

const status = (pid: number): string => readFileSync(`/proc/${pid}/status`, "utf8");
const field = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);

/** Megabytes that a process has in memory. */
export const memoryOf = (pid: number): number => (field(status(pid), "VmRSS") * 1024) / 1e6;

/** The renderers among the descendants of this process, those with the highest peak first. */
export function renderers(): ProcessMemory[] {
  const found: ProcessMemory[] = [];
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const pid = Number(name);
      if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer")) continue;
      let parent = pid;
      while (parent > 1 && parent !== process.pid) parent = field(status(parent), "PPid");
      if (parent !== process.pid) continue;
      const text = status(pid);
      const megabytes = (kind: string) => (field(text, kind) * 1024) / 1e6;
      found.push({ pid, peak: megabytes("VmHWM"), own: megabytes("RssAnon"), files: megabytes("RssFile") });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found.sort((a, b) => b.peak - a.peak);
}
