/**
 * Pairs in batches, in the source's order, some of them ahead of the trainer. Where a run is in its data is a cursor of
 * two numbers, so a resumed run goes on with the very next pair.
 */

import { checkObject } from "../check.js";
import { StateError } from "../errors.js";
import { checkNumber } from "../options.js";
import { correspond } from "./correspondences.js";
import { checkUse, type Task } from "./task.js";
import { type Correspondences, checkSource, type PairBatch, type PairSource, type TrainingPair } from "./types.js";

/** The next pair to be read. */
export interface Cursor {
  epoch: number;
  index: number;
}

/** A pair that could not be used, and why. */
export interface Skipped {
  epoch: number;
  index: number;
  reason: string;
}

/** The batches of one update. */
export interface Group {
  batches: PairBatch[];
  /** Pairs in all of them. */
  pairs: number;
  /** Where to go on after it; a new epoch begins with index 0. */
  next: Cursor;
  skipped: Skipped[];
}

export interface LoaderOptions {
  /** Pairs in a batch, batches in a group. */
  batch: number;
  accumulate: number;
  /** Pairs that are made before they are needed: what bounds the memory. Default: two groups. */
  ahead?: number;
}

interface Usable {
  pair: TrainingPair;
  correspondences: Correspondences;
}

/**
 * The groups of one epoch from `cursor` on; the last may be smaller. StateError when not one pair of a whole epoch can
 * be used, with the first reasons.
 */
export async function* groupsOf(
  source: PairSource,
  task: Pick<Task, "grid" | "minCorrespondences">,
  cursor: Cursor,
  options: LoaderOptions,
): AsyncGenerator<Group> {
  const where = "groupsOf";
  checkSource(where, "source", source);
  checkUse(where, task);
  checkObject(where, "cursor", cursor);
  for (const name of ["epoch", "index"] as const)
    checkNumber(where, `cursor.${name}`, cursor[name], { min: 0, integer: true });
  checkObject(where, "options", options);
  for (const name of ["batch", "accumulate"] as const) {
    checkNumber(where, name, options[name], { min: 1, max: 1e6, integer: true });
  }
  const { batch, accumulate, ahead = 2 * batch * accumulate } = options;
  checkNumber(where, "ahead", ahead, { min: 1, integer: true });
  const { epoch } = cursor;
  const end = source.length;
  const read = (index: number): Promise<Usable | string> => {
    const usable = usablePair(source, task, epoch, index);
    // Looked at when its turn comes; a failure before that is nobody's unhandled one.
    usable.catch(() => {});
    return usable;
  };
  const queue: Promise<Usable | string>[] = [];
  let reading = cursor.index;
  let kept: Usable[] = [];
  let skipped: Skipped[] = [];
  let waiting: Group | null = null;
  const groupOf = (next: Cursor): Group => {
    const group = { batches: batchesOf(kept, batch, task), pairs: kept.length, next, skipped };
    kept = [];
    skipped = [];
    return group;
  };
  for (let index = cursor.index; index < end; index++) {
    while (reading < end && queue.length < Math.max(1, ahead)) queue.push(read(reading++));
    const result = await (queue.shift() as Promise<Usable | string>);
    if (typeof result === "string") {
      skipped.push({ epoch, index, reason: result });
      continue;
    }
    // A full group waits for the next usable pair: if none comes, what is skipped until the end belongs to it.
    if (waiting) yield waiting;
    waiting = null;
    kept.push(result);
    if (kept.length === batch * accumulate) waiting = groupOf({ epoch, index: index + 1 });
  }
  const next = { epoch: epoch + 1, index: 0 };
  if (waiting) yield { ...waiting, next, skipped: [...waiting.skipped, ...skipped] };
  else if (kept.length > 0) yield groupOf(next);
  else if (cursor.index === 0) {
    const reasons = [...new Set(skipped.map(({ reason }) => reason))].slice(0, 3);
    throw new StateError(`training: none of the ${end} pairs of an epoch can be used: ${reasons.join("; ")}`);
  }
}

async function usablePair(
  source: PairSource,
  { grid, minCorrespondences }: Pick<Task, "grid" | "minCorrespondences">,
  epoch: number,
  index: number,
): Promise<Usable | string> {
  const pair = await source.pair(epoch, index);
  if ("skipped" in pair) return pair.skipped;
  const correspondences = correspond(pair, grid);
  if (correspondences.count < minCorrespondences) {
    return `${pair.id}: ${correspondences.count} correspondences, at least ${minCorrespondences} are needed`;
  }
  return { pair, correspondences };
}

function batchesOf(usable: readonly Usable[], size: number, { grid }: Pick<Task, "grid">): PairBatch[] {
  return Array.from({ length: Math.ceil(usable.length / size) }, (_, i) => {
    const own = usable.slice(i * size, (i + 1) * size);
    return { pairs: own.map(({ pair }) => pair), grid, correspondences: own.map((u) => u.correspondences) };
  });
}
