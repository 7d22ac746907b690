/** An image as an index keeps it, before it is written: its words or its vector, and its keypoints. */
import { StateError } from "../errors.js";
import type { FloatFeatures } from "../features.js";
import { descriptorBytes, descriptorFloats } from "../packed.js";
import { type Aggregated, aggregate, normOf } from "./aggregate.js";
import { globalBytes, type IndexFeatures } from "./global-identity.js";
import { packLocal } from "./local-features.js";
import type { Manifest } from "./manifest.js";
import { quantizerOf } from "./quantize.js";
import type { Postings } from "./score.js";
import { DIGEST_BYTES } from "./segment-format.js";
import type { SegmentContent } from "./segment-write.js";
import { vladOf } from "./vlad.js";
import type { Vocabulary } from "./vocabulary.js";

export interface IndexedImage {
  id: string;
  digest: Uint8Array;
  norm: number;
  local: Uint8Array;
  aggregated: Aggregated | null;
  vector: Int8Array | null;
}

/** The best `most` descriptors as unit rows, with the precision of a file: so an image's words do not depend on where it comes from. */
export function roundedDescriptors(
  features: FloatFeatures,
  most: number,
): { descriptors: Float32Array; count: number } {
  const { dim } = features;
  const count = Math.min(most, features.count);
  const rows = { descriptors: features.descriptors, count, dim };
  return { descriptors: descriptorFloats(descriptorBytes(rows), count, dim), count };
}

export function indexedImage(
  { kind, keypoints, global }: Manifest,
  vocabulary: Vocabulary | null,
  id: string,
  features: IndexFeatures,
  digest: string,
): IndexedImage {
  const { descriptors, count } = roundedDescriptors(features, keypoints.words);
  const bytes = new Uint8Array(DIGEST_BYTES);
  for (let i = 0; 2 * i < digest.length; i++) bytes[i] = Number.parseInt(digest.slice(2 * i, 2 * i + 2), 16);
  const image = { id, digest: bytes, local: packLocal(features, keypoints.kept) };
  if (global) return { ...image, norm: 1, aggregated: null, vector: globalBytes("add", features, global) };
  if (!vocabulary) throw new StateError("add: an index of words without a vocabulary");
  if (kind === "vlad") {
    return { ...image, norm: 1, aggregated: null, vector: vladOf(vocabulary, descriptors, count) };
  }
  const { words } = quantizerOf(vocabulary).assign(descriptors, count);
  const aggregated = aggregate(vocabulary, descriptors, count, words);
  return { ...image, norm: normOf(vocabulary.idf, aggregated.words), aggregated, vector: null };
}

/** The content of a segment of these images. */
export function pendingContent(images: readonly IndexedImage[]): SegmentContent {
  const byWord = new Map<number, number[]>();
  for (const [image, { aggregated }] of images.entries()) {
    for (const [at, word] of (aggregated?.words ?? []).entries()) {
      const list = byWord.get(word);
      if (list) list.push(image, at);
      else byWord.set(word, [image, at]);
    }
  }
  return {
    images: images.length,
    id: (image) => images[image].id,
    digest: (image) => images[image].digest,
    norm: (image) => images[image].norm,
    local: (image) => images[image].local,
    vector: (image) => images[image].vector as Int8Array,
    postings(word): Postings {
      const list = byWord.get(word) ?? [];
      const postings = { images: new Uint32Array(list.length / 2), signatures: new Int32Array(list.length) };
      for (let i = 0; i < list.length; i += 2) {
        const { signatures } = images[list[i]].aggregated as Aggregated;
        postings.images[i / 2] = list[i];
        postings.signatures[i] = signatures[2 * list[i + 1]];
        postings.signatures[i + 1] = signatures[2 * list[i + 1] + 1];
      }
      return postings;
    },
  };
}
