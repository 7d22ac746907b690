/**
 * An index whose images are rows of a table of LanceDB: candidates by the signs of their vectors (all of them, or those of some
 * partitions once there are many), in the order of the vectors themselves, then by geometry, as in every index.
 */
import type { RecordBatch } from "@lancedb/lancedb";
import { checkText } from "../../../check.js";
import { FormatError, StateError, StrataError } from "../../../errors.js";
import type { FloatFeatures } from "../../../features.js";
import { descriptorFloats } from "../../../packed.js";
import type { GlobalIdentity, IndexFeatures } from "../../../search/global-identity.js";
import type { ImageIndex } from "../../../search/image-index.js";
import type { IndexInfo } from "../../../search/index-info.js";
import { type AddedImage, checkAdded, checkIds } from "../../../search/index-writer.js";
import { indexedImage } from "../../../search/indexed-image.js";
import { unpackLocal } from "../../../search/local-features.js";
import type { Manifest } from "../../../search/manifest.js";
import type { DamagedFile } from "../../../search/open-segment.js";
import { queryVector } from "../../../search/query.js";
import { byScore, type Candidate, verifyCandidates } from "../../../search/rerank.js";
import { checkIndexFeatures, hex } from "../../../search/search-index.js";
import {
  checkSearchOptions,
  type SearchOptions,
  type SearchReport,
  searchVerdictOf,
} from "../../../search/search-options.js";
import { signsOf } from "../../../search/signs.js";
import { vladScores } from "../../../search/vlad.js";
import type { ModelIdentity, Vocabulary } from "../../../search/vocabulary.js";
import { type Seconds, timed } from "../../../timing.js";
import { bytesAt, type LanceRow, textAt } from "./rows.js";
import { IMAGES, type LanceTable } from "./table.js";

/** Images that are looked at for each candidate: signs tell angles only nearly. */
const OVERSAMPLING = 4;
const LEAST_LOOKED_AT = 200;
/** Candidates whose keypoints are read together. */
const READ_AHEAD = 10;

/** An index in LanceDB that is open. */
export class LanceIndex implements ImageIndex {
  private closed = false;
  private pending = new Map<string, LanceRow>();
  private removing = new Set<string>();

  constructor(
    private readonly table: LanceTable,
    private readonly manifest: Manifest,
    private readonly words: Vocabulary | null,
    private readonly lock: { release(): Promise<void> } | null,
    private readonly writes: boolean,
  ) {}

  get name(): string {
    return this.table.place.name;
  }

  get model(): ModelIdentity {
    return this.manifest.model;
  }

  get global(): GlobalIdentity | undefined {
    return this.manifest.global;
  }

  get extraction(): Record<string, unknown> {
    return this.manifest.options;
  }

  get uncommitted(): number {
    return this.pending.size;
  }

  async vocabulary(): Promise<Vocabulary | null> {
    return this.words;
  }

  /** What the index is. The table counts as one segment; what was removed is not told apart. */
  info(): IndexInfo {
    const { kind, model, vocabulary, keypoints, options: extraction, global = null } = this.manifest;
    const { images, bytes, version: generation } = this.table.state;
    return {
      ...{ kind, model, images, removed: 0, bytes, keypoints, extraction, generation, global, damaged: [] },
      segments: images > 0 ? [{ file: IMAGES, images, removed: 0, bytes }] : [],
      vocabulary: this.words && { words: this.words.words, digest: vocabulary.digest },
    };
  }

  async entries(): Promise<Map<string, string>> {
    this.checkOpen();
    return new Map(await this.table.entries());
  }

  async features(id: string): Promise<IndexFeatures | null> {
    this.checkOpen();
    checkText("features", "id", id);
    const found = await this.table.byId(id, ["local", "vector"]);
    if (!found) return null;
    const local = this.unpack(id, bytesAt(found, "local", 0));
    if (!this.global) return local;
    return { ...local, global: descriptorFloats(this.vectorAt(found, 0), 1, this.global.dim) };
  }

  async add(image: AddedImage): Promise<void> {
    this.checkWrites();
    const { id, features, digest = "" } = checkAdded("add", image);
    checkIndexFeatures("add", features, this.manifest);
    const { vector, local, digest: bytes } = indexedImage(this.manifest, this.words, id, features, digest);
    if (!vector) throw new StateError("add: an image without a vector");
    this.pending.set(id, { id, digest: hex(bytes), vector, signs: signsOf(vector), local });
    this.removing.delete(id);
  }

  remove(ids: Iterable<string>): void {
    this.checkWrites();
    for (const id of checkIds("remove", ids)) {
      this.removing.add(id);
      this.pending.delete(id);
    }
  }

  /** Added and replaced images are there together or not at all; then what is removed goes. */
  async commit(): Promise<{ added: number; removed: number }> {
    this.checkWrites();
    const { pending, removing } = this;
    if (pending.size + removing.size === 0) return { added: 0, removed: 0 };
    const added = pending.size;
    if (added > 0) await this.table.put([...pending.values()]);
    this.pending = new Map();
    const removed = await this.table.remove(removing);
    this.removing = new Set();
    await this.table.tidy();
    return { added, removed };
  }

