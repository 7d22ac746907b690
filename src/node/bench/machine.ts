/** The machine as a run's record names it. */
import { availableParallelism, cpus, totalmem } from "node:os";
import type { RunInfo } from "../../bench/types.js";

export function machineInfo(): RunInfo["machine"] {
  return {
    cpu: cpus()[0]?.model.trim() || "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    platform: `${process.platform} ${process.arch}`,
  };
}
