/**
 * Search measured on photographs of prints that are drawn (print-view.ts): pictures of an index, and pictures that are not in it.
 * A model's verdict on finds is fitted on what it says of these.
 */
import { basename } from "node:path";
import { drawPrintView } from "../../bench/search/print-view.js";
import { checkTexts } from "../../check.js";
import { OptionError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import type { FloatFeatures } from "../../features.js";
import type { VerdictModel } from "../../geometry/verdict.js";
import { matchFeatures } from "../../match/mutual.js";
import { checkChoice, checkNumber, withDefaults } from "../../options.js";
import { Random } from "../../random.js";
import { checkExtractor } from "../../search/check.js";
import { searchImage, searchVerdict } from "../../search/search-image.js";
import type { SearchIndex } from "../../search/search-index.js";
import type { SearchOptions } from "../../search/search-options.js";
import { type IndexKind, WORD_KINDS } from "../../search/segment-format.js";
import { checkVocabularyArrays, type Vocabulary } from "../../search/vocabulary.js";
import { checkPath } from "../atomic.js";
import { makeFolder } from "../folders.js";
import { encodeJpeg, loadImage } from "../images.js";
import { indexImages } from "../search/index-images.js";
import { folderImages } from "../search/photo-index.js";
import type { OpenStage } from "../stage.js";
import { digestsOf, openKeptQueries, openPrintIndex } from "./kept-prints.js";

/** What is measured. */
export interface SearchPrintsOptions {
  /** Folders of the pictures that are in the index. */
  photos: readonly string[];
  /** Folders of other photographs: pictures that are not in the index, walls and rooms. Default: none but those set aside. */
  others?: readonly string[];
  /** Pictures of `photos`, evenly taken, that stay out of the index and are others; default 0. */
  aside?: number;
  /** Photographs whose names begin with the same one of these may show one place: none of them is set aside. Default: none. */
  onePlace?: readonly string[];
  /** Of the index's images, and of queries, which are looked at more closely. */
  extractor: Extractor;
  queryExtractor: Extractor;
  vocabulary: Vocabulary;
  /** Default "asmk". */
  kind?: IndexKind;
  /** Default: the model's. */
  verdict?: VerdictModel;
  /** Queries that show a picture of the index; default 200. */
  queries?: number;
  /** Queries that show another picture; default 100. */
  strangers?: number;
  /** Queries that are also matched with every picture of the index, which takes long; default 0. */
  flat?: number;
  /** Default 0. */
  seed?: number;
  /** How is searched. */
  search?: SearchOptions;
  /**
   * Folder that keeps the index and what each query gave: the same call goes on where an earlier one was stopped. It is made where
   * it is not there. Default: nothing is kept.
   */
  out?: string;
  /** Shows how far it is. */
  openStage?: OpenStage;
  signal?: AbortSignal;
}

/** A query and what was found. */
export interface PrintQuery {
  /** Path of the picture that it shows. */
  picture: string;
  isStranger: boolean;
  /** See PrintView. */
  share: number;
  tilt: number;
  /** Parts of the view that were looked at, for nothing was found in the whole. */
  parts: number;
  /** The first by words alone, and its rank among the candidates (−1: not there). */
  firstByWords: string | null;
  rank: number;
  /** After verification. */
  first: string | null;
  found: boolean;
  probability: number;
  inliers: number;
  /** The first by the number of mutual neighbours with all pictures; where it was measured. */
  firstFlat?: string | null;
  seconds: { extract: number; candidates: number; verify: number };
}

/** Shares of queries, and numbers. */
export interface SearchFigures {
  images: number;
  queries: number;
  /** First after verification; called found, too. */
  top1: number;
  found: number;
  /** First by words alone; among the candidates. */
  top1Words: number;
  candidates: number;
  /** Queries that were matched with every picture, too. */
  flat: number;
  /** First by that, of these queries; null: none. */
  top1Flat: number | null;
  /** The same queries after verification. */
  top1OfFlat: number | null;
  strangers: number;
  /** Queries of strangers for which something was called found, and queries for which a wrong picture was. */
  falseFinds: number;
  wrongFinds: number;
  bytesPerImage: number;
}

/** What searchPrints gives. */
export interface SearchPrints {
  figures: SearchFigures;
  queries: PrintQuery[];
}

/** Takes `count` of the paths, evenly, and none whose file's name begins with one of `onePlace`. */
export function setAside(
  paths: readonly string[],
  count: number,
  onePlace: readonly string[],
): { kept: string[]; taken: string[] } {
  const alone = paths.filter((path) => !onePlace.some((start) => basename(path).startsWith(start)));
  const most = Math.min(count, alone.length);
  const taken = Array.from({ length: most }, (_, i) => alone[Math.floor(((i + 0.5) * alone.length) / most)]);
  const out = new Set(taken);
  return { kept: paths.filter((path) => !out.has(path)), taken };
}

/** Draws the queries, searches an index for each, and counts. */
export async function searchPrints(options: SearchPrintsOptions): Promise<SearchPrints> {
  const setup = await prepare("searchPrints", options);
  const { extractor, inside, out, openStage, signal } = setup;
  if (out !== undefined) await makeFolder(out);
  const index = await openPrintIndex(out, setup);
  try {
    const stage = await openStage?.("indexed: ", ["image", "images"], inside.length);
    await indexImages(index, inside, extractor, {
      signal,
      covers: () => true,
      onProgress: ({ added, changed, unchanged, failed }) => {
        const worked = added + changed + failed;
        stage?.update(unchanged + worked, worked);
      },
    });
    stage?.stop();
    await index.merge();
    const queries = await askAll(index, setup);
    const { bytes, images } = index.info();
    return { figures: figuresOf(queries, images, bytes / images), queries };
  } finally {
    await index.close();
  }
}

type Setup = Awaited<ReturnType<typeof prepare>>;

/** The options, checked, with the pictures that are in the index and those that are not. */
async function prepare(where: string, options: SearchPrintsOptions) {
  const given = withDefaults<SearchPrintsOptions>(
    where,
    {
      ...{ photos: [], others: [], aside: 0, onePlace: [] },
      ...{ extractor: undefined as never, queryExtractor: undefined as never, vocabulary: undefined as never },
      ...{ kind: "asmk", verdict: undefined, queries: 200, strangers: 100, flat: 0, seed: 0 },
      ...{ search: undefined, out: undefined, openStage: undefined, signal: undefined },
    },
    options,
  );
  const { extractor, queryExtractor, vocabulary, search = {}, out, openStage, signal } = given;
  const [queries, strangers, flat, seed, aside] = (["queries", "strangers", "flat", "seed", "aside"] as const).map(
    (name) => checkNumber(where, name, given[name], { min: 0, max: 2 ** 31, integer: true }),
  );
  if (out !== undefined) checkPath(`${where}: out`, out);
  checkTexts(where, "photos", given.photos);
  checkTexts(where, "others", given.others);
  const onePlace = checkTexts(where, "onePlace", given.onePlace);
  const kind = checkChoice(where, "kind", given.kind, WORD_KINDS) as IndexKind;
  checkExtractor(where, extractor);
  checkExtractor(where, queryExtractor);
  checkVocabularyArrays(where, vocabulary);
  const verdict = given.verdict ?? searchVerdict(extractor);
  const [photos, others] = await Promise.all([given.photos, given.others ?? []].map((inputs) => folderImages(inputs)));
  const { kept: inside, taken } = setAside(photos.paths, aside, onePlace);
  const outside = [...others.paths, ...taken];
  if (inside.length < 2 || outside.length < 2) {
    throw new OptionError(`${where}: two pictures in the index and two others are needed at least`);
  }
  return {
    ...{ extractor, queryExtractor, vocabulary, kind, verdict, search, inside, outside },
    ...{ queries, strangers, flat, seed, out, openStage, signal },
  };
}

/** What all queries give; those that an earlier run kept are not asked again. */
async function askAll(index: SearchIndex, setup: Setup): Promise<PrintQuery[]> {
  const { extractor, queryExtractor, vocabulary, kind, verdict, search, inside, outside } = setup;
  const { queries, strangers, flat, seed, out, openStage, signal } = setup;
  const kept = await openKeptQueries(out, async () => ({
    ...{ model: extractor.info.sha256, index: extractor.options, query: queryExtractor.options },
    ...{ vocabulary: vocabulary.digest, kind, verdict, search, queries, strangers, seed, inside, outside },
    pictures: [...(await index.entries()).values(), ...(await digestsOf(outside))],
  }));
  const stage = await openStage?.("searched: ", ["query", "queries"], queries + strangers);
  const all = flat > 0 ? await allFeatures(index) : [];
  const done: PrintQuery[] = [];
  let worked = 0;
  for (let q = 0; q < queries + strangers; q++) {
    signal?.throwIfAborted();
    let query = kept.done.get(q);
    if (!query || (q < flat && query.firstFlat === undefined)) {
      query = await ask(index, setup, q, q < flat ? all : null);
      await kept.keep(q, query);
      worked++;
    }
    done.push(query);
    stage?.update(done.length, worked);
  }
  stage?.stop();
  return done;
}

/** Draws query `q`, and searches for it; `all`: features of all pictures, where it is matched with each of them too. */
async function ask(
  index: SearchIndex,
  { queryExtractor, verdict, search, inside, outside, queries, seed }: Setup,
  q: number,
  all: [string, FloatFeatures][] | null,
): Promise<PrintQuery> {
  const random = new Random(seed * 1_000_003 + q);
  const isStranger = q >= queries;
  const pool = isStranger ? outside : inside;
  const picture =
    pool[isStranger ? (q * 7) % pool.length : Math.floor(((q + random.uniform()) * pool.length) / queries)];
  const other = () => outside[random.integer(outside.length)];
  const view = drawPrintView(await loadImage(picture), await loadImage(other()), await loadImage(other()), random);
  const image = await loadImage(await encodeJpeg(view.image, view.quality));
  const began = performance.now();
  const judging = verdict ? { verdict } : { verify: 0 };
  const report = await searchImage(index, queryExtractor, image, { ...search, ...judging });
  const total = (performance.now() - began) / 1000;
  const { features, parts } = report;
  const searched = Object.values(report.seconds).reduce((sum, seconds) => sum + seconds, 0);
  const byWords = await index.search(features, { ...search, verify: 0, top: search.verify ?? 50 });
  const [first] = report.results;
  return {
    ...{ picture, isStranger, share: view.share, tilt: view.tilt, parts },
    firstByWords: byWords.results[0]?.id ?? null,
    rank: byWords.results.findIndex(({ id }) => id === picture),
    ...{ first: first?.id ?? null, found: first?.found ?? false },
    ...{ probability: first?.probability ?? 0, inliers: first?.inliers ?? 0 },
    ...(all && { firstFlat: await flatFirst(features, all) }),
    seconds: {
      extract: total - searched,
      candidates: report.seconds.words + report.seconds.candidates,
      verify: report.seconds.verify,
    },
  };
}

async function allFeatures(index: SearchIndex): Promise<[string, FloatFeatures][]> {
  const all: [string, FloatFeatures][] = [];
  for (const id of (await index.entries()).keys()) {
    const features = await index.features(id);
    if (features) all.push([id, features]);
  }
  return all;
}

/** The picture with the most mutual neighbours, as its keypoints allow. */
async function flatFirst(features: FloatFeatures, all: readonly [string, FloatFeatures][]): Promise<string | null> {
  let best: [string | null, number] = [null, -1];
  for (const [id, image] of all) {
    const { count } = await matchFeatures(image, features, { ratio: 0.9 });
    if (count > best[1]) best = [id, count];
  }
  return best[0];
}

function figuresOf(done: readonly PrintQuery[], images: number, bytesPerImage: number): SearchFigures {
  const own = done.filter(({ isStranger }) => !isStranger);
  const others = done.filter(({ isStranger }) => isStranger);
  const flat = own.filter(({ firstFlat }) => firstFlat !== undefined);
  const share = (of: readonly PrintQuery[], is: (query: PrintQuery) => boolean) =>
    of.filter(is).length / Math.max(1, of.length);
  return {
    ...{ images, queries: own.length, strangers: others.length, bytesPerImage },
    top1: share(own, (q) => q.first === q.picture),
    found: share(own, (q) => q.first === q.picture && q.found),
    top1Words: share(own, (q) => q.firstByWords === q.picture),
    candidates: share(own, (q) => q.rank >= 0),
    flat: flat.length,
    top1Flat: flat.length > 0 ? share(flat, (q) => q.firstFlat === q.picture) : null,
    top1OfFlat: flat.length > 0 ? share(flat, (q) => q.first === q.picture) : null,
    falseFinds: others.filter(({ found }) => found).length,
    wrongFinds: own.filter((q) => q.found && q.first !== q.picture).length,
  };
}
