/**
 * How long work would wait for a thread, by how long work has taken: a queue that is limited by number alone is a second long
 * where searches are fast and a minute where they are slow.
 */

/** Works back over which times are averaged, so that the mean follows a change of the load within some dozen. */
const MEMORY = 16;

export class ExpectedWait {
  private mean = 0;
  private count = 0;

  /** Notes how long a thread was at one work, in any unit. */
  note(time: number): void {
    this.count = Math.min(this.count + 1, MEMORY);
    this.mean += (time - this.mean) / this.count;
  }

  /** How long work waits that comes behind `waiting` others, which so many threads take one after the other; 0 before anything is known. */
  behind(waiting: number, threads: number): number {
    return waiting === 0 ? 0 : (waiting * this.mean) / Math.max(1, threads);
  }
}
