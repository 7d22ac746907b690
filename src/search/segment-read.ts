/**
 * A segment that is read where it lies: opening takes its footer, a search the directory once, then the postings of its words.
 * Each part is checked as it is read; what does not fit its checksum is a FormatError that names the segment.
 */
import { FormatError } from "../errors.js";
import type { FloatFeatures } from "../features.js";
import { crc32 } from "../formats/bytes.js";
import { unpackLocal } from "./local-features.js";
import type { PostingCache } from "./posting-cache.js";
import type { Postings } from "./score.js";
import { DIGEST_BYTES, decodeId, type Footer, idOffsets, readFooter, type SectionName } from "./segment-format.js";
import { POSTING_BYTES } from "./segment-write.js";
import type { IndexSource } from "./store.js";

/** Postings that lie this near are read together. */
const GAP = 2 ** 15;
/** Most bytes that are read together. */
const MOST_AT_ONCE = 2 ** 22;

export class SegmentReader {
  private readonly kept = new Map<SectionName, Promise<Uint8Array>>();
  private ids: { offsets: Uint32Array; text: Uint8Array } | undefined;
  private starts: Uint32Array | undefined;
  /** 1 for each word whose postings were found whole. */
  private sound = new Uint8Array(0);

  private constructor(
    readonly where: string,
    private readonly source: IndexSource,
    readonly footer: Footer,
    private readonly cache: PostingCache,
  ) {}

  static async open(where: string, source: IndexSource, cache: PostingCache): Promise<SegmentReader> {
    return new SegmentReader(where, source, await readFooter(where, source), cache);
  }

  get images(): number {
    return this.footer.images;
  }

  get bytes(): number {
    return this.source.size;
  }

  /** A section whose bytes stay in memory. */
  private section(name: SectionName): Promise<Uint8Array> {
    let bytes = this.kept.get(name);
    if (!bytes) {
      bytes = this.readSection(name);
      this.kept.set(name, bytes);
      bytes.catch(() => this.kept.delete(name));
    }
    return bytes;
  }

  private async readSection(name: SectionName): Promise<Uint8Array> {
    const { offset, length, crc } = this.footer.sections[name];
    const bytes = await this.read(offset, length);
    if (crc !== null && crc32(bytes) !== crc) throw this.damaged(`its ${name} do not fit their checksum`);
    return bytes;
  }

