import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { FormatError, LimitError, OptionError, ShapeError, UnsupportedError } from "../../../src/errors.js";
import type { Features, Matches } from "../../../src/features.js";
import { makeCamera } from "../../../src/formats/colmap-cameras.js";
import { writeColmapDatabase } from "../../../src/formats/colmap-database.js";
import type { ColmapDatabase } from "../../../src/formats/colmap-database-parts.js";
import { readColmapDatabase } from "../../../src/formats/colmap-database-read.js";
import { databaseFeatures, databaseMatches, toColmapDatabase } from "../../../src/formats/colmap-results.js";
import { invertTwoView, type TwoView } from "../../../src/formats/colmap-two-view.js";
import type { SqlEngine } from "../../../src/formats/sqlite.js";
import { compose, projectPoints } from "../../../src/geometry/matrix3.js";
import { loadSqlite } from "../../../src/node/colmap-database.js";
import { fuzz } from "../../fuzz.js";
import { describePython, python } from "./python.js";
import { sampleFeatures } from "./samples.js";

let sql: SqlEngine;
beforeAll(async () => {
  sql = await loadSqlite();
});

const H = Float64Array.of(1.1, 0.02, 5, -0.01, 0.95, -3, 1e-4, -2e-4, 1);
const matchesOf = (...pairs: number[]): Matches => ({
  count: pairs.length / 2,
  pairs: Uint32Array.from(pairs),
  scores: new Float32Array(pairs.length / 2).fill(1),
});
const images = (): Map<string, Features> =>
  new Map([
    ["b/2.jpg", sampleFeatures(5, { seed: 2 })],
    ["b/1.jpg", sampleFeatures(4)],
    ["none.jpg", sampleFeatures(0)],
  ]);

/** Three images; the pair is named against the order of the ids, so that it is turned when written. */
function sample(): ColmapDatabase {
  const verified = { matrix: H, inliers: Uint32Array.of(0, 2) };
  const matches = matchesOf(0, 3, 1, 2, 4, 0);
  return toColmapDatabase(images(), [{ name0: "b/2.jpg", name1: "b/1.jpg", matches, verified }]);
}

/** A database with every kind of thing in it. */
function everything(): ColmapDatabase {
  const geometry: TwoView = {
    kind: "calibrated",
    inliers: Uint32Array.of(1, 1),
    fundamental: Float64Array.of(0, -1e-6, 3e-4, 1e-6, 0, -2e-3, -3e-4, 2e-3, 0.5),
    essential: Float64Array.of(0, -1, 0.2, 1, 0, -0.5, -0.2, 0.5, 0),
    homography: H,
    pose: { rotation: Float64Array.of(0.8, 0.6, 0, 0), translation: Float64Array.of(1, 2, 3) },
  };
  return {
    cameras: [makeCamera(7, [640, 480]), makeCamera(9, [20, 10], { model: "PINHOLE", params: [30, 31, 10, 5] })],
    images: [
      {
        id: 3,
        name: "ä b.jpg",
        cameraId: 7,
        keypoints: Float32Array.of(1, 2, 3, 4),
        shapes: Float32Array.of(1, 0, 2, 0.5),
        descriptors: Uint8Array.from({ length: 256 }, (_, i) => i),
      },
      {
        id: 2000000000,
        name: "c.jpg",
        cameraId: 9,
        keypoints: Float32Array.of(5, 6, 7, 8),
        shapes: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
        descriptors: null,
      },
      { id: 5, name: "d.jpg", cameraId: 9, keypoints: null, shapes: null, descriptors: null },
    ],
    pairs: [{ id0: 3, id1: 2000000000, matches: Uint32Array.of(0, 1, 1, 1), geometry }],
  };
}

