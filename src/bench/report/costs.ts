/** What a run cost: from the records of its images. */
import type { ImageRecord } from "../types.js";

export interface Costs {
  /** Median seconds of one image's extraction, null where none was timed. The first image also pays for opening. */
  seconds: number | null;
  /** Peak resident memory of the process in MB, null where it was not measured. */
  peakMB: number | null;
}

export function costsOf(images: readonly ImageRecord[]): Costs {
  const seconds = present(images.map((image) => image.seconds)).sort((a, b) => a - b);
  const peaks = present(images.map((image) => image.peakMB));
  const middle = seconds.length >> 1;
  const median = seconds.length % 2 === 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  return {
    seconds: seconds.length > 0 ? median : null,
    peakMB: peaks.length > 0 ? peaks.reduce((most, peak) => Math.max(most, peak)) : null,
  };
}

const present = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null);
