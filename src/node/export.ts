/** Models written as ONNX files, and held against the library afterwards. */

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { untilAborted } from "../abort.js";
import {
  checkBytes,
  checkFlag,
  checkFunction,
  checkList,
  checkObject,
  checkSize,
  checkText,
  checkTexts,
} from "../check.js";
import { OptionError, UnsupportedError } from "../errors.js";
import { EXPORT_FORMATS, PIXEL_TYPES } from "../export/choices.js";
import { COLMAP_MULTIPLE } from "../export/colmap.js";
import { DEFAULT_SLOTS, type ExportedModel, type ExportOptions, exportFeatures } from "../export/features.js";
import { exportMatcher } from "../export/matcher.js";
import { compareFeatures, isSame, type Parity, sumParity } from "../export/parity.js";
import { insideOnly, runColmap, runExported } from "../export/run.js";
import type { Extractor } from "../extract/extractor.js";
import type { ExtractOptions } from "../extract/options.js";
import type { Backend, Runtime, Session } from "../graph/session.js";
import type { Image } from "../image/image.js";
import { padImage } from "../image/pad.js";
import { resizeImage } from "../image/resize.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import { checkPath, readFileChecked, writeFileAtomic } from "./atomic.js";
import type { CheckAgainst, CheckRuntime } from "./export-choices.js";
import { CHECK_AGAINST, CHECK_RUNTIMES } from "./export-choices.js";
import { type OpenOptions, openExtractor, openModelFiles } from "./extractor.js";
import { checkWritable, makeFolder } from "./folders.js";
import { loadImage } from "./images.js";
import { lockBeside, withLock } from "./lock.js";
import { nodeRuntime } from "./runtime.js";

export interface WriteOptions {
  /** Write over a file that is there. Default false. */
  force?: boolean;
}

/** Model and extraction options as `openExtractor` has them (no runtime), and how the file is to be. */
export type ExportModelOptions = Omit<OpenOptions, "runtime" | "backend" | "threads"> &
  Partial<ExportOptions> &
  WriteOptions;

/** What was exported, and where to. */
export interface ExportReport extends Omit<ExportedModel, "bytes"> {
  out: string;
  /** Size and SHA-256 of the file. */
  bytes: number;
  sha256: string;
  model: { name: string; sha256: string };
  /** Extraction options that are in the graph. */
  options: ExtractOptions;
  format: ExportOptions["format"];
  input: ExportOptions["input"];
  size: readonly [number, number] | null;
  batch: number | null;
  precision: ExportOptions["precision"];
}

/**
 * Writes a model as one ONNX file from image to features. OptionError for what is not offered and for a file that is
 * there, UnsupportedError for what the graph of that model cannot do, IoError where it cannot be written.
 */
export async function exportModel(out: string, given: ExportModelOptions = {}): Promise<ExportReport> {
  checkObject("exportModel", "options", given);
  return withOutput(out, given.force ?? false, () => exportLocked(out, given));
}

async function exportLocked(out: string, given: ExportModelOptions): Promise<ExportReport> {
  const { force: _, format = "strata", input, size, batch, precision, producerVersion, ...open } = given;
  if (format === "colmap" && open.maxFeatures != null) {
    throw new OptionError(
      'export: "maxFeatures" does not go with the format "colmap": COLMAP says how many keypoints it wants ' +
        "(--AlikedExtraction.max_num_features)",
    );
  }
  const { opened, options } = await openModelFiles(open);
  // A model without a limit gets slots enough for most images, unless the caller has asked for no limit.
  const slots = options.maxFeatures ?? (open.maxFeatures === null ? null : DEFAULT_SLOTS);
  const reading = { ...options, maxFeatures: slots };
  const { bytes, ...facts } = await exportFeatures(opened.model, reading, {
    format,
    input,
    size,
    batch,
    precision,
    producerVersion,
  });
  await write(out, bytes);
  return {
    ...facts,
    out,
    bytes: bytes.length,
    sha256: sha256(bytes),
    model: { name: opened.model.name, sha256: opened.model.sha256 },
    options: reading,
    format,
    input: format === "colmap" ? "float32" : (input ?? "uint8"),
    size: size ?? null,
    batch: format === "colmap" ? 1 : (batch ?? null),
    precision: precision ?? "fp32",
  };
}

