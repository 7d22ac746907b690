/**
 * COLMAP's database: SQLite with cameras, images, keypoints, descriptors, matches and verified pairs. Written is the
 * layout of COLMAP 3.8 (user_version 3800), which later versions open and add their own tables to. Described in COLMAP's
 * doc/database.rst; compared table by table with what COLMAP 3.8 makes. For COLMAP 4 the same with one column more,
 * `type` of descriptors, which COLMAP 4 would add itself and take for SIFT's.
 *
 * Keypoints are float32 rows x, y and what else COLMAP keeps (scale and orientation, or an affine shape); descriptors
 * bytes, 128 a row (SIFT), or with another `type` the bytes of float32 rows; matches uint32 rows i, j; matrices float64. A pair goes by id0 · (2³¹ − 1) + id1 with id0 < id1, so a
 * pair that was matched the other way round is turned when it is written. Matches have no scores there, and a keypoint's
 * score and level have no place either.
 */
import { LimitError, OptionError, ShapeError, UnsupportedError } from "../errors.js";
import { fundamentalToColmap, homographyToColmap, toColmap } from "../geometry/coordinates.js";
import { checkChoice, checkNumber, withDefaults } from "../options.js";
import type { ColmapDatabaseCamera } from "./colmap-cameras.js";
import { CAMERA_MODELS, cameraModelNumber } from "./colmap-parts.js";
import { invertTwoView, swapPairs, TWO_VIEW_KINDS, type TwoView } from "./colmap-two-view.js";
import { bytesOf } from "./ndarray.js";
import type { SqlDatabase, SqlEngine, SqlStatement, SqlValue } from "./sqlite.js";

/** An image of a COLMAP database. */
export interface ColmapDatabaseImage {
  /** 1 … 2³¹ − 2. */
  id: number;
  /** Path below the folder of images, with slashes. */
  name: string;
  cameraId: number;
  /** x0, y0, x1, y1, … in our pixels; null: the database says nothing of keypoints. */
  keypoints: Float32Array | null;
  /**
   * What COLMAP keeps of a keypoint beside its position, row by row: 2 numbers (scale, orientation) or 4 (an affine
   * shape a11, a12, a21, a22); null: nothing.
   */
  shapes: Float32Array | null;
  /** Row-major, equally many bytes a keypoint (128 for SIFT, four a float for other types); null: none. */
  descriptors: Uint8Array | null;
  /** COLMAP 4's number of what made the descriptors: 0 SIFT (default), 1 and 2 ALIKED, …; −1 something else. */
  descriptorType?: number;
}

/** A pair of images of a COLMAP database. */
export interface ColmapDatabasePair {
  /** Ids of the two images. */
  id0: number;
  id1: number;
  /** Indices of keypoints i0, j0, i1, j1, …; null: not matched. */
  matches: Uint32Array | null;
  /** null: not verified. */
  geometry: TwoView | null;
}

/** The tables of a COLMAP database. */
export interface ColmapDatabase {
  cameras: ColmapDatabaseCamera[];
  images: ColmapDatabaseImage[];
  pairs: ColmapDatabasePair[];
}

/** Which layout is written. */
export interface WriteColmapDatabaseOptions {
  /** Most bytes of keypoints, descriptors and matches in all; default 1 GiB (it is made in memory, copied twice). */
  limit: number;
  /** The COLMAP that the layout is of. "4" holds descriptors of other types than SIFT's bytes; default "3.8". */
  colmap: ColmapVersion;
}

/** Layouts of databases that are written. */
export const COLMAP_VERSIONS = ["3.8", "4"] as const;
/** A layout of databases. */
export type ColmapVersion = (typeof COLMAP_VERSIONS)[number];

/** Numbers of COLMAP 4 for what made descriptors. */
export const SIFT_TYPE = 0;
export const UNDEFINED_TYPE = -1;

/** Images are numbered below this, and pairs by it. */
const MAX_IMAGES = 2 ** 31 - 1;
/** Bytes of a descriptor of SIFT. */
export const SIFT_BYTES = 128;
/** What a database may hold at once, in bytes; SQLite in WebAssembly has 2 GiB for everything. */
export const DATABASE_LIMIT = 2 ** 30;

