/**
 * Reading a COLMAP database that nobody vouches for. Only ordinary tables with COLMAP's columns are read (no views, no
 * virtual tables, no computed columns: those run code), SQLite checks each table's structure first, every blob must
 * have the size that its rows and columns say, and all of them together cannot be larger than the file.
 */
import { checkBytes } from "../check.js";
import { FormatError, StrataError, UnsupportedError } from "../errors.js";
import { fromColmap, fundamentalFromColmap, homographyFromColmap } from "../geometry/coordinates.js";
import { checkNumber, withDefaults } from "../options.js";
import type { ColmapDatabaseCamera } from "./colmap-cameras.js";
import {
  type ColmapDatabase,
  type ColmapDatabaseImage,
  type ColmapDatabasePair,
  DATABASE_LIMIT,
  MAX_IMAGES,
  SIFT_BYTES,
  SIFT_TYPE,
  UNDEFINED_TYPE,
} from "./colmap-database-parts.js";
import { CAMERA_MODELS, cameraModelName } from "./colmap-parts.js";
import { TWO_VIEW_KINDS, type TwoView } from "./colmap-two-view.js";
import { checkByteLimit, type DType, itemSize, viewOf } from "./ndarray.js";
import { checkEngine, isSqlite, type SqlDatabase, type SqlEngine, type SqlValue } from "./sqlite.js";

/** What of a database is read. */
export interface ReadColmapDatabaseOptions {
  /** Largest file in bytes; default 1 GiB (it is held in memory twice). */
  limit: number;
  /** Whether descriptors are read, most of a database; false: they are null, whatever they are. Default true. */
  descriptors: boolean;
  /** Whether what verified the pairs is read; false: it is null, whatever it is. Default true. */
  geometries: boolean;
}

/** Camera models up to this number are as in COLMAP 3.9, and stay. */
const LAST_SETTLED_MODEL = 11;

/** Columns that are read, by table. */
const TABLES: Record<string, readonly string[]> = {
  cameras: ["camera_id", "model", "width", "height", "params", "prior_focal_length"],
  images: ["image_id", "name", "camera_id"],
  keypoints: ["image_id", "rows", "cols", "data"],
  descriptors: ["image_id", "rows", "cols", "data", "type"],
  matches: ["pair_id", "rows", "cols", "data"],
  two_view_geometries: ["pair_id", "rows", "cols", "data", "config", "F", "E", "H", "qvec", "tvec"],
};

/** Columns that databases before COLMAP 3.8 or (`type`) 4 lack. */
const OPTIONAL = ["qvec", "tvec", "type"];

/**
 * What a COLMAP database holds. FormatError for bytes that are no SQLite database, damaged, or no COLMAP
 * database (naming the table, image or pair), LimitError for more than `limit`.
 */
export function readColmapDatabase(
  sql: SqlEngine,
  bytes: Uint8Array,
  options: Partial<ReadColmapDatabaseOptions> = {},
): ColmapDatabase {
  const where = "readColmapDatabase";
  const defaults: ReadColmapDatabaseOptions = { limit: DATABASE_LIMIT, descriptors: true, geometries: true };
  const { limit, ...wanted } = withDefaults(where, defaults, options);
  checkNumber(where, "limit", limit, { min: 1 });
  checkEngine(where, sql);
  checkBytes(where, bytes);
  if (!isSqlite(bytes)) throw new FormatError(`${where}: not an SQLite database`);
  checkByteLimit(where, bytes.length, limit);
  let db: SqlDatabase | undefined;
  try {
    db = new sql.Database(withoutWal(bytes));
    return new Reader(where, db, bytes.length).read(wanted);
  } catch (cause) {
    if (cause instanceof StrataError) throw cause;
    throw new FormatError(`${where}: SQLite cannot read it (${(cause as Error).message ?? cause})`, { cause });
  } finally {
    try {
      db?.close();
    } catch {
      // The error that led here is the one to report.
    }
  }
}

/** A copy whose header says that there is no write-ahead log beside it: COLMAP's files ask for one, memory has none. */
function withoutWal(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (const at of [18, 19]) if (copy[at] === 2) copy[at] = 1;
  return copy;
}

class Reader {
  /** Rows and bytes that may still come: each takes room in the file, whatever its pages claim. */
  private rowsLeft: number;
  private bytesLeft: number;
  /** Optional columns that are not there. */
  private readonly absent = new Set<string>();
  /** Tables that nobody asks for, or that may be missing and are. */
  private readonly unread = new Set<string>();

