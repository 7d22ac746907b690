/** `strata export-colmap`: features and matches to a COLMAP database, or to the text files that COLMAP imports. */

import { join } from "node:path";
import {
  type ExportColmapOptions,
  type ExportColmapResult,
  exportColmap,
  isDatabasePath,
} from "../../node/colmap/export-colmap.js";
import { type VerifyProgress, verifiedPath } from "../../node/verify-many.js";
import { plural } from "../../plural.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { describeSeconds, stageOf } from "../progress.js";

/** As commander hands them over. */
export interface ExportColmapFlags
  extends Omit<ExportColmapOptions, "threshold" | "progress" | "signal" | "onVerified"> {
  out: string;
  thresholdPx?: number;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function exportColmapCommand(input: string, flags: ExportColmapFlags, context: Context): Promise<number> {
  const started = performance.now();
  const interrupt = context.listenForInterrupt();
  const { out, thresholdPx: threshold, json: _, quiet, debug: __, ...options } = flags;
  let last: VerifyProgress | undefined;
  try {
    const result = await exportColmap(input, out, {
      ...options,
      threshold,
      progress: stageOf(quiet, context),
      signal: interrupt.signal,
      onVerified(progress) {
        last = progress;
      },
    });
    report(result, (performance.now() - started) / 1000, flags, context);
    return EXIT.ok;
  } catch (error) {
    const stopped = error instanceof Interrupted;
    const done = last ? last.verified + last.skipped : 0;
    if (done > 0) {
      const kept = `${done} of ${last?.total} pairs are verified and kept in ${await verifiedPath(out)}`;
      context.err(`strata: ${stopped ? "interrupted" : "stopped"}; ${kept}; the same command goes on from there\n`);
    } else if (stopped) context.err("strata: interrupted; nothing is written\n");
    if (stopped) return EXIT.interrupted;
    throw error;
  } finally {
    interrupt.release();
  }
}

function report(result: ExportColmapResult, seconds: number, flags: ExportColmapFlags, { out, err }: Context): void {
  const { images, keypoints, pairs, matches, verify, verifiedPairs, inliers, outputs, notes } = result;
  if (!flags.quiet) for (const note of notes) err(`strata: note: ${note}\n`);
  if (flags.json) {
    const shown = { images, keypoints, pairs, matches, verify, verifiedPairs, inliers, outputs, notes, seconds };
    out(`${JSON.stringify(shown)}\n`);
  }
  if (flags.json || flags.quiet) return;
  out(
    `${plural(images, "image")}, ${plural(keypoints, "keypoint")}, ${plural(pairs, "pair")}, ${plural(matches, "match", "matches")}`,
  );
  if (verify !== "none") out(`, ${plural(verifiedPairs, "verified pair")} with ${plural(inliers, "inlier")}`);
  out(` in ${describeSeconds(seconds)}\nwritten: ${outputs.join(", ")}\n${nextStep(flags, outputs)}`);
}

/** What to say to COLMAP now. */
function nextStep({ out, images = "IMAGES", verify: how }: ExportColmapFlags, outputs: readonly string[]): string {
  if (!isDatabasePath(out)) {
    const database = "--database_path database.db";
    const list = outputs.find((path) => path.endsWith("inliers.txt")) ?? join(out, "matches.txt");
    const lines = [`  colmap feature_importer ${database} --image_path ${images} --import_path ${outputs[0]}`];
    if (outputs.length > 1) {
      const kind = list.endsWith("inliers.txt") ? "inliers" : "raw";
      lines.push(`  colmap matches_importer ${database} --match_list_path ${list} --match_type ${kind}`);
    }
    return `next:\n${lines.join("\n")}\n`;
  }
  const list = outputs.at(1);
  const mapper = `  colmap mapper --database_path ${out} --image_path ${images} --output_path MODEL\n`;
  if (!list) return `next:\n  colmap exhaustive_matcher --database_path ${out}\n${mapper}`;
  if (how !== "none") return `next:\n${mapper}`;
  return `next:\n  colmap matches_importer --database_path ${out} --match_list_path ${list} --match_type pairs\n${mapper}`;
}
