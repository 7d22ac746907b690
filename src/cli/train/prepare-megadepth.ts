/** `strata train prepare-megadepth`: scene_info files from undistorted COLMAP models and depth maps. */
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { isHopeless } from "../../node/atomic.js";
import type { PrepareOptions, SceneSummary } from "../../node/train/prepare-scene.js";
import { numberOf } from "../arguments.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { describeSeconds, openProgress } from "../progress.js";
import { errorCode, errorText, plainMessage } from "../report-error.js";

export interface PrepareMegadepthFlags {
  base: string;
  undistorted?: string;
  depths?: string;
  scenes?: string;
  out?: string;
  minDepthBytes?: number;
  jobs?: number;
  overwrite?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export function addPrepareMegadepth(parent: Command, context: Context, done: (code: number) => void): void {
  parent
    .command("prepare-megadepth")
    .description(
      "Make the scene_info files that training on MegaDepth reads, from undistorted COLMAP models and depth.",
    )
    .requiredOption("--base <folder>", "the data set's folder")
    .option("--undistorted <folder>", "models and images: SCENE/sparse-txt (or sparse), SCENE/images (Undistorted_SfM)")
    .option("--depths <folder>", "depth maps: SCENE/dense0/depths (phoenix/S6/zl548/MegaDepth_v1)")
    .option("--scenes <file>", "text file with one scene per line (default: every folder in --undistorted)")
    .option("--out <folder>", "where scene_info/SCENE.npz goes (default: --base)")
    .option(
      "--min-depth-bytes <n>",
      "smaller depth files are masks and count as missing (default: 102400)",
      numberOf("--min-depth-bytes", { min: 0 }),
    )
    .option("--jobs <n>", "scenes at a time (default: 1)", numberOf("--jobs", { min: 1, max: 256, integer: true }))
    .option("--overwrite", "make files again that are there; otherwise their scenes are skipped")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata train prepare-megadepth --base MegaDepth --scenes MegaDepth/train_scenes.txt --jobs 8
  strata train prepare-megadepth --base MegaDepth --out prepared --overwrite

Models may be COLMAP's text or binary ones; their cameras must be undistorted. A file is written when its scene is
finished, so the same command goes on after an interruption.`,
    )
    .action(async (flags: PrepareMegadepthFlags) => {
      done(await prepareMegadepthCommand(flags, context));
    });
}

export async function prepareMegadepthCommand(flags: PrepareMegadepthFlags, context: Context): Promise<number> {
  const { prepareOptions, sceneInfoPath } = await import("../../node/train/prepare-scene.js");
  const { checkWritable } = await import("../../node/folders.js");
  const { lockPath, withLock } = await import("../../node/lock.js");
  const { base, undistorted, depths, minDepthBytes, out = base } = flags;
  const options = prepareOptions({ base, undistorted, depths, minDepthBytes });
  const scenes = await scenesOf(flags.scenes, options.undistorted);
  const any = sceneInfoPath(out, "any");
  await checkWritable([any]);
  return withLock(lockPath(dirname(any)), `the folder ${dirname(any)}`, () =>
    prepareAll({ scenes, out, options }, flags, context),
  );
}

interface Work {
  scenes: string[];
  out: string;
  options: PrepareOptions;
}

async function prepareAll(
  { scenes, out, options }: Work,
  flags: PrepareMegadepthFlags,
  context: Context,
): Promise<number> {
  const { sceneInfoPath } = await import("../../node/train/prepare-scene.js");
  const { prepareScenes } = await import("../../node/train/prepare-jobs.js");
  const started = performance.now();
  const there = new Set<string>();
  if (!flags.overwrite) for (const scene of scenes) if (await isFile(sceneInfoPath(out, scene))) there.add(scene);
  const orders = scenes.filter((scene) => !there.has(scene)).map((scene) => ({ scene, out, options }));
  const made: SceneSummary[] = [];
  const failures: { scene: string; error: unknown }[] = [];
  const progress = await openProgress({
    total: scenes.length,
    unit: ["scene", "scenes"],
    terminal: context.terminal,
    quiet: flags.quiet ?? false,
    write: context.err,
  });
  const interrupt = context.listenForInterrupt();
  try {
    const work = prepareScenes(orders, flags.jobs ?? 1, ({ scene }, outcome) => {
      if (interrupt.requested) throw new Interrupted();
      if ("summary" in outcome) made.push(outcome.summary);
      else {
        failures.push({ scene, error: outcome.error });
        progress.log(
          `strata: scene ${scene}: ${errorText(outcome.error, flags.debug ?? false)
            .slice(8)
            .trimEnd()}`,
        );
        // Every further scene would fail as well.
        if (isHopeless(outcome.error)) throw outcome.error;
      }
      progress.update(there.size + made.length + failures.length, made.length + failures.length);
    });
    await interrupt.race(work);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    const finished = there.size + made.length;
    context.err(`strata: interrupted; ${finished} of ${scenes.length} scenes are finished; the same command goes on\n`);
    return EXIT.interrupted;
  } finally {
    progress.stop();
    interrupt.release();
  }
  report(flags, { out, there, made, failures, seconds: (performance.now() - started) / 1000 }, context);
  return failures.length > 0 ? EXIT.failed : EXIT.ok;
}

interface Result {
  out: string;
  there: ReadonlySet<string>;
  made: SceneSummary[];
  failures: { scene: string; error: unknown }[];
  seconds: number;
}

function report(flags: PrepareMegadepthFlags, { out, there, made, failures, seconds }: Result, context: Context): void {
  if (flags.json) {
    const failed = failures.map(({ scene, error }) => ({
      scene,
      code: errorCode(error),
      message: plainMessage(error),
    }));
    const folder = join(out, "scene_info");
    context.out(`${JSON.stringify({ folder, made, skipped: [...there], failed, seconds })}\n`);
    return;
  }
  if (flags.quiet) return;
  const sum = (name: "withDepth" | "pairs") => made.reduce((total, summary) => total + summary[name], 0);
  const parts = [`${made.length} scenes written to ${join(out, "scene_info")}`];
  if (made.length > 0) parts[0] += ` (${sum("withDepth")} images with depth, ${sum("pairs")} pairs)`;
  if (there.size > 0) parts.push(`${there.size} were there already`);
  if (failures.length > 0) parts.push(`${failures.length} failed: ${failures.map(({ scene }) => scene).join(", ")}`);
  context.out(`${parts.join("; ")}; ${describeSeconds(seconds)}\n`);
}

/** Scenes of the list, or every folder that could be one. */
async function scenesOf(list: string | undefined, undistorted: string): Promise<string[]> {
  const { readSceneList } = await import("../../node/train/megadepth-files.js");
  if (list !== undefined) return readSceneList(list);
  const { ioError } = await import("../../node/atomic.js");
  const entries = await readdir(undistorted, { withFileTypes: true }).catch((cause) => {
    throw ioError("read", undistorted, cause);
  });
  const folders = entries.filter((entry) => !entry.isFile() && !entry.name.startsWith("."));
  return folders.map(({ name }) => name).sort();
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