  constructor(
    private readonly where: string,
    private readonly db: SqlDatabase,
    size: number,
  ) {
    this.rowsLeft = size;
    this.bytesLeft = size;
  }

  read({ descriptors, geometries }: Pick<ReadColmapDatabaseOptions, "descriptors" | "geometries">): ColmapDatabase {
    this.db.run("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA ignore_check_constraints = ON;");
    if (!descriptors) this.unread.add("descriptors");
    if (!geometries) this.unread.add("two_view_geometries");
    this.checkSchema();
    const cameras = this.rows("cameras").map((row) => this.camera(row));
    const cameraIds = new Set(cameras.map(({ id }) => id));
    const images = new Map<number, ColmapDatabaseImage>();
    for (const [id, name, cameraId] of this.rows("images")) {
      const image = {
        id: this.whole(id, "image_id"),
        name: this.text(name),
        cameraId: this.whole(cameraId, "camera_id"),
      };
      if (!cameraIds.has(image.cameraId)) throw this.error(`image "${image.name}" has no camera ${image.cameraId}`);
      images.set(image.id, { ...image, keypoints: null, shapes: null, descriptors: null });
    }
    for (const row of this.rows("keypoints")) this.keypoints(images, row);
    for (const row of this.rows("descriptors")) this.descriptors(images, row);
    return { cameras, images: [...images.values()], pairs: this.pairs(images) };
  }

  /** That the tables which are read are there, are plain tables with the columns that are read, and are whole. */
  private checkSchema(): void {
    const kinds = new Map<string, SqlValue>();
    for (const [name, type, text] of this.query("SELECT name, type, sql FROM sqlite_master")) {
      const isPlain = type === "table" && typeof text === "string" && /^create\s+table\b/i.test(text);
      if (typeof name === "string") kinds.set(name.toLowerCase(), isPlain ? "table" : type);
    }
    if (!kinds.has("descriptors")) this.unread.add("descriptors");
    const missing = Object.keys(TABLES).filter((table) => !kinds.has(table) && !this.unread.has(table));
    if (missing.length > 0) {
      throw this.error(
        `not a COLMAP database: no table ${missing.join(", ")}; there are: ${[...kinds.keys()].slice(0, 20).join(", ") || "none"}`,
      );
    }
    for (const [table, columns] of Object.entries(TABLES)) {
      if (this.unread.has(table)) continue;
      if (kinds.get(table) !== "table") throw this.error(`${table} is not a plain table; it is not read`);
      // Per column: number, name, type, not null, default, key, hidden (0: an ordinary one).
      const there = this.query(`PRAGMA table_xinfo(${table})`);
      for (const column of columns) {
        const found = there.find(([, name]) => String(name).toLowerCase() === column.toLowerCase());
        if (!found && OPTIONAL.includes(column)) {
          this.absent.add(column);
          continue;
        }
        if (!found) throw this.error(`${table} has no column "${column}"`);
        if (found[6] !== 0) throw this.error(`${table}: the column "${column}" is computed; it is not read`);
      }
      const [[report]] = this.query(`PRAGMA quick_check(${table})`);
      if (report !== "ok") throw this.error(`${table} is damaged (${String(report).split("\n").at(-1)})`);
    }
  }

  private camera([id, model, width, height, params, prior]: SqlValue[]): ColmapDatabaseCamera {
    const number = this.whole(model, "model");
    const camera = { id: this.whole(id, "camera_id"), model: cameraModelName(number) };
    const what = `camera ${camera.id}`;
    // Models that came after COLMAP 3.8 may still change; nothing here computes with them, so they have what there is.
    const there = params instanceof Uint8Array ? Math.floor(params.length / 8) : 0;
    const count = number <= LAST_SETTLED_MODEL ? CAMERA_MODELS[number].params : there;
    return {
      ...camera,
      width: this.whole(width, `${what}: width`, 1),
      height: this.whole(height, `${what}: height`, 1),
      params: this.numbers(params, `${what}: params`, "float64", count) as Float64Array,
      priorFocalLength: this.whole(prior, `${what}: prior_focal_length`) !== 0,
    };
  }

