/** What the commands of jobs are asked for, as commander hands it over. */
import { OptionError } from "../../errors.js";
import type { IndexKind } from "../../search/segment-format.js";
import type { ExtractionFlags } from "../arguments.js";

interface Common {
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

interface Submit extends Common {
  out: string;
  /** false: none is wanted. */
  queue?: string | false;
  shardSize?: number;
  window?: number;
  attempts?: number;
}

export interface SubmitExtractFlags extends ExtractionFlags, Submit {
  list?: string;
  recursive?: boolean;
  root?: string;
}

export interface SubmitIndexFlags extends ExtractionFlags, Submit {
  kind?: IndexKind;
  vocabulary?: string;
}

export interface SubmitMatchFlags extends Submit {
  pairs: string;
  overlap?: number;
  ratio?: number;
  minSimilarity?: number;
  mutual: boolean;
}

interface Machine extends Common {
  threads?: number;
  images?: string;
}

export interface RunFlags extends Machine {
  shard?: { index: number; count: number };
}

export interface WorkerFlags extends Machine {
  queue?: string;
  untilEmpty?: boolean;
  lock?: number;
}

export type MergeFlags = Common;

export interface StatusFlags extends Common {
  queue?: string;
  html?: string;
  watch?: number;
}

export interface CancelFlags extends Common {
  queue?: string;
}

/** The queue's address, which must be named. */
export function namedQueue(queue: string | undefined): string {
  if (queue !== undefined) return queue;
  throw new OptionError(
    "name the queue: --queue redis://HOST:6379 or postgres://HOST/DATABASE, or the variable STRATA_QUEUE",
  );
}
