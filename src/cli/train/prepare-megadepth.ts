/** `strata train prepare-megadepth`: scene_info files from undistorted COLMAP models and depth maps. */
import type { Command } from "commander";
import type { PreparedMegadepth } from "../../node/train/prepare-megadepth.js";
import { numberOf } from "../arguments.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { describeSeconds, openProgress, type Progress } from "../progress.js";
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
  const { prepareMegadepth } = await import("../../node/train/prepare-megadepth.js");
  const { json: _, quiet = false, debug = false, ...options } = flags;
  const { terminal, err: write } = context;
  const started = performance.now();
  const interrupt = context.listenForInterrupt();
  let shown: Progress | undefined;
  const count = { total: 0, done: 0, failed: 0 };
  try {
    const result = await prepareMegadepth({
      ...options,
      signal: interrupt.signal,
      async progress(_label, unit, total) {
        count.total = total;
        const opened = await openProgress({ total, unit, terminal, quiet, write });
        shown = opened;
        return {
          stop: () => opened.stop(),
          update(done, worked) {
            count.done = done;
            opened.update(done, worked);
          },
        };
      },
      onFailure(scene, error) {
        count.failed++;
        shown?.log(`strata: scene ${scene}: ${errorText(error, debug).slice(8).trimEnd()}`);
      },
    });
    report(flags, result, (performance.now() - started) / 1000, context);
    return result.failures.length > 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    const finished = `${count.done - count.failed} of ${count.total} scenes are finished`;
    write(`strata: interrupted; ${finished}; the same command goes on\n`);
    return EXIT.interrupted;
  } finally {
    interrupt.release();
  }
}

function report(
  flags: PrepareMegadepthFlags,
  { folder, made, skipped, failures }: PreparedMegadepth,
  seconds: number,
  context: Context,
): void {
  if (flags.json) {
    const failed = failures.map(({ scene, error }) => ({
      scene,
      code: errorCode(error),
      message: plainMessage(error),
    }));
    context.out(`${JSON.stringify({ folder, made, skipped, failed, seconds })}\n`);
    return;
  }
  if (flags.quiet) return;
  const sum = (name: "withDepth" | "pairs") => made.reduce((total, summary) => total + summary[name], 0);
  const parts = [`${made.length} scenes written to ${folder}`];
  if (made.length > 0) parts[0] += ` (${sum("withDepth")} images with depth, ${sum("pairs")} pairs)`;
  if (skipped.length > 0) parts.push(`${skipped.length} were there already`);
  if (failures.length > 0) parts.push(`${failures.length} failed: ${failures.map(({ scene }) => scene).join(", ")}`);
  context.out(`${parts.join("; ")}; ${describeSeconds(seconds)}\n`);
}