  private keypoints(images: Map<number, ColmapDatabaseImage>, [id, rows, cols, data]: SqlValue[]): void {
    const image = this.image(images, id, "keypoints");
    const what = `keypoints of "${image.name}"`;
    const [count, columns] = [this.whole(rows, `${what}: rows`), this.whole(cols, `${what}: cols`)];
    if (count > 0 && ![2, 4, 6].includes(columns)) throw this.error(`${what}: ${columns} columns, expected 2, 4 or 6`);
    const values = this.numbers(data, what, "float32", count * columns, `${count} × ${columns}`) as Float32Array;
    if (!values.every(Number.isFinite)) throw this.error(`${what}: a number is not finite`);
    image.keypoints = fromColmap(columnsOf(values, columns, 0, 2));
    image.shapes = count > 0 && columns > 2 ? columnsOf(values, columns, 2, columns) : null;
  }

  private descriptors(images: Map<number, ColmapDatabaseImage>, [id, rows, cols, data, type]: SqlValue[]): void {
    const image = this.image(images, id, "descriptors");
    const what = `descriptors of "${image.name}"`;
    const [count, columns] = [this.whole(rows, `${what}: rows`), this.whole(cols, `${what}: cols`)];
    const expected = (image.keypoints?.length ?? 0) / 2;
    if (count !== expected) throw this.error(`${what}: ${count}, of ${expected} keypoints`);
    const number = type === null ? SIFT_TYPE : this.whole(type, `${what}: type`, UNDEFINED_TYPE);
    const isKnown = number === SIFT_TYPE ? columns === SIFT_BYTES : columns > 0 && columns % 4 === 0;
    if (count > 0 && !isKnown) {
      const read = number === SIFT_TYPE ? `${SIFT_BYTES} are read` : "floats have four";
      throw new UnsupportedError(`${this.where}: ${what}: ${columns} bytes each, ${read}`);
    }
    if (number !== SIFT_TYPE) image.descriptorType = number;
    image.descriptors = this.numbers(data, what, "uint8", count * columns, `${count} × ${columns}`) as Uint8Array;
  }

  private pairs(images: Map<number, ColmapDatabaseImage>): ColmapDatabasePair[] {
    const pairs = new Map<string, ColmapDatabasePair>();
    const pairOf = (id0: SqlValue, id1: SqlValue): { pair: ColmapDatabasePair; what: string } => {
      const ends = [id0, id1].map((id) => this.image(images, id, "a pair"));
      const what = `the pair "${ends[0].name}", "${ends[1].name}"`;
      if (ends[0].id >= ends[1].id) throw this.error(`${what} is numbered the wrong way round`);
      const key = `${ends[0].id} ${ends[1].id}`;
      const pair = pairs.get(key) ?? { id0: ends[0].id, id1: ends[1].id, matches: null, geometry: null };
      pairs.set(key, pair);
      return { pair, what };
    };
    for (const [id0, id1, rows, cols, data] of this.pairRows("matches")) {
      const { pair, what } = pairOf(id0, id1);
      pair.matches = this.indices(images, pair, `matches of ${what}`, rows, cols, data);
    }
    for (const [id0, id1, rows, cols, data, config, ...matrices] of this.pairRows("two_view_geometries")) {
      const { pair, what } = pairOf(id0, id1);
      const inliers = this.indices(images, pair, `inliers of ${what}`, rows, cols, data);
      pair.geometry = this.geometry(`geometry of ${what}`, inliers, config, matrices);
    }
    return [...pairs.values()];
  }

  private geometry(what: string, inliers: Uint32Array, config: SqlValue, matrices: SqlValue[]): TwoView {
    const kind = TWO_VIEW_KINDS[this.whole(config, `${what}: config`)];
    if (!kind) throw new UnsupportedError(`${this.where}: ${what}: the kind ${config} is not known here`);
    const names = ["F", "E", "H", "qvec", "tvec"];
    const known = matrices.map((data, k) => {
      if (data === null) return null;
      const values = this.numbers(data, `${what}: ${names[k]}`, "float64", [9, 9, 9, 4, 3][k]) as Float64Array;
      if (!values.every(Number.isFinite)) throw this.error(`${what}: ${names[k]} has a number that is not finite`);
      // COLMAP writes zeros for what it does not know; a translation may well be zero.
      return k < 4 && values.every((value) => value === 0) ? null : values;
    });
    const [fundamental, essential, homography, rotation, translation] = known;
    return {
      kind,
      inliers,
      fundamental: fundamental && fundamentalFromColmap(fundamental),
      essential,
      homography: homography && homographyFromColmap(homography),
      pose: rotation && translation && { rotation, translation },
    };
  }

