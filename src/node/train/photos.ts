/**
 * A folder of photographs as a source of training pairs, for those who have no depth. The folder is looked through with
 * all folders in it; every file is read once at the start for the digest, and decoded when its pair is due.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { relative, sep } from "node:path";
import { IoError, OptionError, StateError, StrataError } from "../../errors.js";
import type { Image } from "../../image/image.js";
import { resizeImage } from "../../image/resize.js";
import { LruCache } from "../../lru-cache.js";
import { checkChoice, checkNumber, withDefaults } from "../../options.js";
import { type HomographyOptions, homographyOptions } from "../../train/data/homographies.js";
import { SPLITS, type Split } from "../../train/data/megadepth-plan.js";
import { type PhotometricOptions, photometricOptions } from "../../train/data/photometric.js";
import { epochOrder, type PhotoPairOptions, photoPair, splitPhotos } from "../../train/data/photos.js";
import { type PlanesOptions, planesOptions } from "../../train/data/planes.js";
import { REFERENCE_SEED } from "../../train/options.js";
import type { PairSource, TrainingPair } from "../../train/types.js";
import { ioError } from "../atomic.js";
import { describePassedOver } from "../image-kinds.js";
import { encodeJpeg, loadImage } from "../images.js";
import { findImages } from "../list-images.js";

/** Which views of photographs are made. */
export interface PhotoOptions {
  /** The folder of photographs. */
  folder: string;
  /** Which part of them, told apart by their names; default "all". */
  split: Split;
  /** Share of the photographs that validation gets; default 0.1. */
  validationShare: number;
  /** Pairs of each photograph in an epoch; default 1. */
  pairsPerPhoto: number;
  /** Pixels of the square views; default 192. */
  cropSize: number;
  /** What becomes of photographs whose shorter edge is below the crop's: "skip" (default) or "enlarge". */
  small: "skip" | "enlarge";
  /** Larger photographs are first reduced to this, pixels of the shorter edge; default null: 4 times the crop's. */
  shortEdge: number | null;
  /** Views; defaults: HOMOGRAPHY_DEFAULTS. */
  homography: Partial<HomographyOptions>;
  /** Light; defaults: PHOTOMETRIC_DEFAULTS. */
  photometric: Partial<PhotometricOptions>;
  /** Planes in front of the photograph; defaults: PLANES_DEFAULTS, none. */
  planes: Partial<PlanesOptions>;
  /** Whether pairs come with their views before the change of light; default false. */
  before: boolean;
  /** Default 42. */
  seed: number;
  /** Memory for decoded photographs that may be needed again, in bytes; default 256 MiB. */
  cache: number;
}

/** Defaults of a source of photographs. */
export const PHOTO_DEFAULTS: PhotoOptions = {
  folder: "",
  split: "all",
  validationShare: 0.1,
  pairsPerPhoto: 1,
  cropSize: 192,
  small: "skip",
  shortEdge: null,
  homography: {},
  photometric: {},
  planes: {},
  before: false,
  seed: REFERENCE_SEED,
  cache: 2 ** 28,
};

/** A photograph that is not trained on, and why. */
export interface SkippedPhoto {
  name: string;
  reason: string;
}

/** What looking through the folder gave: worker threads are spared doing it again. */
export interface FoundPhotos {
  /** Paths below the folder, with slashes, sorted. */
  names: readonly string[];
  digest: string;
  skipped: readonly SkippedPhoto[];
  /** How many files are of kinds that are not read: { HEIC: 12 }. */
  passedOver: Readonly<Record<string, number>>;
}

interface Decoded {
  image: Image;
  bytes: number;
}

/** Orders of epochs that are kept: the one at work, the next one's beginning, and validation's. */
const KEPT_EPOCHS = 3;

/** A file that is no photograph: nothing that another try would change. */
const BROKEN = ["E_FORMAT", "E_LIMIT", "E_UNSUPPORTED"];

const WHERE = "PhotoSource";

/** Pairs of views of single photographs. */
export class PhotoSource implements PairSource {
  private readonly recent: LruCache<Decoded>;
  private readonly orders = new Map<number, number[]>();
  private readonly unusable = new Map<string, string>();
  private disposed = false;