describe("a COLMAP database", () => {
  it("comes back with whatever it holds", () => {
    const database = everything();
    const read = readColmapDatabase(sql, writeColmapDatabase(sql, database));
    expect(read.cameras).toEqual(database.cameras);
    expect(read.images).toEqual([database.images[0], database.images[2], database.images[1]]);
    expect(read.pairs).toHaveLength(1);
    const [{ geometry, ...pair }] = read.pairs;
    expect(pair).toEqual({ id0: 3, id1: 2000000000, matches: Uint32Array.of(0, 1, 1, 1) });
    const given = database.pairs[0].geometry as TwoView;
    expect(geometry).toMatchObject({ kind: "calibrated", inliers: given.inliers, essential: given.essential });
    expect(geometry?.pose).toEqual(given.pose);
    for (const name of ["fundamental", "homography"] as const) {
      for (const [k, value] of (given[name] as Float64Array).entries()) {
        expect(geometry?.[name]?.[k], name).toBeCloseTo(value, 12);
      }
    }
    // Read once, everything is as the file has it: the second time nothing moves, to the last bit.
    const again = readColmapDatabase(sql, writeColmapDatabase(sql, { ...read, pairs: [] }));
    expect(again).toEqual({ ...read, pairs: [] });
  });

  it("has features, matches and the homography of a pair, whichever way round it was matched", () => {
    const read = readColmapDatabase(sql, writeColmapDatabase(sql, sample()));
    expect(read.images.map(({ id, name }) => [id, name])).toEqual([
      [1, "b/1.jpg"],
      [2, "b/2.jpg"],
      [3, "none.jpg"],
    ]);
    const features = databaseFeatures(read);
    for (const [name, given] of images()) {
      const found = features.get(name) as Features;
      expect(found.imageSize, name).toEqual([640, 480]);
      // COLMAP's float32 pixel is half a pixel further, so the last bit may go.
      for (const [k, value] of given.keypoints.entries())
        expect(Math.abs(found.keypoints[k] - value)).toBeLessThan(4e-5);
      for (const [k, value] of given.descriptors.entries()) {
        expect(Math.abs(found.descriptors[k] - value), name).toBeLessThanOrEqual(0.5 / 512 + 1e-7);
      }
    }
    expect(databaseMatches(read)).toMatchObject([{ name0: "b/1.jpg", name1: "b/2.jpg", count0: 4 }]);
    expect([...databaseMatches(read)[0].matches.pairs]).toEqual([3, 0, 2, 1, 0, 4]);
    expect([...databaseMatches(read, { verified: true })[0].matches.pairs]).toEqual([3, 0, 0, 4]);
    const { geometry } = read.pairs[0];
    expect(geometry?.kind).toBe("planar-or-panoramic");
    const there = projectPoints(H, [100, 50, 0, 0]);
    const back = projectPoints(geometry?.homography as Float64Array, there);
    for (const [k, value] of [100, 50, 0, 0].entries()) expect(back[k]).toBeCloseTo(value, 9);
    // Written again, what COLMAP can hold is the same to the last bit.
    const bytes = (db: ColmapDatabase) => db.images.map(({ descriptors, keypoints }) => [descriptors, keypoints]);
    const again = toColmapDatabase(features, databaseMatches(read));
    expect(bytes(readColmapDatabase(sql, writeColmapDatabase(sql, again)))).toEqual(bytes(read));
  });

  it("marks pairs that were tried in vain, are trusted, or were not verified", () => {
    const pair = { name0: "b/1.jpg", name1: "b/2.jpg", matches: matchesOf(0, 0, 1, 1) };
    const found = (verified: { matrix: null; inliers: Uint32Array } | null | undefined) =>
      readColmapDatabase(sql, writeColmapDatabase(sql, toColmapDatabase(images(), [{ ...pair, verified }]))).pairs[0];
    expect(found(undefined).geometry).toBeNull();
    expect(found(null).geometry).toMatchObject({ kind: "calibrated", inliers: pair.matches.pairs, homography: null });
    const vain = found({ matrix: null, inliers: new Uint32Array(0) });
    expect(vain).toMatchObject({ matches: pair.matches.pairs, geometry: { kind: "undefined", homography: null } });
    expect(vain.geometry?.inliers).toHaveLength(0);
    expect(() =>
      toColmapDatabase(images(), [{ ...pair, verified: { matrix: H, inliers: Uint32Array.of(2) } }]),
    ).toThrow('"b/1.jpg", "b/2.jpg": inlier 2 of 2 matches');
  });

  it("guesses cameras as COLMAP does, one per image, folder or all", () => {
    const cameras = (mode?: "per-image" | "per-folder" | "single") =>
      toColmapDatabase(images(), [], { cameraMode: mode }).images.map(({ cameraId }) => cameraId);
    expect(cameras()).toEqual([1, 2, 3]);
    expect(cameras("per-folder")).toEqual([1, 1, 2]);
    expect(cameras("single")).toEqual([1, 1, 1]);
    // What COLMAP 3.8 wrote for 768×1024.
    expect(makeCamera(1, [768, 1024])).toMatchObject({ model: "SIMPLE_RADIAL", priorFocalLength: false });
    expect([...makeCamera(1, [768, 1024]).params]).toEqual([1228.8, 384, 512, 0]);
    expect([...makeCamera(1, [100, 50], { model: "OPENCV" }).params]).toEqual([120, 120, 50, 25, 0, 0, 0, 0]);
    expect([...makeCamera(1, [100, 50], { model: "FOV" }).params]).toEqual([120, 120, 50, 25, 0.01]);
    expect(makeCamera(1, [9, 9], { model: "PINHOLE", params: [1, 2, 3, 4] }).priorFocalLength).toBe(true);
    expect(() => makeCamera(1, [9, 9], { params: [1] })).toThrow("SIMPLE_RADIAL has 4 parameters, got [1]");
    expect(() => makeCamera(1, [9, 9], { model: "SIMPEL" as never })).toThrow(OptionError);
    const mixed = images().set("z.jpg", { ...sampleFeatures(1), imageSize: [10, 10] });
    expect(() => toColmapDatabase(mixed, [], { cameraMode: "single" })).toThrow(
      '"z.jpg" has 10×10 pixels, others that should share its camera 640×480',
    );
  });

  it("keeps SIFT's descriptors as they are and leaves out what 128 bytes cannot hold", () => {
    const sift = sampleFeatures(2, { dim: 128 });
    sift.descriptors.forEach((value, k) => {
      sift.descriptors[k] = Math.round(Math.abs(value) * 512) / 512;
    });
    const read = readColmapDatabase(sql, writeColmapDatabase(sql, toColmapDatabase(new Map([["s", sift]]), [])));
    expect(databaseFeatures(read).get("s")).toMatchObject({ dim: 128, descriptors: sift.descriptors });
    const other = toColmapDatabase(new Map([["o", sampleFeatures(2, { dim: 32 })]]), []);
    expect(other.images[0].descriptors).toBeNull();
    expect(databaseFeatures(other).get("o")).toMatchObject({ count: 2, dim: 0 });
    expect(toColmapDatabase(images(), [], { descriptors: false }).images[0].descriptors).toBeNull();
  });

  it("of COLMAP 4 holds floats as they are, and SIFT's bytes as ever", () => {
    const sift = sampleFeatures(3, { dim: 128 });
    sift.descriptors.forEach((value, k) => {
      sift.descriptors[k] = Math.round(Math.abs(value) * 512) / 512;
    });
    const none: Features = { ...sampleFeatures(2), dim: 0, descriptors: new Float32Array(0) };
    const bits: Features = { ...sampleFeatures(2), kind: "binary", dim: 32, descriptors: new Uint8Array(64) };
    const given = new Map<string, Features>([
      ["aliked", sampleFeatures(2, { dim: 128, seed: 4 })],
      ["bits", bits],
      ["none", none],
      ["odd", sampleFeatures(2, { dim: 33 })],
      ["sift", sift],
      ["strata", sampleFeatures(5)],
      ["zero", sampleFeatures(0)],
    ]);
    const database = toColmapDatabase(given, [], { colmap: "4" });
    const bytes = writeColmapDatabase(sql, database, { colmap: "4" });
    const read = readColmapDatabase(sql, bytes);
    const types = Object.fromEntries(read.images.map(({ name, descriptorType }) => [name, descriptorType]));
    expect(types).toMatchObject({ aliked: -1, odd: -1, strata: -1, sift: undefined });
    const features = databaseFeatures(read);
    for (const name of ["aliked", "odd", "sift", "strata"]) {
      const { dim, descriptors } = given.get(name) as Features;
      expect(features.get(name), name).toMatchObject({ dim, descriptors });
    }
    for (const name of ["bits", "none"]) expect(features.get(name)).toMatchObject({ count: 2, dim: 0 });
    // ALIKED's own number stays when a database is written again.
    const aliked = {
      ...read,
      images: read.images.map((image) => ({ ...image, descriptorType: image.descriptorType && 1 })),
    };
    const again = readColmapDatabase(sql, writeColmapDatabase(sql, aliked, { colmap: "4" }));
    expect(again.images.find(({ name }) => name === "aliked")?.descriptorType).toBe(1);
    expect(() => writeColmapDatabase(sql, database)).toThrow(
      '"aliked": 1024 bytes of descriptors of type -1, which COLMAP 3.8',
    );
    expect(() => writeColmapDatabase(sql, database, { colmap: "5" as "4" })).toThrow(OptionError);
    const cut = { ...database.images[0], descriptors: new Uint8Array(1022) };
    expect(() => writeColmapDatabase(sql, { ...database, images: [cut] }, { colmap: "4" })).toThrow(
      "2 rows of float32",
    );
  });

  it("is read as far as it is asked for", () => {
    const given = everything();
    const { images: all } = given;
    const later = { ...given.cameras[0], model: "MODEL_99", params: Float64Array.of(1, 2, 3) };
    const bytes = writeColmapDatabase(sql, { ...given, cameras: [later, given.cameras[1]] });
    expect(readColmapDatabase(sql, bytes).cameras[0]).toEqual(later);
    expect(readColmapDatabase(sql, bytes, { descriptors: false }).images[0]).toEqual({ ...all[0], descriptors: null });
    expect(readColmapDatabase(sql, bytes, { geometries: false }).pairs).toMatchObject([{ id0: 3, geometry: null }]);
    // Images that are not extracted yet have no keypoints; nobody asks for descriptors that nobody wrote.
    const features = databaseFeatures(readColmapDatabase(sql, bytes));
    expect(features.get("c.jpg")).toMatchObject({ count: 2, dim: 0, scores: Float32Array.of(1, 1) });
    expect(features.get("d.jpg")).toMatchObject({ count: 0, imageSize: [20, 10] });
    expect(() => databaseFeatures({ ...given, images: [all[2]] })).toThrow("no image of the database has keypoints");
    const floats = { ...all[1], descriptors: new Uint8Array(8).fill(255), descriptorType: 2 };
    expect(() => databaseFeatures({ ...given, images: [floats] })).toThrow('"c.jpg": descriptors[0] is NaN');
  });

  it("knows the cameras of COLMAP 4", () => {
    for (const [model, params] of [
      ["SIMPLE_DIVISION", [120, 50, 25, 0]],
      ["DIVISION", [120, 120, 50, 25, 0]],
      ["SIMPLE_FISHEYE", [120, 50, 25]],
      ["FISHEYE", [120, 120, 50, 25]],
      ["EUCM", [120, 120, 50, 25, 0, 1]],
      ["EQUIRECTANGULAR", [100, 50]],
    ] as const) {
      expect([...makeCamera(1, [100, 50], { model }).params], model).toEqual(params);
    }
    const equirectangular = makeCamera(7, [640, 480], { model: "EQUIRECTANGULAR" });
    const database = { ...everything(), cameras: [equirectangular, everything().cameras[1]] };
    expect(readColmapDatabase(sql, writeColmapDatabase(sql, database)).cameras[0]).toEqual(equirectangular);
    // They may change yet, and nobody needs their parameters.
    const later = new sql.Database(writeColmapDatabase(sql, database));
    later.run("UPDATE cameras SET params = zeroblob(24)");
    later.run("UPDATE cameras SET model = 17");
    expect(readColmapDatabase(sql, later.export()).cameras[0].params).toHaveLength(3);
    later.close();
  });

  it("inverts a geometry with all that belongs to it", () => {
    const given = everything().pairs[0].geometry as TwoView;
    const turned = invertTwoView(given);
    const back = invertTwoView(turned);
    for (const [k, value] of (given.pose?.translation ?? []).entries()) {
      expect(back.pose?.translation[k]).toBeCloseTo(value, 12);
    }
    // x = Rᵀ(R x + t) − Rᵀ t: the quaternion (.8, .6, 0, 0) turns about x, so the x of the translation changes sign only.
    expect(turned.pose?.translation[0]).toBeCloseTo(-1, 12);
    expect([...(turned.pose?.rotation ?? [])]).toEqual([0.8, -0.6, -0, -0]);
    const product = compose(turned.homography as Float64Array, given.homography as Float64Array);
    for (const [k, value] of product.entries()) expect(value / product[8]).toBeCloseTo(k % 4 === 0 ? 1 : 0, 9);
    expect(turned.fundamental?.[1]).toBe(given.fundamental?.[3]);
    expect([...invertTwoView({ ...given, inliers: Uint32Array.of(1, 2, 3, 4) }).inliers]).toEqual([2, 1, 4, 3]);
  });
});

