/**
 * What is known of a shard that is done. The output has its digest in its name and is there, whole, before the record that
 * names it; so a machine that was paused and wakes after its shard was taken spoils nothing, and of two that did the same
 * work, both have it right.
 */
import { createHash } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, IoError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { ioError, readFileChecked, writeFileAtomic } from "../atomic.js";
import { digits, type JobPlan, type SetAside, shardEnding, shardsFolder } from "./plan.js";

/** A finished shard. */
export interface ShardRecord {
  /** The shard's digest in the plan. */
  id: string;
  /** Name of the output in shards/; null where nothing came out: no image could be read. */
  file: string | null;
  /** SHA-256 and bytes of the output. */
  sha256: string;
  bytes: number;
  /** Things done: images, or pairs. */
  done: number;
  /** Keypoints of all images, or matches of all pairs. */
  found: number;
  setAside: SetAside[];
}

const RECORD = /^\d{6,7}\.json$/;

const recordPath = (folder: string, shard: number): string => join(shardsFolder(folder), `${digits(shard)}.json`);

/** Path of a shard's output. */
export const outputPath = (folder: string, file: string): string => join(shardsFolder(folder), file);

/** The record of a shard; null where it is not done: no record, one of another job, or an output that is not there. */
export async function readRecord(folder: string, plan: JobPlan, shard: number): Promise<ShardRecord | null> {
  let record: ShardRecord;
  try {
    const path = recordPath(folder, shard);
    record = parseJson(path, await readFileChecked(path)) as ShardRecord;
  } catch (error) {
    if (error instanceof IoError || error instanceof FormatError) return null;
    throw error;
  }
  const { id, file, bytes } = Object(record) as Partial<ShardRecord>;
  if (id !== plan.shards[shard] || file === undefined || !Array.isArray(record.setAside)) return null;
  if (file === null) return record;
  if (!/^[\w-]+\.\w+$/.test(file)) return null;
  const there = await stat(outputPath(folder, file)).catch(() => undefined);
  return there?.size === bytes ? record : null;
}

/** The bytes of a finished shard's output. FormatError where they are not those that its record was made with. */
export async function readOutput(folder: string, record: ShardRecord): Promise<Uint8Array> {
  const path = outputPath(folder, record.file as string);
  const bytes = await readFileChecked(path);
  if (sha256(bytes) !== record.sha256) throw damagedOutput(path);
  return bytes;
}

/** What to say of an output that has changed since its record was made. */
export const damagedOutput = (path: string): FormatError =>
  new FormatError(`${path} is damaged: its digest is not the one of its record; remove it and run the job again`);

/** Puts a shard's output in its place, and then its record. */
export async function commitShard(
  folder: string,
  plan: JobPlan,
  shard: number,
  { bytes, ...rest }: Omit<ShardRecord, "id" | "file" | "sha256" | "bytes"> & { bytes: Uint8Array | null },
): Promise<ShardRecord> {
  const digest = bytes === null ? "" : sha256(bytes);
  const file = bytes === null ? null : `${digits(shard)}-${digest.slice(0, 16)}${shardEnding(plan)}`;
  if (bytes !== null) await writeFileAtomic(outputPath(folder, file as string), bytes);
  const record = { id: plan.shards[shard], file, sha256: digest, bytes: bytes?.length ?? 0, ...rest };
  await writeFileAtomic(recordPath(folder, shard), `${JSON.stringify(record)}\n`);
  return record;
}

/** How many records there are, without opening any. */
export async function countRecords(folder: string): Promise<number> {
  return (await recordNames(folder)).length;
}

/** Milliseconds since 1970 at which each record was written. */
export async function recordTimes(folder: string): Promise<number[]> {
  const times: number[] = [];
  for (const name of await recordNames(folder)) {
    const info = await stat(join(shardsFolder(folder), name)).catch(() => undefined);
    if (info) times.push(info.mtimeMs);
  }
  return times.sort((a, b) => a - b);
}

async function recordNames(folder: string): Promise<string[]> {
  const names = await readdir(shardsFolder(folder)).catch((cause) => {
    throw ioError("read", shardsFolder(folder), cause);
  });
  return names.filter((name) => RECORD.test(name));
}

/** Removes outputs that no record names: of machines that came to another result, or died between the two files. */
export async function removeStrays(folder: string, records: readonly ShardRecord[]): Promise<void> {
  const named = new Set(records.map(({ file }) => file));
  for (const name of await readdir(shardsFolder(folder))) {
    if (RECORD.test(name) || name.startsWith(".") || named.has(name)) continue;
    await rm(outputPath(folder, name), { force: true }).catch(() => {});
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
