/** `strata index DIR --out FOLDER`: an index of images, made or brought up to date. */
import { OptionError } from "../../errors.js";
import { describePassedOver } from "../../node/image-kinds.js";
import { type IndexedImages, indexImages } from "../../node/search/index-images.js";
import { type FolderImages, folderImages, openPhotoIndex, type PhotoIndex } from "../../node/search/photo-index.js";
import { loadVocabulary } from "../../node/search/vocabularies.js";
import { watchFolders } from "../../node/search/watch-folders.js";
import type { ImageFailure } from "../../node/stores/store.js";
import { plural } from "../../plural.js";
import type { IndexKind } from "../../search/segment-format.js";
import { type ExtractionFlags, imageOptions, openOptions } from "../arguments.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { describeRate, describeSeconds, openProgress } from "../progress.js";
import { errorCode, errorText, plainMessage } from "../report-error.js";

export interface IndexFlags extends ExtractionFlags {
  out?: string;
  watch?: boolean;
  kind?: IndexKind;
  vocabulary?: string;
  global?: string;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function indexCommand(inputs: string[], flags: IndexFlags, context: Context): Promise<number> {
  const { out, global } = flags;
  if (inputs.length === 0)
    throw new OptionError("no images named: give folders, files or globs: strata index photos/ --out photos.index");
  if (out === undefined) throw new OptionError("say where the index is, or is to be: --out photos.index");
  const found = await folderImages(inputs);
  if (found.paths.length === 0 && found.failures.length === inputs.length) {
    for (const failure of found.failures) context.err(failureLine(failure, flags));
    return EXIT.failed;
  }
  const vocabulary = flags.vocabulary === undefined ? undefined : await loadVocabulary(flags.vocabulary);
  const open = await openPhotoIndex(out, {
    extraction: openOptions(flags),
    vocabulary,
    kind: flags.kind,
    global,
    openExtractor: context.engine.openExtractor,
  });
  const interrupt = context.listenForInterrupt();
  try {
    // Before the first pass, which takes its time: what changes meanwhile is not missed.
    const changes = flags.watch ? watchFolders(inputs, interrupt.signal) : null;
    let failed = await updateOnce(open, found, flags, context, interrupt.signal);
    if (!changes) return failed ? EXIT.failed : EXIT.ok;
    if (!flags.quiet) context.err(`strata: watching ${inputs.join(", ")}; Ctrl-C stops\n`);
    for await (const _ of changes) {
      failed = await updateOnce(open, await folderImages(inputs), flags, context, interrupt.signal);
    }
    return failed ? EXIT.failed : EXIT.ok;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    context.err(
      `strata: interrupted; ${plural(open.index.info().images, "image")} are in ${out}, and the same command goes on from there\n`,
    );
    return EXIT.interrupted;
  } finally {
    interrupt.release();
    await open.index.close();
    await open.extractor.dispose();
  }
}

/** One pass; whether any image failed. */
async function updateOnce(
  { index, extractor }: PhotoIndex,
  { paths, failures, passedOver, covers }: FolderImages,
  flags: IndexFlags,
  context: Context,
  signal: AbortSignal,
): Promise<boolean> {
  const started = performance.now();
  const { quiet = false } = flags;
  const counts = describePassedOver(passedOver);
  if (counts && !quiet) context.err(`strata: note: passed over, for they are not read: ${counts}\n`);
  for (const failure of failures) context.err(failureLine(failure, flags));
  const progress = await openProgress({ total: paths.length, terminal: context.terminal, quiet, write: context.err });
  let done: IndexedImages;
  try {
    done = await indexImages(index, paths, extractor, {
      image: imageOptions(flags),
      covers,
      signal,
      onProgress: ({ added, changed, unchanged, failed }) =>
        progress.update(added + changed + unchanged + failed, added + changed + failed),
      onFailure: (failure) => progress.log(failureLine(failure, flags).trimEnd()),
      onWarning: ({ message }) => !quiet && progress.log(`strata: warning: ${message}`),
    });
  } finally {
    progress.stop();
  }
  const all = [...failures, ...done.failures];
  const seconds = (performance.now() - started) / 1000;
  const info = index.info();
  if (flags.json) {
    const { failures: _, ...rest } = done;
    const failed = all.map(({ path, error }) => ({ path, code: errorCode(error), message: plainMessage(error) }));
    context.out(
      `${JSON.stringify({ index: index.name, ...rest, failed, images: info.images, bytes: info.bytes, seconds })}\n`,
    );
  } else if (!quiet) {
    const made = done.added + done.changed;
    const parts = [
      `${plural(done.added, "image")} added`,
      ...(done.changed > 0 ? [`${done.changed} changed`] : []),
      ...(done.removed > 0 ? [`${done.removed} removed`] : []),
      ...(done.unchanged > 0 ? [`${done.unchanged} as before`] : []),
    ];
    const rate = made > 1 ? `, ${describeRate(made / seconds)}` : "";
    context.out(
      `${parts.join(", ")} in ${describeSeconds(seconds)}${rate}; ${index.name} has ${plural(info.images, "image")}\n`,
    );
  }
  if (all.length > 0) {
    context.err(`strata: ${all.length} of ${plural(paths.length + failures.length, "image")} failed:\n`);
    for (const { path } of all) context.err(`  ${path}\n`);
  }
  return all.length > 0;
}

/** A failed image in one line; most messages name the image themselves. */
function failureLine({ path, error }: ImageFailure, { debug }: Pick<IndexFlags, "debug">): string {
  const text = errorText(error, debug ?? false);
  return plainMessage(error).includes(path) ? text : text.replace("strata: ", `strata: ${path}: `);
}