describe("what does not belong together is not written", () => {
  const write = (change: (database: ColmapDatabase) => void) => () => {
    const database = everything();
    change(database);
    return writeColmapDatabase(sql, database);
  };

  it("names, ids, cameras, pairs", () => {
    expect(write((db) => db.images.push({ ...db.images[2], id: 6 }))).toThrow('image name "d.jpg"');
    expect(write((db) => db.images.push({ ...db.images[2], name: "e" }))).toThrow("two images have the id 5");
    for (const id of [0, -1, 1.5, 2 ** 31 - 1]) {
      expect(write((db) => Object.assign(db.images[2], { id }))).toThrow(OptionError);
    }
    expect(write((db) => Object.assign(db.images[2], { cameraId: 8 }))).toThrow('image "d.jpg" has no camera 8');
    expect(write((db) => Object.assign(db.cameras[0], { model: "OWN" }))).toThrow(UnsupportedError);
    expect(write((db) => Object.assign(db.cameras[0], { params: new Float64Array(3) }))).toThrow(ShapeError);
    expect(write((db) => Object.assign(db.pairs[0], { id0: 4 }))).toThrow("images 4 and 2000000000");
    expect(write((db) => db.pairs.push({ ...db.pairs[0], id0: 2000000000, id1: 3 }))).toThrow("two pairs");
    expect(() => toColmapDatabase(images(), [{ name0: "b/1.jpg", name1: "x", matches: matchesOf() }])).toThrow(
      'the image "x", which has no features',
    );
  });

  it("arrays, indices out of range, too much", () => {
    expect(write((db) => Object.assign(db.images[0], { keypoints: Float32Array.of(1, 2, 3) }))).toThrow(ShapeError);
    expect(write((db) => Object.assign(db.images[0], { shapes: Float32Array.of(1) }))).toThrow(ShapeError);
    expect(write((db) => Object.assign(db.images[0], { descriptors: new Uint8Array(128) }))).toThrow("128 × 2");
    expect(write((db) => Object.assign(db.images[0], { keypoints: Float32Array.of(1, Number.NaN, 3, 4) }))).toThrow(
      "keypoints[1] is not a finite number",
    );
    expect(write((db) => Object.assign(db.pairs[0], { matches: Uint32Array.of(0, 0, 2, 1) }))).toThrow(
      'writeColmapDatabase: "ä b.jpg" and "c.jpg": match 1 joins keypoints 2 and 1 of 2 and 2; are the matches of these features?',
    );
    expect(write((db) => Object.assign(db.pairs[0].geometry ?? {}, { inliers: Uint32Array.of(0, 2) }))).toThrow(
      "match 0 joins keypoints 0 and 2",
    );
    expect(write((db) => Object.assign(db.pairs[0], { matches: Uint32Array.of(0) }))).toThrow("come in pairs");
    expect(() => writeColmapDatabase(sql, everything(), { limit: 300 })).toThrow(LimitError);
  });
});

