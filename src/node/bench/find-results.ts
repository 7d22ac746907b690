/** Finished runs out of results files, named as people do: a file, a folder of a run, or the beginning of a key. */

import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { parsePairRecord } from "../../bench/records.js";
import type { MethodRun } from "../../bench/types.js";
import { FormatError, OptionError } from "../../errors.js";
import { checkPath } from "../atomic.js";
import { readJsonLines } from "./json-lines.js";

/**
 * The runs that `named` leads to: a results file, the folder of a benchmark (all in it), or the beginning of a results
 * file's name in `out`. OptionError where there is none, FormatError for a file without a single result.
 */
export async function findRuns(named: string, out: string): Promise<MethodRun[]> {
  checkPath("findRuns", named);
  checkPath("findRuns: out", out);
  const paths = await findResults(named, out);
  return Promise.all(paths.map(readRun));
}

async function findResults(named: string, out: string): Promise<string[]> {
  const there = await stat(named).catch(() => null);
  if (there?.isFile()) return [named];
  if (there) {
    const paths = [...(await resultsIn(join(named, "results"))), ...(await resultsIn(named))];
    if (paths.length > 0) return paths;
    throw new OptionError(`${named} has no results: expected results/*.jsonl, as strata bench hpatches writes them`);
  }
  const all = await resultsIn(join(out, "results"));
  const paths = all.filter((path) => basename(path).startsWith(named));
  if (paths.length > 0) return paths;
  const names = all.map((path) => basename(path, ".jsonl")).join(", ");
  throw new OptionError(
    `no results "${named}": neither a file or folder nor in ${out}, which has ${names === "" ? "none" : names}`,
  );
}

async function resultsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const results = names.filter((name) => name.endsWith(".jsonl") && !/\.(images|curves)\.jsonl$/.test(name));
  return results.sort().map((name) => join(folder, name));
}

/** A results file as a run; of a pair that is in it twice the last record counts. */
async function readRun(path: string): Promise<MethodRun> {
  const { values } = await readJsonLines(path, parsePairRecord);
  if (values.length === 0)
    throw new FormatError(`${path} holds no results of strata bench: no line is a pair's record`);
  const records = new Map(values.map((record) => [`${record.sequence}/${record.images.join("-")}`, record]));
  return { info: values[0].run, records: [...records.values()], images: [] };
}