/** Writes the matcher; `dim` null takes descriptors of any length. */
export async function exportMatcherFile(
  out: string,
  given: WriteOptions & { dim?: number | null; producerVersion?: string } = {},
): Promise<{ out: string; bytes: number; sha256: string; dim: number | null }> {
  const defaults = { dim: null as number | null, force: false, producerVersion: undefined as string | undefined };
  const { dim, force, producerVersion } = withDefaults("exportMatcherFile", defaults, given);
  return withOutput(out, force, async () => {
    const bytes = exportMatcher(dim, producerVersion);
    await write(out, bytes);
    return { out, bytes: bytes.length, sha256: sha256(bytes), dim };
  });
}

/** Runs `work`, which makes the file, while no other process does. */
async function withOutput<T>(out: string, force: boolean, work: () => Promise<T>): Promise<T> {
  await checkOutput(out, force);
  return withLock(await lockBeside(out), out, async () => {
    // Somebody may have made it just before.
    await checkOutput(out, force);
    return work();
  });
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function checkOutput(out: string, force: boolean): Promise<void> {
  checkPath("export", out);
  checkFlag("export", '"force"', force);
  if (!out.toLowerCase().endsWith(".onnx")) throw new OptionError(`the output must be a file .onnx, got "${out}"`);
  await checkWritable([out]);
  const there = await stat(out).catch(() => undefined);
  if (there && !force) throw new OptionError(`${out} is there already; give another name, or --force`);
}

async function write(out: string, bytes: Uint8Array): Promise<void> {
  await makeFolder(dirname(out));
  await writeFileAtomic(out, bytes);
}

export interface CheckedImage extends Parity {
  image: string;
  size: [number, number];
  /** Milliseconds of the exported model, and of the library. */
  milliseconds: number;
  libraryMilliseconds: number;
}

/** How an exported file agrees with the library. */
export interface CheckReport {
  /** e.g. "onnxruntime-web 1.30.0, wasm". */
  runtime: string;
  images: CheckedImage[];
  total: Parity;
  /** 99.9 % of the points are the library's, within 0.001 px. */
  same: boolean;
}

/** What a check has to know of a file. */
export type CheckedFile = Pick<ExportReport, "options" | "input" | "size" | "batch"> &
  Partial<Pick<ExportReport, "format">>;

export interface CheckOptions extends Pick<OpenOptions, "threads"> {
  runtimes?: readonly CheckRuntime[];
  /**
   * The library on onnxruntime-node (cpu), or on the same runtime: sums in another order differ in their last digits,
   * which the reference's localization can make a hundredth of a pixel. Default "node".
   */
  against?: CheckAgainst;
  /** Called after each image on each runtime. */
  onImage?: () => void;
}

/**
 * Runs an exported file and the library on the same images, by name and reader, each read once per runtime. UnsupportedError where a runtime is not to be had.
 */
export async function checkExport(
  bytes: Uint8Array,
  report: CheckedFile,
  open: OpenOptions,
  images: readonly { name: string; read: () => Promise<Image> }[],
  options: CheckOptions = {},
): Promise<CheckReport[]> {
  const where = "checkExport";
  const { runtimes, against, threads, onImage } = withDefaults<CheckOptions & { onImage: () => void }>(
    where,
    { runtimes: ["node", "web"], against: undefined, threads: undefined, onImage: () => {} },
    options,
  );
  for (const runtime of checkTexts(where, '"runtimes"', runtimes))
    checkChoice(where, "runtimes", runtime, CHECK_RUNTIMES);
  checkChoice(where, "against", against ?? "node", CHECK_AGAINST);
  checkBytes(where, bytes);
  const { format = "strata", input, size, batch } = checkObject(where, "report", report) as typeof report;
  checkChoice(where, "report.format", format, EXPORT_FORMATS);
  checkChoice(where, "report.input", input, PIXEL_TYPES);
  if (size !== null) checkSize(where, "report.size", size);
  if (batch !== null) checkNumber(where, "report.batch", batch, { min: 1, integer: true });
  checkObject(where, "report.options", report.options);
  checkObject(where, "the model's options", open);
  checkFunction(where, '"onImage"', onImage);
  for (const [i, image] of checkList(where, "images", images).entries()) {
    const { name, read } = checkObject(where, `images[${i}]`, image);
    checkText(where, `images[${i}].name`, name);
    checkFunction(where, `images[${i}].read`, read);
  }
  const reports: CheckReport[] = [];
  for (const wanted of runtimes ?? []) {
    const { runtime, backend } = await placeOf(wanted);
    const session = await openSession(bytes, runtime, backend, threads);
    const own = against === "same" ? { runtime, backend } : await placeOf("node");
    const library = await openExtractor({ ...open, ...own, maxFeatures: report.options.maxFeatures, threads });
    try {
      const checked: CheckedImage[] = [];
      for (const { name, read } of images) {
        checked.push(await checkImage(session, library, name, await read(), report));
        onImage();
      }
      const total = sumParity(checked);
      const { info } = session;
      reports.push({ runtime: `${info.runtime}, ${info.backend}`, images: checked, total, same: isSame(total) });
    } finally {
      await session.dispose();
      await library.dispose();
    }
  }
  return reports;
}

/** `checkExport` of the file that `report` tells of, on image files; `signal` ends the wait with its reason. */
export async function checkExportedFile(
  report: ExportReport,
  open: OpenOptions,
  images: readonly string[],
  given: CheckOptions & { signal?: AbortSignal } = {},
): Promise<CheckReport[]> {
  const { signal, ...options } = checkObject("checkExportedFile", "options", given) as typeof given;
  const where = "checkExportedFile";
  checkPath(where, checkObject(where, "report", report).out);
  for (const path of checkTexts(where, "images", images)) checkPath(where, path);
  const bytes = await readFileChecked(report.out);
  const named = images.map((path) => ({ name: path, read: () => loadImage(path) }));
  return untilAborted(checkExport(bytes, report, open, named, options), signal);
}

async function checkImage(
  session: Session,
  library: Extractor,
  name: string,
  read: Image,
  { format, input, size, batch, options }: CheckedFile,
): Promise<CheckedImage> {
  const image = size ? resizeImage(read, size[0], size[1]) : read;
  const colmap = format === "colmap";
  // COLMAP's border is part of what the library is held against: the file sees no other image.
  const seen = colmap ? padImage(image, COLMAP_MULTIPLE) : image;
  const t0 = performance.now();
  const exported = colmap
    ? await runColmap(session, image, { maxKeypoints: options.maxFeatures ?? DEFAULT_SLOTS })
    : await runExported(session, image, { input, batch: batch ?? 1 });
  const t1 = performance.now();
  const own = await library.extract(seen);
  const t2 = performance.now();
  const inside = colmap ? insideOnly({ ...own, imageSize: [image.width, image.height] }) : own;
  return {
    image: name,
    size: [image.width, image.height],
    ...compareFeatures(inside, exported),
    milliseconds: t1 - t0,
    libraryMilliseconds: t2 - t1,
  };
}

async function placeOf(wanted: CheckRuntime): Promise<{ runtime: Runtime; backend: Backend }> {
  if (wanted === "node") return { runtime: nodeRuntime, backend: "cpu" };
  if (wanted === "webgpu") return { runtime: nodeRuntime, backend: "webgpu" };
  return { runtime: (await import("../web/runtime.js")).webRuntime, backend: "wasm" };
}

async function openSession(bytes: Uint8Array, runtime: Runtime, backend: Backend, threads?: number): Promise<Session> {
  const session = await runtime.open(bytes, { backend, threads });
  if (session.info.fallback === undefined) return session;
  await session.dispose();
  throw new UnsupportedError(`the exported model cannot be checked here: ${session.info.fallback}`);
}