describe("what is no sound COLMAP database is not read", () => {
  const changed = (statements: string): Uint8Array => {
    const db = new sql.Database(writeColmapDatabase(sql, everything()));
    db.run(statements);
    const bytes = db.export();
    db.close();
    return bytes;
  };
  const read = (bytes: Uint8Array) => () => readColmapDatabase(sql, bytes);

  it("other files, other databases, missing tables and columns", () => {
    expect(read(new TextEncoder().encode("hello"))).toThrow("not an SQLite database");
    expect(read(new Uint8Array(0))).toThrow(FormatError);
    const bytes = writeColmapDatabase(sql, everything());
    expect(read(bytes.subarray(0, 100))).toThrow(FormatError);
    expect(read(bytes.subarray(0, bytes.length / 2))).toThrow(FormatError);
    expect(() => readColmapDatabase(sql, bytes, { limit: 1000 })).toThrow(LimitError);
    expect(read(changed("DROP TABLE matches"))).toThrow("no table matches; there are: cameras");
    expect(read(changed("DROP TABLE keypoints; CREATE VIEW keypoints AS SELECT 1"))).toThrow("not a plain table");
    expect(read(changed("ALTER TABLE two_view_geometries RENAME COLUMN H TO G"))).toThrow('no column "H"');
    const computed =
      "DROP TABLE matches; CREATE TABLE matches (pair_id, rows, cols, data AS (hex(zeroblob(100000000))))";
    expect(read(changed(computed))).toThrow('the column "data" is computed');
  });

  it("blobs and numbers that do not fit, by name", () => {
    for (const [statements, message] of [
      [
        "UPDATE keypoints SET rows = 3 WHERE image_id = 3",
        'keypoints of "ä b.jpg": 32 bytes, expected 48 bytes (3 × 4 float32)',
      ],
      ["UPDATE keypoints SET rows = 1e15 WHERE image_id = 3", "expected 16000000000000000 bytes"],
      ["UPDATE keypoints SET cols = 3 WHERE image_id = 3", "3 columns, expected 2, 4 or 6"],
      ["UPDATE keypoints SET data = 'text' WHERE image_id = 3", "a string, expected 32 bytes"],
      ["UPDATE keypoints SET data = NULL WHERE image_id = 3", "0 bytes, expected 32 bytes"],
      ["UPDATE keypoints SET data = zeroblob(28) || x'0000807f' WHERE image_id = 3", "expected 32 bytes"],
      ["UPDATE keypoints SET image_id = 4 WHERE image_id = 3", "keypoints: there is no image 4"],
      ["UPDATE descriptors SET rows = 1, data = zeroblob(128)", 'descriptors of "ä b.jpg": 1, of 2 keypoints'],
      ["UPDATE descriptors SET cols = 64, data = zeroblob(128)", "64 bytes each, 128 are read"],
      ["UPDATE matches SET data = x'0000000009000000', rows = 1", "keypoint 9 of 2"],
      ["UPDATE matches SET cols = 3", "3 columns, expected 2"],
      ["UPDATE matches SET pair_id = 1", "a pair: there is no image 0"],
      ["UPDATE matches SET pair_id = 5 * 2147483647 + 3", "numbered the wrong way round"],
      ["UPDATE two_view_geometries SET config = 77", "the kind 77 is not known here"],
      ["UPDATE two_view_geometries SET H = zeroblob(8)", "H: 8 bytes, expected 72 bytes (9 float64)"],
      ["UPDATE cameras SET model = -1", "model is -1, expected a whole number"],
      ["UPDATE cameras SET params = zeroblob(8)", "params: 8 bytes, expected"],
      ["UPDATE cameras SET width = 0", "width is 0, expected a whole number of at least 1"],
      ["DELETE FROM cameras WHERE camera_id = 9", "has no camera 9"],
      ["UPDATE images SET name = ''", "an image has no name"],
    ]) {
      // Sample rows are few, so an update that hits several of them at once is narrowed by what may be doubled.
      const one = statements.includes("images SET name") ? `${statements} WHERE image_id = 5` : statements;
      expect(read(changed(`PRAGMA foreign_keys = OFF; ${one}`)), one).toThrow(message);
    }
  });

  it("descriptors that cannot be told, unless nobody asks for them", () => {
    for (const [change, message] of [
      ["ALTER TABLE descriptors ADD COLUMN type INTEGER NOT NULL DEFAULT 3", null],
      ["ALTER TABLE descriptors ADD COLUMN type INTEGER NOT NULL DEFAULT -2", "type is -2"],
      ["ALTER TABLE descriptors ADD COLUMN type TEXT NOT NULL DEFAULT 'sift'", "type is sift"],
      ["UPDATE descriptors SET cols = 64, data = zeroblob(128)", "64 bytes each, 128 are read"],
      ["UPDATE descriptors SET data = zeroblob(1024)", "1024 bytes, expected 256 bytes"],
    ] as const) {
      if (message) expect(read(changed(change)), change).toThrow(message);
      else expect(read(changed(change))).not.toThrow();
      expect(readColmapDatabase(sql, changed(change), { descriptors: false }).images).toHaveLength(3);
    }
  });

  it("what nobody asks for, however damaged, and without descriptors' table", () => {
    const odd = changed("UPDATE two_view_geometries SET config = 77; DROP TABLE descriptors");
    expect(read(odd)).toThrow("the kind 77 is not known here");
    const { images, pairs } = readColmapDatabase(sql, odd, { geometries: false });
    expect(pairs[0].matches).toHaveLength(4);
    expect(images.every(({ descriptors }) => descriptors === null)).toBe(true);
    expect(() => readColmapDatabase(sql, changed("DROP TABLE two_view_geometries"))).toThrow(
      "no table two_view_geometries",
    );
    expect(
      readColmapDatabase(sql, changed("DROP TABLE two_view_geometries"), { geometries: false }).pairs,
    ).toHaveLength(1);
  });

  it("reads older databases, which have no poses", () => {
    const older = "ALTER TABLE two_view_geometries DROP COLUMN qvec; ALTER TABLE two_view_geometries DROP COLUMN tvec";
    const { geometry } = readColmapDatabase(sql, changed(older)).pairs[0];
    expect(geometry).toMatchObject({ kind: "calibrated", pose: null });
    expect(geometry?.homography).toHaveLength(9);
  });

  it("reads what COLMAP leaves in WAL mode", () => {
    const bytes = writeColmapDatabase(sql, everything());
    bytes[18] = 2;
    bytes[19] = 2;
    expect(readColmapDatabase(sql, bytes).images).toHaveLength(3);
    expect([bytes[18], bytes[19]]).toEqual([2, 2]);
  });

  it("gives sound data or a StrataError for 1000 damaged files", async () => {
    const bytes = writeColmapDatabase(sql, everything());
    const check = (database: ColmapDatabase) => {
      const counts = new Map(database.images.map(({ id, keypoints }) => [id, (keypoints?.length ?? 0) / 2]));
      for (const { id0, id1, matches } of database.pairs) {
        for (const [k, index] of (matches ?? []).entries())
          expect(index).toBeLessThan(counts.get(k & 1 ? id1 : id0) ?? 0);
      }
    };
    // Most pages of so small a database are nearly empty, where damage changes nothing.
    const { refused } = await fuzz(bytes, (damaged) => readColmapDatabase(sql, damaged), check, { rounds: 1000 });
    expect(refused).toBeGreaterThan(300);
  });
});

