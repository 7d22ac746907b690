/**
 * What frozen networks make of a crop, kept on disk: validation pairs come back in every epoch, and so may training
 * pairs. A file per crop, named by the SHA-256 of the network and of the crop's pixels, so that nothing made by another
 * network, preprocessing or crop can be taken for it; what was used longest ago goes when the folder is full. Trainings
 * that run at the same time may share a folder: files are whole or not there, and one that another training has removed is
 * made again.
 */
import { createHash } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { StrataError } from "../../errors.js";
import { ndarray } from "../../formats/ndarray.js";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.js";
import type { Image } from "../../image/image.js";
import { checkNumber, withDefaults } from "../../options.js";
import { checkPath, ioError, readFileChecked, writeFileAtomic } from "../atomic.js";
import { checkWritable } from "../folders.js";

/** Where and how much of it is kept. */
export interface FrozenCacheOptions {
  /** Bytes that the folder may take; default 8 GiB. */
  limit: number;
  /** Told once when nothing more can be kept, e.g. because the disk is full; the training goes on without. */
  note: (message: string) => void;
}

/** Vectors of one crop, by name. */
export type FrozenOutputs = Record<string, Float32Array>;

const EXTENSION = ".safetensors";
const DEFAULTS: FrozenCacheOptions = { limit: 2 ** 33, note: () => {} };

/** The folder is looked at again when this share of its limit was written, for others may have written too. */
const LOOK_AFTER = 1 / 16;

/** Outputs of a frozen network, kept on the disk. */
export class FrozenCache {
  /** Name → bytes, the longest unused first. */
  private readonly files = new Map<string, number>();
  private total = 0;
  /** Bytes written since the folder was looked at. */
  private written = 0;
  private full = false;

  private constructor(
    private readonly directory: string,
    private readonly options: FrozenCacheOptions,
  ) {}

  /** The cache in `directory`, which is made where it is not there; an IoError where it cannot be written. */
  static async open(directory: string, given: Partial<FrozenCacheOptions> = {}): Promise<FrozenCache> {
    const options = withDefaults("FrozenCache", DEFAULTS, given);
    checkNumber("FrozenCache", "limit", options.limit, { min: 0 });
    checkPath("FrozenCache", directory);
    await checkWritable([join(directory, "any")]);
    const cache = new FrozenCache(directory, options);
    await cache.look();
    return cache;
  }

  /** Brings what is remembered in line with the folder: files that are new here count as used last, by their age. */
  private async look(): Promise<void> {
    const names = (await readdir(this.directory)).filter((name) => /^[0-9a-f]{64}\.safetensors$/.test(name));
    const stats = await Promise.all(
      // One that another training has removed in the meantime is not there.
      names.map(async (name) => ({ name, info: await stat(join(this.directory, name)).catch(() => null) })),
    );
    const there = stats.flatMap(({ name, info }) => (info ? [{ name, info }] : []));
    const found = new Set(there.map(({ name }) => name));
    for (const name of [...this.files.keys()]) if (!found.has(name)) this.drop(name);
    there.sort((a, b) => a.info.mtimeMs - b.info.mtimeMs || (a.name < b.name ? -1 : 1));
    for (const { name, info } of there) if (!this.files.has(name)) this.remember(name, info.size);
    this.written = 0;
  }

  /** Bytes kept. */
  get bytes(): number {
    return this.total;
  }

  /** The key of a crop under the network of that digest. */
  static key(network: string, { width, height, data }: Image): string {
    return createHash("sha256").update(`${network} ${width}×${height} `).update(data).digest("hex");
  }

  /** What is kept under `key`, if each of `lengths` is there with so many values; a damaged file is removed. */
  async get(key: string, lengths: Readonly<Record<string, number>>): Promise<FrozenOutputs | null> {
    const name = key + EXTENSION;
    const bytes = this.files.get(name);
    if (bytes === undefined) return null;
    try {
      const { tensors } = readSafetensors(await readFileChecked(join(this.directory, name)));
      const outputs = Object.entries(lengths).map(([output, length]): [string, Float32Array] => {
        const data = tensors.get(output)?.data;
        if (!(data instanceof Float32Array) || data.length !== length)
          throw new StrataError("E_FORMAT", "other lengths");
        return [output, data];
      });
      this.remember(name, bytes);
      return Object.fromEntries(outputs);
    } catch (error) {
      if (!(error instanceof StrataError)) throw error;
      await this.forget(name);
      return null;
    }
  }

  /** Keeps a crop's outputs. What cannot be kept is made again the next time: no reason to end a training. */
  async put(key: string, outputs: FrozenOutputs): Promise<void> {
    if (this.full) return;
    const name = key + EXTENSION;
    const bytes = writeSafetensors(
      Object.entries(outputs).map(([output, data]) => [output, ndarray(data, [data.length])]),
    );
    if (bytes.length > this.options.limit) return;
    try {
      if (this.written > LOOK_AFTER * this.options.limit) await this.look();
      for (const oldest of this.files.keys()) {
        if (this.total + bytes.length <= this.options.limit) break;
        await this.forget(oldest);
      }
      await writeFileAtomic(join(this.directory, name), bytes);
      this.remember(name, bytes.length);
      this.written += bytes.length;
    } catch (cause) {
      const error = cause instanceof StrataError ? cause : ioError("use", this.directory, cause);
      this.full = true;
      this.options.note(`the cache of frozen outputs takes no more: ${error.message}`);
    }
  }

  private remember(name: string, bytes: number): void {
    this.total += bytes - (this.files.get(name) ?? 0);
    this.files.delete(name);
    this.files.set(name, bytes);
  }

  private drop(name: string): void {
    this.total -= this.files.get(name) ?? 0;
    this.files.delete(name);
  }

  private async forget(name: string): Promise<void> {
    this.drop(name);
    await rm(join(this.directory, name), { force: true });
  }
}
