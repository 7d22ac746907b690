/**
 * What a measurement of search keeps in a folder, so that a run that was stopped goes on there: the index, and a line for what
 * each query gave. Lines of other pictures, models or options are left alone and count for their own runs.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Extractor } from "../../extract/extractor.js";
import { canonicalJson } from "../../formats/record.js";
import type { VerdictModel } from "../../geometry/verdict.js";
import { MANIFEST } from "../../search/manifest.js";
import { createIndex, openIndex } from "../../search/open-index.js";
import type { SearchIndex } from "../../search/search-index.js";
import type { IndexKind } from "../../search/segment-format.js";
import { memoryStore } from "../../search/store.js";
import type { Vocabulary } from "../../search/vocabulary.js";
import { readFileChecked } from "../atomic.js";
import { folderStore } from "../search/folder-store.js";
import { imageDigest } from "../stores/store.js";
import { packageVersion } from "../version.js";
import { openJsonLines } from "./json-lines.js";
import type { PrintQuery } from "./search-prints.js";

/** What decides about an index of pictures. */
export interface PrintIndexOptions {
  extractor: Extractor;
  vocabulary: Vocabulary;
  kind: IndexKind;
  verdict: VerdictModel | null;
}

/** The index of a measurement, open to be filled: in the folder where one is given, else in memory. */
export async function openPrintIndex(out: string | undefined, options: PrintIndexOptions): Promise<SearchIndex> {
  const { extractor, vocabulary, kind, verdict } = options;
  if (out === undefined) return createIndex(memoryStore(), { vocabulary, kind, verdict });
  const { info, options: extraction } = extractor;
  const id = digestOf([info.sha256, extraction, vocabulary.digest, kind, packageVersion()]);
  const store = folderStore(join(out, `${info.model.replace(/[^\w.-]+/g, "_")}-${id.slice(0, 8)}.index`));
  const manifest = await store.open(MANIFEST);
  manifest?.dispose?.();
  return manifest ? openIndex(store, { write: true }) : createIndex(store, { vocabulary, kind, verdict });
}

/** Queries that were answered in earlier runs, and the place of more. */
export interface KeptQueries {
  /** By number. */
  done: ReadonlyMap<number, PrintQuery>;
  keep(number: number, query: PrintQuery): Promise<void>;
}

interface Line {
  run: string;
  number: number;
  query: PrintQuery;
}

/** Queries of the run that `decides` tells: everything that changes an answer. */
export async function openKeptQueries(out: string | undefined, decides: () => Promise<unknown>): Promise<KeptQueries> {
  if (out === undefined) return { done: new Map(), keep: async () => {} };
  const run = digestOf([await decides(), packageVersion()]);
  const lines = await openJsonLines(join(out, "queries.jsonl"), parseLine);
  const own = lines.values.filter((line) => line.run === run);
  return {
    done: new Map(own.map(({ number, query }) => [number, query])),
    keep: (number, query) => lines.append({ run, number, query }),
  };
}

/** Digests of files, in their order. */
export async function digestsOf(paths: readonly string[]): Promise<string[]> {
  const digests: string[] = [];
  for (const path of paths) digests.push(imageDigest(await readFileChecked(path)));
  return digests;
}

const digestOf = (value: unknown): string => createHash("sha256").update(canonicalJson(value)).digest("hex");

function parseLine(value: unknown): Line | null {
  const { run, number, query } = Object(value) as Partial<Record<keyof Line, unknown>>;
  if (typeof run !== "string" || !Number.isInteger(number)) return null;
  const { picture, isStranger, share, tilt, parts, found, probability, inliers, seconds } = Object(query) as Partial<
    Record<keyof PrintQuery, unknown>
  >;
  const fits =
    typeof picture === "string" &&
    [isStranger, found].every((flag) => typeof flag === "boolean") &&
    [share, tilt, parts, probability, inliers].every(Number.isFinite) &&
    ["extract", "candidates", "verify"].every((step) => Number.isFinite(Object(seconds)[step]));
  return fits ? (value as Line) : null;
}
