/** What an index is, told without reading it. */
import type { GlobalIdentity } from "./global-identity.js";
import { countRemoved, type Manifest } from "./manifest.js";
import type { OpenFiles } from "./open-files.js";
import type { DamagedFile } from "./open-segment.js";
import type { IndexKind } from "./segment-format.js";
import type { ModelIdentity } from "./vocabulary.js";

/** What an index is. */
export interface IndexInfo {
  kind: IndexKind;
  model: ModelIdentity;
  /** Images that can be found. */
  images: number;
  /** Images that were removed or replaced, and are in the files until the next merge. */
  removed: number;
  bytes: number;
  segments: { file: string; images: number; removed: number; bytes: number }[];
  /** Null where a global model takes its place. */
  vocabulary: { words: number; digest: string } | null;
  /** The model whose vectors it ranks by; null where it ranks by words. */
  global: GlobalIdentity | null;
  keypoints: Manifest["keypoints"];
  extraction: Record<string, unknown>;
  generation: number;
  /** Segments that cannot be opened; the others are searched. */
  damaged: DamagedFile[];
}

export function infoOf(files: OpenFiles): IndexInfo {
  const { kind, model, vocabulary, global = null, keypoints, options, generation, segments } = files.manifest;
  const listed = segments.map((one) => ({
    file: one.file,
    images: one.images,
    removed: countRemoved(one),
    bytes: one.bytes,
  }));
  const removed = listed.reduce((sum, one) => sum + one.removed, 0);
  return {
    kind,
    model,
    images: listed.reduce((sum, { images }) => sum + images, 0) - removed,
    removed,
    bytes: listed.reduce((sum, { bytes }) => sum + bytes, 0),
    segments: listed,
    vocabulary: global
      ? null
      : {
          words: files.segments.find(({ reader }) => reader)?.reader?.footer.words ?? 0,
          digest: vocabulary.digest,
        },
    global,
    keypoints,
    extraction: options,
    generation,
    damaged: files.damaged(),
  };
}
