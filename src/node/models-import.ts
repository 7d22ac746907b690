/** Imports weights made elsewhere: reads them, maps them, opens the result once, and writes it as a model folder. */

import { basename, join, resolve } from "node:path";
import { checkFlag, checkObject } from "../check.js";
import { FormatError, OptionError } from "../errors.js";
import { PREPROCESSINGS, type PreprocessingName } from "../extract/preprocess.js";
import { familyOf } from "../families.js";
import { writeSafetensors } from "../formats/safetensors.js";
import { type ImportedWeights, type ImportKind, importWeights } from "../import/index.js";
import { IMPORT_KINDS } from "../import/kinds.js";
import { isModelName, MAX_NAME } from "../model/score-config.js";
import { checkChoice } from "../options.js";
import { checkPath } from "./atomic.js";
import { type ReadSource, readSource } from "./import-source.js";
import { checkModelFolder, withModelFolder, writeModelFolder } from "./model-folder.js";
import { withScratch } from "./scratch.js";

/** How weights are imported. */
export interface ImportOptions {
  /** The model folder to write. */
  out: string;
  /** Default: told by the tensors. */
  kind?: ImportKind;
  /** Default: the name in the model's configuration, or the file's. */
  name?: string;
  /** Where the ResNet comes from, when the source has heads only. */
  backbone?: string;
  /** Default: as the configuration says, else "torch", and of DELG's weights not said. */
  preprocessing?: PreprocessingName;
  /** Whether a model that is in `out` is written over; default false. */
  force?: boolean;
  /** Bytes of an archive read, of all. */
  onProgress?: (read: number, total: number) => void;
  /** Aborting leaves nothing behind. */
  signal?: AbortSignal;
}

/** Where weights came from; SHA-256 null of what lies in several files. */
export type ImportedFrom = Pick<ReadSource, "format" | "sha256"> & { path: string };

/** What was imported. */
export interface ImportReport extends Omit<ImportedWeights, "tensors" | "config"> {
  source: ImportedFrom;
  backbone: ImportedFrom | null;
  out: string;
  /** Of model.safetensors. */
  bytes: number;
  sha256: string;
  tensors: number;
  /** Numbers in all tensors, batch norm's statistics included. */
  parameters: number;
  config: Record<string, unknown>;
  /** What else the source held that is no tensor, by name. */
  other: string[];
}

/**
 * Imports `source` into the model folder `out`. Throws an OptionError for requests that cannot be met, an ImportError
 * with all tensors that are missing or of another shape, a FormatError for damaged files, an IoError for the disk and where
 * another process writes into `out`.
 */
export async function importModel(source: string, options: ImportOptions): Promise<ImportReport> {
  checkImport(source, options);
  const { out, preprocessing, force = false } = options;
  if (preprocessing !== undefined) checkChoice("import", "preprocessing", preprocessing, PREPROCESSINGS);
  if (out.trim() === "") throw new OptionError("import: --out needs the name of a folder");
  await checkModelFolder(out, force);
  return withModelFolder(out, () => importLocked(source, options));
}

function checkImport(source: string, options: ImportOptions): void {
  checkPath("import", source);
  const { out, kind, backbone, force = false } = checkObject("import", "options", options) as unknown as ImportOptions;
  checkPath("import: out", out);
  checkFlag("import", '"force"', force);
  if (kind !== undefined) checkChoice("import", "kind", kind, IMPORT_KINDS);
  if (backbone !== undefined) checkPath("import: backbone", backbone);
}

async function importLocked(source: string, options: ImportOptions): Promise<ImportReport> {
  const { out, kind, name, backbone, preprocessing, force = false, onProgress, signal } = options;
  const read = (path: string): Promise<ReadSource> =>
    withScratch(out, (scratch) => readSource(path, { scratch: join(scratch, "source"), onProgress, signal }));
  const from = await read(source);
  signal?.throwIfAborted();
  const under = backbone === undefined ? undefined : await read(backbone);
  const imported = importWeights({ source: from, backbone: under, kind, name: checkName(name), preprocessing });
  const { tensors, config, ...what } = imported;
  if (what.kind === "strata") checkOwn(from);
  // What cannot be opened is not written: batch norms of no variance, configurations that do not fit.
  familyOf(from.where, config).check(from.where, tensors, config);
  signal?.throwIfAborted();
  const parameters = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  const origin = (path: string, { format, sha256 }: ReadSource): ImportedFrom => ({ path, format, sha256 });
  const noted = (path: string, file: ReadSource) => ({ ...origin(path, file), path: basename(resolve(path)) });
  const facts = {
    ...config,
    parameters,
    source: {
      kind: what.kind,
      ...noted(source, from),
      ...(under && backbone !== undefined && { backbone: noted(backbone, under) }),
    },
  };
  const weights = writeSafetensors(tensors);
  const sha256 = await writeModelFolder(out, weights, facts, { force });
  return {
    ...what,
    source: origin(source, from),
    backbone: under && backbone !== undefined ? origin(backbone, under) : null,
    out,
    bytes: weights.length,
    sha256,
    tensors: tensors.size,
    parameters,
    config: { ...facts, sha256 },
    other: from.other,
  };
}

/** A name that can be shown on a line; undefined stays so. */
function checkName(name: string | undefined): string | undefined {
  if (name === undefined || isModelName(name)) return name;
  throw new OptionError(`import: --name must be 1 to ${MAX_NAME} printable characters`);
}

/** A model of strata says its checksum itself. */
function checkOwn({ where, weightsSha256: sha256, config }: ReadSource): void {
  const stated = config?.sha256;
  if (typeof stated !== "string" || sha256 === null || stated.toLowerCase() === sha256) return;
  throw new FormatError(`${where}: the weights have SHA-256 ${sha256}, the configuration says ${stated}`);
}
