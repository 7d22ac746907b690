/**
 * Which photographs of a folder make pairs of different ones, as they come by one after the other, epoch after epoch. A pair
 * is drawn once; only when an epoch brings no new one are they drawn again, with other views. Photographs of one place
 * show the same and are no such pair: what is known of that is the beginning of their names.
 */

/** Views that wait for others: 2000 keypoints of 64 numbers each are half a megabyte. */
const KEPT = 64;
/** Most pairs of a view with those before it: the more photographs take part, the better. */
const MOST = 4;

/** Draws pairs of different photographs, each of which brings a view. */
export class UnrelatedPairs<View> {
  private waiting: { name: string; view: View }[] = [];
  private drawn = new Set<string>();

  /** `places`: beginnings of names; two photographs whose names begin with the same one may show the same place. */
  constructor(private readonly places: readonly string[] = []) {}

  /** Waiting views, newest first, that make a pair with a photograph of this name; `most` limits them, as 4 does. */
  partners(name: string, most = MOST): View[] {
    const found: View[] = [];
    for (const other of this.waiting) {
      if (found.length >= Math.min(most, MOST)) break;
      const key = JSON.stringify([name, other.name].sort());
      if (other.name === name || this.isOnePlace(name, other.name) || this.drawn.has(key)) continue;
      this.drawn.add(key);
      found.push(other.view);
    }
    return found;
  }

  /** A view that waits for later photographs. */
  add(name: string, view: View): void {
    this.waiting = [{ name, view }, ...this.waiting.filter((other) => other.name !== name)].slice(0, KEPT);
  }

  /** Allows every pair once more; false where there were none since the last time, for then there are none at all. */
  again(): boolean {
    const had = this.drawn.size > 0;
    this.drawn = new Set();
    return had;
  }

  private isOnePlace(a: string, b: string): boolean {
    return this.places.some((place) => a.startsWith(place) && b.startsWith(place));
  }
}
