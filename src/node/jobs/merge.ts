/** The result of a job: what its shards have come to, in order, in one file. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, IoError, StateError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { readFileChecked, writeFileAtomic } from "../atomic.js";
import { checkVersion } from "./foreign.js";
import { kindOf, type MergeInput } from "./kinds.js";
import { type JobPlan, readPlan, readSlice, type SetAside } from "./plan.js";
import { outputPath, readOutput, readRecord, removeStrays, type ShardRecord } from "./records.js";

/** What a merge came to. */
export interface MergeReport {
  /** Path of the result, a file or an index; null where it is too large for one file: then the shards' files are the result. */
  result: string | null;
  /** Paths of the shards' files, in order. */
  files: string[];
  /** Things done: images, or pairs. */
  done: number;
  /** Keypoints, or matches. */
  found: number;
  setAside: SetAside[];
}

/**
 * Merges the shards of the job in `folder`. StateError where some are not done yet, FormatError where one is damaged.
 * The same shards give the same bytes.
 */
export async function mergeJob(folder: string): Promise<MergeReport> {
  const plan = await readPlan(folder);
  checkVersion(folder, plan);
  const records = await allRecords(folder, plan);
  const files = records.flatMap(({ file }) => (file === null ? [] : [outputPath(folder, file)]));
  const report = {
    files,
    done: sum(records, ({ done }) => done),
    found: sum(records, ({ found }) => found),
    setAside: [...plan.unreadable, ...records.flatMap(({ setAside }) => setAside)],
  };
  const bytes = sum(records, (record) => record.bytes);
  const work = { folder, plan, shards: inputs(folder, plan, records), bytes };
  const merged = { ...report, result: files.length === 0 ? null : await (await kindOf(plan.kind)).merge(work) };
  await writeFileAtomic(reportPath(folder), `${JSON.stringify({ id: plan.id, ...merged }, null, 1)}\n`);
  await removeStrays(folder, records);
  return merged;
}

/** What a merge came to, beside the result: the job is done. */
const reportPath = (folder: string): string => join(folder, "result.json");

async function* inputs(folder: string, plan: JobPlan, records: readonly ShardRecord[]): AsyncGenerator<MergeInput> {
  for (const [shard, record] of records.entries()) {
    if (record.file === null) continue;
    const { file, bytes, sha256, done } = record;
    const slice = () => readSlice(folder, plan, shard);
    yield { slice, path: outputPath(folder, file), bytes, sha256, done, read: () => readOutput(folder, record) };
  }
}

/** The records of all shards. */
async function allRecords(folder: string, plan: JobPlan): Promise<ShardRecord[]> {
  const records: ShardRecord[] = [];
  const missing: number[] = [];
  for (let shard = 0; shard < plan.shards.length; shard++) {
    const record = await readRecord(folder, plan, shard);
    if (record) records.push(record);
    else missing.push(shard);
  }
  if (missing.length === 0) return records;
  const some = missing.slice(0, 5).join(", ") + (missing.length > 5 ? ", …" : "");
  throw new StateError(
    `${missing.length} of ${plan.shards.length} shards of ${folder} are not done (${some}); "strata jobs status" says what ` +
      "holds them up, submitting the job again queues them again",
  );
}

/** What the merge of a job came to; null where it is still to be done. */
export async function readMerged(folder: string, plan: JobPlan): Promise<MergeReport | null> {
  try {
    const path = reportPath(folder);
    const report = parseJson(path, await readFileChecked(path)) as MergeReport & { id: string };
    if (report.id !== plan.id) return null;
    if (report.result === null) return report;
    return (await stat(join(folder, plan.result)).catch(() => undefined))?.isFile() ? report : null;
  } catch (error) {
    if (error instanceof IoError || error instanceof FormatError) return null;
    throw error;
  }
}

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);