const SCHEMA = `
CREATE TABLE cameras (
  camera_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  model INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  params BLOB,
  prior_focal_length INTEGER NOT NULL);
CREATE TABLE images (
  image_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  name TEXT NOT NULL UNIQUE,
  camera_id INTEGER NOT NULL,
  prior_qw REAL, prior_qx REAL, prior_qy REAL, prior_qz REAL,
  prior_tx REAL, prior_ty REAL, prior_tz REAL,
  CONSTRAINT image_id_check CHECK(image_id >= 0 and image_id < ${MAX_IMAGES}),
  FOREIGN KEY(camera_id) REFERENCES cameras(camera_id));
CREATE UNIQUE INDEX index_name ON images(name);
CREATE TABLE keypoints (
  image_id INTEGER PRIMARY KEY NOT NULL,
  rows INTEGER NOT NULL,
  cols INTEGER NOT NULL,
  data BLOB,
  FOREIGN KEY(image_id) REFERENCES images(image_id) ON DELETE CASCADE);
CREATE TABLE descriptors (
  image_id INTEGER PRIMARY KEY NOT NULL,
  rows INTEGER NOT NULL,
  cols INTEGER NOT NULL,
  data BLOB,
  FOREIGN KEY(image_id) REFERENCES images(image_id) ON DELETE CASCADE);
CREATE TABLE matches (
  pair_id INTEGER PRIMARY KEY NOT NULL,
  rows INTEGER NOT NULL,
  cols INTEGER NOT NULL,
  data BLOB);
CREATE TABLE two_view_geometries (
  pair_id INTEGER PRIMARY KEY NOT NULL,
  rows INTEGER NOT NULL,
  cols INTEGER NOT NULL,
  data BLOB,
  config INTEGER NOT NULL,
  F BLOB, E BLOB, H BLOB, qvec BLOB, tvec BLOB);
PRAGMA user_version = 3800;`;

/** As COLMAP 4 adds it to an older database. */
const TYPE_COLUMN = "ALTER TABLE descriptors ADD COLUMN type INTEGER NOT NULL DEFAULT 0;";

/** The pair's number in SQL, where whole numbers have 64 bits. */
const PAIR_ID = `? * ${MAX_IMAGES} + ?`;

