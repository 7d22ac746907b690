/**
 * `npm run bench lance -- --index FOLDER [--images 100000] [--queries 40]`: a large index in LanceDB, beside comparing all vectors.
 * FOLDER is an index of photographs of kind vlad (`strata index --kind vlad`), of one segment, which are looked for as prints on
 * a wall; generated images have each cell of their vector from another photograph. It is written beside FOLDER as
 * FOLDER-lance-N, and stays there for the next run.
 */
import { existsSync } from "node:fs";
import { loadavg } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "@lancedb/lancedb";
import { drawPrintView } from "../src/bench/search/print-view.js";
import { encodeJpeg, loadImage } from "../src/node/images.js";
import {
  createLanceIndex,
  folderStore,
  openIndex,
  openLanceIndex,
  openQueryExtractor,
} from "../src/node/search/index.js";
import { type LanceRow, Rows } from "../src/node/search/lance/rows.js";
import { IMAGES } from "../src/node/search/lance/table.js";
import { Random } from "../src/random.js";
import { type Manifest, readManifest } from "../src/search/manifest.js";
import { openSegment } from "../src/search/open-segment.js";
import { PostingCache } from "../src/search/posting-cache.js";
import { queryVector } from "../src/search/query.js";
import { checkSearchOptions } from "../src/search/search-options.js";
import { signsOf } from "../src/search/signs.js";
import { vladScores } from "../src/search/vlad.js";
import { clocked, generatedBlock, type Spread, spreadOf } from "./search.js";

export interface LanceSpeed {
  images: number;
  bytes: number;
  /** Seconds: rows written, then put in order. */
  build: { rows: number; order: number } | null;
  /** Milliseconds, also with all vectors compared in memory. */
  opening: number;
  candidates: Spread;
  verified: Spread;
  flat: Spread;
  processor: { candidates: Spread; verified: Spread; flat: Spread };
  /** Queries whose picture is among the best 50, in LanceDB and by all vectors; and called found after verification. */
  among: number;
  amongFlat: number;
  found: number;
  queries: number;
  memory: number;
  load: number;
}

const FLAGS = {
  index: { type: "string" },
  images: { type: "string", default: "100000" },
  queries: { type: "string", default: "40" },
} as const;
const BEST = 50;
const BATCH = 2000;

