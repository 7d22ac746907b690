/** `strata match-features`: features of many images to the matches of many pairs. */

import { OptionError } from "../../errors.js";
import type { DescriptorKind } from "../../features.js";
import { loadFeatures } from "../../node/features-files.js";
import { checkWritable } from "../../node/folders.js";
import { listPairs } from "../../node/list-pairs.js";
import type { MatchManyResult, MatchProgress } from "../../node/match-many.js";
import { refuseExisting, refuseOverwriting } from "../../node/overwriting.js";
import { checkPairFile } from "../../node/pair-files.js";
import { partsFolder } from "../../node/parts.js";
import { plural } from "../../plural.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { describeRate, describeSeconds, openProgress } from "../progress.js";

export interface MatchFeaturesFlags {
  out: string;
  pairs: string;
  overlap: number;
  ratio?: number;
  minSimilarity?: number;
  mutual: boolean;
  images?: string;
  descriptorKind?: DescriptorKind;
  threads?: number;
  resume?: boolean;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

const PAIRS = ["pair", "pairs"] as const;

export async function matchFeaturesCommand(
  input: string,
  flags: MatchFeaturesFlags,
  context: Context,
): Promise<number> {
  const { out, ratio = null, minSimilarity = null, mutual, quiet = false, resume = false, force = false } = flags;
  if (resume && force) throw new OptionError("--resume goes on and --force begins anew: give one of them");
  checkPairFile("--out", out);
  await refuseOverwriting([input, flags.pairs], [out], "what is read");
  await refuseExisting(out, resume || force, "--resume goes on with it, --force makes it anew");
  const started = performance.now();
  const { features } = await loadFeatures(input, { ...flags, descriptors: "needed" });
  const { pairs, count } = await listPairs(flags.pairs, new Set(features.keys()), flags.overlap);
  await checkWritable([out]);
  const { matchMany } = await import("../../node/match-many.js");
  const progress = await openProgress({
    total: count,
    unit: PAIRS,
    terminal: context.terminal,
    quiet,
    write: context.err,
  });
  const interrupt = context.listenForInterrupt();
  const matching = performance.now();
  let last: MatchProgress | undefined;
  try {
    const result = await matchMany(features, pairs, out, {
      mutual,
      ratio,
      minSimilarity,
      threads: flags.threads,
      existing: resume ? "resume" : force ? "overwrite" : "refuse",
      signal: interrupt.signal,
      onProgress(now) {
        last = now;
        progress.update(now.matched + now.skipped, now.matched);
      },
    });
    progress.stop();
    const rate = result.matched / ((performance.now() - matching) / 1000);
    report(result, features.size, (performance.now() - started) / 1000, rate, flags, context);
    return EXIT.ok;
  } catch (error) {
    progress.stop();
    const done = last ? last.matched + last.skipped : 0;
    const stopped = error instanceof Interrupted;
    if (done > 0 && !(error instanceof OptionError)) {
      const kept = `${done} of ${count} pairs are finished and kept in ${partsFolder(out)}`;
      const next = `the same command with --resume${force ? " in place of --force" : ""} goes on from there`;
      context.err(`strata: ${stopped ? "interrupted" : "stopped"}; ${kept}; ${next}\n`);
    } else if (stopped) context.err("strata: interrupted before the first pair\n");
    if (stopped) return EXIT.interrupted;
    throw error;
  } finally {
    interrupt.release();
  }
}

function report(
  { total, matched, skipped, matches, output }: MatchManyResult,
  images: number,
  seconds: number,
  rate: number,
  { mutual, ratio, minSimilarity, json, quiet }: MatchFeaturesFlags,
  { out }: Context,
): void {
  const options = { mutual, ratio: ratio ?? null, minSimilarity: minSimilarity ?? null };
  const result = { images, pairs: total, matched, skipped, matches, ...options, output, seconds };
  if (json) out(`${JSON.stringify(result)}\n`);
  else if (!quiet) {
    const speed = matched > 0 ? `, ${describeRate(rate, PAIRS)}` : "";
    const before = skipped > 0 ? `; ${skipped} ${skipped === 1 ? "was" : "were"} finished before` : "";
    const found = `${plural(total, "pair")} of ${plural(images, "image")}, ${plural(matches, "match", "matches")}`;
    out(`${found} in ${describeSeconds(seconds)}${speed}${before}\n`);
    out(`written: ${output}\n`);
  }
}
