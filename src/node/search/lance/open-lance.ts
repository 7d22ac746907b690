/** Making and opening an index in LanceDB. Two tables: images, and files (the manifest, the vocabulary). */
import { stat } from "node:fs/promises";
import type { Connection } from "@lancedb/lancedb";
import { checkFlag, checkObject } from "../../../check.js";
import { FormatError, IoError, OptionError } from "../../../errors.js";
import { withDefaults } from "../../../options.js";
import { checkPeer, peerError } from "../../../peers.js";
import type { ImageIndex } from "../../../search/image-index.js";
import { MANIFEST, type Manifest, manifestBytes, parseManifest } from "../../../search/manifest.js";
import { type CreateIndexOptions, emptyManifest } from "../../../search/open-index.js";
import { readVocabulary, type Vocabulary, writeVocabulary } from "../../../search/vocabulary.js";
import { ioError } from "../../atomic.js";
import { makeFolder } from "../../folders.js";
import { lockPath, takeLock } from "../../lock.js";
import { LanceIndex } from "./lance-index.js";
import { type LancePlace, lanceError, lancePlace } from "./place.js";
import { bytesAt, Rows, textAt } from "./rows.js";
import { FILES, IMAGES, LanceTable } from "./table.js";

/** How an index in LanceDB is reached. */
export interface LanceOptions {
  /** What LanceDB takes for object stores (region, endpoint, keys …), beside what the environment says (AWS_…). Never shown. */
  storageOptions?: Record<string, string>;
}

/** How it is opened. */
export interface OpenLanceOptions extends LanceOptions {
  /** To add, remove and merge; in a folder it keeps other writers out until `close`. Default false. */
  write?: boolean;
}

const LANCEDB = "@lancedb/lancedb";
const VOCABULARY = "vocabulary";

async function loadLance(): Promise<typeof import("@lancedb/lancedb")> {
  checkPeer(LANCEDB);
  try {
    return await import("@lancedb/lancedb");
  } catch (cause) {
    throw peerError(LANCEDB, cause);
  }
}

/**
 * Makes an empty index in a folder or an object store ("photos.lance", "s3://bucket/photos.lance"), opened for writing. Kinds
 * "vlad" (default) and "global". An OptionError where there is one already, an UnsupportedError where LanceDB is not installed.
 */
