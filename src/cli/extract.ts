/** `strata extract`: features of many images to files, one bad image or an interruption losing nothing. */

import { OptionError } from "../errors.js";
import { APPEND_FORMATS, type RecordFormat } from "../formats/feature-formats.js";
import { type ExtractManyResult, type ExtractProgress, extractMany } from "../node/extract-many.js";
import { fileStore } from "../node/stores/files.js";
import { hlocStore } from "../node/stores/hloc.js";
import type { FeatureStore, ImageFailure } from "../node/stores/store.js";
import { packageVersion } from "../node/version.js";
import { plural } from "../plural.js";
import { type ExtractionFlags, imageOptions, openOptions } from "./arguments.js";
import { type Context, EXIT, Interrupted } from "./context.js";
import { collectImages, type Inputs, passedOverNote } from "./inputs.js";
import { describeRate, describeSeconds, openProgress } from "./progress.js";
import { errorCode, errorText, plainMessage } from "./report-error.js";

export interface ExtractFlags extends ExtractionFlags {
  list?: string;
  recursive?: boolean;
  root?: string;
  out?: string;
  format: RecordFormat | "h5";
  outputExtension?: string;
  smartName?: boolean;
  append?: boolean;
  resume?: boolean;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function extractCommand(named: string[], flags: ExtractFlags, context: Context): Promise<number> {
  checkFlags(flags);
  const { images, failures, passedOver } = await collectImages(named, flags);
  const total = images.length + failures.length;
  const started = performance.now();
  const ended = { total, passedOver, started };
  if (!flags.quiet) context.err(passedOverNote(passedOver));
  for (const failure of failures) context.err(failureLine(failure, flags));
  if (images.length === 0) {
    if (failures.length === 0) context.err(`strata: there are no images in ${named.join(", ")}\n`);
    if (flags.json) context.out(`${JSON.stringify(summary(ended, failures, null))}\n`);
    return EXIT.failed;
  }
  const store = openStore(flags);
  const progress = await openProgress({
    total,
    terminal: context.terminal,
    quiet: flags.quiet ?? false,
    write: context.err,
  });
  const interrupt = context.listenForInterrupt();
  let last: ExtractProgress | undefined;
  try {
    const result = await extractMany(images, () => context.engine.openExtractor(openOptions(flags)), store, {
      ...imageOptions(flags),
      choices: choicesOf(flags),
      signal: interrupt.signal,
      onProgress(now) {
        last = now;
        const done = now.extracted + now.skipped + now.failed;
        progress.update(failures.length + done, failures.length + done - now.skipped);
      },
      onFailure: (failure) => progress.log(failureLine(failure, flags).trimEnd()),
      onWarning: ({ message }) => !flags.quiet && progress.log(`strata: warning: ${message}`),
      onNote: (text) => !flags.quiet && progress.log(`strata: note: ${text}`),
    });
    progress.stop();
    report(flags, ended, [...failures, ...result.failures], result, context);
    return failures.length + result.failures.length > 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    progress.stop();
    const stopped = error instanceof Interrupted;
    // Before the first image there is nothing to go on with.
    if (last !== undefined && !(error instanceof OptionError)) {
      const kept = `${last.extracted + last.skipped} of ${images.length} images are finished and kept${
        store.waiting === undefined ? "" : ` in ${store.waiting}`
      }; the same command with --resume goes on from there`;
      context.err(`strata: ${stopped ? "interrupted" : "stopped"}; ${kept}\n`);
    } else if (stopped) context.err("strata: interrupted before the first image\n");
    if (stopped) return EXIT.interrupted;
    throw error;
  } finally {
    interrupt.release();
  }
}

function openStore(flags: ExtractFlags): FeatureStore {
  const { format, out, append = false, resume = false, force } = flags;
  if (format === "h5") {
    return hlocStore({ file: checkHlocPath(out), existing: resume ? "resume" : force ? "overwrite" : "refuse" });
  }
  return fileStore({ format, extension: (model) => extensionOf(flags, model), out, append, resume });
}

/** What was asked for and decides about features; where they are computed and what files are called does not. */
function choicesOf(flags: ExtractFlags): Record<string, unknown> {
  const { backend: _b, threads: _t, model: _m, attentionCkpt: _a, ...given } = openOptions(flags);
  return { ...given, append: flags.append ?? false };
}

/** OptionErrors for options that do not go together. */
function checkFlags({ format, outputExtension, smartName, append, out, resume, force }: ExtractFlags): void {
  if (resume && force) throw new OptionError("--resume goes on and --force begins anew: give one of them");
  if (append && !APPEND_FORMATS.includes(format)) {
    throw new OptionError(`--append is for --format ${APPEND_FORMATS.join(" and ")}, not for ${format}`);
  }
  if (format === "h5") {
    if (outputExtension !== undefined || smartName) {
      throw new OptionError("--output-extension and --smart-name are for one file per image, not for --format h5");
    }
    checkHlocPath(out);
  }
  if (smartName && outputExtension !== undefined) {
    throw new OptionError("give --output-extension or --smart-name, not both");
  }
  if (outputExtension !== undefined && !/^\.[^/\\]*[^/\\.]$/.test(outputExtension)) {
    throw new OptionError(`--output-extension must begin with a dot and name no folder, got "${outputExtension}"`);
  }
}

/** What is appended to an image's whole name. */
export function extensionOf(flags: ExtractFlags, model: string): string {
  if (!flags.smartName) return flags.outputExtension ?? `.strata.${flags.format}`;
  const scaled = flags.scale || flags.maxEdge !== undefined || flags.maxSumEdges !== undefined;
  return `.${model}${flags.sumDescriptors ? "_SUM" : ""}${scaled ? "_SCALE" : ""}`;
}

/** A failed image in one line; most messages name the image themselves. */
function failureLine({ path, error }: ImageFailure, { debug }: ExtractFlags): string {
  const text = errorText(error, debug ?? false);
  return plainMessage(error).includes(path) ? text : text.replace("strata: ", `strata: ${path}: `);
}

/** What a run knows beside its result. */
interface Ended {
  total: number;
  passedOver: Inputs["passedOver"];
  /** By `performance.now`. */
  started: number;
}

function summary(
  { total, passedOver, started }: Ended,
  failures: readonly ImageFailure[],
  result: ExtractManyResult | null,
) {
  return {
    images: total,
    extracted: result?.extracted ?? 0,
    skipped: result?.skipped ?? 0,
    failed: failures.map(({ path, error }) => ({ path, code: errorCode(error), message: plainMessage(error) })),
    warnings: result?.warnings ?? [],
    empty: result?.empty ?? [],
    passedOver,
    keypoints: result?.keypoints ?? 0,
    outputs: result?.outputs ?? [],
    seconds: (performance.now() - started) / 1000,
    info: result ? { version: packageVersion(), ...result.info, options: result.options } : null,
  };
}

function report(
  flags: ExtractFlags,
  ended: Ended,
  failures: readonly ImageFailure[],
  result: ExtractManyResult,
  { out, err }: Context,
): void {
  const { extracted, skipped, keypoints, empty, outputs } = result;
  const text = summary(ended, failures, result);
  if (flags.json) {
    out(`${JSON.stringify(text)}\n`);
  } else if (!flags.quiet) {
    const rate = extracted > 1 ? `, ${describeRate(extracted / text.seconds)}` : "";
    const before = skipped > 0 ? `; ${skipped} ${skipped === 1 ? "was" : "were"} finished before` : "";
    const what = `${plural(extracted, "image")}, ${plural(keypoints, "keypoint")}`;
    out(`${what} in ${describeSeconds(text.seconds)}${rate}${before}\n`);
    if (empty.length > 0) out(`no keypoints in ${some(empty)}\n`);
    if (outputs.length > 0) out(`written: ${some(outputs)}\n`);
  }
  if (failures.length > 0) {
    err(`strata: ${failures.length} of ${plural(ended.total, "image")} failed:\n`);
    for (const { path } of failures) err(`  ${path}\n`);
  }
}

/** The first few of many. */
function some(names: readonly string[]): string {
  const [first, second, third] = names;
  if (names.length <= 3) return names.join(", ");
  return `${first}, ${second}, ${third} and ${names.length - 3} more`;
}

/** `--out` of an HDF5 run: one file, named. */
function checkHlocPath(out: string | undefined): string {
  if (out === undefined || !/\.(h5|hdf5)$/i.test(out)) {
    throw new OptionError(
      `--format h5 writes one file for all images: give --out FILE.h5${out === undefined ? "" : `, got ${out}`}`,
    );
  }
  return out;
}
