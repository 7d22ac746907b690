/** The table as one call, for runtimes that are tested from outside: in a child process, in a page. */
import { input, lower } from "../../../src/graph/compile.js";
import type { Runtime, Session, SessionOptions } from "../../../src/graph/session.js";
import type { Case, RuntimeId } from "./case.js";
import { CASES, GROUPS } from "./cases.js";
import { check, complaint, type Expected, interpret } from "./check.js";

export interface GroupReport {
  group: string;
  /** Rows that were run. */
  rows: number;
  /** What is wrong, row by row; empty when all is well. */
  failures: string[];
}

const message = (error: unknown): string => String(error instanceof Error ? error.message : error).slice(0, 300);

let prepared: Promise<Map<Case, Expected>> | undefined;

/**
 * jax-js's answers to the whole table, before the first session is opened: once onnxruntime-web has made worker
 * threads, jax-js's own WebAssembly no longer starts in Node.
 */
async function interpretAll(): Promise<Map<Case, Expected>> {
  const answers = new Map<Case, Expected>();
  for (const row of CASES) answers.set(row, await interpret(row));
  return answers;
}

let kept: Promise<Session> | undefined;

/**
 * A session that stays open. A GPU's device and the shaders that were compiled for it go with the last session: without
 * this one every row would compile its own anew, which on a software GPU is most of the work.
 */
async function keepDevice(runtime: Runtime, options: SessionOptions): Promise<Session> {
  const { onnx } = await lower((x: never) => x, input([1]));
  return runtime.open(onnx, options);
}

/**
 * One row of each kind, the largest: rows whose names differ in numbers alone are of one kind, and of gradients those of a
 * square ask for all that the others do.
 */
function oneOfAKind(rows: readonly Case[]): Case[] {
  const kinds = new Map<string, Case>();
  for (const row of rows) kinds.set(row.name.replace(/\[[^\]]*\]|=\w+|\d+/g, "#"), row);
  return [...kinds].flatMap(([kind, row]) => {
    const square = kind.replace(/^gradients of /, "gradients of the square of ");
    return square !== kind && kinds.has(square) ? [] : [row];
  });
}

/** Runs one group of the table on a runtime; `kinds`: one row of each kind, where another runtime runs the whole. */
export async function runGroup(
  group: string,
  on: RuntimeId,
  runtime: Runtime,
  options: SessionOptions = {},
  kinds = false,
): Promise<GroupReport> {
  const offered = GROUPS[group].filter((row) => !row.except?.[on]);
  const rows = kinds ? oneOfAKind(offered) : offered;
  prepared ??= interpretAll();
  const expected = await prepared;
  if (options.backend === "webgpu") kept ??= keepDevice(runtime, options);
  await kept;
  const failures: string[] = [];
  for (const row of rows) {
    try {
      const found = complaint(row, await check(row, runtime, options, expected.get(row)), on);
      if (found) failures.push(found);
    } catch (error) {
      failures.push(`${row.name}: ${message(error)}`);
    }
  }
  return { group, rows: rows.length, failures };
}
