/** `strata bench verdict`: fits a model's verdict (same, uncertain, different) on photographs, and says how good it is. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  calibrationError,
  fitVerdict,
  type JudgedPair,
  pairProbability,
  type ReliabilityBin,
  reliabilityCurve,
} from "../../bench/calibration.js";
import { OptionError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { EVIDENCE, parseVerdictModel, type VerdictModel } from "../../geometry/verdict.js";
import { ioError, writeFileAtomic } from "../../node/atomic.js";
import { RIGHT_WITHIN, verdictPairs } from "../../node/bench/verdict-pairs.js";
import { checkWritable } from "../../node/folders.js";
import { withModelFolder } from "../../node/model-folder.js";
import { type ExtractionFlags, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { openProgress } from "../progress.js";
import { textTable } from "./text-table.js";

export interface VerdictFlags extends ExtractionFlags {
  photos: string;
  test?: string;
  pairs: number;
  different: number;
  same: number;
  unlike: number;
  seed: number;
  into?: string;
  figure?: string;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

/** What the verdict does to pairs that it was not fitted on. */
export interface VerdictFigures {
  pairs: number;
  right: number;
  sameOfRight: number;
  differentOfRight: number;
  /** Pairs of different photographs, and how many of them are called same. */
  unrelated: number;
  sameOfUnrelated: number;
  calibrationError: number;
  curve: ReliabilityBin[];
}

export async function verdictCommand(flags: VerdictFlags, context: Context): Promise<number> {
  const { into } = flags;
  if (into === undefined) return fitCommand(flags, null, context);
  await readConfig(into);
  // Read again, for the configuration that is written must be the one of the model that is measured.
  return withModelFolder(into, async () => fitCommand(flags, await readConfig(into), context));
}

/** `config`: of the model that the verdict goes into. */
async function fitCommand(
  flags: VerdictFlags,
  config: Record<string, unknown> | null,
  context: Context,
): Promise<number> {
  if (flags.figure !== undefined) await checkWritable([flags.figure]);
  if (flags.unlike > flags.same) {
    throw new OptionError(`--unlike must be at most --same, got ${flags.unlike} and ${flags.same}`);
  }
  const extractor = await context.engine.openExtractor(
    openOptions(flags.into === undefined ? flags : { ...flags, model: flags.into }),
  );
  const progress = await openProgress({
    total: (flags.pairs + flags.different) * (flags.test === undefined ? 1 : 2),
    unit: ["pair", "pairs"],
    terminal: context.terminal,
    quiet: flags.quiet ?? false,
    write: context.err,
  });
  try {
    const collect = (photos: string, seed: number, before: number) =>
      verdictPairs(extractor, {
        photos,
        same: flags.pairs,
        different: flags.different,
        seed,
        onPair: (done) => progress.update(before + done, before + done),
      });
    const fitted = await collect(flags.photos, flags.seed, 0);
    const held =
      flags.test === undefined ? null : await collect(flags.test, flags.seed + 1, flags.pairs + flags.different);
    progress.stop();
    const leftOut = [...fitted.leftOut, ...(held?.leftOut ?? [])];
    if (!flags.quiet) for (const line of leftOut) context.err(`strata: note: left out: ${line}\n`);
    const model: VerdictModel = {
      ...fitVerdict([...fitted.same, ...fitted.different]),
      same: flags.same,
      different: flags.unlike,
    };
    const own = figuresOf(model, fitted.same, fitted.different);
    const tested = held && figuresOf(model, held.same, held.different);
    const facts = {
      pairs: own.pairs + own.unrelated,
      rightWithin: RIGHT_WITHIN,
      data: fitted.digest,
      seed: flags.seed,
    };
    const verdict = { ...rounded(model), fitted: facts };
    parseVerdictModel("verdict", verdict);
    if (config && flags.into !== undefined) {
      await writeFileAtomic(configPath(flags.into), `${JSON.stringify({ ...config, verdict }, null, 2)}\n`);
    }
    if (flags.figure !== undefined) {
      const { reliabilitySvg } = await import("../../bench/report/reliability-figure.js");
      await writeFileAtomic(flags.figure, await reliabilitySvg((tested ?? own).curve));
    }
    if (flags.json) context.out(`${JSON.stringify({ verdict, fitted: own, tested, leftOut }, null, 2)}\n`);
    else context.out(describe(model, own, tested));
    return EXIT.ok;
  } finally {
    progress.stop();
    await extractor.dispose();
  }
}

const configPath = (folder: string) => join(folder, "config.json");

async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const path = configPath(folder);
  const bytes = await readFile(path).catch((cause) => {
    throw ioError("read", path, cause);
  });
  return parseJson(path, bytes) as Record<string, unknown>;
}

/** Six digits are more than the pairs know. */
function rounded({ weights, bias, same, different }: VerdictModel): VerdictModel {
  const short = (value: number) => Number(value.toPrecision(6));
  const named = Object.fromEntries(EVIDENCE.map((name) => [name, short(weights[name])]));
  return { weights: named as VerdictModel["weights"], bias: short(bias), same, different };
}

function figuresOf(model: VerdictModel, same: readonly JudgedPair[], different: readonly JudgedPair[]): VerdictFigures {
  const right = same.filter((pair) => pair.right).map((pair) => pairProbability(model, pair));
  const unrelated = different.map((pair) => pairProbability(model, pair));
  const curve = reliabilityCurve(model, [...same, ...different]);
  const above = (values: readonly number[]) => values.filter((p) => p >= model.same).length;
  return {
    pairs: same.length,
    right: right.length,
    sameOfRight: above(right),
    differentOfRight: right.filter((p) => p < model.different).length,
    unrelated: unrelated.length,
    sameOfUnrelated: above(unrelated),
    calibrationError: calibrationError(curve),
    curve,
  };
}

function describe({ weights, bias }: VerdictModel, own: VerdictFigures, tested: VerdictFigures | null): string {
  const rows = [["fitted on", own] as const, ...(tested ? [["tested on", tested] as const] : [])].map(([name, f]) => [
    name,
    `${f.pairs}`,
    `${f.right}`,
    `${f.sameOfRight}`,
    `${f.differentOfRight}`,
    `${f.unrelated}`,
    `${f.sameOfUnrelated}`,
    f.calibrationError.toFixed(3),
  ]);
  const head = [
    "",
    "pairs",
    "right",
    "same of right",
    "different of right",
    "unrelated",
    "same of unrelated",
    "calibration error",
  ];
  const curve = (tested ?? own).curve.map(({ low, high, count, predicted, observed }) => [
    `${low.toFixed(1)} to ${high.toFixed(1)}`,
    `${count}`,
    predicted.toFixed(3),
    observed.toFixed(3),
  ]);
  const terms = EVIDENCE.map((name) => `${weights[name].toFixed(3)} ${name}`).join(" + ");
  return [
    textTable(head, rows),
    textTable(["probability", "pairs", "predicted", "observed"], curve),
    `ln(p / (1 - p)) = ${bias.toFixed(3)} + ${terms}\n`,
  ].join("\n");
}
