/** `strata jobs submit`: makes a job and queues its shards. */
import { resolve } from "node:path";
import { OptionError } from "../../errors.js";
import { locateFeatures, makeExtractJob, makeMatchJob } from "../../node/jobs/make.js";
import type { JobPlan } from "../../node/jobs/plan.js";
import { submitJob } from "../../node/jobs/submit.js";
import { listPairs } from "../../node/list-pairs.js";
import { plural } from "../../plural.js";
import { imageOptions, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { collectImages, passedOverNote } from "../inputs.js";
import { openProgress } from "../progress.js";
import { plainMessage } from "../report-error.js";
import { namedQueue, type SubmitExtractFlags, type SubmitMatchFlags } from "./flags.js";

/** Images on each side that "sequential" pairs with, unless it is said. */
const OVERLAP = 10;

export async function submitExtractCommand(
  inputs: string[],
  flags: SubmitExtractFlags,
  context: Context,
): Promise<number> {
  const queue = queueOf(flags);
  const { images, failures, passedOver } = await collectImages(inputs, flags);
  if (!flags.quiet) context.err(passedOverNote(passedOver));
  for (const { path, error } of failures) context.err(`strata: ${path}: ${plainMessage(error)}\n`);
  if (images.length === 0) throw new OptionError("there are no images to make a job of");
  const [{ path, name }] = images;
  const root = resolve(path).slice(0, -name.length - 1) || "/";
  const open = openOptions(flags);
  const { backend: _b, threads: _t, model: _m, attentionCkpt: _a, ...choices } = open;
  const extractor = await context.engine.openExtractor(open);
  const progress = await openProgress({
    total: images.length,
    terminal: context.terminal,
    quiet: flags.quiet ?? false,
    write: context.err,
  });
  let plan: JobPlan;
  try {
    plan = await makeExtractJob(flags.out, {
      root,
      images,
      extractor,
      open,
      image: imageOptions(flags),
      // As `strata extract` keeps them, whose files these are.
      choices: { ...choices, append: false },
      size: flags.shardSize,
      onProgress: (done) => progress.update(done, done),
    });
  } finally {
    progress.stop();
    await extractor.dispose();
  }
  for (const { message } of plan.unreadable) context.err(`strata: left out: ${message}\n`);
  await finish(plan, queue, flags, context);
  return failures.length + plan.unreadable.length > 0 ? EXIT.failed : EXIT.ok;
}

export async function submitMatchCommand(
  sources: string[],
  flags: SubmitMatchFlags,
  context: Context,
): Promise<number> {
  const queue = queueOf(flags);
  const features = await locateFeatures(sources);
  const { pairs } = await listPairs(flags.pairs, new Set(features.keys()), flags.overlap ?? OVERLAP);
  const { ratio = null, minSimilarity = null, mutual, shardSize: size } = flags;
  const plan = await makeMatchJob(flags.out, { features, pairs, options: { mutual, ratio, minSimilarity }, size });
  await finish(plan, queue, flags, context);
  return EXIT.ok;
}

/** Checked before any work: a queue, or the word that there is none. */
const queueOf = ({ queue }: { queue?: string | false }): string | null => (queue === false ? null : namedQueue(queue));

async function finish(
  plan: JobPlan,
  queue: string | null,
  { out, window, attempts, json, quiet }: SubmitExtractFlags | SubmitMatchFlags,
  context: Context,
): Promise<void> {
  const report = queue === null ? null : await submitJob(out, queue, { window, attempts });
  const { kind, count, shards, id, unreadable } = plan;
  if (json) {
    context.out(
      `${JSON.stringify({ folder: resolve(out), kind, id, count, shards: shards.length, unreadable, queue: report })}\n`,
    );
  } else if (!quiet) {
    const things = kind === "match" ? plural(count, "pair") : plural(count, "image");
    context.out(`${out}: ${things} in ${plural(shards.length, "shard")}\n`);
    if (!report) context.out(`not queued; "strata jobs run ${out}" runs them\n`);
    else if (report.finished === report.shards && report.queued === 0) context.out("all are done\n");
    else {
      const before = report.finished > 0 ? `; ${report.finished} are done` : "";
      const rest = report.shards - report.finished - report.queued;
      const later = rest > 0 ? `; ${rest} follow as these are done` : "";
      context.out(`${report.queued} queued${before}${later}\n`);
    }
  }
}
