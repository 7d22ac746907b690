/** `strata jobs submit`: makes a job and queues its shards. */
import { resolve } from "node:path";
import { OptionError } from "../../errors.js";
import { locateFeatures, makeExtractJob, makeIndexJob, makeMatchJob } from "../../node/jobs/make.js";
import type { JobPlan } from "../../node/jobs/plan.js";
import { submitJob } from "../../node/jobs/submit.js";
import { listPairs } from "../../node/list-pairs.js";
import { folderImages } from "../../node/search/photo-index.js";
import { loadVocabulary } from "../../node/search/vocabularies.js";
import type { ImageFailure } from "../../node/stores/store.js";
import { plural } from "../../plural.js";
import { imageOptions, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { collectImages, passedOverNote } from "../inputs.js";
import { openProgress } from "../progress.js";
import { plainMessage } from "../report-error.js";
import { namedQueue, type SubmitExtractFlags, type SubmitIndexFlags, type SubmitMatchFlags } from "./flags.js";

/** Images on each side that "sequential" pairs with, unless it is said. */
const OVERLAP = 10;

const NO_IMAGES = "there are no images to make a job of";

export async function submitExtractCommand(
  inputs: string[],
  flags: SubmitExtractFlags,
  context: Context,
): Promise<number> {
  const queue = queueOf(flags);
  const { images, failures, passedOver } = await collectImages(inputs, flags);
  tellInputs(failures, passedOver, flags, context);
  if (images.length === 0) throw new OptionError(NO_IMAGES);
  const [{ path, name }] = images;
  const root = resolve(path).slice(0, -name.length - 1) || "/";
  const open = openOptions(flags);
  const { backend: _b, threads: _t, model: _m, attentionCkpt: _a, ...choices } = open;
  const extractor = await context.engine.openExtractor(open);
  const plan = await withProgress(images.length, flags, context, (onProgress) =>
    makeExtractJob(flags.out, {
      root,
      images,
      extractor,
      open,
      image: imageOptions(flags),
      // As `strata extract` keeps them, whose files these are.
      choices: { ...choices, append: false },
      size: flags.shardSize,
      onProgress,
    }),
  ).finally(() => extractor.dispose());
  return finishImages(plan, failures, queue, flags, context);
}

export async function submitIndexCommand(inputs: string[], flags: SubmitIndexFlags, context: Context): Promise<number> {
  const queue = queueOf(flags);
  if (inputs.length === 0) throw new OptionError("no images named: give folders, files or globs");
  const { paths, failures, passedOver } = await folderImages(inputs);
  tellInputs(failures, passedOver, flags, context);
  if (paths.length === 0) throw new OptionError(NO_IMAGES);
  const plan = await withProgress(paths.length, flags, context, async (onProgress) =>
    makeIndexJob(flags.out, {
      paths,
      extraction: openOptions(flags),
      vocabulary: flags.vocabulary === undefined ? undefined : await loadVocabulary(flags.vocabulary),
      kind: flags.kind,
      image: imageOptions(flags),
      size: flags.shardSize,
      onProgress,
      openExtractor: context.engine.openExtractor,
    }),
  );
  return finishImages(plan, failures, queue, flags, context);
}

/** What was passed over, and what cannot be a part of a job. */
function tellInputs(
  failures: readonly ImageFailure[],
  passedOver: Readonly<Record<string, number>>,
  { quiet }: { quiet?: boolean },
  { err }: Context,
): void {
  if (!quiet) err(passedOverNote(passedOver));
  for (const { path, error } of failures) err(`strata: ${path}: ${plainMessage(error)}\n`);
}

/** Shows how many images are looked at while a job is made of them. */
async function withProgress<T>(
  total: number,
  { quiet = false }: { quiet?: boolean },
  { terminal, err }: Context,
  work: (onProgress: (done: number) => void) => Promise<T>,
): Promise<T> {
  const progress = await openProgress({ total, terminal, quiet, write: err });
  try {
    return await work((done) => progress.update(done, done));
  } finally {
    progress.stop();
  }
}

async function finishImages(
  plan: JobPlan,
  failures: readonly ImageFailure[],
  queue: string | null,
  flags: SubmitExtractFlags | SubmitIndexFlags,
  context: Context,
): Promise<number> {
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
  { out, window, attempts, json, quiet }: SubmitExtractFlags | SubmitIndexFlags | SubmitMatchFlags,
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
