/** Trainings found by folders, and what their logs say. */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { checkText, checkTexts } from "../../check.js";
import { OptionError } from "../../errors.js";
import type { TrainReportInput } from "../../train/report/input.js";
import { checkPath, ioError } from "../atomic.js";
import { LOG_FILE, readLog } from "./log.js";

/**
 * What reports of these trainings are made of: folders of runs, finished or running, or of folders of runs. OptionError for
 * a folder without any, IoError for what cannot be read.
 */
export async function readRuns(folders: readonly string[], title?: string): Promise<TrainReportInput> {
  for (const folder of checkTexts("readRuns", "folders", folders)) checkPath("readRuns", folder);
  if (title !== undefined) checkText("readRuns", "title", title);
  const found = new Set((await Promise.all(folders.map(runFolders))).flat());
  return {
    title,
    date: `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
    runs: await Promise.all([...found].map(async (folder) => ({ folder, log: await readLog(folder) }))),
  };
}

/** The folder itself where it is a run's, else those of its folders that are. */
async function runFolders(folder: string): Promise<string[]> {
  if (await isRun(folder)) return [folder];
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    throw ioError("read", folder, cause);
  });
  const inner = entries.filter((entry) => !entry.isFile()).map(({ name }) => join(folder, name));
  const runs = (await Promise.all(inner.map(async (path) => ((await isRun(path)) ? [path] : [])))).flat();
  if (runs.length > 0) return runs.sort();
  throw new OptionError(`${folder} is no training: neither it nor a folder in it has a ${LOG_FILE}`);
}

async function isRun(folder: string): Promise<boolean> {
  return (await stat(join(folder, LOG_FILE)).catch(() => undefined))?.isFile() ?? false;
}
