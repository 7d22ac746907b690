/** What shards of each kind do. A child process loads what it needs when it gets the first one. */
import type { JobKind, JobPlan, SetAside, Slice } from "./plan.js";

/** A shard at work. */
export interface ShardWork {
  /** The job's. */
  folder: string;
  plan: JobPlan;
  slice: Slice;
  /** Where the images lie on this machine. */
  root: string;
  /** Path of the output in a folder of its own; where it was stopped, work goes on from what is there. */
  output: string;
  /** Names that are left out, for the process died of them. */
  setAside: readonly SetAside[];
  threads: number | undefined;
  /** Which things may be in hand now, so that a process that dies tells of what; and how many are done. */
  onProgress(inHand: readonly string[], done: number): void;
}

/** What a shard has come to; the output lies at its path unless there is none. */
export interface ShardResult {
  done: number;
  found: number;
  setAside: SetAside[];
  isEmpty: boolean;
}

/** The work of one kind, in a process that does many shards. */
export interface ShardKind {
  run(work: ShardWork): Promise<ShardResult>;
  /** Does for one thing what may kill a process, without keeping anything. */
  probe(work: Omit<ShardWork, "output" | "onProgress">, name: string): Promise<void>;
  /** Puts outputs together, and says where the result lies; null where it is too large for one file. */
  merge(work: MergeWork): Promise<string | null>;
}

/** Shards to be merged. */
export interface MergeWork {
  folder: string;
  plan: JobPlan;
  /** In order; those without an output are left out. */
  shards: AsyncIterable<MergeInput>;
  /** Of all outputs. */
  bytes: number;
}

/** A shard for the merge. */
export interface MergeInput {
  /** What it was made of. */
  slice(): Promise<Slice>;
  /** Where its output lies, and what its record says of it. */
  path: string;
  bytes: number;
  sha256: string;
  done: number;
  /** The output, once its digest is found to be that of the record. */
  read(): Promise<Uint8Array>;
}

/** The work of a kind. */
export async function kindOf(kind: JobKind): Promise<ShardKind> {
  if (kind === "extract") return (await import("./extract-shard.js")).extractKind();
  if (kind === "index") return (await import("./index-shard.js")).indexKind();
  return (await import("./match-shard.js")).matchKind();
}
