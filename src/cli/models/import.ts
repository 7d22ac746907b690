/** `strata models import`: weights made elsewhere, as a model folder of strata. */
import type { PreprocessingName } from "../../extract/preprocess.js";
import type { IMPORT_KINDS } from "../../import/kinds.js";
import type { ImportReport } from "../../node/models-import.js";
import { byteMeter } from "../byte-meter.js";
import { type Context, EXIT, Interrupted } from "../context.js";
import { errorCode, errorText, exitCodeOf } from "../report-error.js";

/** As commander hands them over. */
export interface ImportFlags {
  out: string;
  kind: (typeof IMPORT_KINDS)[number];
  name?: string;
  backbone?: string;
  preprocessing?: PreprocessingName;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function importCommand(source: string, flags: ImportFlags, context: Context): Promise<number> {
  const { importModel } = await import("../../node/models-import.js");
  const { ImportError } = await import("../../import/index.js");
  const { out, kind, name, backbone, preprocessing, force, json, quiet } = flags;
  const interrupt = context.listenForInterrupt();
  const stop = new AbortController();
  const meter = byteMeter({ json, quiet }, context);
  const work = importModel(source, {
    out,
    kind: kind === "auto" ? undefined : kind,
    name,
    backbone,
    preprocessing,
    force,
    onProgress: (read, total) => meter.update(read, total, read),
    signal: stop.signal,
  });
  try {
    const report = await interrupt.race(work);
    meter.stop();
    if (json) context.out(`${JSON.stringify(report)}\n`);
    else if (!quiet) context.out(describe(report));
    return EXIT.ok;
  } catch (error) {
    meter.stop();
    if (error instanceof Interrupted) {
      stop.abort(error);
      const written = await work.then(
        () => true,
        () => false,
      );
      context.err(`strata: interrupted; ${written ? `the model is in ${out}` : "nothing was written"}\n`);
      return EXIT.interrupted;
    }
    if (!(error instanceof ImportError)) throw error;
    const { message, missing, mismatched, unused } = error;
    context.err(errorText(error, flags.debug ?? false));
    if (json) {
      context.out(`${JSON.stringify({ error: message, code: errorCode(error), missing, mismatched, unused })}\n`);
    } else context.err("strata: --json lists all of them\n");
    return exitCodeOf(error);
  } finally {
    interrupt.release();
  }
}

/** Names that are listed; --json has them all. */
const LISTED = 12;

const WHOSE = {
  delg: "DELG's ResNet",
  torchvision: "torchvision's ResNet",
  reference: "checkpoint of the reference",
  strata: "strata's own",
} as const;

function describe(report: ImportReport): string {
  const { name, kind, model, config, source, backbone, out, bytes, sha256, parameters } = report;
  const facts = ["backbone", "attention", "descriptorDim", "preprocessing"]
    .filter((key) => config[key] !== undefined)
    .map((key) => `${key} ${config[key]}`);
  const count = `${report.tensors} tensors, ${parameters.toLocaleString("en")} numbers`;
  const lines = [
    `${name}: ${WHOSE[kind]}, now a ${model === "backbone" ? "backbone" : `${model} model`}`,
    ...(facts.length > 0 ? [`  ${facts.join(", ")}`] : []),
    `  from ${source.path} (${source.format})`,
    ...(backbone ? [`  on   ${backbone.path} (${backbone.format})`] : []),
    `  into ${out}: ${count}, ${(bytes / 1e6).toFixed(1)} MB, SHA-256 ${sha256}`,
  ];
  const unused = report.unused.map(
    (tensor) =>
      `${tensor.name} [${tensor.shape.join(", ")}]${tensor.of === "backbone" ? " (of the backbone's file)" : ""}`,
  );
  lines.push(...listed(`not used: ${countOf(unused)}`, unused));
  lines.push(...listed(`missing, and not needed to extract: ${countOf(report.missing)}`, report.missing));
  lines.push(...listed(`of 64 bits, now of 32: ${countOf(report.converted)}`, report.converted));
  if (report.other.length > 0) lines.push(`not tensors, left out: ${some(report.other, ", ")}`);
  if (model === "backbone") {
    lines.push(
      "It finds no features by itself:",
      `  strata train encoder --backbone ${out} --data MegaDepth --out runs/encoder`,
    );
    lines.push(`  strata extract IMAGES --model ${out} --attention-ckpt HEADS.ckpt`);
  } else lines.push(`  strata extract IMAGES --model ${out}`);
  return `${lines.join("\n")}\n`;
}

const countOf = (names: readonly string[]): string => (names.length === 1 ? "1 tensor" : `${names.length} tensors`);

const listed = (title: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [title, `  ${some(names, "\n  ")}`];

const some = (names: readonly string[], between: string): string =>
  [
    ...names.slice(0, LISTED),
    ...(names.length > LISTED ? [`… ${names.length - LISTED} more, all with --json`] : []),
  ].join(between);