  /** Puts the table's fragments together, and brings the search index of a large one up to date. */
  async merge(_: { below?: number } = {}): Promise<{ before: number; after: number }> {
    await this.commit();
    const before = await this.table.fragments();
    await this.table.optimize();
    return { before, after: await this.table.fragments() };
  }

  async refresh(): Promise<boolean> {
    this.checkOpen();
    return this.table.refresh();
  }

  async search(features: IndexFeatures, options: SearchOptions = {}): Promise<SearchReport> {
    this.checkOpen();
    checkIndexFeatures("search", features, this.manifest);
    const given = checkSearchOptions(options);
    const verdict = searchVerdictOf(given, this.manifest);
    const seconds: Seconds = {};
    const damaged: DamagedFile[] = [];
    const query = await timed(seconds, "words", async () => queryVector(this.manifest, this.words, features, given));
    given.signal?.throwIfAborted();
    const candidates = await timed(seconds, "candidates", () =>
      query?.some((value) => value !== 0)
        ? this.candidates(query, Math.max(given.top, given.verify), given.among, damaged)
        : Promise.resolve([]),
    );
    const results = await timed(seconds, "verify", () => verifyCandidates(candidates, features, verdict, given));
    return { ...results, seconds, damaged };
  }

  private async candidates(
    query: Int8Array,
    most: number,
    among: SearchOptions["among"],
    damaged: DamagedFile[],
  ): Promise<Candidate[]> {
    const signs = signsOf(query);
    for (let look = Math.max(OVERSAMPLING * most, LEAST_LOOKED_AT); ; look *= OVERSAMPLING) {
      const best = new Map<string, { id: string; score: number; row: bigint }>();
      let seen = 0;
      const score = new Float32Array(1);
      for await (const batch of this.table.nearest(signs, look)) {
        for (let i = 0; i < batch.numRows; i++, seen++) {
          const id = textAt(batch, "id", i);
          if (among && !among(id)) continue;
          vladScores(query, this.vectorAt(batch, i), score);
          if (score[0] > 0) best.set(id, { id, score: score[0], row: batch.getChild("_rowid")?.get(i) as bigint });
        }
      }
      // Who may be found is not known to the table.
      if (among && best.size < most && seen === look) continue;
      const chosen = [...best.values()].sort(byScore).slice(0, most);
      const read = this.readAhead(chosen, damaged);
      return chosen.map(({ id, score: own }, at) => ({ id, score: own, local: () => read(at) }));
    }
  }

  /** Keypoints of candidates, some at a time, for most are looked at in their order or not at all. */
  private readAhead(chosen: readonly { id: string; row: bigint }[], damaged: DamagedFile[]) {
    const blocks = new Map<number, Promise<Map<string, Uint8Array>>>();
    return async (at: number): Promise<FloatFeatures | null> => {
      const from = at - (at % READ_AHEAD);
      try {
        let block = blocks.get(from);
        if (!block) {
          block = this.table.locals(chosen.slice(from, from + READ_AHEAD));
          blocks.set(from, block);
        }
        const { id } = chosen[at];
        const bytes = (await block).get(id);
        // Removed since, by another writer.
        return bytes ? this.unpack(id, bytes) : null;
      } catch (error) {
        if (!(error instanceof StrataError)) throw error;
        if (!damaged.some((one) => one.error.message === error.message)) damaged.push({ file: IMAGES, error });
        return null;
      }
    };
  }

  private unpack(id: string, block: Uint8Array): FloatFeatures {
    return unpackLocal(`${this.name}: ${id}`, block, this.manifest.dim);
  }

  private vectorAt(batch: RecordBatch, row: number): Int8Array {
    const bytes = bytesAt(batch, "vector", row);
    const length = this.global?.dim ?? (this.words ? this.words.cells * this.words.dim : 0);
    if (bytes.length === length) return new Int8Array(bytes.buffer);
    throw new FormatError(
      `${this.name}: ${textAt(batch, "id", row)}: a vector of ${bytes.length} values, not ${length}`,
    );
  }

  /** Reads every image: what of the table is damaged. */
  async check(): Promise<DamagedFile[]> {
    this.checkOpen();
    const found: DamagedFile[] = [];
    try {
      for await (const batch of this.table.all()) {
        for (let i = 0; i < batch.numRows; i++) {
          try {
            this.unpack(textAt(batch, "id", i), bytesAt(batch, "local", i));
            const signs = signsOf(this.vectorAt(batch, i));
            const kept = batch.getChild("signs")?.get(i) as { toArray(): Uint8Array } | undefined;
            if (!kept?.toArray().every((one, k) => one === signs[k]))
              throw new FormatError(`${this.name}: ${textAt(batch, "id", i)}: signs that are not those of its vector`);
          } catch (error) {
            if (!(error instanceof StrataError)) throw error;
            found.push({ file: IMAGES, error });
          }
        }
      }
    } catch (error) {
      if (!(error instanceof StrataError)) throw error;
      found.push({ file: IMAGES, error });
    }
    return found;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.table.close();
    await this.lock?.release();
  }

  private checkOpen(): void {
    if (this.closed) throw new StateError(`${this.name}: the index is closed`);
  }

  private checkWrites(): void {
    this.checkOpen();
    if (!this.writes) throw new StateError(`${this.name}: the index is open for reading; open it with { write: true }`);
  }
}
