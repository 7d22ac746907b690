/**
 * `npm run bench search -- --index FOLDER [--images 100000] [--queries 100]`: a large index, searched. FOLDER is an index of
 * photographs (`strata index`), of one segment, which are looked for as prints on a wall; the other images are generated with
 * the statistics of these: how many images have each word, how often each bit of its signatures is set, keypoints of theirs in
 * other places. It is written beside FOLDER as FOLDER-large, and stays there for the next run.
 */
import { existsSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { drawPrintView } from "../src/bench/search/print-view.js";
import { crc32 } from "../src/formats/bytes.js";
import { encodeJpeg, loadImage } from "../src/node/images.js";
import { folderStore, openIndex, openQueryExtractor } from "../src/node/search/index.js";
import { Random } from "../src/random.js";
import { localBytes } from "../src/search/local-features.js";
import { MANIFEST, manifestBytes, readManifest } from "../src/search/manifest.js";
import { openSegment } from "../src/search/open-segment.js";
import { PostingCache } from "../src/search/posting-cache.js";
import type { Postings } from "../src/search/score.js";
import type { SegmentReader } from "../src/search/segment-read.js";
import { segmentBytes } from "../src/search/segment-write.js";

export interface SearchSpeed {
  images: number;
  segmentBytes: number;
  /** Milliseconds. */
  opening: number;
  /** Of each query: words and candidates; those and verification. Milliseconds. */
  candidates: Spread;
  verified: Spread;
  /** The same in processor time, for machines that are busy. */
  processor: { candidates: Spread; verified: Spread };
  /** Queries whose picture is first after verification, and is called found. */
  first: number;
  found: number;
  queries: number;
  /** Most resident memory of the process, extractor included, MB. */
  memory: number;
  load: number;
}

export interface Spread {
  median: number;
  p99: number;
}

const FLAGS = {
  index: { type: "string" },
  images: { type: "string", default: "100000" },
  queries: { type: "string", default: "100" },
} as const;

function given(flags: readonly string[]) {
  const { values } = parseArgs({ args: [...flags], options: FLAGS });
  const { index: small } = values;
  if (small === undefined) throw new Error("bench search: say which index of photographs: -- --index photos.index");
  const large = `${small.replace(/\/+$/, "")}-large`;
  return { small, large, images: Number(values.images), queries: Number(values.queries) };
}

/** Makes the large index where it is not there yet. */
export async function largeIndex(flags: readonly string[]): Promise<void> {
  const { small, large, images } = given(flags);
  if (!existsSync(`${large}/${MANIFEST}`)) await grow(small, large, images);
}

export async function measureSearch(flags: readonly string[]): Promise<SearchSpeed> {
  const { small, large, queries } = given(flags);
  const photos = await openIndex(folderStore(small));
  const pictures = [...(await photos.entries()).keys()].sort();
  await photos.close();
  const started = performance.now();
  const index = await openIndex(folderStore(large));
  const opening = performance.now() - started;
  const extractor = await openQueryExtractor(index);
  const [candidates, verified]: Clocked[][] = [[], []];
  let [first, found] = [0, 0];
  for (let q = 0; q < queries; q++) {
    const random = new Random(q);
    const pick = () => loadImage(pictures[random.integer(pictures.length)]);
    const picture = pictures[Math.floor(((q + 0.5) * pictures.length) / queries)];
    const view = drawPrintView(await loadImage(picture), await pick(), await pick(), random);
    const features = await extractor.extract(await loadImage(await encodeJpeg(view.image, view.quality)));
    const one = await clocked(() => index.search(features, { verify: 0 }));
    const both = await clocked(() => index.search(features));
    candidates.push(one);
    verified.push(both);
    const { results } = both.result;
    first += Number(results[0]?.id === picture);
    found += Number(results[0]?.id === picture && results[0].found);
  }
  await extractor.dispose();
  const { images, bytes } = index.info();
  await index.close();
  return {
    ...{ images, segmentBytes: bytes, opening, first, found, queries },
    candidates: spreadOf(candidates.map(({ wall }) => wall)),
    verified: spreadOf(verified.map(({ wall }) => wall)),
    processor: {
      candidates: spreadOf(candidates.map(({ processor }) => processor)),
      verified: spreadOf(verified.map(({ processor }) => processor)),
    },
    memory: process.resourceUsage().maxRSS / 1000,
    load: loadavg()[0],
  };
}

interface Clocked {
  /** Milliseconds. */
  wall: number;
  processor: number;
}

export async function clocked<T>(work: () => Promise<T>): Promise<Clocked & { result: T }> {
  const [began, used] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(used);
  return { result, wall: performance.now() - began, processor: (user + system) / 1000 };
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { median: at(0.5), p99: at(0.99) };
}

export function searchTable(speed: SearchSpeed): string {
  const ms = ({ median, p99 }: Spread) => `median ${median.toFixed(0)} ms, 99th percentile ${p99.toFixed(0)} ms`;
  const { images, queries } = speed;
  return [
    `${images} images, ${(speed.segmentBytes / images / 1000).toFixed(1)} kB each, ${queries} queries, load ${speed.load.toFixed(1)}`,
    `opening       ${speed.opening.toFixed(1)} ms`,
    `candidates    ${ms(speed.candidates)}; of processor ${ms(speed.processor.candidates)}`,
    `and verified  ${ms(speed.verified)}; of processor ${ms(speed.processor.verified)}`,
    `first ${speed.first}, found ${speed.found} of ${queries}; at most ${speed.memory.toFixed(0)} MB`,
  ].join("\n");
}

/** Templates that a word's generated signatures are mixed of. */
const TEMPLATES = 16;

/** The index `small` with generated images up to `images`, as `large`. */
async function grow(small: string, large: string, images: number): Promise<void> {
  const [from, to] = [folderStore(small), folderStore(large)];
  const manifest = await readManifest(from);
  if (manifest?.segments.length !== 1) {
    throw new Error(`bench search: ${small} must be an index of one segment: strata index merge ${small}`);
  }
  const reader = (await openSegment(from, new PostingCache(0), manifest, manifest.segments[0])) as SegmentReader;
  const index = await openIndex(from);
  const vocabulary = await index.vocabulary();
  const { file: words } = manifest.vocabulary;
  if (!vocabulary || words === null) throw new Error(`bench search: ${small} must be an index of words`);
  const ids = await reader.allIds();
  const own = await reader.norms();
  const random = new Random(1);
  const weights = new Float64Array(images);
  const blocks = await Promise.all(ids.map((_, i) => reader.localBlock(i)));
  const copied = await from.open(words);
  if (copied) await to.write(words, copied.read(0, copied.size) as Uint8Array);
  const file = "segment-00000001.strata";
  let bytes = 0;
  const pieces = segmentBytes(
    "asmk",
    { ...vocabulary, vocabulary: vocabulary.digest },
    {
      images,
      id: (i) => ids[i] ?? `generated/${i}`,
      digest: () => new Uint8Array(16),
      norm: (i) => own[i] ?? 1 / Math.sqrt(weights[i]),
      local: (i) => blocks[i] ?? generatedBlock(blocks, manifest.dim, random),
      vector: () => new Int8Array(0),
      async postings(word) {
        let real: Postings = { images: new Uint32Array(0), signatures: new Int32Array(0) };
        await reader.postings(Uint32Array.of(word), (_, postings) => {
          real = postings;
        });
        const grown = grownPostings(real, ids.length, images, random);
        for (const image of grown.images) weights[image] += vocabulary.idf[word];
        return grown;
      },
    },
  );
  await to.write(
    file,
    (async function* () {
      for await (const piece of pieces) {
        bytes += piece.length;
        yield piece;
      }
    })(),
  );
  await to.write(MANIFEST, manifestBytes({ ...manifest, segments: [{ file, images, bytes, removed: null }] }));
  await index.close();
}

const bits32 = (random: Random): number => (random.uniform() * 2 ** 32) | 0;

/** The word's postings, and generated ones: as many of the images have it, and each bit is set as often. */
function grownPostings({ images, signatures }: Postings, real: number, total: number, random: Random): Postings {
  const share = images.length / real;
  const more: number[] = [];
  // Gaps between images that have it are geometrically distributed.
  const gap = () => 1 + Math.floor(Math.log(1 - random.uniform()) / Math.log(1 - Math.min(share, 0.999)));
  if (share > 0) for (let i = real - 1 + gap(); i < total; i += gap()) more.push(i);
  const templates = Int32Array.from({ length: 2 * TEMPLATES }, (_, t) => {
    let value = 0;
    for (let bit = 0; bit < 32; bit++) {
      let set = 4;
      for (let i = t & 1; i < signatures.length; i += 2) set += (signatures[i] >>> bit) & 1;
      if (random.uniform() < set / (images.length + 8)) value |= 1 << bit;
    }
    return value;
  });
  const all = { images: new Uint32Array(images.length + more.length), signatures: new Int32Array(0) };
  all.signatures = new Int32Array(2 * all.images.length);
  all.images.set(images);
  all.images.set(more, images.length);
  all.signatures.set(signatures);
  for (let i = 2 * images.length; i < all.signatures.length; i++) {
    const mask = bits32(random);
    const [a, b] = [random.integer(TEMPLATES), random.integer(TEMPLATES)];
    all.signatures[i] = (templates[2 * a + (i & 1)] & mask) | (templates[2 * b + (i & 1)] & ~mask);
  }
  return all;
}

/** Keypoints of other images at drawn places. */
export function generatedBlock(blocks: readonly Uint8Array[], dim: number, random: Random): Uint8Array {
  const count = 300;
  const block = new Uint8Array(localBytes(count, dim));
  const view = new DataView(block.buffer);
  for (const [i, value] of [count, 640, 480].entries()) view.setUint32(4 + 4 * i, value, true);
  for (let k = 0; k < 2 * count; k++) view.setUint16(16 + 2 * k, random.integer(65536), true);
  for (let i = 0; i < count; i++) {
    const source = blocks[random.integer(blocks.length)];
    const theirs = new DataView(source.buffer, source.byteOffset).getUint32(4, true);
    if (theirs === 0) continue;
    const from = 16 + 4 * theirs + dim * random.integer(theirs);
    block.set(source.subarray(from, from + dim), 16 + 4 * count + dim * i);
  }
  view.setUint32(0, crc32(block.subarray(4)), true);
  return block;
}
