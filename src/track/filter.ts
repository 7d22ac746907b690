/**
 * The One-Euro filter (Casiez, Roussel, Vogel, CHI 2012) on a target's four corners: a low-pass whose cutoff grows with
 * speed. All corners share one cutoff, so that the quadrangle keeps its shape.
 *
 * Speed is itself filtered, and so comes late where a motion begins or turns back at once. What the corners are away from
 * where they should be by then, beyond what noise is, is speed too.
 */

/** Cutoff in hertz for the speed itself. */
const SPEED_CUTOFF = 1;
/** Corners this far (root mean square, in pixels) from their filtered place are not moved by noise. */
const MOST_NOISE = 0.75;
/** After a pause of more seconds than this the filter begins anew. */
const LONGEST_PAUSE = 0.5;

/** Filters corners frame by frame. */
export class CornerFilter {
  private readonly value = new Float64Array(8);
  private readonly raw = new Float64Array(8);
  private readonly speed = new Float64Array(8);
  private time = Number.NaN;

  constructor(
    private readonly minCutoff: number,
    private readonly beta: number,
  ) {}

  /** The next corners are taken as they are. */
  reset(): void {
    this.time = Number.NaN;
  }

  /** Filters `corners`, seen at `time` (seconds), in place. */
  apply(corners: Float64Array, time: number): void {
    const { value, raw, speed } = this;
    const elapsed = time - this.time;
    const goesOn = elapsed > 0 && elapsed <= LONGEST_PAUSE;
    this.time = time;
    if (!goesOn || this.minCutoff === Number.POSITIVE_INFINITY) {
      value.set(corners);
      raw.set(corners);
      speed.fill(0);
      return;
    }
    const share = shareOf(SPEED_CUTOFF, elapsed);
    let square = 0;
    let away = 0;
    for (let k = 0; k < 8; k++) {
      speed[k] += share * ((corners[k] - raw[k]) / elapsed - speed[k]);
      square += speed[k] * speed[k];
      away += (corners[k] - value[k]) ** 2;
    }
    raw.set(corners);
    const sudden = (Math.sqrt(away / 4) - MOST_NOISE) / elapsed;
    const own = shareOf(this.minCutoff + this.beta * Math.max(Math.sqrt(square / 4), sudden), elapsed);
    for (let k = 0; k < 8; k++) {
      value[k] += own * (corners[k] - value[k]);
      corners[k] = value[k];
    }
  }
}

/** Share of a new value in a low-pass of that cutoff. */
const shareOf = (cutoff: number, elapsed: number): number => 1 / (1 + 1 / (2 * Math.PI * cutoff * elapsed));
