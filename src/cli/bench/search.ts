/** `strata bench search`: photographs of prints, drawn, looked for in an index of pictures. */
import { roundVerdict } from "../../bench/calibration.js";
import { recalibrated } from "../../bench/search/recalibrate.js";
import { OptionError } from "../../errors.js";
import type { VerdictModel } from "../../geometry/verdict.js";
import { type IndexingRate, indexingRate } from "../../node/bench/indexing-rate.js";
import { type SearchFigures, searchPrints } from "../../node/bench/search-prints.js";
import { saveSearchVerdict } from "../../node/search/search-verdict.js";
import { loadVocabulary, modelVocabulary } from "../../node/search/vocabularies.js";
import { INDEX_EXTRACTION, QUERY_EXTRACTION, SEARCH_MODEL, searchVerdict } from "../../search/search-image.js";
import type { IndexKind } from "../../search/segment-format.js";
import { type ExtractionFlags, openOptions } from "../arguments.js";
import { type Context, EXIT } from "../context.js";
import { stageOf } from "../progress.js";
import { textTable } from "./text-table.js";

export interface SearchBenchFlags extends ExtractionFlags {
  photos: string[];
  others?: string[];
  aside: number;
  onePlace?: string[];
  rate?: number;
  queries: number;
  strangers: number;
  flat: number;
  seed: number;
  kind: IndexKind;
  vocabulary?: string;
  same: number;
  into?: string;
  out?: string;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

/** Below this probability a find is called different; nobody reads it but the verdict's checks. */
const DIFFERENT = 0.05;

export async function searchBenchCommand(flags: SearchBenchFlags, context: Context): Promise<number> {
  const {
    photos,
    others = [],
    aside,
    onePlace = [],
    rate,
    queries,
    strangers,
    flat,
    seed,
    kind,
    into,
    out,
    same,
  } = flags;
  const model = into ?? flags.model ?? SEARCH_MODEL;
  if (into !== undefined && flags.model !== undefined) {
    throw new OptionError("--into names the model that is measured: leave out --model");
  }
  const { engine } = context;
  const chosen = { ...openOptions(flags), model };
  const extractor = await engine.openExtractor({ ...INDEX_EXTRACTION, ...chosen });
  const queryExtractor = await engine.openExtractor({ ...QUERY_EXTRACTION, ...chosen });
  const interrupt = context.listenForInterrupt();
  try {
    const vocabulary =
      flags.vocabulary === undefined ? await modelVocabulary(model) : await loadVocabulary(flags.vocabulary);
    if (rate !== undefined) {
      const figures = await indexingRate(photos, extractor, vocabulary, { most: rate, signal: interrupt.signal });
      context.out(
        flags.json ? `${JSON.stringify({ model: extractor.info.model, rate: figures })}\n` : describeRates(figures),
      );
      return EXIT.ok;
    }
    const measured = await searchPrints({
      ...{ photos, others, aside, onePlace, extractor, queryExtractor, vocabulary, kind },
      ...{ queries, strangers, flat, seed, out },
      ...{ openStage: stageOf(flags.quiet, context), signal: interrupt.signal },
    });
    let verdict: VerdictModel | null = searchVerdict(extractor);
    if (into !== undefined) {
      if (!verdict)
        throw new OptionError(`${into}: has no verdict on homographies yet; fit that first (strata bench verdict)`);
      const finds = measured.queries.map(({ probability, first, picture }) => ({
        probability,
        right: first === picture,
      }));
      verdict = roundVerdict({ ...recalibrated(verdict, finds), same, different: DIFFERENT });
      await saveSearchVerdict(into, verdict, { queries: finds.length, seed });
    }
    const { figures, queries: each } = measured;
    if (flags.json)
      context.out(`${JSON.stringify({ model: extractor.info.model, figures, verdict, queries: each }, null, 2)}\n`);
    else context.out(describe(extractor.info.model, figures, each));
    return EXIT.ok;
  } finally {
    interrupt.release();
    await extractor.dispose();
    await queryExtractor.dispose();
  }
}

function describeRates({ images, plain, indexing, processor, load }: IndexingRate): string {
  const row = (what: string, perSecond: number, ms: number) => [what, perSecond.toFixed(2), ms.toFixed(1)];
  const more = (100 * (plain / indexing - 1)).toFixed(1);
  return `${textTable(
    [`${images} images, load ${load.toFixed(1)}`, "images/s", "ms of processor"],
    [row("extraction alone", plain, processor.plain), row("indexing", indexing, processor.indexing)],
  )}An index costs ${more} % more.\n`;
}

function describe(model: string, f: SearchFigures, each: Awaited<ReturnType<typeof searchPrints>>["queries"]): string {
  const share = (value: number) => value.toFixed(3);
  const median = (of: (seconds: (typeof each)[number]["seconds"]) => number) =>
    `${Math.round(1000 * each.map(({ seconds }) => of(seconds)).sort((a, b) => a - b)[each.length >> 1])} ms`;
  const rows = [
    ["first, verified", share(f.top1)],
    ["first and called found", share(f.found)],
    ["first by words alone", share(f.top1Words)],
    ["among the candidates", share(f.candidates)],
    ...(f.top1Flat === null
      ? []
      : [
          [
            "first by flat matching",
            `${share(f.top1Flat)} of ${f.flat} (verified, the same queries: ${share(f.top1OfFlat ?? 0)})`,
          ],
        ]),
    ["a wrong picture called found", `${f.wrongFinds} of ${f.queries}`],
    ["called found, not in the index", `${f.falseFinds} of ${f.strangers}`],
    ["bytes per image", `${Math.round(f.bytesPerImage)}`],
    ["extraction of a query", median(({ extract }) => extract)],
    ["candidates", median(({ candidates }) => candidates)],
    ["verification", median(({ verify }) => verify)],
  ];
  return textTable([`${model}, ${f.queries} queries, ${f.images} images`, ""], rows);
}