export async function measureLance(flags: readonly string[]): Promise<LanceSpeed> {
  const { values } = parseArgs({ args: [...flags], options: FLAGS });
  if (values.index === undefined) throw new Error("bench lance: say which index of kind vlad: -- --index photos.index");
  const [small, images, queries] = [values.index, Number(values.images), Number(values.queries)];
  const large = `${resolve(small)}-lance-${images}`;
  const store = folderStore(small);
  const manifest = await readManifest(store);
  if (manifest?.kind !== "vlad" || manifest.segments.length !== 1) {
    throw new Error(
      `bench lance: ${small} must be an index of kind vlad, of one segment (strata index merge ${small})`,
    );
  }
  const reader = await openSegment(store, new PostingCache(0), manifest, manifest.segments[0]);
  if (!reader) throw new Error(`bench lance: ${small} is damaged`);
  const photos = await openIndex(store);
  const vocabulary = await photos.vocabulary();
  if (!vocabulary) throw new Error(`bench lance: ${small} has no words`);
  const [ids, own] = [await reader.allIds(), await reader.vectors()];
  const blocks = await Promise.all(ids.map((_, i) => reader.localBlock(i)));
  const [cells, dim] = [vocabulary.cells, vocabulary.dim];
  const all = new Int8Array(images * cells * dim);
  const random = new Random(1);
  all.set(own);
  for (let at = own.length; at < all.length; at += dim) {
    const from = (random.integer(ids.length) * cells + ((at / dim) % cells)) * dim;
    all.set(own.subarray(from, from + dim), at);
  }
  const row = (i: number): LanceRow => {
    const vector = all.slice(i * cells * dim, (i + 1) * cells * dim);
    const local = blocks[i] ?? generatedBlock(blocks, dim, random);
    return { id: ids[i] ?? `generated/${i}`, digest: "0".repeat(32), vector, signs: signsOf(vector), local };
  };
  const build = existsSync(large) ? null : await fill(large, images, row, manifest, { vocabulary });
  const [opened, { wall: opening }] = await clockedOpen(large);
  const extractor = await openQueryExtractor(photos);
  const [candidates, verified, flat]: Awaited<ReturnType<typeof clocked>>[][] = [[], [], []];
  const scores = new Float32Array(images);
  let [among, amongFlat, found] = [0, 0, 0];
  for (let q = 0; q < queries; q++) {
    const draw = new Random(q);
    const pick = () => loadImage(ids[draw.integer(ids.length)]);
    const picture = Math.floor(((q + 0.5) * ids.length) / queries);
    const view = drawPrintView(await loadImage(ids[picture]), await pick(), await pick(), draw);
    const features = await extractor.extract(await loadImage(await encodeJpeg(view.image, view.quality)));
    const one = await clocked(() => opened.search(features, { verify: 0, top: BEST }));
    const both = await clocked(() => opened.search(features));
    const exact = await clocked(async () => {
      const query = queryVector(manifest, vocabulary, features, checkSearchOptions({}));
      if (query) vladScores(query, all, scores);
    });
    candidates.push(one);
    verified.push(both);
    flat.push(exact);
    among += Number(one.result.results.some(({ id }) => id === ids[picture]));
    let better = 0;
    for (const score of scores) better += Number(score > scores[picture]);
    amongFlat += Number(better < BEST);
    found += Number(both.result.results[0]?.id === ids[picture] && both.result.results[0].found);
  }
  await extractor.dispose();
  const { bytes } = opened.info();
  await opened.close();
  await photos.close();
  const wall = (of: { wall: number }[]) => spreadOf(of.map((one) => one.wall));
  const used = (of: { processor: number }[]) => spreadOf(of.map((one) => one.processor));
  return {
    ...{ images, bytes, build, opening, among, amongFlat, found, queries },
    ...{ candidates: wall(candidates), verified: wall(verified), flat: wall(flat) },
    processor: { candidates: used(candidates), verified: used(verified), flat: used(flat) },
    memory: process.resourceUsage().maxRSS / 1000,
    load: loadavg()[0],
  };
}

async function clockedOpen(large: string) {
  const { result, wall } = await clocked(() => openLanceIndex(large));
  return [result, { wall }] as const;
}

async function fill(
  large: string,
  images: number,
  row: (i: number) => LanceRow,
  { verdict, options }: Manifest,
  made: Pick<Parameters<typeof createLanceIndex>[1], "vocabulary">,
): Promise<NonNullable<LanceSpeed["build"]>> {
  await (await createLanceIndex(large, { ...made, verdict, extraction: options })).close();
  const rows = Rows.load();
  const connection = await connect(large, {});
  const table = await connection.openTable(IMAGES);
  let writing = 0;
  for (let from = 0; from < images; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, images - from) }, (_, k) => row(from + k));
    writing += (await clocked(() => table.add(rows.table(batch)))).wall;
  }
  table.close();
  connection.close();
  const index = await openLanceIndex(large, { write: true });
  const { wall } = await clocked(() => index.merge());
  await index.close();
  return { rows: writing / 1000, order: wall / 1000 };
}

export function lanceTable(speed: LanceSpeed): string {
  const { images, bytes, build, queries } = speed;
  const ms = (wall: Spread, used: Spread) =>
    `median ${wall.median.toFixed(0)} ms, 99th percentile ${wall.p99.toFixed(0)} ms; of processor ${used.median.toFixed(0)} and ${used.p99.toFixed(0)} ms`;
  return [
    `${images} images, ${(bytes / images / 1000).toFixed(1)} kB each, ${queries} queries, load ${speed.load.toFixed(1)}`,
    ...(build ? [`built         rows ${build.rows.toFixed(0)} s, order ${build.order.toFixed(0)} s`] : []),
    `opening       ${speed.opening.toFixed(1)} ms`,
    `candidates    ${ms(speed.candidates, speed.processor.candidates)}`,
    `and verified  ${ms(speed.verified, speed.processor.verified)}`,
    `all vectors   ${ms(speed.flat, speed.processor.flat)}`,
    `among the best ${BEST}: ${speed.among}, by all vectors ${speed.amongFlat}; found ${speed.found} of ${queries}; at most ${speed.memory.toFixed(0)} MB`,
  ].join("\n");
}
