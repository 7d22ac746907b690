// biome-ignore-all lint/suspicious/noControlCharactersInRegex: files begin with any bytes.
/** What kind of file bytes are, by how they begin: only what is recognised here ever reaches a decoder. */
import { FormatError, UnsupportedError } from "../errors.js";
import { tiffRefusal } from "./tiff-kind.js";

/** Formats that a library decodes; PGM and PPM are read by own code (pnm.ts). */
export type DecodedFormat = "JPEG" | "PNG" | "GIF" | "WebP" | "TIFF" | "AVIF";

const OFFERED = "JPEG, PNG, WebP, AVIF, TIFF, GIF, PGM and PPM";
const SAVE = "save it as PNG or JPEG";
const RAW = "develop it to TIFF, PNG or JPEG";
const FRAMES = "save its frames as images, e.g. with ffmpeg";

/** Beginnings (Latin-1; "." is any byte) of files that are known and not read, what they are, and what to do. */
const KNOWN: readonly (readonly [RegExp, string, string])[] = [
  [/^BM(.{4}\0{4}|.{12}[\x0c(48@l|]\0{3})/s, "a BMP image", SAVE],
  [/^\0\0\x01\0[^\0]\0|^\0\0\x01\0.{2}[^\0]/s, "an ICO icon", SAVE],
  [/^\0\0\x02\0/, "a CUR cursor", SAVE],
  [/^\xff\x0a|^\0\0\0\x0cJXL /, "a JPEG XL image", SAVE],
  [/^\0\0\0\x0cjP {2}|^\xff\x4f\xff\x51/, "a JPEG 2000 image", SAVE],
  [/^\xff\xd8\xff\xf7/, "a JPEG-LS image", SAVE],
  [/^II\xbc[\0\x01]/, "a JPEG XR image", SAVE],
  [/^8BPS/, "a Photoshop file (PSD)", SAVE],
  [/^gimp xcf/, "a GIMP file (XCF)", SAVE],
  [/^%PDF-|^%!PS/, "a PDF or PostScript document", "render its pages to PNG"],
  [
    /^(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype svg[^>]*>\s*)?<svg[\s>]/is,
    "an SVG drawing",
    "render it to PNG",
  ],
  [/^\x1f\x8b/, "a gzip archive", "unpack it first"],
  [/^PK\x03\x04/, "a zip archive", "unpack it first"],
  [/^\x76\x2f\x31\x01/, "an OpenEXR image", SAVE],
  [/^#\?(RADIANCE|RGBE)/, "a Radiance HDR image", SAVE],
  [/^P[Ff]\s/, "a PFM image", SAVE],
  [/^qoif/, "a QOI image", SAVE],
  [/^DDS /, "a DDS texture", SAVE],
  [/^farbfeld/, "a farbfeld image", SAVE],
  [/^SIMPLE {2}=/, "a FITS image", SAVE],
  [/^.{128}DICM/s, "a DICOM image", SAVE],
  [/^FLIF/, "a FLIF image", SAVE],
  [/^BPG\xfb/, "a BPG image", SAVE],
  [/^AT&TFORM/, "a DjVu document", "render its pages to PNG"],
  [/^\x0a[\0-\x05]\x01[\x01\x02\x04\x08]/, "a PCX image", SAVE],
  [/^FUJIFILMCCD-RAW|^II(RO|RS|U\0)|^MMOR|^.{6}HEAPCCDR|^\0MRM|^FOVb/s, "a camera's raw file", RAW],
  [/^\x1a\x45\xdf\xa3/, "a Matroska or WebM video", FRAMES],
  [/^RIFF.{4}AVI /s, "an AVI video", FRAMES],
  [/^\0\0\x01[\xb3\xba]/, "an MPEG video", FRAMES],
  [/^.{4}(moov|mdat|wide|free|skip)/s, "a QuickTime video", FRAMES],
  [/^\x89HDF/, "an HDF5 file", "export its images as PNG"],
  [/^\x93NUMPY/, "a NumPy array", SAVE],
  [/^version https:\/\/git-lfs/, "a pointer of Git LFS", 'fetch the file itself with "git lfs pull"'],
  [/^(\xef\xbb\xbf)?\s*<(!doctype html|html)/is, "a web page", "download the image itself"],
];

/** By a brand of an ISO media file ("ftyp"), the main one first. */
const BRANDS: readonly (readonly [RegExp, string, string])[] = [
  [/^(hei[cxms]|hev[cxms]|mif1|msf1|mif2|miaf)/, "a HEIC or HEIF image", `${SAVE} (phones: "most compatible")`],
  [/^crx/, "a camera's raw file (CR3)", RAW],
  [/^jp[2xm]/, "a JPEG 2000 image", SAVE],
  [/^qt/, "a QuickTime video", FRAMES],
];

/**
 * The format of an image that can be decoded. An UnsupportedError for what is something else that is known, or of a kind that
 * decoders do not read, a FormatError for anything else; both begin with `name`.
 */
export function sniffImage(name: string, bytes: Uint8Array): DecodedFormat {
  const start = latin1(bytes.subarray(0, 512));
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "PNG";
  if (start.startsWith("GIF8")) return "GIF";
  if (/^RIFF.{4}WEBP/s.test(start)) return "WebP";
  const known = refusal(start, bytes);
  if (known) throw new UnsupportedError(`${name}: ${known[0]} is not read; ${known[1]}`);
  if (start.startsWith("\xff\xd8\xff")) return "JPEG";
  if (isTiff(start)) return "TIFF";
  if (start.slice(4, 8) === "ftyp") return "AVIF";
  throw new FormatError(`${name}: not an image that can be read; offered are ${OFFERED}`);
}

/** What a file is that not every decoder reads, as in "a HEIC or HEIF image"; null for what is not known, or usual. */
export function knownKind(bytes: Uint8Array): string | null {
  const start = latin1(bytes.subarray(0, 512));
  return refusal(start, bytes)?.[0] ?? (isTiff(start) ? "a TIFF" : null);
}

/** What the bytes are and what to do, where they are known not to be read. */
function refusal(start: string, bytes: Uint8Array): readonly [what: string, advice: string] | null {
  if (start.slice(4, 8) === "ftyp") {
    // The main brand, four letters of a version, and the compatible brands; the box begins with its length.
    const length = Math.min(256 * bytes[2] + bytes[3], 512);
    const brands = [start.slice(8, 12), ...(start.slice(16, length).match(/.{4}/gs) ?? [])];
    if (brands.some((brand) => /^avi[fs]/.test(brand))) return null;
    const found = BRANDS.find(([pattern]) => brands.some((brand) => pattern.test(brand)));
    return found ? [found[1], found[2]] : ["a video (MP4 or its kin)", FRAMES];
  }
  const found = KNOWN.find(([pattern]) => pattern.test(start));
  if (found) return [found[1], found[2]];
  const tiff = isTiff(start) ? tiffRefusal(bytes) : null;
  return tiff === null ? null : [tiff, /raw/.test(tiff) ? RAW : `${SAVE}, or as TIFF with RGB or grey values`];
}

const isTiff = (start: string): boolean => /^(II[*+]\0|MM\0[*+])/.test(start);

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