export async function createLanceIndex(place: string, options: CreateIndexOptions & LanceOptions): Promise<ImageIndex> {
  const where = "createLanceIndex";
  const { storageOptions, ...create } = checkObject(where, "options", options) as unknown as typeof options;
  const at = lancePlace(where, place, storageOptions);
  if (create.kind === "asmk") {
    throw new OptionError(
      `${at.name}: a table of LanceDB has one vector per image: kind "vlad" or "global", not "asmk"`,
    );
  }
  const manifest = emptyManifest(where, { ...create, kind: create.kind ?? (create.global ? "global" : "vlad") });
  const lance = await loadLance();
  const { folder } = at;
  if (folder !== null) {
    await makeFolder(folder).catch((cause) => {
      throw ioError("write into", folder, cause);
    });
  }
  const lock = await lockOf(at);
  try {
    const rows = Rows.load();
    const connection = await connect(lance, at);
    const images = await asked(at, "write", async () => {
      const there = await connection.tableNames();
      if (there.includes(FILES))
        throw new OptionError(`${at.name}: there is an index already; open it, or give another place`);
      if (there.includes(IMAGES)) await dropEmpty(at, connection);
      const made = await connection.createEmptyTable(IMAGES, rows.schema);
      // Last: an index is there once this is.
      const vocabulary = create.vocabulary && { [VOCABULARY]: writeVocabulary(create.vocabulary) };
      await connection.createTable(FILES, rows.files({ [MANIFEST]: manifestBytes(manifest), ...vocabulary }));
      return made;
    });
    const table = await LanceTable.open(at, connection, images, rows, lance.Index);
    return new LanceIndex(table, manifest, create.vocabulary ?? null, lock, true);
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

/** The table that a killed `createLanceIndex` left. */
async function dropEmpty(at: LancePlace, connection: Connection): Promise<void> {
  const table = await connection.openTable(IMAGES);
  const rows = await table.countRows();
  table.close();
  if (rows > 0) throw new OptionError(`${at.name}: has a table ${IMAGES} that no index belongs to; give another place`);
  await connection.dropTable(IMAGES);
}

/**
 * Opens an index in LanceDB. An IoError where there is none or it cannot be reached, a FormatError or an UnsupportedError for
 * one that is damaged or of another version, an UnsupportedError where LanceDB is not installed.
 */
export async function openLanceIndex(place: string, options: OpenLanceOptions = {}): Promise<ImageIndex> {
  const index = await openLanceIfThere(place, options);
  if (index) return index;
  const { name } = lancePlace("openLanceIndex", place);
  throw new IoError(`${name}: there is no index; "strata index DIR --out ${name}" makes one`);
}

/** The same; null where there is none. */
export async function openLanceIfThere(place: string, options: OpenLanceOptions = {}): Promise<ImageIndex | null> {
  const where = "openLanceIndex";
  const { write, storageOptions } = withDefaults<Required<OpenLanceOptions>>(
    where,
    { write: false, storageOptions: {} },
    options,
  );
  checkFlag(where, "write", write);
  const at = lancePlace(where, place, storageOptions);
  const lance = await loadLance();
  if (at.folder !== null) {
    // LanceDB would make the folder.
    const found = await stat(at.folder).catch(() => null);
    if (!found) return null;
    if (!found.isDirectory()) throw new IoError(`${at.name} is a file; an index in LanceDB is a folder`);
  }
  const rows = Rows.load();
  const connection = await connect(lance, at);
  const names = await asked(at, "read", () => connection.tableNames());
  if (!names.includes(FILES)) {
    connection.close();
    return null;
  }
  const lock = write ? await lockOf(at) : null;
  try {
    const { manifest, vocabulary } = await readFiles(at, connection);
    if (!names.includes(IMAGES))
      throw new FormatError(`${at.name}: the table ${IMAGES} is missing; the index is damaged`);
    const images = await asked(at, "read", () => connection.openTable(IMAGES));
    if (!rows.fits(await asked(at, "read", () => images.schema()))) {
      throw new FormatError(`${at.name}: the table ${IMAGES} has other columns than an index's`);
    }
    return new LanceIndex(
      await LanceTable.open(at, connection, images, rows, lance.Index),
      manifest,
      vocabulary,
      lock,
      write,
    );
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

async function readFiles(
  at: LancePlace,
  connection: Connection,
): Promise<{ manifest: Manifest; vocabulary: Vocabulary | null }> {
  const files = new Map<string, Uint8Array>();
  await asked(at, "read", async () => {
    const table = await connection.openTable(FILES);
    for await (const batch of table.query().select(["name", "bytes"])) {
      for (let i = 0; i < batch.numRows; i++) files.set(textAt(batch, "name", i), bytesAt(batch, "bytes", i));
    }
    table.close();
  });
  const bytes = files.get(MANIFEST);
  if (!bytes) throw new FormatError(`${at.name}: ${FILES} has no manifest; the index is damaged`);
  const manifest = parseManifest(`${at.name}: ${MANIFEST}`, bytes);
  if (manifest.global) return { manifest, vocabulary: null };
  if (manifest.kind !== "vlad")
    throw new FormatError(`${at.name}: an index of kind ${manifest.kind} in a table of vectors`);
  const words = files.get(VOCABULARY);
  if (!words) throw new FormatError(`${at.name}: ${FILES} has no vocabulary; the index is damaged`);
  const vocabulary = readVocabulary(words, `${at.name}: ${VOCABULARY}`);
  if (vocabulary.digest !== manifest.vocabulary.digest)
    throw new FormatError(`${at.name}: not the vocabulary that the index was made with`);
  return { manifest, vocabulary };
}

const connect = (lance: typeof import("@lancedb/lancedb"), at: LancePlace): Promise<Connection> =>
  asked(at, "reach", () => lance.connect(at.uri, { storageOptions: at.storageOptions }));

/** Keeps other writers out of a folder. Object stores have no such thing; there, one writer at a time is the caller's care. */
const lockOf = async ({ folder, name }: LancePlace) =>
  folder === null ? null : takeLock(lockPath(folder), `the index ${name}`);

async function asked<T>(at: LancePlace, verb: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw lanceError(at, verb, cause);
  }
}
