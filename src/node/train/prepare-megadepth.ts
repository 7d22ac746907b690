/** MegaDepth prepared for training: a scene_info file for each scene, from undistorted COLMAP models and depth maps. */

import { readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { untilAborted } from "../../abort.js";
import { checkObject } from "../../check.js";
import { checkNumber } from "../../options.js";
import { checkPath, ioError, isHopeless } from "../atomic.js";
import { checkWritable } from "../folders.js";
import { lockPath, withLock } from "../lock.js";
import { type OpenStage, silentStage } from "../stage.js";
import { readSceneList } from "./megadepth-files.js";
import { prepareScenes } from "./prepare-jobs.js";
import { type PrepareOptions, prepareOptions, type SceneSummary, sceneInfoPath } from "./prepare-scene.js";

/** Options of prepareMegadepth. */
export interface PrepareMegadepthOptions extends Pick<PrepareOptions, "base">, Partial<Omit<PrepareOptions, "base">> {
  /** Where scene_info/SCENE.npz goes; default `base`. */
  out?: string;
  /** Text file with one scene per line; default: every folder in `undistorted`. */
  scenes?: string;
  /** Scenes at a time; default 1. */
  jobs?: number;
  /** Make files again that are there; default false: their scenes are skipped. */
  overwrite?: boolean;
  /** Shows where the work is. */
  progress?: OpenStage;
  /** Hears of each scene that fails. */
  onFailure?(scene: string, error: unknown): void;
  /** Aborting begins no further scene and ends the call with the signal's reason; the same call goes on. */
  signal?: AbortSignal;
}

/** Scenes that were made, skipped and failed. */
export interface PreparedMegadepth {
  /** Folder of the files. */
  folder: string;
  made: SceneSummary[];
  /** Scenes whose files were there. */
  skipped: string[];
  failures: { scene: string; error: unknown }[];
}

/** Prepares scenes; what is wrong with one is one of the `failures`, unless every further one would fail as well. */
export async function prepareMegadepth(request: PrepareMegadepthOptions): Promise<PreparedMegadepth> {
  const where = "prepareMegadepth";
  checkObject(where, "the request", request);
  const { base, undistorted, depths, minDepthBytes, out = base } = request;
  for (const [name, path] of Object.entries({ base, out })) checkPath(`${where}: ${name}`, path);
  if (request.scenes !== undefined) checkPath(`${where}: scenes`, request.scenes);
  if (request.jobs !== undefined) checkNumber(where, "jobs", request.jobs, { min: 1, max: 1024, integer: true });
  const options = prepareOptions({ base, undistorted, depths, minDepthBytes });
  const scenes = await scenesOf(request.scenes, options.undistorted);
  const any = sceneInfoPath(out, "any");
  await checkWritable([any]);
  return withLock(lockPath(dirname(any)), `the folder ${dirname(any)}`, () =>
    prepareAll(scenes, out, options, request),
  );
}

async function prepareAll(
  scenes: readonly string[],
  out: string,
  options: PrepareOptions,
  { jobs = 1, overwrite = false, progress = silentStage, onFailure = () => {}, signal }: PrepareMegadepthOptions,
): Promise<PreparedMegadepth> {
  const skipped: string[] = [];
  if (!overwrite) for (const scene of scenes) if (await isFile(sceneInfoPath(out, scene))) skipped.push(scene);
  const orders = scenes.filter((scene) => !skipped.includes(scene)).map((scene) => ({ scene, out, options }));
  const made: SceneSummary[] = [];
  const failures: PreparedMegadepth["failures"] = [];
  const stage = await progress("", ["scene", "scenes"], scenes.length);
  try {
    if (skipped.length > 0) stage.update(skipped.length, 0);
    const work = prepareScenes(orders, jobs, ({ scene }, outcome) => {
      signal?.throwIfAborted();
      if ("summary" in outcome) made.push(outcome.summary);
      else {
        failures.push({ scene, error: outcome.error });
        onFailure(scene, outcome.error);
        // Every further scene would fail as well.
        if (isHopeless(outcome.error)) throw outcome.error;
      }
      stage.update(skipped.length + made.length + failures.length, made.length + failures.length);
    });
    await untilAborted(work, signal);
  } finally {
    stage.stop();
  }
  return { folder: dirname(sceneInfoPath(out, "any")), made, skipped, failures };
}

/** Scenes of the list, or every folder that could be one. */
async function scenesOf(list: string | undefined, undistorted: string): Promise<string[]> {
  if (list !== undefined) return readSceneList(list);
  const entries = await readdir(undistorted, { withFileTypes: true }).catch((cause) => {
    throw ioError("read", undistorted, cause);
  });
  const folders = entries.filter((entry) => !entry.isFile() && !entry.name.startsWith("."));
  return folders.map(({ name }) => name).sort();
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
