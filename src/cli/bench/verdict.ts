/** `strata bench verdict`: fits a model's verdict (same, uncertain, different) on photographs, and says how good it is. */
import type { VerdictFigures } from "../../bench/calibration.js";
import type { TWO_VIEW_MODELS } from "../../geometry/robust/model.js";
import { EVIDENCE, type VerdictWeights } from "../../geometry/verdict.js";
import { writeFileAtomic } from "../../node/atomic.js";
import { type Calibration, calibrateVerdict } from "../../node/bench/calibrate-verdict.js";
import { checkWritable } from "../../node/folders.js";
import { type ExtractionFlags, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { openProgress } from "../progress.js";
import { textTable } from "./text-table.js";

export interface VerdictFlags extends ExtractionFlags {
  photos: string;
  test?: string;
  pairs: number;
  different: number;
  testDifferent?: number;
  onePlace?: string[];
  same: number;
  unlike: number;
  seed: number;
  geometry: (typeof TWO_VIEW_MODELS)[number];
  into?: string;
  figure?: string;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function verdictCommand(flags: VerdictFlags, context: Context): Promise<number> {
  if (flags.figure !== undefined) await checkWritable([flags.figure]);
  const { model, verdict, fitted, tested, leftOut } = await calibrate(flags, context);
  if (!flags.quiet) for (const line of leftOut) context.err(`strata: note: left out: ${line}\n`);
  if (flags.figure !== undefined) {
    const { reliabilitySvg } = await import("../../bench/report/reliability-figure.js");
    await writeFileAtomic(flags.figure, await reliabilitySvg((tested ?? fitted).curve));
  }
  if (flags.json) context.out(`${JSON.stringify({ verdict, fitted, tested, leftOut }, null, 2)}\n`);
  else context.out(describe(model, fitted, tested));
  return EXIT.ok;
}

async function calibrate(flags: VerdictFlags, { engine, terminal, err }: Context): Promise<Calibration> {
  const {
    photos,
    test,
    pairs,
    different,
    testDifferent,
    onePlace,
    same,
    unlike,
    seed,
    geometry,
    into,
    quiet = false,
  } = flags;
  const progress = await openProgress({
    total: pairs + different + (test === undefined ? 0 : pairs + (testDifferent ?? different)),
    unit: ["pair", "pairs"],
    terminal,
    quiet,
    write: err,
  });
  try {
    return await calibrateVerdict({
      ...{ photos, test, pairs, different, testDifferent, places: onePlace, same, unlike, seed, geometry, into },
      model: openOptions(flags),
      openExtractor: engine.openExtractor,
      onPair: (done) => progress.update(done, done),
    });
  } finally {
    progress.stop();
  }
}

function describe({ weights, bias }: VerdictWeights, own: VerdictFigures, tested: VerdictFigures | null): string {
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
