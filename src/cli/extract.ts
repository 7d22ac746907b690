/** `strata extract`: features of many images to files, one bad image or an interruption losing nothing. */
import { OptionError } from "../errors.js";
import type { Extractor } from "../extract/extractor.js";
import type { FileFormat } from "../formats/record.js";
import type { Image } from "../image/image.js";
import { isHopeless } from "../node/atomic.js";
import { checkWritable } from "../node/folders.js";
import { type ExtractionFlags, imageOptions, openOptions } from "./arguments.js";
import { type Context, EXIT, Interrupted } from "./context.js";
import { checkHlocPath, hlocStore, partsFolder, prepareHloc } from "./hloc-store.js";
import { collectImages, type Failure, type InputImage, passedOverNote, refuseOverwriting } from "./inputs.js";
import { describeRate, describeSeconds, openProgress, type Progress } from "./progress.js";
import { errorCode, errorText, plainMessage } from "./report-error.js";
import { fileStore, outputPath, type Store } from "./store.js";
import { packageVersion } from "./version.js";

export interface ExtractFlags extends ExtractionFlags {
  list?: string;
  recursive?: boolean;
  root?: string;
  out?: string;
  format: FileFormat | "h5";
  outputExtension?: string;
  smartName?: boolean;
  append?: boolean;
  resume?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

/** What a run has done so far. */
interface Tally {
  worked: number;
  skipped: number;
  keypoints: number;
  empty: string[];
  failures: Failure[];
  /** Files that were not read, by kind. */
  passedOver: Record<string, number>;
}

export async function extractCommand(named: string[], flags: ExtractFlags, context: Context): Promise<number> {
  checkFlags(flags);
  const { images, failures, passedOver } = await collectImages(named, flags);
  // Counted now: the list of failures grows while images are worked on.
  const total = images.length + failures.length;
  const started = performance.now();
  const tally: Tally = { worked: 0, skipped: 0, keypoints: 0, empty: [], failures, passedOver };
  if (!flags.quiet) context.err(passedOverNote(passedOver));
  for (const failure of failures) context.err(failureLine(failure, flags));
  if (images.length === 0) {
    if (failures.length === 0) context.err(`strata: there are no images in ${named.join(", ")}\n`);
    if (flags.json) context.out(`${JSON.stringify(summary(0, [], tally, started))}\n`);
    return EXIT.failed;
  }
  if (flags.format === "h5") await prepareHloc(checkHlocPath(flags.out));
  else await checkWritable(images.map((image) => outputPath(image, { extension: "", out: flags.out })));

  const extractor = await context.engine.openExtractor(openOptions(flags));
  if (flags.format !== "h5") {
    const extension = extensionOf(flags, extractor.info.model);
    const outputs = images.map((image) => outputPath(image, { extension, out: flags.out }));
    await refuseOverwriting(
      images.map(({ path }) => path),
      outputs,
    );
  }
  const store = openStore(flags, extractor);
  const progress = await openProgress({
    total,
    terminal: context.terminal,
    quiet: flags.quiet ?? false,
    write: context.err,
  });
  const interrupt = context.listenForInterrupt();
  try {
    await extractAll({ images, extractor, store, flags, tally, progress, race: interrupt.race });
    progress.stop();
    const outputs = await store.finish();
    report(flags, total, outputs, tally, started, extractor, context);
    return tally.failures.length > 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    progress.stop();
    const finished = tally.worked + tally.skipped;
    const kept = `${finished} of ${images.length} images are finished and kept${
      flags.format === "h5" ? ` in ${partsFolder(checkHlocPath(flags.out))}` : ""
    }; the same command with --resume goes on from there`;
    if (error instanceof Interrupted) {
      context.err(`strata: interrupted; ${kept}\n`);
      return EXIT.interrupted;
    }
    context.err(`strata: stopped; ${kept}\n`);
    throw error;
  } finally {
    interrupt.release();
    // A run that was interrupted leaves the runtime at work; the process ends anyway.
    if (!interrupt.requested) await extractor.dispose();
  }
}

interface Run {
  images: InputImage[];
  extractor: Extractor;
  store: Store;
  flags: ExtractFlags;
  tally: Tally;
  progress: Progress;
  race<T>(work: Promise<T>): Promise<T>;
}

/** Every image in turn; the next one is decoded while the network is at work on this one. */
async function extractAll(run: Run): Promise<void> {
  const { images, extractor, store, flags, tally, progress, race } = run;
  const earlier = tally.failures.length;
  let saidFallback = false;
  let ahead = prepare(images[0], run);
  for (const [i, image] of images.entries()) {
    const prepared = await race(ahead);
    if (i + 1 < images.length) ahead = prepare(images[i + 1], run);
    try {
      if (prepared.kind === "failed") throw prepared.error;
      if (prepared.kind === "finished") {
        tally.skipped++;
      } else {
        const features = await race(extractor.extract(prepared.pixels));
        // Not raced: a file that is being written is finished first.
        await store.save(image, features);
        tally.worked++;
        tally.keypoints += features.count;
        if (features.count === 0) tally.empty.push(image.path);
      }
    } catch (error) {
      if (error instanceof Interrupted || isHopeless(error)) throw error;
      const failure = { path: image.path, error };
      tally.failures.push(failure);
      progress.log(failureLine(failure, flags).trimEnd());
    }
    const fallback = extractor.info.session?.fallback;
    if (fallback && !saidFallback) {
      saidFallback = true;
      if (!flags.quiet) progress.log(`strata: ${fallback}`);
    }
    progress.update(earlier + i + 1, i + 1 - tally.skipped);
    // A signal that came while a file was written is looked at here.
    await race(Promise.resolve());
  }
}

type Prepared = { kind: "pixels"; pixels: Image } | { kind: "finished" } | { kind: "failed"; error: unknown };

/** The image's pixels, unless it is finished; a failure is a value, for nobody may be waiting for it yet. */
async function prepare(image: InputImage, { store, flags }: Run): Promise<Prepared> {
  try {
    if (flags.resume && (await store.has(image))) return { kind: "finished" };
    const { loadImage } = await import("../node/images.js");
    return { kind: "pixels", pixels: await loadImage(image.path, imageOptions(flags)) };
  } catch (error) {
    return { kind: "failed", error };
  }
}

function openStore(flags: ExtractFlags, extractor: Extractor): Store {
  const { model, sha256 } = extractor.info;
  // Checksum and options say how features came about; where they were computed and what files are called does not matter.
  const { backend: _b, threads: _t, model: _m, attentionCkpt: _a, ...given } = openOptions(flags);
  const provenance = {
    strata: packageVersion(),
    model,
    sha256,
    options: { ...given, ...extractor.options, orientation: flags.orientation, append: flags.append ?? false },
  };
  if (flags.format === "h5") {
    return hlocStore({ file: checkHlocPath(flags.out), provenance, resume: flags.resume ?? false });
  }
  const extension = extensionOf(flags, model);
  return fileStore({ format: flags.format, extension, out: flags.out, append: flags.append ?? false, provenance });
}

/** OptionErrors for options that do not go together. */
function checkFlags({ format, outputExtension, smartName, append, out }: ExtractFlags): void {
  if (append && format !== "npz" && format !== "mat") {
    throw new OptionError(`--append is for --format npz and mat, not for ${format}`);
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
function failureLine({ path, error }: Failure, { debug }: ExtractFlags): string {
  const text = errorText(error, debug ?? false);
  return plainMessage(error).includes(path) ? text : text.replace("strata: ", `strata: ${path}: `);
}

function summary(total: number, outputs: string[], tally: Tally, started: number, extractor?: Extractor) {
  return {
    images: total,
    extracted: tally.worked,
    skipped: tally.skipped,
    failed: tally.failures.map(({ path, error }) => ({ path, code: errorCode(error), message: plainMessage(error) })),
    empty: tally.empty,
    passedOver: tally.passedOver,
    keypoints: tally.keypoints,
    outputs,
    seconds: (performance.now() - started) / 1000,
    info: extractor ? { version: packageVersion(), ...extractor.info, options: extractor.options } : null,
  };
}

function report(
  flags: ExtractFlags,
  total: number,
  outputs: string[],
  tally: Tally,
  started: number,
  extractor: Extractor,
  { out, err }: Context,
): void {
  const { worked, skipped, keypoints, empty, failures } = tally;
  const result = summary(total, outputs, tally, started, extractor);
  if (flags.json) {
    out(`${JSON.stringify(result)}\n`);
  } else if (!flags.quiet) {
    const rate = worked > 1 ? `, ${describeRate(worked / result.seconds)}` : "";
    const before = skipped > 0 ? `; ${skipped} were finished before` : "";
    const what = `${plural(worked, "image")}, ${plural(keypoints, "keypoint")}`;
    out(`${what} in ${describeSeconds(result.seconds)}${rate}${before}\n`);
    if (empty.length > 0) out(`no keypoints in ${some(empty)}\n`);
    if (outputs.length > 0) out(`written: ${some(outputs)}\n`);
  }
  if (failures.length > 0) {
    err(`strata: ${failures.length} of ${plural(total, "image")} failed:\n`);
    for (const { path } of failures) err(`  ${path}\n`);
  }
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** The first few of many. */
function some(names: readonly string[]): string {
  const [first, second, third] = names;
  if (names.length <= 3) return names.join(", ");
  return `${first}, ${second}, ${third} and ${names.length - 3} more`;
}
