/**
 * The part of SQLite that COLMAP's databases need, as sql.js offers it (SQLite in WebAssembly). A program hands its
 * own copy in, so that nothing here loads one: in Node `strata-features/node` does it.
 */
import { checkBytes, wrong } from "../check.js";

/** A value of a row. */
export type SqlValue = number | string | Uint8Array | null;

/** What is used of one of its statements. */
export interface SqlStatement {
  bind(values: SqlValue[]): boolean;
  /** Goes to the next row; false: there is none. */
  step(): boolean;
  get(): SqlValue[];
  run(values: SqlValue[]): void;
  free(): boolean;
}

/** What is used of an SQLite database. */
export interface SqlDatabase {
  run(sql: string): unknown;
  exec(sql: string): { columns: string[]; values: SqlValue[][] }[];
  prepare(sql: string): SqlStatement;
  /** The bytes of the whole database. */
  export(): Uint8Array;
  close(): void;
}

/** What `await initSqlJs()` gives. */
export interface SqlEngine {
  /** A database in memory, empty or of these bytes. */
  Database: new (
    bytes?: Uint8Array | null,
  ) => SqlDatabase;
}

/** First bytes of every SQLite file. */
const MAGIC = "SQLite format 3\0";

/** An OptionError for what is no engine: most of all the promise of one. */
export function checkEngine(where: string, sql: unknown): void {
  if (typeof (sql as SqlEngine | null | undefined)?.Database === "function") return;
  throw wrong(where, "the first argument", "SQLite as loadSqlite() gives it", sql);
}

/** Whether bytes begin as an SQLite database does. */
export function isSqlite(bytes: Uint8Array): boolean {
  checkBytes("isSqlite", bytes);
  return bytes.length >= MAGIC.length && String.fromCharCode(...bytes.subarray(0, MAGIC.length)) === MAGIC;
}