describePython(
  "a database read by Python's SQLite",
  (folder) => {
    it("is whole, has COLMAP 3.8's schema, and holds what was given", () => {
      const path = join(folder, "database.db");
      writeFileSync(path, writeColmapDatabase(sql, sample()));
      const found = python("read_colmap.py", path) as Record<string, unknown[][]> & { tables: unknown };
      expect(found.integrity).toEqual([["ok"]]);
      expect(found.foreign).toEqual([]);
      expect(found.version).toBe(3800);
      expect(found.tables).toEqual(COLMAP_SCHEMA);
      expect(found.cameras[1]).toEqual([2, 2, 640, 480, [768, 320, 240, 0], 0]);
      expect(found.images[1]).toEqual([2, "b/2.jpg", 2, null, null]);
      const { keypoints } = images().get("b/1.jpg") as Features;
      expect(found.keypoints[0]).toEqual([1, 4, 2, [...keypoints.map((value) => value + 0.5)]]);
      expect(found.keypoints[2]).toEqual([3, 0, 2, null]);
      expect(found.descriptors[1].slice(0, 3)).toEqual([2, 5, 128]);
      expect(found.matches).toEqual([[2 ** 31 - 1 + 2, 3, 2, [3, 0, 2, 1, 0, 4]]]);
      const [pairId, rows, cols, inliers, config, F, E, matrix, qvec, tvec] = found.geometries[0] as [
        number,
        number,
        number,
        number[],
        number,
        ...number[][],
      ];
      expect([pairId, rows, cols, config, inliers]).toEqual([2 ** 31 + 1, 2, 2, 6, [3, 0, 0, 4]]);
      expect([F, E, qvec, tvec]).toEqual([new Array(9).fill(0), new Array(9).fill(0), [0, 0, 0, 0], [0, 0, 0]]);
      // Row-major, from image 1 (b/1.jpg) to image 2 in COLMAP's pixels: the inverse of what was given.
      const there = projectPoints(H, [10, 20]);
      const back = projectPoints(matrix, [there[0] + 0.5, there[1] + 0.5]);
      expect(back[0]).toBeCloseTo(10.5, 9);
      expect(back[1]).toBeCloseTo(20.5, 9);
    });
  },
  { packages: "python3", modules: "sqlite3" },
);