  private constructor(
    readonly options: Readonly<PhotoOptions>,
    private readonly pairOptions: PhotoPairOptions,
    readonly found: FoundPhotos,
  ) {
    this.recent = new LruCache(options.cache);
    for (const { name, reason } of found.skipped) this.unusable.set(name, reason);
  }

  /**
   * Looks through the folder, unless that was done (`found`). OptionError for wrong options and a folder without
   * photographs, IoError for one that cannot be read.
   */
  static async open(given: Partial<PhotoOptions>, found?: FoundPhotos): Promise<PhotoSource> {
    const options = withDefaults<PhotoOptions>(WHERE, PHOTO_DEFAULTS, given);
    checkOptions(options);
    const { cropSize, seed } = options;
    const planes = planesOptions(options.planes);
    const pairOptions: PhotoPairOptions = {
      cropSize,
      homography: homographyOptions(options.homography),
      photometric: photometricOptions(options.photometric),
      // Without planes the digest is what it was before there were any.
      ...(planes.most > 0 && { planes }),
      seed,
    };
    return new PhotoSource(options, pairOptions, found ?? (await findPhotos(options, pairOptions)));
  }

  get digest(): string {
    return this.found.digest;
  }

  get length(): number {
    return this.found.names.length * this.options.pairsPerPhoto;
  }

  /** Files that could not be read at the start, and photographs that turned out to be damaged or too small so far. */
  get skipped(): SkippedPhoto[] {
    return [...this.unusable].map(([name, reason]) => ({ name, reason }));
  }

  leftOut(): string[] {
    const others = describePassedOver(this.found.passedOver);
    const lines = this.skipped.map(({ name, reason }) => `${name}: ${reason}`);
    return others === "" ? lines : [`${others} in ${this.options.folder}, which are not read`, ...lines];
  }

  /** As `PairSource`; a damaged photograph is a skipped pair, one that has gone since the start an IoError. */
  async pair(epoch: number, index: number): Promise<TrainingPair | { skipped: string }> {
    if (this.disposed) throw new StateError(`${WHERE}: used after dispose()`);
    checkNumber(WHERE, "epoch", epoch, { min: 0, integer: true });
    checkNumber(WHERE, "index", index, { min: 0, max: this.length - 1, integer: true });
    const name = this.found.names[this.orderOf(epoch)[index]];
    const photo = await this.photo(name);
    if (typeof photo === "string") return { skipped: photo };
    // What comes along beside the views changes none of them, and so is no part of the digest.
    const options = { ...this.pairOptions, before: this.options.before };
    return photoPair(`${name}, epoch ${epoch}, pair ${index}`, photo, { epoch, index }, options, recompress);
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    this.orders.clear();
    this.recent.clear();
  }

  /** The photograph, or why it is none that can be used. */
  private async photo(name: string): Promise<Image | string> {
    const known = this.unusable.get(name);
    if (known !== undefined) return known;
    try {
      const { image } = await this.recent.get(name, () => this.decode(name));
      const { cropSize, small } = this.options;
      if (small === "enlarge" || Math.min(image.width, image.height) >= cropSize) return image;
      const path = pathOf(this.options.folder, name);
      return this.leaveOut(
        name,
        `${path} has ${image.width}×${image.height} pixels, views have ${cropSize}×${cropSize}`,
      );
    } catch (error) {
      if (!(error instanceof StrataError) || !BROKEN.includes(error.code)) throw error;
      return this.leaveOut(name, error.message);
    }
  }

  private leaveOut(name: string, reason: string): string {
    this.unusable.set(name, reason);
    return reason;
  }

  private async decode(name: string): Promise<Decoded> {
    const image = await loadImage(pathOf(this.options.folder, name));
    const { shortEdge, cropSize } = this.options;
    const scale = (shortEdge ?? 4 * cropSize) / Math.min(image.width, image.height);
    const fits = scale >= 1;
    const kept = fits ? image : resizeImage(image, Math.round(scale * image.width), Math.round(scale * image.height));
    return { image: kept, bytes: kept.data.byteLength };
  }

