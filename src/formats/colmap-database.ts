/**
 * COLMAP's database: SQLite with cameras, images, keypoints, descriptors, matches and verified pairs. Written is the
 * layout of COLMAP 3.8 (user_version 3800), which later versions open and add their own tables to. Described in COLMAP's
 * doc/database.rst; compared table by table with what COLMAP 3.8 makes. For COLMAP 4 the same with one column more,
 * `type` of descriptors, which COLMAP 4 would add itself and take for SIFT's.
 *
 * Keypoints are float32 rows x, y and what else COLMAP keeps (scale and orientation, or an affine shape); descriptors
 * bytes, 128 a row (SIFT), or with another `type` the bytes of float32 rows; matches uint32 rows i, j; matrices float64.
 * A pair goes by id0 · (2³¹ − 1) + id1 with id0 < id1, so a pair that was matched the other way round is turned when it
 * is written. Matches have no scores there, and a keypoint's score and level have no place either.
 */
import { LimitError } from "../errors.js";
import { fundamentalToColmap, homographyToColmap, toColmap } from "../geometry/coordinates.js";
import { checkChoice, withDefaults } from "../options.js";
import { checkDatabase } from "./colmap-database-check.js";
import {
  COLMAP_VERSIONS,
  type ColmapDatabase,
  type ColmapVersion,
  DATABASE_LIMIT,
  MAX_IMAGES,
  SIFT_BYTES,
  SIFT_TYPE,
} from "./colmap-database-parts.js";
import { cameraModelNumber } from "./colmap-parts.js";
import { invertTwoView, swapPairs, TWO_VIEW_KINDS, type TwoView } from "./colmap-two-view.js";
import { bytesOf } from "./ndarray.js";
import { checkEngine, type SqlDatabase, type SqlEngine, type SqlStatement, type SqlValue } from "./sqlite.js";

/** Which layout is written. */
export interface WriteColmapDatabaseOptions {
  /** Most bytes of keypoints, descriptors and matches in all; default 1 GiB (it is made in memory, copied twice). */
  limit: number;
  /** The COLMAP that the layout is of. "4" holds descriptors of other types than SIFT's bytes; default "3.8". */
  colmap: ColmapVersion;
}

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
  checkEngine(where, sql);
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

function sizeOf({ images, pairs }: ColmapDatabase): number {
  let bytes = 0;
  for (const { keypoints, shapes, descriptors } of images) {
    bytes += (keypoints?.byteLength ?? 0) + (shapes?.byteLength ?? 0) + (descriptors?.byteLength ?? 0);
  }
  for (const { matches, geometry } of pairs) bytes += (matches?.byteLength ?? 0) + (geometry?.inliers.byteLength ?? 0);
  return bytes;
}
