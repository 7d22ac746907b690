/** How fast images are indexed, beside their extraction alone in the same run. */
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { checkTexts } from "../../check.js";
import { OptionError } from "../../errors.js";
import type { Extractor } from "../../extract/extractor.js";
import { checkNumber, withDefaults } from "../../options.js";
import { checkExtractor } from "../../search/check.js";
import { createIndex } from "../../search/open-index.js";
import { checkVocabularyArrays, type Vocabulary } from "../../search/vocabulary.js";
import { extractMany } from "../extract-many.js";
import { folderStore } from "../search/folder-store.js";
import { indexImages } from "../search/index-images.js";
import { folderImages } from "../search/photo-index.js";
import type { FeatureStore } from "../stores/store.js";

/** Images per second, and milliseconds of processor time for one. */
export interface IndexingRate {
  images: number;
  /** Extraction that keeps nothing. */
  plain: number;
  /** Into an index in a folder, its commits and its merge included. */
  indexing: number;
  processor: { plain: number; indexing: number };
  /** The machine's load average at the end. */
  load: number;
}

/** What is measured. */
export interface IndexingRateOptions {
  /** Most images, evenly taken; default 100. */
  most?: number;
  signal?: AbortSignal;
}

/** Images of one turn: both ways take turns, so whatever else the machine does is spread over both. */
const TURN = 50;
/** Images that do not count, by either way. */
const WARM_UP = 20;

/** Extracts and indexes the images of `photos`, turn by turn, after some that do not count. */
export async function indexingRate(
  photos: readonly string[],
  extractor: Extractor,
  vocabulary: Vocabulary,
  options: IndexingRateOptions = {},
): Promise<IndexingRate> {
  const where = "indexingRate";
  checkTexts(where, "photos", photos);
  checkExtractor(where, extractor);
  checkVocabularyArrays(where, vocabulary);
  const { most, signal } = withDefaults<IndexingRateOptions>(where, { most: 100, signal: undefined }, options);
  const limit = checkNumber(where, "most", most, { min: 1, integer: true });
  const { paths } = await folderImages(photos);
  if (paths.length === 0) throw new OptionError(`${where}: there are no images in ${photos.join(", ")}`);
  const count = Math.min(limit, paths.length);
  const chosen = Array.from({ length: count }, (_, i) => paths[Math.floor(((i + 0.5) * paths.length) / count)]);
  const folder = await mkdtemp(join(tmpdir(), "strata-rate-"));
  try {
    const plain = (part: readonly string[]) =>
      extractMany(
        part.map((path) => ({ path, name: path })),
        extractor,
        keepsNothing,
        { signal },
      );
    const openWays = async (name: string) => {
      const index = await createIndex(folderStore(join(folder, name)), { vocabulary });
      const indexing = (part: readonly string[]) => indexImages(index, part, extractor, { signal });
      return { index, ways: { plain, indexing } };
    };
    const warmUp = await openWays("warm-up");
    for (const way of ["plain", "indexing"] as const) await warmUp.ways[way](chosen.slice(0, WARM_UP));
    await warmUp.index.close();
    const { index, ways } = await openWays("index");
    const wall = { plain: 0, indexing: 0 };
    const processor = { plain: 0, indexing: 0 };
    for (let first = 0; first < count; first += TURN) {
      for (const way of ["plain", "indexing"] as const) {
        const [began, used] = [performance.now(), process.cpuUsage()];
        await ways[way](chosen.slice(first, first + TURN));
        const { user, system } = process.cpuUsage(used);
        wall[way] += performance.now() - began;
        processor[way] += (user + system) / 1000;
      }
    }
    await index.close();
    const each = (sum: number) => sum / count;
    return {
      images: count,
      plain: 1000 / each(wall.plain),
      indexing: 1000 / each(wall.indexing),
      processor: { plain: each(processor.plain), indexing: each(processor.indexing) },
      load: loadavg()[0],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const keepsNothing: FeatureStore = {
  prepare: async () => [],
  begin: async () => {},
  has: async () => false,
  save: async () => {},
  isFatal: () => false,
  finish: async () => [],
  close: async () => {},
};
