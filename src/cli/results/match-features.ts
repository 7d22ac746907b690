/** `strata match-features`: features of many images to the matches of many pairs. */
import { OptionError } from "../../errors.js";
import type { DescriptorKind } from "../../features.js";
import type { ImagePair } from "../../formats/colmap.js";
import { writeFileAtomic } from "../../node/atomic.js";
import { checkWritable } from "../../node/folders.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { describeRate, describeSeconds, openProgress } from "../progress.js";
import { listPairs } from "./pairs.js";
import { readResults } from "./read.js";
import { checkMatchFile, encodeMatches, refuseExisting } from "./write.js";

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
  const { out, ratio = null, minSimilarity = null, mutual, quiet = false } = flags;
  checkMatchFile("--out", out);
  await refuseExisting(out, flags.force);
  const started = performance.now();
  const { features } = await readResults(input, { ...flags, descriptors: "needed" });
  await checkWritable([out]);
  const names = await listPairs(flags.pairs, [...features.keys()], flags.overlap);
  const { matchFeatures } = await import("../../match/index.js");
  const { nodeRuntime } = await import("../../node/runtime.js");
  const progress = await openProgress({
    total: names.length,
    unit: PAIRS,
    terminal: context.terminal,
    quiet,
    write: context.err,
  });
  const interrupt = context.listenForInterrupt();
  const pairs: ImagePair[] = [];
  const matching = performance.now();
  try {
    for (const [name0, name1] of names) {
      const [a, b] = [features.get(name0), features.get(name1)];
      if (!a || !b) throw new OptionError(`there are no features of "${a ? name1 : name0}"`);
      const matches = await interrupt.race(matchFeatures(a, b, { mutual, ratio, minSimilarity, runtime: nodeRuntime }));
      pairs.push({ name0, name1, matches });
      progress.update(pairs.length, pairs.length);
    }
  } catch (error) {
    progress.stop();
    if (!(error instanceof Interrupted)) throw error;
    context.err("strata: interrupted; nothing is written\n");
    return EXIT.interrupted;
  } finally {
    interrupt.release();
  }
  progress.stop();
  const rate = pairs.length / ((performance.now() - matching) / 1000);
  await writeFileAtomic(out, await encodeMatches(out, pairs, features));
  const count = pairs.reduce((sum, { matches }) => sum + matches.count, 0);
  const seconds = (performance.now() - started) / 1000;
  const result = {
    images: features.size,
    pairs: pairs.length,
    matches: count,
    mutual,
    ratio,
    minSimilarity,
    output: out,
    seconds,
  };
  if (flags.json) context.out(`${JSON.stringify(result)}\n`);
  else if (!quiet) {
    context.out(`${pairs.length} pairs of ${features.size} images, ${count} matches in ${describeSeconds(seconds)}, `);
    context.out(`${describeRate(rate, PAIRS)}\nwritten: ${out}\n`);
  }
  return EXIT.ok;
}