  private orderOf(epoch: number): number[] {
    const known = this.orders.get(epoch);
    if (known) return known;
    const order = epochOrder(this.found.names.length, this.options.pairsPerPhoto, this.options.seed, epoch);
    this.orders.set(epoch, order);
    for (const oldest of this.orders.keys()) {
      if (this.orders.size <= KEPT_EPOCHS) break;
      this.orders.delete(oldest);
    }
    return order;
  }
}

function checkOptions(options: PhotoOptions): void {
  const { folder, cropSize, shortEdge } = options;
  if (typeof folder !== "string" || folder === "") throw new OptionError(`${WHERE}: "folder" must be a path`);
  checkChoice(WHERE, "split", options.split, SPLITS);
  checkChoice(WHERE, "small", options.small, ["skip", "enlarge"]);
  checkNumber(WHERE, "validationShare", options.validationShare, { min: 0, max: 1 });
  checkNumber(WHERE, "pairsPerPhoto", options.pairsPerPhoto, { min: 1, max: 10_000, integer: true });
  checkNumber(WHERE, "cropSize", cropSize, { min: 16, max: 4096, integer: true });
  if (shortEdge !== null) checkNumber(WHERE, "shortEdge", shortEdge, { min: cropSize, integer: true });
  checkNumber(WHERE, "seed", options.seed, { min: 0, max: 2 ** 32 - 1, integer: true });
  checkNumber(WHERE, "cache", options.cache, { min: 0 });
}

/** The photographs of the split, and the SHA-256 of their names, sizes and contents and of all that decides the pairs. */
async function findPhotos(options: PhotoOptions, pairOptions: PhotoPairOptions): Promise<FoundPhotos> {
  const { folder, split, validationShare, pairsPerPhoto, small, shortEdge } = options;
  const info = await stat(folder).catch((cause) => {
    throw ioError("read", folder, cause);
  });
  if (!info.isDirectory())
    throw new OptionError(`${WHERE}: "folder" must be a folder of photographs, ${folder} is a file`);
  const { paths, passedOver } = await findImages([folder], { recursive: true });
  const all = paths.map((path) => relative(folder, path).split(sep).join("/")).sort();
  if (all.length === 0) {
    const others = describePassedOver(passedOver);
    throw new OptionError(
      `${WHERE}: ${folder} has no photograph in it (JPEG, PNG, WebP, AVIF, TIFF, GIF, PGM or PPM)${others && `, but ${others}`}`,
    );
  }
  if (split !== "all" && all.length < 2) {
    throw new OptionError(
      `${WHERE}: ${folder} has one photograph, which cannot be split; give "split": "all" (strata train: --no-validation, or --validation-photographs)`,
    );
  }
  const hash = createHash("sha256");
  hash.update(JSON.stringify([split, validationShare, pairsPerPhoto, small, shortEdge, pairOptions]));
  const names: string[] = [];
  const skipped: SkippedPhoto[] = [];
  for (const name of splitPhotos(all, split, validationShare)) {
    try {
      hash.update(`\n${name} ${await contentOf(pathOf(folder, name))}`);
      names.push(name);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      skipped.push({ name, reason: error.message });
    }
  }
  if (names.length === 0) {
    const few = skipped.slice(0, 3).map(({ reason }) => reason);
    throw new OptionError(
      `${WHERE}: none of the ${skipped.length} photographs of ${folder} can be read (${few.join("; ")})`,
    );
  }
  return { names, digest: hash.digest("hex"), skipped, passedOver };
}

/** Size and SHA-256 of a file, read piece by piece. */
async function contentOf(path: string): Promise<string> {
  const hash: Hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (cause) {
    throw ioError("read", path, cause);
  }
  return `${size} ${hash.digest("hex")}`;
}

function pathOf(folder: string, name: string): string {
  return `${folder.replace(/[/\\]+$/, "")}/${name}`;
}

/** The image as JPEG and back, in memory of its own: what sharp hands out cannot go from thread to thread. */
async function recompress(image: Image, quality: number): Promise<Image> {
  const { width, height, data } = await loadImage(await encodeJpeg(image, quality));
  return { width, height, data: data.slice() };
}
