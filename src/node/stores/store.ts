/** Where the features of many images are kept: what `extractMany` asks of files per image, and of one file for all. */
import { createHash } from "node:crypto";
import { resolve, sep } from "node:path";
import type { Features } from "../../features.js";
import { canonicalJson, type Provenance } from "../../formats/record.js";
import { readFileChecked } from "../atomic.js";

/** An image as a run knows it. */
export interface NamedImage {
  path: string;
  /** Path from the root of all images, with slashes: unique, for mirrored outputs and names in HDF5. */
  name: string;
}

/** An image that could not be read, extracted or kept, and why. */
export interface ImageFailure {
  path: string;
  error: unknown;
}

/** What a store needs to know of a run once its model is open. */
export interface StoredRun {
  /** The model's name. */
  model: string;
  /** How features are made: version, model, options. Features that were made otherwise do not count as finished. */
  provenance: Provenance;
  /** Hears what is worth telling, a line each. */
  note(text: string): void;
}

/** Calls come in this order: prepare, begin, then has and save of each image, finish; and close in any case. */
export interface FeatureStore {
  /**
   * Before anything costs time: makes folders, takes locks. Images whose features cannot be written come back as failures;
   * an error where nothing can be written, or something is there that may not be touched.
   */
  prepare(images: readonly NamedImage[]): Promise<ImageFailure[]>;
  begin(images: readonly NamedImage[], run: StoredRun): Promise<void>;
  /** Whether the features of this very image (`digest` is the SHA-256 of its file) are there, whole and made the same way. */
  has(image: NamedImage, digest: string): Promise<boolean>;
  save(image: NamedImage, features: Features, digest: string): Promise<void>;
  /** Whether after this error of `save` every further image would fail as well. */
  isFatal(error: unknown): boolean;
  /** Once every image has been tried. The paths of all outputs. */
  finish(): Promise<string[]>;
  /** Where finished images wait while a run is not done, for messages; undefined where they are in their place at once. */
  readonly waiting?: string;
  close(): Promise<void>;
}

/** The run's provenance for one image: its name, and the digest that is its identity. */
export function provenanceOf(provenance: Provenance, { name }: NamedImage, digest: string): Provenance {
  return { ...provenance, image: name, imageSha256: digest };
}

/** What a provenance says of its image; null where features tell nothing, or were kept by other means. */
export function imageOf(provenance: unknown): { name: string; digest: string | null; how: string } | null {
  if (typeof provenance !== "object" || provenance === null || Array.isArray(provenance)) return null;
  const { image, imageSha256, ...how } = provenance as Record<string, unknown>;
  if (typeof image !== "string") return null;
  return { name: image, digest: typeof imageSha256 === "string" ? imageSha256 : null, how: canonicalJson(how) };
}

/** Tells each topic once, however often it comes up. */
export class Teller {
  private readonly told = new Set<string>();

  constructor(private readonly note: (text: string) => void = () => {}) {}

  hasTold(topic: string): boolean {
    return this.told.has(topic);
  }

  tell(topic: string, text: string): void {
    if (this.told.has(topic)) return;
    this.told.add(topic);
    this.note(text);
  }
}

/** What to say of features that an earlier version kept without a digest. */
export const NO_DIGEST =
  "features of an earlier version of strata are made again: they do not say of which picture they are (no imageSha256)";

/** The folder that names start from when the image is called `name`; null where it cannot be called so. */
export function rootOf({ path }: NamedImage, name: string): string | null {
  const absolute = resolve(path).split(sep).join("/");
  return absolute.endsWith(`/${name}`) ? absolute.slice(0, -name.length - 1) || "/" : null;
}

/** What to say of an image that `place` knows under another name, most likely because names start from another folder now. */
export function movedRoot(place: string, image: NamedImage, before: string): string {
  const root = rootOf(image, before);
  const start = `${place} holds ${image.path} as "${before}", this run calls it "${image.name}"`;
  const stays = "what is there under old names stays";
  if (root === null) return `${start}; ${stays}`;
  return `${start}: the root of names has moved; ${stays} (--root ${root} keeps the old names)`;
}

/** SHA-256 of an image's file, its identity. */
export const imageDigest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Whether the image that a run calls by that name is this very picture: a copy, which nothing has moved. */
export async function isCopy(image: NamedImage | undefined, digest: string): Promise<boolean> {
  if (!image) return false;
  const bytes = await readFileChecked(image.path).catch(() => null);
  return bytes !== null && imageDigest(bytes) === digest;
}
