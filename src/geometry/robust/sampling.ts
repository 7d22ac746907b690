/**
 * Progressive sampling (PROSAC; Chum and Matas 2005): correspondences are ranked, best first, and samples come from a
 * set of the best that grows until it is all of them. Every other sample is drawn evenly from all, so that ranks that
 * say nothing, or the opposite of what they should, at most double the number of samples.
 */
import type { Random } from "../../random.js";

/** Samples after which PROSAC's set is all correspondences, as its authors chose it. */
const SAMPLES_TO_ALL = 200_000;

/** Draws minimal samples: ranks, from 0 (best) on. */
export class Sampler {
  private drawn = 0;
  /** Size of the set of the best; progressive samples drawn and due before it grows. */
  private best: number;
  private progressive = 0;
  private due = 1;
  /** Expected samples of SAMPLES_TO_ALL that lie wholly within the best. */
  private expected: number;

  /** `isRanked` false: all samples are drawn evenly. */
  constructor(
    private readonly count: number,
    private readonly size: number,
    private readonly isRanked: boolean,
    private readonly random: Random,
  ) {
    this.best = size;
    this.expected = SAMPLES_TO_ALL;
    for (let i = 0; i < size; i++) this.expected *= (size - i) / (count - i);
  }

  /** Writes the next sample, distinct ranks, to `sample`. */
  draw(sample: Int32Array): void {
    const isEven = !this.isRanked || this.best >= this.count || (this.drawn++ & 1) === 1;
    if (isEven) {
      this.fill(sample, this.size, this.count);
      return;
    }
    this.progressive++;
    while (this.progressive > this.due && this.best < this.count) this.grow();
    // The newest of the best, and others from those before it: sets without it have been drawn before.
    this.fill(sample, this.size - 1, this.best - 1);
    sample[this.size - 1] = this.best - 1;
  }

  private grow(): void {
    const next = (this.expected * (this.best + 1)) / (this.best + 1 - this.size);
    this.due += Math.ceil(next - this.expected);
    this.expected = next;
    this.best++;
  }

  /** `size` distinct ranks below `count` (Floyd's algorithm: one draw each). */
  private fill(sample: Int32Array, size: number, count: number): void {
    for (let k = 0; k < size; k++) {
      const top = count - size + k;
      const drawn = this.random.integer(top + 1);
      let isNew = true;
      for (let i = 0; i < k; i++) if (sample[i] === drawn) isNew = false;
      sample[k] = isNew ? drawn : top;
    }
  }
}
