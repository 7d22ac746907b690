/** `strata export`: a model or the matcher as an ONNX file, and how far it gives what the library gives. */
import { OptionError } from "../../errors.js";
import type { ExportFormat, PixelType } from "../../export/choices.js";
import type { Packing } from "../../model/pack.js";
import type { CheckReport, ExportReport } from "../../node/export.js";
import type { CheckAgainst, CheckRuntime } from "../../node/export-choices.js";
import type { OpenOptions } from "../../node/extractor.js";
import { packageVersion } from "../../node/version.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { columns } from "../info.js";
import { collectImages, passedOverNote } from "../inputs.js";
import { openProgress } from "../progress.js";
import { errorText } from "../report-error.js";
import { checkLines } from "./check-lines.js";

/** As commander hands them over. */
export interface ExportFlags {
  out: string;
  force?: boolean;
  model?: string;
  attentionCkpt?: string;
  attentionModel?: OpenOptions["attentionModel"];
  firstStride?: 1 | 2;
  replaceStrides?: boolean;
  preprocessing?: OpenOptions["preprocessing"];
  thresh?: number;
  maxFeatures?: number;
  scales?: number[];
  format?: ExportFormat;
  input?: PixelType;
  size?: [number, number];
  batch?: number;
  precision?: Packing;
  int8?: boolean;
  matcher?: boolean;
  dim?: number;
  check?: string[];
  runtimes?: CheckRuntime[];
  against?: CheckAgainst;
  threads?: number;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function exportCommand(flags: ExportFlags, context: Context): Promise<number> {
  checkFlags(flags);
  if (flags.matcher) return exportMatcher(flags, context);
  const images = flags.check ? await imagesOf(flags.check, flags, context) : [];
  const { exportModel } = await import("../../node/export.js");
  const { out, force, format, input, size, batch } = flags;
  const open = openOptions(flags);
  const precision = flags.int8 ? "int8" : flags.precision;
  const producerVersion = packageVersion();
  const report = await exportModel(out, { ...open, force, format, input, size, batch, precision, producerVersion });
  if (!flags.json && !flags.quiet) context.out(`${reportLines(report).join("\n")}\n`);
  const checks = flags.check ? await check(report, open, images, flags, context) : undefined;
  if (checks === null) return EXIT.interrupted;
  if (flags.json) context.out(`${JSON.stringify({ ...report, ...(checks && { check: checks }) })}\n`);
  else if (checks && !flags.quiet) context.out(`\n${checkLines(checks, report.precision).join("\n")}\n`);
  const judged = report.precision === "fp32" && checks !== undefined;
  if (!judged || checks.every(({ same }) => same)) return EXIT.ok;
  context.err("strata: the exported file does not give the library's points (99.9 % within 0.001 px)\n");
  return EXIT.failed;
}

async function exportMatcher({ out, force, dim, json, quiet }: ExportFlags, context: Context): Promise<number> {
  const { exportMatcherFile } = await import("../../node/export.js");
  const report = await exportMatcherFile(out, { dim, force, producerVersion: packageVersion() });
  if (json) context.out(`${JSON.stringify(report)}\n`);
  else if (!quiet) {
    const facts: [string, string][] = [
      ["inputs", `a [N, ${dim ?? "dim"}], b [M, ${dim ?? "dim"}]`],
      ["outputs", "pairs [P, 2], scores [P]"],
      ["written", `${out}, ${report.bytes.toLocaleString("en")} bytes`],
    ];
    context.out(`${columns(facts).join("\n")}\n`);
  }
  return EXIT.ok;
}

/** OptionErrors for flags that do not go together. */
function checkFlags(flags: ExportFlags): void {
  if (flags.int8 && flags.precision !== undefined && flags.precision !== "int8") {
    throw new OptionError(`--int8 and --precision ${flags.precision} do not go together; give one of them`);
  }
  const checking = (["runtimes", "against", "threads"] as const).find((name) => flags[name] !== undefined);
  if (checking && !flags.check) throw new OptionError(`--${checking} is for --check IMAGES`);
  if (flags.format === "colmap") {
    const said = (["maxFeatures", "input", "size", "batch"] as const).find((name) => flags[name] !== undefined);
    if (said) {
      throw new OptionError(
        `${flagOf(said)} does not go with --format colmap: COLMAP feeds floats, images of any size, one at a time, and says ` +
          "how many keypoints it wants (--AlikedExtraction.max_num_features)",
      );
    }
  }
  if (!flags.matcher) {
    if (flags.dim !== undefined) throw new OptionError("--dim is for --matcher; a model knows its descriptors' length");
    return;
  }
  const { out: _o, force: _f, matcher: _m, dim: _d, json: _j, quiet: _q, debug: _g, ...others } = flags;
  const [foreign] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (foreign === undefined) return;
  throw new OptionError(
    `${flagOf(foreign)} does not go with --matcher, a file of its own without a model; export the two apart`,
  );
}

const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function openOptions(flags: ExportFlags): OpenOptions {
  const { model, attentionCkpt, attentionModel, firstStride, replaceStrides, preprocessing, maxFeatures, scales } =
    flags;
  const options: OpenOptions = {
    model,
    attentionCkpt,
    attentionModel,
    firstStride,
    replaceStrides,
    preprocessing,
    threshold: flags.thresh,
    maxFeatures,
    scales,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The images to check on, found before anything is written; one that is not there ends the command. */
async function imagesOf(named: string[], flags: ExportFlags, context: Context): Promise<string[]> {
  const { images, failures, passedOver } = await collectImages(named, {});
  if (!flags.quiet) context.err(passedOverNote(passedOver));
  for (const { error } of failures) context.err(errorText(error, flags.debug ?? false));
  if (failures.length > 0 || images.length === 0) {
    throw new OptionError(`--check needs images that can be read; nothing was written`);
  }
  return images.map(({ path }) => path);
}

/** null: it was interrupted, which has been said. */
async function check(
  report: ExportReport,
  open: OpenOptions,
  images: readonly string[],
  flags: ExportFlags,
  context: Context,
): Promise<CheckReport[] | null> {
  const { checkExportedFile } = await import("../../node/export.js");
  const runtimes = flags.runtimes ?? (["node", "web"] as const);
  const total = images.length * runtimes.length;
  const progress = await openProgress({
    total,
    terminal: context.terminal,
    quiet: flags.quiet ?? false,
    write: context.err,
  });
  const interrupt = context.listenForInterrupt();
  let done = 0;
  try {
    const { against, threads } = flags;
    const onImage = () => progress.update(++done, done);
    const options = { runtimes, against, threads, onImage, signal: interrupt.signal };
    return await checkExportedFile(report, open, images, options);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    progress.stop();
    context.err(`strata: interrupted; ${report.out} is written, ${done} of ${total} checks were done\n`);
    return null;
  } finally {
    progress.stop();
    interrupt.release();
  }
}

function reportLines(report: ExportReport): string[] {
  const { model, input, size, batch, slots, dim, options, precision, out, bytes } = report;
  const [width, height] = size ?? ["W", "H"];
  const n = batch ?? "N";
  const k = slots ?? "K";
  const outputs = [`keypoints [${n}, ${k}, 2]`, `scores [${n}, ${k}]`, `descriptors [${n}, ${k}, ${dim}]`];
  const ports: [string, string][] =
    report.format === "colmap"
      ? [
          ["inputs", "image [1, 3, H, W], float32 0 to 1; max_keypoints, int64; min_score, float32"],
          ["outputs", [outputs[0], outputs[2], outputs[1]].join(", ")],
        ]
      : [
          ["input", `image [${n}, ${height}, ${width}, 3], ${input}`],
          ["outputs", outputs.join(", ")],
        ];
  return columns([
    ["model", `${model.name}, SHA-256 ${model.sha256}`],
    ...ports,
    ["scales", options.scales.join(", ")],
    ["threshold", String(options.threshold)],
    ["weights", `${precision} (arithmetic in fp32)`],
    ["written", `${out}, ${bytes.toLocaleString("en")} bytes`],
  ]);
}
