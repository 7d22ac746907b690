/** The one writer of an index: what it adds, removes and merges counts from a commit on, which is there whole or not at all. */
import { checkObject, checkText, wrong } from "../check.js";
import { checkNumber, withDefaults } from "../options.js";
import type { IndexFeatures } from "./global-identity.js";
import { type IndexedImage, indexedImage, pendingContent } from "./indexed-image.js";
import { countRemoved, MANIFEST, manifestBytes, type SegmentEntry, segmentFile, withoutImages } from "./manifest.js";
import { mergedContent } from "./merge.js";
import type { OpenFiles } from "./open-files.js";
import { DIGEST_BYTES, LONGEST_ID } from "./segment-format.js";
import { type SegmentContent, type SegmentFacts, segmentBytes } from "./segment-write.js";

/** An image to be added. */
export interface AddedImage {
  /** What the image is called, a path for instance; one that is there is replaced. */
  id: string;
  /** Best first; descriptors of the index's model. With `global` where the index ranks by that. */
  features: IndexFeatures;
  /** What its file is known by: 32 hexadecimal digits. Default: zeros. */
  digest?: string;
}

/** An image's id and digest. */
export function checkAdded(where: string, image: AddedImage): AddedImage {
  const { id, digest = "" } = checkObject(where, "the image", image) as unknown as AddedImage;
  checkText(where, "id", id);
  const length = new TextEncoder().encode(id).length;
  if (length < 1 || length > LONGEST_ID) throw wrong(where, "id", `a text of 1 to ${LONGEST_ID} bytes`, id);
  if (!/^([0-9a-f]{2})*$/.test(checkText(where, "digest", digest)) || digest.length > 2 * DIGEST_BYTES) {
    throw wrong(where, "digest", `up to ${2 * DIGEST_BYTES} hexadecimal digits`, digest);
  }
  return image;
}

/** Ids to be removed: anything to loop over but a text. */
export function checkIds(where: string, ids: Iterable<string>): string[] {
  if (typeof ids === "string") throw wrong(where, "ids", "an array of texts", ids);
  return Array.from(ids, (id) => checkText(where, "an id", id));
}

export class IndexWriter {
  private pending = new Map<string, IndexedImage>();
  private removing = new Set<string>();

  constructor(
    private readonly files: OpenFiles,
    private readonly lock: { release(): Promise<void> },
  ) {}

  /** Images added since the last commit. */
  get uncommitted(): number {
    return this.pending.size;
  }

  async add(image: AddedImage): Promise<void> {
    const { id, features, digest = "" } = checkAdded("add", image);
    this.pending.set(id, indexedImage(this.files.manifest, await this.files.vocabulary(), id, features, digest));
    this.removing.delete(id);
  }

  remove(ids: Iterable<string>): void {
    for (const id of checkIds("remove", ids)) {
      this.removing.add(id);
      this.pending.delete(id);
    }
  }

  /** A segment, then the manifest. Where it fails, the index is as it was before. */
  async commit(): Promise<{ added: number; removed: number }> {
    const { pending, removing } = this;
    if (pending.size + removing.size === 0) return { added: 0, removed: 0 };
    const places = await this.files.places();
    const gone = new Map<string, number[]>();
    let removed = 0;
    for (const id of [...pending.keys(), ...removing]) {
      const place = places.get(id);
      if (!place) continue;
      gone.set(place[0], [...(gone.get(place[0]) ?? []), place[1]]);
      if (removing.has(id)) removed++;
    }
    const entries = this.files.manifest.segments.map((one) => {
      const images = gone.get(one.file);
      return images ? withoutImages(one, images) : one;
    });
    const images = [...pending.values()];
    const added = images.length > 0 ? await this.writeSegment(pendingContent(images)) : null;
    await this.replace(added ? [...entries, added] : entries);
    this.pending = new Map();
    this.removing = new Set();
    return { added: images.length, removed };
  }

  private async writeSegment(content: SegmentContent): Promise<SegmentEntry> {
    const file = segmentFile(this.files.manifest.generation + 1);
    let bytes = 0;
    const counted = async function* (pieces: AsyncIterable<Uint8Array>) {
      for await (const piece of pieces) {
        bytes += piece.length;
        yield piece;
      }
    };
    await this.files.store.write(file, counted(segmentBytes(this.files.manifest.kind, await this.facts(), content)));
    return { file, images: content.images, bytes, removed: null };
  }

  private async facts(): Promise<SegmentFacts> {
    const { dim, vocabulary, global } = this.files.manifest;
    const { words = 0, cells = 0 } = (await this.files.vocabulary()) ?? {};
    return { dim, words, cells, vocabulary: vocabulary.digest, vector: global?.dim };
  }

  /** A new manifest of these segments, then the segments themselves; files that it does not name go. */
  private async replace(entries: SegmentEntry[]): Promise<void> {
    const kept = entries.filter((one) => countRemoved(one) < one.images);
    const before = this.files.manifest.segments;
    const manifest = { ...this.files.manifest, segments: kept, generation: this.files.manifest.generation + 1 };
    await this.files.store.write(MANIFEST, manifestBytes(manifest));
    await this.files.take(manifest);
    for (const { file } of before) if (!kept.some((one) => one.file === file)) await this.files.store.remove(file);
  }

  async merge(options: { below?: number } = {}): Promise<{ before: number; after: number }> {
    const { below } = withDefaults<{ below: number }>("merge", { below: Number.MAX_SAFE_INTEGER }, options);
    checkNumber("merge", "below", below, { min: 1 });
    await this.commit();
    const before = this.files.segments.length;
    const chosen = this.files.segments.filter(({ entry, reader }) => reader !== null && entry.images < below);
    const hasRemoved = chosen.some(({ entry }) => entry.removed !== null);
    if (chosen.length > 1 || hasRemoved) {
      const content = await mergedContent(chosen);
      const merged = content.images > 0 ? [await this.writeSegment(content)] : [];
      const others = this.files.segments.filter((one) => !chosen.includes(one)).map(({ entry }) => entry);
      await this.replace([...others, ...merged]);
    }
    return { before, after: this.files.segments.length };
  }

  /** Lets other writers in; what is not committed is dropped. */
  release(): Promise<void> {
    return this.lock.release();
  }
}