const INSERT = {
  cameras: "INSERT INTO cameras VALUES (?, ?, ?, ?, ?, ?)",
  images: "INSERT INTO images (image_id, name, camera_id) VALUES (?, ?, ?)",
  keypoints: "INSERT INTO keypoints VALUES (?, ?, ?, ?)",
  descriptors: "INSERT INTO descriptors (image_id, rows, cols, data) VALUES (?, ?, ?, ?)",
  typedDescriptors: "INSERT INTO descriptors (image_id, rows, cols, data, type) VALUES (?, ?, ?, ?, ?)",
  matches: `INSERT INTO matches VALUES (${PAIR_ID}, ?, ?, ?)`,
  geometries: `INSERT INTO two_view_geometries VALUES (${PAIR_ID}, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
};

/**
 * The bytes of a COLMAP database. OptionError for ids or names that occur twice or are out of range and for pairs of
 * images that are not there, ShapeError for arrays that do not fit, for matches of keypoints that are not there and for
 * descriptors that COLMAP 3.8 has no place for, LimitError for more than `limit`.
 */
export function writeColmapDatabase(
  sql: SqlEngine,
  database: ColmapDatabase,
  options: Partial<WriteColmapDatabaseOptions> = {},
): Uint8Array {
  const where = "writeColmapDatabase";
  const defaults: WriteColmapDatabaseOptions = { limit: DATABASE_LIMIT, colmap: "3.8" };
  const { limit, colmap } = withDefaults(where, defaults, options);
  checkChoice(where, "colmap", colmap, COLMAP_VERSIONS);
  const counts = checkDatabase(where, database, colmap);
  const size = sizeOf(database);
  if (size > limit) {
    throw new LimitError(
      `${where}: ${size} bytes of keypoints, descriptors and matches, over the limit of ${limit}; a database is made ` +
        "in memory: leave the descriptors out, split the images, or use the text form",
    );
  }
  const db = new sql.Database();
  try {
    // The file lives in memory and is exported whole: nothing to roll back to, nothing to sync.
    db.run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;");
    db.run(`BEGIN; ${SCHEMA}`);
    if (colmap === "4") db.run(TYPE_COLUMN);
    fill(db, database, counts, colmap);
    db.run("COMMIT");
    return db.export();
  } finally {
    db.close();
  }
}

function fill(
  db: SqlDatabase,
  { cameras, images, pairs }: ColmapDatabase,
  counts: Map<number, number>,
  colmap: ColmapVersion,
): void {
  insert(db, INSERT.cameras, (add) => {
    for (const { id, model, width, height, params, priorFocalLength } of cameras) {
      add([id, cameraModelNumber(model), width, height, blob(params), priorFocalLength ? 1 : 0]);
    }
  });
  insert(db, INSERT.images, (add) => {
    for (const { id, name, cameraId } of images) add([id, name, cameraId]);
  });
  insert(db, INSERT.keypoints, (add) => {
    for (const { id, keypoints, shapes } of images) {
      if (!keypoints) continue;
      const rows = counts.get(id) ?? 0;
      const columns = 2 + (shapes && rows > 0 ? shapes.length / rows : 0);
      add([id, rows, columns, blob(keypointRows(keypoints, shapes, columns))]);
    }
  });
  insert(db, colmap === "4" ? INSERT.typedDescriptors : INSERT.descriptors, (add) => {
    for (const { id, descriptors, descriptorType = SIFT_TYPE } of images) {
      if (!descriptors) continue;
      const rows = counts.get(id) ?? 0;
      const row = [id, rows, rows > 0 ? descriptors.length / rows : SIFT_BYTES, blob(descriptors)];
      add(colmap === "4" ? [...row, descriptorType] : row);
    }
  });
  insert(db, INSERT.matches, (add) => {
    for (const { id0, id1, matches } of pairs) {
      if (!matches) continue;
      const rows = blob(id0 < id1 ? matches : swapPairs(matches));
      add([Math.min(id0, id1), Math.max(id0, id1), matches.length / 2, 2, rows]);
    }
  });
  insert(db, INSERT.geometries, (add) => {
    for (const { id0, id1, geometry } of pairs) {
      if (!geometry) continue;
      add([Math.min(id0, id1), Math.max(id0, id1), ...geometryRow(id0 < id1 ? geometry : invertTwoView(geometry))]);
    }
  });
}

/** Runs one statement for many rows. */
function insert(db: SqlDatabase, sql: string, rows: (add: (values: SqlValue[]) => void) => void): void {
  const statement: SqlStatement = db.prepare(sql);
  try {
    rows((values) => statement.run(values));
  } finally {
    statement.free();
  }
}

/** Positions in COLMAP's pixels with the other columns beside them. */
function keypointRows(keypoints: Float32Array, shapes: Float32Array | null, columns: number): Float32Array {
  const points = toColmap(keypoints.slice());
  if (!shapes || columns === 2) return points;
  const count = points.length / 2;
  const rows = new Float32Array(count * columns);
  for (let i = 0; i < count; i++) {
    rows.set(points.subarray(2 * i, 2 * i + 2), columns * i);
    rows.set(shapes.subarray((columns - 2) * i, (columns - 2) * (i + 1)), columns * i + 2);
  }
  return rows;
}

/** As COLMAP: zeros for what is not known, nothing at all where there are no inliers. */
function geometryRow({ kind, inliers, fundamental, essential, homography, pose }: TwoView): SqlValue[] {
  const row: SqlValue[] = [inliers.length / 2, 2, blob(inliers), TWO_VIEW_KINDS.indexOf(kind)];
  if (inliers.length === 0) return [...row, null, null, null, null, null];
  const matrices = [
    fundamental && fundamentalToColmap(fundamental),
    essential,
    homography && homographyToColmap(homography),
  ];
  const blobs = matrices.map((matrix) => blob(matrix ?? new Float64Array(9)));
  return [
    ...row,
    ...blobs,
    blob(pose?.rotation ?? new Float64Array(4)),
    blob(pose?.translation ?? new Float64Array(3)),
  ];
}

/** SQLite binds NULL for no bytes, as COLMAP does. */
function blob(values: Float32Array | Float64Array | Uint32Array | Uint8Array): Uint8Array | null {
  return values.length === 0 ? null : bytesOf(values);
}

/** Checks that everything belongs together; returns the number of keypoints by image. */
function checkDatabase(
  where: string,
  { cameras, images, pairs }: ColmapDatabase,
  colmap: ColmapVersion,
): Map<number, number> {
  const cameraIds = new Set<number>();
  for (const { id, model, width, height, params } of cameras) {
    checkId(where, "camera", id, cameraIds);
    const number = cameraModelNumber(model);
    if (number < 0) {
      throw new UnsupportedError(`${where}: camera ${id} has the model "${model}", which has no number here`);
    }
    checkNumber(where, `camera ${id}: width`, width, { min: 1, integer: true });
    checkNumber(where, `camera ${id}: height`, height, { min: 1, integer: true });
    const wanted = CAMERA_MODELS[number]?.params ?? params.length;
    if (params.length !== wanted) {
      throw new ShapeError(`${where}: camera ${id}: ${model} has ${wanted} parameters, got ${params.length}`);
    }
  }
  const counts = new Map<number, number>();
  const ids = new Set<number>();
  const names = new Set<string>();
  for (const image of images) {
    const { id, name, cameraId } = image;
    checkId(where, "image", id, ids);
    if (name === "" || name.includes("\0") || names.has(name)) {
      throw new OptionError(`${where}: the image name "${name}" is empty, has a zero byte or is there twice`);
    }
    names.add(name);
    if (!cameraIds.has(cameraId)) throw new OptionError(`${where}: image "${name}" has no camera ${cameraId}`);
    const count = keypointCount(where, image);
    counts.set(id, count);
    checkDescriptors(where, image, count, colmap);
  }
  checkPairs(where, pairs, counts, new Map(images.map(({ id, name }) => [id, name])));
  return counts;
}

function checkId(where: string, what: string, id: number, seen: Set<number>): void {
  checkNumber(where, `${what} id`, id, { min: 1, max: MAX_IMAGES - 1, integer: true });
  if (seen.has(id)) throw new OptionError(`${where}: two ${what}s have the id ${id}`);
  seen.add(id);
}

function keypointCount(where: string, { name, keypoints, shapes }: ColmapDatabaseImage): number {
  const count = (keypoints?.length ?? 0) / 2;
  const columns = shapes && count > 0 ? shapes.length / count : 0;
  const fits = Number.isInteger(count) && (count === 0 ? !shapes?.length : [0, 2, 4].includes(columns));
  if (!fits) {
    throw new ShapeError(
      `${where}: "${name}": ${keypoints?.length} numbers of positions and ${shapes?.length} of shapes do not belong together`,
    );
  }
  const bad = keypoints?.findIndex((value) => !Number.isFinite(value)) ?? -1;
  if (bad >= 0) throw new ShapeError(`${where}: "${name}": keypoints[${bad}] is not a finite number`);
  return count;
}

function checkDescriptors(
  where: string,
  { name, descriptors, descriptorType = SIFT_TYPE }: ColmapDatabaseImage,
  count: number,
  colmap: ColmapVersion,
): void {
  if (!descriptors) return;
  const what = `${where}: "${name}": ${descriptors.length} bytes of descriptors`;
  if (descriptorType === SIFT_TYPE && descriptors.length !== count * SIFT_BYTES) {
    throw new ShapeError(`${what}, expected ${SIFT_BYTES} × ${count}`);
  }
  if (descriptorType === SIFT_TYPE) return;
  if (colmap !== "4") {
    throw new ShapeError(
      `${what} of type ${descriptorType}, which COLMAP ${colmap} has no place for; write for COLMAP 4`,
    );
  }
  checkNumber(where, `"${name}": descriptorType`, descriptorType, { min: UNDEFINED_TYPE, integer: true });
  if (count === 0 ? descriptors.length > 0 : descriptors.length % (4 * count) !== 0) {
    throw new ShapeError(`${what}, expected those of ${count} rows of float32`);
  }
}

function checkPairs(
  where: string,
  pairs: readonly ColmapDatabasePair[],
  counts: Map<number, number>,
  names: Map<number, string>,
): void {
  const seen = new Set<string>();
  for (const { id0, id1, matches, geometry } of pairs) {
    const [count0, count1] = [counts.get(id0), counts.get(id1)];
    if (count0 === undefined || count1 === undefined) {
      throw new OptionError(`${where}: a pair joins images ${id0} and ${id1}, which are not both there`);
    }
    const pair = `"${names.get(id0)}" and "${names.get(id1)}"`;
    const key = `${Math.min(id0, id1)} ${Math.max(id0, id1)}`;
    if (id0 === id1 || seen.has(key)) throw new OptionError(`${where}: ${pair} are one image or two pairs`);
    seen.add(key);
    for (const indices of [matches, geometry?.inliers]) {
      if (indices) checkIndices(where, pair, indices, count0, count1);
    }
  }
}

function checkIndices(where: string, pair: string, indices: Uint32Array, count0: number, count1: number): void {
  if (indices.length % 2) throw new ShapeError(`${where}: ${pair}: indices come in pairs, got ${indices.length}`);
  for (let k = 0; k < indices.length; k += 2) {
    if (indices[k] < count0 && indices[k + 1] < count1) continue;
    throw new ShapeError(
      `${where}: ${pair}: match ${k / 2} joins keypoints ${indices[k]} and ${indices[k + 1]} of ${count0} and ` +
        `${count1}; are the matches of these features?`,
    );
  }
}

function sizeOf({ images, pairs }: ColmapDatabase): number {
  let bytes = 0;
  for (const { keypoints, shapes, descriptors } of images) {
    bytes += (keypoints?.byteLength ?? 0) + (shapes?.byteLength ?? 0) + (descriptors?.byteLength ?? 0);
  }
  for (const { matches, geometry } of pairs) bytes += (matches?.byteLength ?? 0) + (geometry?.inliers.byteLength ?? 0);
  return bytes;
}
