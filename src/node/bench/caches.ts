/** Results in the files of the reference's cache: METHOD.npy, and METHOD_RANSAC.npy of matches that RANSAC refined. */

import { join } from "node:path";
import { cacheOfRun, curveOfCache } from "../../bench/cache.js";
import { checkRun } from "../../bench/compare.js";
import { runNames } from "../../bench/report/text.js";
import type { MethodCurve, MethodRun } from "../../bench/types.js";
import { checkList } from "../../check.js";
import { readHpatchesCache, writeHpatchesCache } from "../../formats/hpatches-cache.js";
import { checkPath, readFileChecked, writeFileAtomic } from "../atomic.js";

/** Writes each run's results into `folder`: raw in NAME.npy, refined in NAME_RANSAC.npy. */
export async function saveCaches(folder: string, runs: readonly MethodRun[]): Promise<void> {
  checkPath("saveCaches", folder);
  for (const run of checkList("saveCaches", "runs", runs)) checkRun("saveCaches", "a run", run as MethodRun);
  for (const [i, name] of runNames(runs).entries()) {
    const file = name.replace(/[^\w.-]+/g, "_").replace(/^\.+/, "");
    for (const refined of [false, true]) {
      const path = join(folder, `${file}${refined ? "_RANSAC" : ""}.npy`);
      await writeFileAtomic(path, writeHpatchesCache(cacheOfRun(runs[i], refined)));
    }
  }
}

/** The curve in such a file, named after it. FormatError for a file that is none. */
export async function loadCachedCurve(path: string): Promise<MethodCurve> {
  checkPath("loadCachedCurve", path);
  const name = path.replace(/^.*[\\/]/, "").replace(/\.npy$/, "");
  return curveOfCache(name, readHpatchesCache(await readFileChecked(path), path), name.endsWith("_RANSAC"));
}
