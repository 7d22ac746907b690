/** Postings that were read lately, of all segments of an index together, up to a number of bytes. */
import type { Postings } from "./score.js";

interface Kept {
  postings: Postings;
  bytes: number;
  /** The number of the search that used it last. */
  used: number;
}

export class PostingCache {
  private readonly kept = new Map<object, Map<number, Kept>>();
  private bytes = 0;
  private search = 0;

  constructor(private readonly limit: number) {}

  /** A new search begins; what it uses stays the longest. */
  next(): void {
    this.search++;
    if (this.bytes > this.limit) this.shrink();
  }

  get(segment: object, word: number): Postings | undefined {
    const found = this.kept.get(segment)?.get(word);
    if (!found) return undefined;
    found.used = this.search;
    return found.postings;
  }

  add(segment: object, word: number, postings: Postings, bytes: number): void {
    let own = this.kept.get(segment);
    if (!own) {
      own = new Map();
      this.kept.set(segment, own);
    }
    own.set(word, { postings, bytes, used: this.search });
    this.bytes += bytes;
    // Searches that are larger than the cache must not fill the memory.
    if (this.bytes > 2 * this.limit) this.shrink();
  }

  forget(segment: object): void {
    for (const { bytes } of this.kept.get(segment)?.values() ?? []) this.bytes -= bytes;
    this.kept.delete(segment);
  }

  /** To three quarters of the limit, what was used the longest time ago first. */
  private shrink(): void {
    const all = [...this.kept.values()].flatMap((own) => [...own].map(([word, one]) => ({ own, word, one })));
    all.sort((a, b) => a.one.used - b.one.used);
    for (const { own, word, one } of all) {
      if (this.bytes <= 0.75 * this.limit) break;
      own.delete(word);
      this.bytes -= one.bytes;
    }
  }
}