  private indices(
    images: Map<number, ColmapDatabaseImage>,
    { id0, id1 }: ColmapDatabasePair,
    what: string,
    rows: SqlValue,
    cols: SqlValue,
    data: SqlValue,
  ): Uint32Array {
    const [count, columns] = [this.whole(rows, `${what}: rows`), this.whole(cols, `${what}: cols`)];
    if (count > 0 && columns !== 2) throw this.error(`${what}: ${columns} columns, expected 2`);
    const indices = this.numbers(data, what, "uint32", 2 * count, `${count} × 2`) as Uint32Array;
    const counts = [id0, id1].map((id) => (images.get(id)?.keypoints?.length ?? 0) / 2);
    const bad = indices.findIndex((index, k) => index >= counts[k & 1]);
    if (bad >= 0) throw this.error(`${what}: keypoint ${indices[bad]} of ${counts[bad & 1]}`);
    return indices;
  }

  private image(images: Map<number, ColmapDatabaseImage>, id: SqlValue, what: string): ColmapDatabaseImage {
    const image = images.get(this.whole(id, "image_id"));
    if (!image) throw this.error(`${what}: there is no image ${id}`);
    return image;
  }

  private rows(table: string): SqlValue[][] {
    if (this.unread.has(table)) return [];
    return this.query(`SELECT ${this.columns(TABLES[table])} FROM ${table}`);
  }

  /** As `rows`, with the two images' ids in place of the pair's, whose 64 bits JavaScript's numbers do not hold. */
  private pairRows(table: string): SqlValue[][] {
    if (this.unread.has(table)) return [];
    const [pairId, ...others] = TABLES[table];
    const ids = `${pairId} / ${MAX_IMAGES}, ${pairId} % ${MAX_IMAGES}`;
    return this.query(`SELECT ${ids}, ${this.columns(others)} FROM ${table}`);
  }

  /** The columns' names, NULL for those that are not there. */
  private columns(names: readonly string[]): string {
    return names.map((column) => (this.absent.has(column) ? "NULL" : column)).join(", ");
  }

  private query(text: string): SqlValue[][] {
    const statement = this.db.prepare(text);
    try {
      const rows: SqlValue[][] = [];
      while (statement.step()) {
        if (--this.rowsLeft < 0) throw this.error("more rows than the file has room for; it is damaged");
        const row = statement.get();
        for (const value of row) this.bytesLeft -= value instanceof Uint8Array ? value.length : 0;
        if (this.bytesLeft < 0) throw this.error("more data than the file has room for; it is damaged");
        rows.push(row);
      }
      return rows;
    } finally {
      statement.free();
    }
  }

  /** The `count` numbers of a blob; null stands for none. */
  private numbers(data: SqlValue, what: string, dtype: DType, count: number, shape = String(count)) {
    const bytes = data === null ? new Uint8Array(0) : data;
    const size = count * itemSize(dtype);
    if (!(bytes instanceof Uint8Array) || bytes.length !== size) {
      const found = bytes instanceof Uint8Array ? `${bytes.length} bytes` : `a ${typeof bytes}`;
      throw this.error(`${what}: ${found}, expected ${size} bytes (${shape} ${dtype})`);
    }
    return viewOf(bytes, 0, dtype, count);
  }

  private whole(value: SqlValue, what: string, least = 0): number {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least) {
      throw this.error(`${what} is ${String(value).slice(0, 40)}, expected a whole number of at least ${least}`);
    }
    return value;
  }

  private text(value: SqlValue): string {
    if (typeof value !== "string" || value === "") throw this.error("an image has no name");
    return value;
  }

  private error(text: string): FormatError {
    return new FormatError(`${this.where}: ${text}`);
  }
}

/** Columns `from` to `to` of row-major rows. */
function columnsOf(values: Float32Array, columns: number, from: number, to: number): Float32Array {
  const count = columns === 0 ? 0 : values.length / columns;
  const width = to - from;
  const out = new Float32Array(count * width);
  for (let i = 0; i < count; i++) out.set(values.subarray(i * columns + from, i * columns + to), i * width);
  return out;
}
