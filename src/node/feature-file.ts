/** The file of one image's features, by its ending; the size of the image where the file does not say it. */
import { extname, sep } from "node:path";
import { IoError, OptionError, UnsupportedError } from "../errors.js";
import type { DescriptorKind, Features } from "../features.js";
import { MissingImageSize } from "../formats/feature-arrays.js";
import { codecFor, codecOf, PER_IMAGE_ENDINGS, type PerImageFormat } from "../formats/feature-formats.js";
import { readFileChecked } from "./atomic.js";
import { named, namingImage } from "./name-errors.js";
import { pathBelow } from "./names.js";

export interface FeatureFileOptions {
  /** Folder of the images, for files that do not say how large their images are. */
  images?: string;
  /** What descriptors are, where the type of their numbers does not tell. */
  descriptorKind?: DescriptorKind;
}

/** One image's file; its image's name is what the file says, else the file's without its ending. */
export async function readFeatureFile(
  path: string,
  file: string,
  options: FeatureFileOptions,
): Promise<[string, Features]> {
  const bytes = await readFileChecked(path);
  const extension = extname(file).toLowerCase();
  const plain = file.slice(0, -extension.length).replace(/\.strata$/, "");
  const name = plain.split(sep).join("/");
  return named(path, async () => {
    // Only asked for where the file does not say it.
    try {
      return await decode(path, bytes, extension, name, null, options);
    } catch (error) {
      if (!(error instanceof MissingImageSize)) throw error;
      return decode(path, bytes, extension, name, await sizeOf(path, name, options), options);
    }
  });
}

async function decode(
  path: string,
  bytes: Uint8Array,
  extension: string,
  name: string,
  imageSize: [number, number] | null,
  { descriptorKind: kind = null }: { descriptorKind?: DescriptorKind | null },
): Promise<[string, Features]> {
  const codec = await codecFor(extension, bytes);
  if (!codec) throw new UnsupportedError(`${path} is no file of features; they end in ${PER_IMAGE_ENDINGS.join(", ")}`);
  const { features, provenance } = codec.read(bytes, { where: path, imageSize, kind });
  const { image } = (provenance ?? {}) as { image?: unknown };
  return [typeof image === "string" && image !== "" ? image : name, features];
}

/** The size of the image that a file of features is of, as it is shown. */
export async function sizeOf(path: string, name: string, { images }: FeatureFileOptions): Promise<[number, number]> {
  if (images === undefined) {
    throw new OptionError(`${path} does not say how large the image "${name}" is: give --images FOLDER`);
  }
  const { readImageSize } = await import("./images.js");
  const image = pathBelow(images, name);
  const { width, height, orientation } = await readImageSize(image).catch((cause: Error) => {
    throw new IoError(
      `${path} does not say how large the image "${name}" is, and --images ${images} does not tell: ${cause.message}`,
      { cause },
    );
  });
  // EXIF's 5 to 8 turn the image by a quarter.
  return orientation >= 5 ? [height, width] : [width, height];
}

/** The bytes of one image's file; `image`: its name, which errors name. */
export async function encodeFeatureFile(
  format: PerImageFormat,
  features: Features,
  image: string,
): Promise<Uint8Array> {
  const codec = await codecOf(format);
  return namingImage(image, () => codec.write(features, { provenance: { image } }));
}
