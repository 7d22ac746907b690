/** A shard of pairs: their matches in one HDF5 file of hloc's layout, as `strata match-features` writes it. */
import { checkTexts } from "../../check.js";
import { FormatError, OptionError } from "../../errors.js";
import type { Features } from "../../features.js";
import type { HlocPair } from "../../formats/hloc.js";
import { LruCache } from "../../lru-cache.js";
import type { MatchOptions } from "../../match/index.js";
import { readFileChecked } from "../atomic.js";
import { matchMany } from "../match-many.js";
import type { MergeWork, ShardKind } from "./kinds.js";
import { writeMerged } from "./merged-file.js";
import type { SlicePairs } from "./plan.js";
import { sha256 } from "./records.js";

/** Options of a matching job. */
export type MatchJobOptions = Pick<MatchOptions, "mutual" | "ratio" | "minSimilarity">;

/** Bytes of files of features that a process keeps: slices that follow each other need the same. */
const KEPT_BYTES = 2 ** 30;

export function matchKind(): ShardKind {
  const kept = new LruCache<FeatureFile>(KEPT_BYTES);
  return {
    async run({ plan, slice, output, threads, onProgress }) {
      const { files, pairs } = slice as SlicePairs;
      const wanted = new Set(pairs.flat());
      const features = new Map<string, Features>();
      for (const file of files) {
        const { images } = await kept.get(`${file.path}\n${file.sha256}`, () => readFeatures(file));
        for (const [name, one] of images) if (wanted.has(name)) features.set(name, one);
      }
      const result = await matchMany(features, pairs, output, {
        ...(plan.options as MatchJobOptions),
        threads,
        existing: "resume",
        onProgress: ({ matched, skipped }) => onProgress([], matched + skipped),
      });
      return { done: result.total, found: result.matches, setAside: [], isEmpty: false };
    },
    probe: async () => {},
    merge: mergeMatches,
  };
}

interface FeatureFile {
  images: Map<string, Features>;
  bytes: number;
}

async function readFeatures({ path, sha256: wanted }: SlicePairs["files"][number]): Promise<FeatureFile> {
  const { readHlocFeatures } = await import("../../formats/hloc.js");
  const bytes = await readFileChecked(path);
  if (sha256(bytes) !== wanted)
    throw new FormatError(`${path} has changed since the job was made; make another job of it`);
  return { images: await readHlocFeatures(bytes), bytes: bytes.length };
}

const mergeMatches: ShardKind["merge"] = (work) => writeMerged(work, () => matchesOf(work));

async function matchesOf({ shards }: MergeWork): Promise<Uint8Array> {
  const { readHlocMatches, writeHlocMatches } = await import("../../formats/hloc.js");
  // Matches are small, and their writer does not wait.
  const all: HlocPair[] = [];
  for await (const { slice, read } of shards) {
    const { pairs } = (await slice()) as SlicePairs;
    const found = await readHlocMatches(await read(), { names: new Set(pairs.flat()) });
    const byPair = new Map(found.map((pair) => [`${pair.name0}\n${pair.name1}`, pair]));
    for (const [name0, name1] of pairs) {
      const pair = byPair.get(`${name0}\n${name1}`);
      if (!pair)
        throw new FormatError(`a shard has no matches of "${name0}" and "${name1}"; remove it and run the job again`);
      all.push(pair);
    }
  }
  return writeHlocMatches(all);
}

/** The pairs of a new job in slices, each with the files that hold its features. */
export async function* slicePairs(
  pairs: Iterable<readonly [string, string]>,
  size: number,
  places: ReadonlyMap<string, SlicePairs["files"][number]>,
): AsyncGenerator<SlicePairs> {
  let slice: SlicePairs = { files: [], pairs: [] };
  let files = new Set<SlicePairs["files"][number]>();
  const seen = new Set<string>();
  const cut = (): SlicePairs => {
    const whole = { ...slice, files: [...files].sort((a, b) => (a.path < b.path ? -1 : 1)) };
    [slice, files] = [{ files: [], pairs: [] }, new Set()];
    return whole;
  };
  for (const pair of pairs) {
    const [name0, name1] = checkTexts("makeMatchJob", "a pair", pair);
    for (const name of [name0, name1]) {
      const file = places.get(name);
      if (!file) throw new OptionError(`there are no features of "${name}"`);
      files.add(file);
    }
    const key = name0 < name1 ? `${name0}\n${name1}` : `${name1}\n${name0}`;
    if (name0 === name1) throw new OptionError(`"${name0}" is paired with itself`);
    if (seen.has(key)) throw new OptionError(`"${name0}" and "${name1}" are paired twice`);
    seen.add(key);
    slice.pairs.push([name0, name1]);
    if (slice.pairs.length === size) yield cut();
  }
  if (slice.pairs.length > 0) yield cut();
}
