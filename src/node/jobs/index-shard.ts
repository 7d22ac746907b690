/**
 * A shard of images as one segment of an index, and the merge: all segments under one manifest. The job's folder becomes the
 * index, as `strata index` makes it of the same images; only where a segment ends may differ, which no ranking tells.
 */
import { createHash } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FormatError, StateError } from "../../errors.js";
import type { FloatFeatures } from "../../features.js";
import { decodeUtf8 } from "../../formats/bytes.js";
import { MANIFEST, manifestBytes, readManifest, type SegmentEntry, segmentFile } from "../../search/manifest.js";
import { type CreateIndexOptions, createIndex, emptyManifest, openIndex } from "../../search/open-index.js";
import type { SearchIndex } from "../../search/search-index.js";
import { DIGEST_BYTES } from "../../search/segment-format.js";
import { type Vocabulary, writeVocabulary } from "../../search/vocabulary.js";
import { isHopeless } from "../atomic.js";
import { linkOrCopy, piecesOf } from "../place-file.js";
import { folderStore } from "../search/folder-store.js";
import type { PhotoIndexOptions } from "../search/photo-index.js";
import { loadVocabulary, VOCABULARY_FILE } from "../search/vocabularies.js";
import type { FeatureStore, NamedImage } from "../stores/store.js";
import { type ImageJobOptions, imageShards } from "./image-shards.js";
import type { MergeInput, MergeWork, ShardKind } from "./kinds.js";
import type { JobPlan, SliceImage } from "./plan.js";
import { damagedOutput } from "./records.js";

/** Options of an index job. */
export interface IndexJobOptions extends ImageJobOptions {
  /** How `createIndex` is called. */
  index: Omit<CreateIndexOptions, "vocabulary">;
  /** Digest of the vocabulary in the job's folder. */
  vocabulary: string;
}

/** Images that a process which dies may lose. */
const COMMIT_EVERY = 100;

export function indexKind(open?: PhotoIndexOptions["openExtractor"]): ShardKind {
  const { extract, probe } = imageShards(open);
  return {
    async run(work) {
      const folder = join(dirname(work.output), "index");
      for (;;) {
        const index = await openShardIndex(folder, work.folder, work.plan);
        try {
          const { result, setAside } = await extract(work, storeIn(index, work.slice as SliceImage[]));
          const done = result.extracted + result.skipped;
          if (done === 0) return { done, found: 0, setAside, isEmpty: true };
          if (!(await isInOrder(index, work.slice as SliceImage[]))) continue;
          await index.merge();
          const found = await keypointsIn(index);
          await rename(join(folder, index.info().segments[0].file), work.output);
          return { done, found, setAside, isEmpty: false };
        } finally {
          await index.close();
          await rm(folder, { recursive: true, force: true });
        }
      }
    },
    probe,
    merge: linkSegments,
  };
}

/** The job's index with nothing in it, or with what a process before this one has left. */
async function openShardIndex(folder: string, job: string, plan: JobPlan): Promise<SearchIndex> {
  const store = folderStore(folder);
  const there = await store.open(MANIFEST);
  there?.dispose?.();
  if (there) return openIndex(store, { write: true });
  const { index } = plan.options as unknown as IndexJobOptions;
  return createIndex(store, { ...index, vocabulary: await jobVocabulary(job, plan) });
}

/** The vocabulary in the job's folder. FormatError where it is another one than the job was made with. */
async function jobVocabulary(folder: string, { options }: JobPlan): Promise<Vocabulary> {
  const path = join(folder, VOCABULARY_FILE);
  const vocabulary = await loadVocabulary(path);
  if (vocabulary.digest === (options as unknown as IndexJobOptions).vocabulary) return vocabulary;
  throw new FormatError(`${path} has changed since the job was made; make the job anew in another folder`);
}

/** Keeps features of images in an index, by their ids. */
function storeIn(index: SearchIndex, slice: readonly SliceImage[]): FeatureStore {
  const ids = new Map(slice.map(({ name, id = name }) => [name, id]));
  const idOf = ({ name }: NamedImage) => ids.get(name) as string;
  const short = (digest: string) => digest.slice(0, 2 * DIGEST_BYTES);
  let before = new Map<string, string>();
  return {
    prepare: async () => [],
    async begin() {
      before = await index.entries();
    },
    has: async (image, digest) => before.get(idOf(image)) === short(digest),
    async save(image, features, digest) {
      await index.add({ id: idOf(image), features: features as FloatFeatures, digest: short(digest) });
      if (index.uncommitted >= COMMIT_EVERY) await index.commit();
    },
    isFatal: isHopeless,
    async finish() {
      await index.commit();
      return [];
    },
    close: async () => {},
  };
}

/** Whether images stand as they do in the slice: one that was not read at first, and then was, stands behind others. */
async function isInOrder(index: SearchIndex, slice: readonly SliceImage[]): Promise<boolean> {
  const places = new Map(slice.map(({ name, id = name }, place) => [id, place]));
  const found = [...(await index.entries()).keys()].map((id) => places.get(id) as number);
  return found.every((place, i) => i === 0 || place > found[i - 1]);
}

/** Keypoints that are kept of all images. */
async function keypointsIn(index: SearchIndex): Promise<number> {
  let count = 0;
  for (const id of (await index.entries()).keys()) count += (await index.features(id))?.count ?? 0;
  return count;
}

/** Links the segments into the job's folder and writes the manifest, last; what is there already stays as it is. */
async function linkSegments({ folder, plan, shards }: MergeWork): Promise<string> {
  const { index } = plan.options as unknown as IndexJobOptions;
  const vocabulary = await jobVocabulary(folder, plan);
  const store = folderStore(folder);
  const lock = await store.lock();
  try {
    const empty = emptyManifest("createIndex", { ...index, vocabulary });
    const before = await readManifest(store);
    const segments: SegmentEntry[] = [];
    const sources: MergeInput[] = [];
    for await (const shard of shards) {
      const file = segmentFile(segments.length + 1);
      segments.push({ file, images: shard.done, bytes: shard.bytes, removed: null });
      sources.push(shard);
    }
    const manifest = { ...empty, segments, generation: segments.length };
    const bytes = manifestBytes(manifest);
    if (before) {
      if (decodeUtf8(folder, manifestBytes(before)) === decodeUtf8(folder, bytes)) return folder;
      throw new StateError(
        `${folder} has an index that is not the job's, or has changed since; it stays as it is: make the job anew in another folder`,
      );
    }
    for (const [i, source] of sources.entries()) {
      await checkDigest(source);
      await linkOrCopy(source.path, join(folder, segments[i].file));
    }
    await store.write(empty.vocabulary.file ?? VOCABULARY_FILE, writeVocabulary(vocabulary));
    await store.write(MANIFEST, bytes);
    return folder;
  } finally {
    await lock.release();
  }
}

/** FormatError where the bytes are not those that the shard's record was made with; they are read piece by piece. */
async function checkDigest({ path, sha256 }: MergeInput): Promise<void> {
  const hash = createHash("sha256");
  for await (const piece of piecesOf(path)) hash.update(piece);
  if (hash.digest("hex") !== sha256) throw damagedOutput(path);
}
