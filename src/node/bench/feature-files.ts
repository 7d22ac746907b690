/**
 * Features that others have made: npz files beside the images (`1.ppm.d2-net`) with `keypoints` [N, 2 or 3], `scores`
 * [N] and `descriptors` [N, D], as the reference's notebooks write them, or one HDF5 file in hloc's layout. What
 * descriptors are (floats, bits) is told as everywhere, in formats/descriptors.ts; all floats are scaled to length 1
 * here, once, also those that nearly are: figures that were measured so stay.
 */
import { createHash } from "node:crypto";
import { FormatError, IoError, OptionError, StrataError } from "../../errors.js";
import { normalizeRows } from "../../extract/describe.js";
import { describeDescriptors, type Features } from "../../features.js";
import { arraysToFeatures } from "../../formats/feature-arrays.js";
import { readHlocFeatures } from "../../formats/hloc.js";
import { readNpz } from "../../formats/npz.js";
import type { Image } from "../../image/image.js";
import { readFileChecked } from "../atomic.js";
import type { SequenceImage, Sequences } from "./sequences.js";

/** The features of one image; `size` is asked for where the file does not say it. */
export interface ForeignFeatures {
  read(image: SequenceImage, load: () => Promise<Image>): Promise<Features>;
}

/** A file's ending as it is appended to the image's name: ".d2-net". */
export function checkExtension(text: string): string {
  if (!/^\.[^/\\]*[^/\\.]$/.test(text)) {
    throw new OptionError(
      `--method files:EXT needs the ending of files beside the images, with its dot (files:.d2-net), got "${text}"`,
    );
  }
  return text;
}

/**
 * SHA-256 over the feature files of all images; one that cannot be read counts as missing here and fails when read.
 * IoError where there is none at all, which a wrong ending is more often than so many faults.
 */
export async function digestFiles(extension: string, { folder, sequences }: Sequences): Promise<string> {
  const digest = createHash("sha256");
  const all = sequences.flatMap(({ images }) => images);
  let found = 0;
  for (const image of all) {
    const bytes = await readFileChecked(image.path + extension).catch((error: unknown) => {
      if (error instanceof StrataError) return null;
      throw error;
    });
    if (bytes) found++;
    digest.update(`${image.name} ${bytes ? createHash("sha256").update(bytes).digest("hex") : "missing"}\n`);
  }
  if (found === 0) {
    throw new IoError(
      `--method files:${extension}: none of the ${all.length} images in ${folder} has a readable file of features ` +
        `beside it, as ${all[0]?.name}${extension} would be`,
    );
  }
  return digest.digest("hex");
}

/** npz files beside the images. */
export function featureFiles(extension: string): ForeignFeatures {
  const same = sameDescriptors();
  return {
    async read(image, load) {
      const path = image.path + extension;
      const arrays = named(path, await readFileChecked(path), readNpz);
      const { width, height } = await load();
      return same(path, arraysToFeatures(path, arrays, { imageSize: [width, height], normalize: false }));
    },
  };
}

/** One HDF5 file with all images, read when the first is asked for. */
export function hlocFile(path: string): ForeignFeatures {
  let reading: Promise<Map<string, Features>> | undefined;
  const same = sameDescriptors();
  return {
    async read(image) {
      reading ??= readFileChecked(path).then((bytes) =>
        named(path, bytes, (all) => readHlocFeatures(all, { normalize: false })),
      );
      const all = await reading;
      const features = all.get(image.name);
      if (!features) {
        const [first] = all.keys();
        const example = first === undefined ? "it has no image at all" : `its images are named like "${first}"`;
        throw new IoError(`${path} has no features of "${image.name}"; ${example}`);
      }
      return same(`${path}: "${image.name}"`, features);
    },
  };
}

/** Runs `read`; what it finds wrong is said with the file's path. */
function named<T>(path: string, bytes: Uint8Array, read: (bytes: Uint8Array) => T): T {
  const explain = (error: unknown): never => {
    if (!(error instanceof StrataError) || error.message.includes(path)) throw error;
    throw new FormatError(`${path}: ${error.message}`, { cause: error });
  };
  try {
    const result = read(bytes);
    return result instanceof Promise ? (result.catch(explain) as T) : result;
  } catch (error) {
    return explain(error);
  }
}

/** Refuses features without descriptors or with others than those before, and makes floats unit vectors. */
function sameDescriptors(): (where: string, features: Features) => Features {
  let first: { where: string; what: string } | undefined;
  return (where, features) => {
    if (features.count === 0) return features;
    const what = describeDescriptors(features);
    if (features.dim === 0) throw new FormatError(`${where}: it has no descriptors, which matching needs`);
    first ??= { where, what };
    if (what !== first.what) {
      throw new FormatError(
        `${where}: its descriptors are ${what}, those of ${first.where} ${first.what}; they must be by one method`,
      );
    }
    if (features.kind === "binary") return features;
    return { ...features, descriptors: normalizeRows(features.descriptors.slice(), features.dim) };
  };
}