  /** A source of others may give a Buffer, whose slices are no copies. */
  private async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.source.read(offset, length);
    return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes);
  }

  damaged(what: string): FormatError {
    return new FormatError(`${this.where}: the segment is damaged: ${what}`);
  }

  /** What each image's score is multiplied with. */
  async norms(): Promise<Float32Array> {
    return aligned(await this.section("norms"), Float32Array);
  }

  private async directory(): Promise<Uint32Array> {
    if (this.starts) return this.starts;
    const starts = aligned(await this.section("directory"), Uint32Array);
    const total = this.footer.sections.words.length / POSTING_BYTES;
    const rising = starts.every((at, word) => word === 0 || at >= starts[word - 1]);
    if (starts[0] !== 0 || starts[starts.length - 1] !== total || !rising) {
      throw this.damaged("its directory does not lead to the postings");
    }
    this.starts = starts;
    return starts;
  }

  /** How many images have each word, for all words. */
  async counts(): Promise<(word: number) => number> {
    const starts = await this.directory();
    return (word) => starts[word + 1] - starts[word];
  }

  /** Postings of words, which must ascend; `each` is called for each word, in no particular order. */
  async postings(words: Uint32Array, each: (at: number, postings: Postings) => void): Promise<void> {
    const starts = await this.directory();
    const missing: number[] = [];
    for (let at = 0; at < words.length; at++) {
      const word = words[at];
      if (starts[word + 1] === starts[word]) continue;
      const found = this.cache.get(this, word);
      if (found) each(at, found);
      else missing.push(at);
    }
    if (missing.length === 0) return;
    const checks = aligned(await this.section("checks"), Uint32Array);
    if (this.sound.length === 0) this.sound = new Uint8Array(checks.length);
    for (let i = 0; i < missing.length; ) {
      const first = starts[words[missing[i]]] * POSTING_BYTES;
      let end = first;
      let n = i;
      for (; n < missing.length; n++) {
        const word = words[missing[n]];
        const [from, to] = [starts[word] * POSTING_BYTES, starts[word + 1] * POSTING_BYTES];
        if (n > i && (from - end > GAP || to - first > MOST_AT_ONCE)) break;
        end = to;
      }
      const piece = await this.read(this.footer.sections.words.offset + first, end - first);
      for (; i < n; i++) {
        const word = words[missing[i]];
        const from = starts[word] * POSTING_BYTES - first;
        const bytes = piece.slice(from, from + (starts[word + 1] - starts[word]) * POSTING_BYTES);
        if (!this.sound[word]) this.checkPostings(word, bytes, checks[word]);
        const postings = postingsOf(bytes);
        this.cache.add(this, word, postings, bytes.length);
        each(missing[i], postings);
      }
    }
  }

  /** A word's postings are checked when they are read for the first time, not when they had to leave the memory since. */
  private checkPostings(word: number, bytes: Uint8Array, crc: number): void {
    if (crc32(bytes) !== crc) throw this.damaged(`the postings of word ${word} do not fit their checksum`);
    const { images } = postingsOf(bytes);
    for (let i = 0; i < images.length; i++) {
      if (images[i] >= this.images || (i > 0 && images[i] <= images[i - 1])) {
        throw this.damaged(`the postings of word ${word} name images that are not there`);
      }
    }
    this.sound[word] = 1;
  }

  /** All vectors, row by row. */
  async vectors(): Promise<Int8Array> {
    return aligned(await this.section("vectors"), Int8Array);
  }

  /** The id of an image; ids are read at the first call. */
  async id(image: number): Promise<string> {
    const { offsets, text } = await this.idTable();
    return decodeId(this.where, text.subarray(offsets[image], offsets[image + 1]));
  }

  async allIds(): Promise<string[]> {
    const { offsets, text } = await this.idTable();
    return Array.from({ length: this.images }, (_, i) =>
      decodeId(this.where, text.subarray(offsets[i], offsets[i + 1])),
    );
  }

  private async idTable() {
    if (this.ids) return this.ids;
    const bytes = await this.section("ids");
    this.ids = {
      offsets: idOffsets(this.where, bytes, this.images),
      text: bytes.subarray(4 * (this.images + 1)),
    };
    return this.ids;
  }

  async digests(): Promise<(image: number) => Uint8Array> {
    const bytes = await this.section("digests");
    return (image) => bytes.subarray(image * DIGEST_BYTES, (image + 1) * DIGEST_BYTES);
  }

  /** The bytes of an image's keypoints. */
  async localBlock(image: number): Promise<Uint8Array> {
    const places = aligned(await this.section("places"), Uint32Array);
    const { offset, length } = this.footer.sections.locals;
    const [from, to] = [4 * places[image], 4 * places[image + 1]];
    if (!(from <= to && to <= length)) throw this.damaged("its places do not lead to keypoints");
    return this.read(offset + from, to - from);
  }

  async local(image: number): Promise<FloatFeatures> {
    return unpackLocal(this.where, await this.localBlock(image), this.footer.dim);
  }

  /** Reads everything; the first thing that is wrong is thrown. */
  async check(): Promise<void> {
    for (const name of Object.keys(this.footer.sections) as SectionName[]) {
      if (this.footer.sections[name].crc !== null) await this.readSection(name);
    }
    if (this.footer.kind === "asmk") {
      const chunk = 256;
      for (let first = 0; first < this.footer.words; first += chunk) {
        const words = Uint32Array.from({ length: Math.min(chunk, this.footer.words - first) }, (_, i) => first + i);
        this.cache.forget(this);
        this.sound.fill(0);
        await this.postings(words, () => {});
      }
      this.cache.forget(this);
    }
    await this.allIds();
    for (let i = 0; i < this.images; i++) await this.local(i);
  }

  dispose(): void {
    this.cache.forget(this);
    this.source.dispose?.();
  }
}

function postingsOf(bytes: Uint8Array): Postings {
  const count = bytes.length / POSTING_BYTES;
  return {
    images: new Uint32Array(bytes.buffer, bytes.byteOffset, count),
    signatures: new Int32Array(bytes.buffer, bytes.byteOffset + 4 * count, 2 * count),
  };
}

function aligned<T>(
  bytes: Uint8Array,
  Type: { new (buffer: ArrayBufferLike, offset: number, length: number): T; BYTES_PER_ELEMENT: number },
): T {
  const size = Type.BYTES_PER_ELEMENT;
  const whole = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new Type(whole.buffer, whole.byteOffset, whole.length / size);
}
