/**
 * The table of formats of features. A row says what a format is called, how its files end and where it is read and written;
 * whoever lists, finds, reads or writes feature files asks the table. A new format is a file in codecs/ and a row here.
 *
 * The table itself loads no format: the command line asks it for names before anything else.
 */
import { OptionError } from "../errors.js";
import type { DescriptorKind, Features } from "../features.js";

/** Plain JSON that says how features came about: model, checksum, options, image name, … */
export type Provenance = Record<string, unknown>;

export interface ReadOptions {
  /** What errors name. */
  where: string;
  /** [width, height] for files that do not say; a MissingImageSize error where it is needed and null. */
  imageSize: [number, number] | null;
  /** What descriptors are, where the type of their numbers does not tell. */
  kind: DescriptorKind | null;
}

export interface WriteOptions {
  /** Kept in the file where the format can. */
  provenance?: Provenance;
  /** Formats with `append`: a third column of ones in `keypoints`. */
  append?: boolean;
  /** npz: deflate; default false. */
  compress?: boolean;
}

/** How a format of one image per file is read and written. */
export interface FeatureCodec {
  /** Features and provenance (null where the file has none). FormatError for anything damaged. */
  read(bytes: Uint8Array, options: ReadOptions): { features: Features; provenance: unknown };
  /** Bytes of a file; the same features give the same bytes. ShapeError when lengths do not fit or a number is not finite. */
  write(features: Features, options: WriteOptions): Uint8Array;
  /** Whether these bytes are of this format, where several have one ending. */
  recognises?(bytes: Uint8Array): boolean;
}

export interface FeatureFormatRow {
  /** As --format and --to name it. */
  readonly name: string;
  /** Endings of its files; the first is written. */
  readonly endings: readonly [string, ...string[]];
  /** Whether a file tells how it was made, so that `extract --resume` can trust it. */
  readonly provenance: boolean;
  /** Whether `append` is understood. */
  readonly append?: boolean;
  /** One file for many images; it has functions of its own (hloc.ts) in place of a codec. */
  readonly many?: boolean;
  /** The codec, loaded when it is asked for. */
  readonly load?: () => Promise<{ codec: FeatureCodec }>;
}

/** Where two formats share an ending, the earlier one is asked first whether it recognises the bytes. */
export const FORMAT_TABLE = [
  // R2D2 and D2-Net name their npz files so.
  {
    name: "npz",
    endings: [".npz", ".r2d2", ".d2-net"],
    provenance: true,
    append: true,
    load: () => import("./codecs/npz.js"),
  },
  { name: "mat", endings: [".mat"], provenance: true, append: true, load: () => import("./codecs/mat.js") },
  { name: "json", endings: [".json"], provenance: true, load: () => import("./codecs/json.js") },
  { name: "opencv", endings: [".json"], provenance: false, load: () => import("./codecs/opencv.js") },
  { name: "csv", endings: [".csv"], provenance: false, load: () => import("./codecs/csv.js") },
  { name: "colmap", endings: [".txt"], provenance: false, load: () => import("./codecs/colmap.js") },
  { name: "h5", endings: [".h5", ".hdf5"], provenance: true, many: true },
] as const satisfies readonly FeatureFormatRow[];

type Row = (typeof FORMAT_TABLE)[number];
/** Name of a format. */
export type FormatName = Row["name"];
/** Name of a format with a file for each image. */
export type PerImageFormat = Exclude<Row, { many: true }>["name"];

/** Name of such a format whose files say how they were made: what `extract` writes beside h5. */
export type RecordFormat = Exclude<Extract<Row, { provenance: true }>, { many: true }>["name"];

const ROWS: readonly FeatureFormatRow[] = FORMAT_TABLE;

/** Names of all formats. */
export const FORMAT_NAMES = FORMAT_TABLE.map(({ name }) => name) as readonly FormatName[];
/** Names of formats that tell how a file was made: what `extract` writes. */
export const RECORD_FORMATS = ROWS.filter(({ provenance }) => provenance).map(({ name }) => name);
/** Names of formats that understand `append`. */
export const APPEND_FORMATS = ROWS.filter(({ append }) => append).map(({ name }) => name);
/** Endings of feature files of one image. */
export const PER_IMAGE_ENDINGS = [...new Set(ROWS.filter(({ many }) => !many).flatMap(({ endings }) => endings))];

/** The row of that name. */
export function formatRow(name: FormatName): FeatureFormatRow {
  return ROWS.find((row) => row.name === name) as FeatureFormatRow;
}

/** The codec of that name; an OptionError for a format of many images. */
export async function codecOf(name: PerImageFormat): Promise<FeatureCodec> {
  const { load } = formatRow(name);
  if (!load) throw new OptionError(`"${name}" is one file for many images, not a file for each`);
  return (await load()).codec;
}

/** The codec for a file with this ending and these bytes; null where no format has the ending. */
export async function codecFor(ending: string, bytes: Uint8Array): Promise<FeatureCodec | null> {
  const rows = ROWS.filter(({ endings, load }) => load && endings.includes(ending.toLowerCase()));
  const codecs = await Promise.all(rows.map(async (row) => (await row.load?.())?.codec as FeatureCodec));
  return codecs.find((codec) => codec.recognises?.(bytes)) ?? codecs.at(-1) ?? null;
}
