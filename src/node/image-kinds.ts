/** Which files are images that are read, by their endings, and what the others are called when people are told of them. */
import { basename } from "node:path";

/** Endings of images that are read, after the dot; `loadImage` itself goes by the bytes. */
const IMAGE_ENDINGS = "jpe?g|jpe|jfif|a?png|webp|avif|tiff?|gif|ppm|pgm|pnm";
const IMAGE_FILE = new RegExp(`\\.(${IMAGE_ENDINGS})$`, "i");

/** Names of kinds where the ending alone does not say it well. */
const KINDS: readonly (readonly [string, RegExp])[] = [
  ["HEIC", /^(heic|heif|hif|heics|heifs)$/],
  [
    "RAW",
    /^(3fr|arw|cr2|cr3|crw|dcr|dng|erf|iiq|k25|kdc|mef|mos|mrw|nef|nrw|orf|pef|raf|raw|rw2|rwl|sr2|srf|srw|x3f)$/,
  ],
  ["BMP", /^(bmp|dib)$/],
  ["JPEG XL", /^jxl$/],
  ["JPEG 2000", /^(j2k|j2c|jp2|jpf|jpx|jpm|jpc)$/],
  ["SVG", /^svgz?$/],
];

/** Endings of texts, tables and features: nobody takes these for photographs, so nobody is told of them. */
const NOT_TOLD =
  /^(aae|cfg|conf|csv|db|h5|hdf5|html?|ini|js|json|jsonl|log|lst|mat|md|mjs|npy|npz|onnx|out|parts|pickle|pkl|py|rst|safetensors|sh|sqlite3?|thm|tmp|toml|ts|tsv|txt|xml|xmp|ya?ml)$/;

/** Whether a file is one of the images of its folder, by its name. */
export const isImageName = (name: string): boolean => IMAGE_FILE.test(name);

/**
 * What a file of a folder that is no image that is read is called: "HEIC", "BMP", "PDF", … Null for hidden files and for
 * those that nobody takes for a photograph.
 */
export function passedOverKind(path: string): string | null {
  const name = basename(path);
  if (name.startsWith(".") || isImageName(name)) return null;
  const dot = name.lastIndexOf(".");
  if (dot < 0) return "without an ending";
  const ending = name.slice(dot + 1).toLowerCase();
  if (NOT_TOLD.test(ending)) return null;
  const kind = KINDS.find(([, endings]) => endings.test(ending))?.[0];
  // Letters and digits only: what a file is called must not write to the terminal.
  return kind ?? (/^[a-z0-9_-]{1,12}$/.test(ending) ? ending.toUpperCase() : "of other kinds");
}

/** "2 HEIC, 1 BMP", the most frequent first. */
export function describePassedOver(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([kind, count]) => `${count} ${kind}`)
    .join(", ");
}
