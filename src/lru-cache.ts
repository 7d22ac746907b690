/** Least recently used goes first: values kept up to a number of bytes, e.g. files that several pairs of an epoch need. */

export interface Sized {
  /** Memory that the value holds on to. */
  bytes: number;
}

export class LruCache<T extends Sized> {
  /** In the order of use, the oldest first. */
  private readonly values = new Map<string, T>();
  private readonly loading = new Map<string, Promise<T>>();
  private bytes = 0;

  constructor(private readonly limit: number) {}

  /** The value of `key`: the one kept, or what `load` gives. Those who ask while it is loaded wait for the same one. */
  async get(key: string, load: () => Promise<T>): Promise<T> {
    const kept = this.values.get(key);
    if (kept) {
      this.values.delete(key);
      this.values.set(key, kept);
      return kept;
    }
    const running = this.loading.get(key);
    if (running) return running;
    const started = load()
      .then((value) => this.keep(key, value))
      .finally(() => this.loading.delete(key));
    this.loading.set(key, started);
    return started;
  }

  clear(): void {
    this.values.clear();
    this.bytes = 0;
  }

  private keep(key: string, value: T): T {
    this.values.set(key, value);
    this.bytes += value.bytes;
    for (const [oldest, { bytes }] of this.values) {
      if (this.bytes <= this.limit) break;
      this.values.delete(oldest);
      this.bytes -= bytes;
    }
    return value;
  }
}
