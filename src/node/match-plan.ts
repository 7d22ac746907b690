/** What is to be matched: pairs of images by number, checked before the first one is matched. */
import { checkTexts, wrong } from "../check.js";
import { LimitError, OptionError, ShapeError } from "../errors.js";
import { checkFeatures, describeDescriptors, type Features } from "../features.js";
import type { NamePair } from "../match/pairs.js";
import { contentDigest } from "./content-digest.js";

/** Most pairs in one file: their numbers and places are held in memory. */
const MAX_PAIRS = 10_000_000;

/** Pairs of images, compact: there may be millions. */
export class MatchPlan {
  /** Names of the images that are matched, by number. */
  readonly names: string[] = [];
  private readonly numbers = new Map<string, number>();
  private ids = new Uint32Array(1024);
  private readonly byPair = new Map<number, number>();
  private readonly digests: (string | undefined)[] = [];
  private count = 0;

  /**
   * OptionError for an image without features, one with itself, a pair that is there twice and no pair at all; ShapeError
   * for two images whose descriptors do not fit; LimitError for too many pairs.
   */
  constructor(
    private readonly features: ReadonlyMap<string, Features>,
    pairs: Iterable<NamePair>,
  ) {
    for (const pair of pairs) {
      const names = checkTexts("matchMany", "a pair", pair);
      if (names.length !== 2) throw wrong("matchMany", "a pair", "two names", pair);
      this.add(pair);
    }
    if (this.count === 0) throw new OptionError("matchMany: there is no pair to match");
  }

  get length(): number {
    return this.count;
  }

  pair(k: number): NamePair {
    return [this.names[this.ids[2 * k]], this.names[this.ids[2 * k + 1]]];
  }

  *pairs(): Generator<NamePair> {
    for (let k = 0; k < this.count; k++) yield this.pair(k);
  }

  /** The number of the pair, in this order; −1 where it is not in the plan. */
  find(name0: string, name1: string): number {
    const [a, b] = [this.numbers.get(name0), this.numbers.get(name1)];
    if (a === undefined || b === undefined) return -1;
    const k = this.byPair.get(keyOf(a, b)) ?? -1;
    return k >= 0 && this.ids[2 * k] === a ? k : -1;
  }

  /** Whether the pair is in the plan, in whatever order. */
  has(name0: string, name1: string): boolean {
    return this.find(name0, name1) >= 0 || this.find(name1, name0) >= 0;
  }

  of(name: string): Features {
    return this.features.get(name) as Features;
  }

  /** The digest of an image's features, whatever arrays they have. */
  digest(name: string): string {
    const number = this.numbers.get(name) as number;
    this.digests[number] ??= contentDigest(this.of(name));
    return this.digests[number];
  }

  private add([name0, name1]: NamePair): void {
    if (this.count === MAX_PAIRS) {
      throw new LimitError(`matchMany: more than ${MAX_PAIRS} pairs; split them over several files`);
    }
    const [a, b] = [this.number(name0), this.number(name1)];
    if (a === b) throw new OptionError(`matchMany: "${name0}" is paired with itself`);
    const key = keyOf(a, b);
    if (this.byPair.has(key)) throw new OptionError(`matchMany: "${name0}" and "${name1}" are paired twice`);
    this.checkDescriptors(name0, name1);
    if (2 * this.count === this.ids.length) {
      const larger = new Uint32Array(2 * this.ids.length);
      larger.set(this.ids);
      this.ids = larger;
    }
    this.byPair.set(key, this.count);
    this.ids.set([a, b], 2 * this.count++);
  }

  private checkDescriptors(name0: string, name1: string): void {
    const [a, b] = [this.of(name0), this.of(name1)];
    if (a.count === 0 || b.count === 0) return;
    if (a.dim === 0 || b.dim === 0) {
      throw new ShapeError(`matchMany: "${a.dim === 0 ? name0 : name1}" has no descriptors, which matching needs`);
    }
    const [one, other] = [describeDescriptors(a), describeDescriptors(b)];
    if (one === other) return;
    throw new ShapeError(
      `matchMany: descriptors of "${name0}" are ${one}, those of "${name1}" ${other}; extract all with the same model`,
    );
  }

  private number(name: string): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const features = this.features.get(name);
    if (!features) throw new OptionError(`matchMany: there are no features of "${name}"`);
    checkFeatures(`matchMany: "${name}"`, features);
    this.numbers.set(name, this.names.length);
    this.names.push(name);
    return this.names.length - 1;
  }
}

/** One number for two images, in whatever order; exact below 2^26 images. */
const keyOf = (a: number, b: number): number => Math.min(a, b) * 2 ** 26 + Math.max(a, b);
