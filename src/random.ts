/**
 * The one seeded generator: xoshiro128** (Blackman and Vigna 2018), its state filled by splitmix32.
 * The same seed gives the same numbers on every platform; its state can be saved and set back.
 */
import { wrong } from "./check.js";

/** The one seeded generator of random numbers. */
export class Random {
  private state: Uint32Array;

  constructor(seed: number) {
    if (!Number.isFinite(seed)) throw wrong("Random", "seed", "a number", seed);
    let z = seed >>> 0;
    this.state = Uint32Array.from({ length: 4 }, () => {
      z = (z + 0x9e3779b9) >>> 0;
      let t = z ^ (z >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      return (t ^ (t >>> 15)) >>> 0;
    });
  }

  /** A whole number in [0, 2³²). */
  uint32(): number {
    const s = this.state;
    const r = Math.imul(s[1], 5);
    const result = Math.imul((r << 7) | (r >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** A number in [low, high), with 32 random bits. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.uint32() / 4294967296);
  }

  /** A whole number in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform(0, n));
  }

  /** A standard normal number (Box and Muller). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** The four words that continue the sequence; give them to `Random.from`. */
  save(): number[] {
    return [...this.state];
  }

  static from(words: readonly number[]): Random {
    const random = new Random(0);
    random.state = Uint32Array.from(words);
    return random;
  }
}
