/**
 * COLMAP's databases in Node: SQLite compiled to WebAssembly (sql.js, 0.7 MB), loaded at its first use. It holds the
 * whole database in memory, which is why 1 GiB is the limit.
 */

import { rm, stat } from "node:fs/promises";
import { checkObject } from "../check.js";
import { StateError } from "../errors.js";
import { type WriteColmapDatabaseOptions, writeColmapDatabase } from "../formats/colmap-database.js";
import { type ColmapDatabase, DATABASE_LIMIT } from "../formats/colmap-database-parts.js";
import { type ReadColmapDatabaseOptions, readColmapDatabase } from "../formats/colmap-database-read.js";
import type { SqlEngine } from "../formats/sqlite.js";
import { checkPeer, peerError } from "../peers.js";
import { checkPath, readFileChecked, writeFileAtomic } from "./atomic.js";

let loading: Promise<SqlEngine> | undefined;

/** SQLite, for `writeColmapDatabase` and `readColmapDatabase`. */
export function loadSqlite(): Promise<SqlEngine> {
  loading ??= openSqlite();
  // A failure is not kept: the package may be installed by the next call.
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}

async function openSqlite(): Promise<SqlEngine> {
  checkPeer("sql.js");
  try {
    const { default: open } = await import("sql.js");
    return await open();
  } catch (cause) {
    throw peerError("sql.js", cause);
  }
}

/** Writes a COLMAP database, whole or not at all; in place of one that is there. */
export async function saveColmapDatabase(
  path: string,
  database: ColmapDatabase,
  options: Partial<WriteColmapDatabaseOptions> = {},
): Promise<void> {
  checkPath("write", path);
  await refuseOpenDatabase(path);
  await writeFileAtomic(path, writeColmapDatabase(await loadSqlite(), database, options));
  // Left by a program that was killed: the index of a log that belongs to the database that was there.
  await rm(`${path}-shm`, { force: true });
}

/** Reads a COLMAP database. StateError when a program has changes of it that are not in the file yet. */
export async function loadColmapDatabase(
  path: string,
  options: Partial<ReadColmapDatabaseOptions> = {},
): Promise<ColmapDatabase> {
  checkPath("read", path);
  checkObject("loadColmapDatabase", "options", options);
  await refuseOpenDatabase(path);
  const bytes = await readFileChecked(path, { limit: options.limit ?? DATABASE_LIMIT });
  return readColmapDatabase(await loadSqlite(), bytes, options);
}

/** SQLite keeps changes beside the file until it is closed: without them it is old, and another's log would spoil a new one. */
async function refuseOpenDatabase(path: string): Promise<void> {
  for (const log of [`${path}-wal`, `${path}-journal`]) {
    const there = await stat(log).catch(() => undefined);
    if (there && there.size > 0) {
      throw new StateError(
        `${path}: its newest changes are still in ${log}; close the program that has it open (or run ` +
          `\`sqlite3 ${path} "PRAGMA wal_checkpoint(TRUNCATE)"\`)`,
      );
    }
  }
}