/** What `colmap database_creator` 3.8 makes, as SQLite describes it (`read_colmap.py` on its file). */
const COLMAP_SCHEMA = {
  cameras: {
    columns: [
      ["camera_id", "INTEGER", 1, null, 1],
      ["model", "INTEGER", 1, null, 0],
      ["width", "INTEGER", 1, null, 0],
      ["height", "INTEGER", 1, null, 0],
      ["params", "BLOB", 0, null, 0],
      ["prior_focal_length", "INTEGER", 1, null, 0],
    ],
    references: [],
    indices: [],
  },
  sqlite_sequence: {
    columns: [
      ["name", "", 0, null, 0],
      ["seq", "", 0, null, 0],
    ],
    references: [],
    indices: [],
  },
  images: {
    columns: [
      ["image_id", "INTEGER", 1, null, 1],
      ["name", "TEXT", 1, null, 0],
      ["camera_id", "INTEGER", 1, null, 0],
      ["prior_qw", "REAL", 0, null, 0],
      ["prior_qx", "REAL", 0, null, 0],
      ["prior_qy", "REAL", 0, null, 0],
      ["prior_qz", "REAL", 0, null, 0],
      ["prior_tx", "REAL", 0, null, 0],
      ["prior_ty", "REAL", 0, null, 0],
      ["prior_tz", "REAL", 0, null, 0],
    ],
    references: [["cameras", "camera_id", "camera_id", "NO ACTION", "NO ACTION"]],
    indices: [
      ["index_name", 1, "c", 0],
      ["sqlite_autoindex_images_1", 1, "u", 0],
    ],
  },
  keypoints: {
    columns: [
      ["image_id", "INTEGER", 1, null, 1],
      ["rows", "INTEGER", 1, null, 0],
      ["cols", "INTEGER", 1, null, 0],
      ["data", "BLOB", 0, null, 0],
    ],
    references: [["images", "image_id", "image_id", "NO ACTION", "CASCADE"]],
    indices: [],
  },
  descriptors: {
    columns: [
      ["image_id", "INTEGER", 1, null, 1],
      ["rows", "INTEGER", 1, null, 0],
      ["cols", "INTEGER", 1, null, 0],
      ["data", "BLOB", 0, null, 0],
    ],
    references: [["images", "image_id", "image_id", "NO ACTION", "CASCADE"]],
    indices: [],
  },
  matches: {
    columns: [
      ["pair_id", "INTEGER", 1, null, 1],
      ["rows", "INTEGER", 1, null, 0],
      ["cols", "INTEGER", 1, null, 0],
      ["data", "BLOB", 0, null, 0],
    ],
    references: [],
    indices: [],
  },
  two_view_geometries: {
    columns: [
      ["pair_id", "INTEGER", 1, null, 1],
      ["rows", "INTEGER", 1, null, 0],
      ["cols", "INTEGER", 1, null, 0],
      ["data", "BLOB", 0, null, 0],
      ["config", "INTEGER", 1, null, 0],
      ["F", "BLOB", 0, null, 0],
      ["E", "BLOB", 0, null, 0],
      ["H", "BLOB", 0, null, 0],
      ["qvec", "BLOB", 0, null, 0],
      ["tvec", "BLOB", 0, null, 0],
    ],
    references: [],
    indices: [],
  },
};
