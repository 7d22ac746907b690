import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cacheOfRun, checkCacheable, curveOfCache } from "../../../src/bench/cache.js";
import type { MethodRun, PairRecord } from "../../../src/bench/types.js";
import { FormatError, ShapeError, UnsupportedError } from "../../../src/errors.js";
import { type HpatchesCache, readHpatchesCache, writeHpatchesCache } from "../../../src/formats/hpatches-cache.js";
import { numpyNames, readNpyObjects } from "../../../src/formats/pickle/numpy.js";
import { unpickle } from "../../../src/formats/pickle/read.js";
import { fuzz } from "../../fuzz.js";
import { call, dict, global, int, latin1, list, text, tuple } from "../torch/pickles.js";
import { describePython, python } from "./python.js";

const THRESHOLDS = Array.from({ length: 15 }, (_, k) => k + 1);

/** One illumination and one viewpoint sequence: half of the pairs right from 1 px on, the rest one by one. */
const sample: HpatchesCache = {
  thresholds: THRESHOLDS,
  illumination: THRESHOLDS.map((t) => 2.5 + t / 15),
  viewpoint: THRESHOLDS.map((t) => t / 7),
  types: ["i", "i", "i", "i", "i", "v", "v", "v", "v", "v"],
  features: [100, 90, 80, 70, 60, 50, 0, 1, 2, 300_000, 4, 5],
  matches: [9, 8, 7, 6, 5, 0, 1, 2, 3, 4],
};

describe("the reference's result cache", () => {
  it("reads back what was written, also in a Buffer that is not aligned", () => {
    const bytes = writeHpatchesCache(sample);
    expect(readHpatchesCache(bytes)).toEqual(sample);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(readHpatchesCache(shifted.subarray(1))).toEqual(sample);
  });

  it("becomes curves: sums over pairs of a kind", () => {
    const curve = curveOfCache("m", sample, true);
    expect(curve).toMatchObject({ name: "m", refined: true, thresholds: THRESHOLDS });
    expect(curve.illumination[2]).toBeCloseTo((2.5 + 0.2) / 5, 12);
    expect(curve.viewpoint[6]).toBeCloseTo(1 / 5, 12);
    expect(curve.overall[14]).toBeCloseTo((3.5 + 15 / 7) / 10, 12);
    expect(curve.meanFeatures).toBeCloseTo(300_462 / 12, 9);
    expect(curve.meanMatches).toBe(4.5);
  });

  it("without pairs of a kind that curve is zero", () => {
    const dark = { ...sample, types: sample.types.map(() => "i" as const), viewpoint: THRESHOLDS.map(() => 0) };
    expect(curveOfCache("m", dark).viewpoint).toEqual(THRESHOLDS.map(() => 0));
    expect(curveOfCache("m", dark).overall).toEqual(curveOfCache("m", dark).illumination);
  });

  it("damage gives sound data or a typed error", async () => {
    const { read, refused } = await fuzz(writeHpatchesCache(sample), readHpatchesCache, expectSound, { rounds: 2000 });
    // Most of the bytes are described; a flipped bit of a count or a sum goes through.
    expect(refused).toBeGreaterThan(1000);
    expect(read).toBeGreaterThan(50);
  });

  it.each<[string, Partial<HpatchesCache>, RegExp]>([
    ["no pairs", { types: [], matches: [], features: [] }, /no pairs/],
    ["too few match counts", { matches: [1] }, /10 pairs, but 1 match counts/],
    ["too few images", { features: [1, 2] }, /10 pairs need 12 images, there are 2/],
    ["a sum above the pairs", { viewpoint: THRESHOLDS.map(() => 5.5) }, /viewpoint sums up to 5\.5 at 1 px over 5/],
    ["a negative sum", { viewpoint: THRESHOLDS.map(() => -1) }, /viewpoint sums up to -1/],
    ["NaN", { illumination: THRESHOLDS.map(() => Number.NaN) }, /illumination sums up to NaN/],
    ["a falling curve", { illumination: THRESHOLDS.map((t) => 3 - t / 10) }, /illumination falls from 1 to 2 px/],
    ["too few sums", { illumination: [1] }, /one sum per threshold/],
  ])("%s is refused", (_, wrong, message) => {
    expect(() => writeHpatchesCache({ ...sample, ...wrong })).toThrow(FormatError);
    expect(() => writeHpatchesCache({ ...sample, ...wrong })).toThrow(message);
  });

  it.each<[string, string, RegExp]>([
    ["a foreign name", call(global("os", "system"), text("id")), /asks for os\.system/],
    ["NumPy's own dangerous names", call(global("numpy.testing", "runstring")), /asks for numpy\.testing\.runstring/],
    ["no array", list(int(1)), /no array of objects/],
    ["an array of two", objects(dict({}), dict({})), /header says shape \[3\], the pickle \[2\]/],
    ["an empty dictionary", objects("}", "}", list()), /dictionary of sums by threshold for illumination/],
    ["thresholds that are text", objects(dict({ a: int(1) }), "}", "]"), /rising whole thresholds/],
    ["sums that are text", objects(sums(text("x")), sums(int(0)), "]"), /rising whole thresholds to numbers/],
    ["another list", objects(sums(int(0)), sums(int(0)), "]"), /types, features per image, matches per pair/],
    ["other kinds", objects(sums(int(0)), sums(int(0)), list(list(text("x")), "]", "]")), /type must be "i" or "v"/],
    [
      "counts below zero",
      objects(sums(int(0)), sums(int(0)), list(list(text("i")), list(int(-1)), "]")),
      /features per image must be whole numbers/,
    ],
    ["thresholds that differ", objects(sums(int(0)), sums(int(0), int(0)), "]"), /thresholds 1, viewpoint 1,2/],
  ])("%s is refused", (_, pickled, message) => {
    expect(() => readHpatchesCache(npy(pickled))).toThrow(FormatError);
    expect(() => readHpatchesCache(npy(pickled))).toThrow(message);
  });

  it("plain lists and numbers do as well as NumPy's", () => {
    const counts = list(
      list(...sample.types.map(text)),
      list(...sample.features.map(int)),
      list(...sample.matches.map(int)),
    );
    const cache = readHpatchesCache(npy(objects(sums(int(0), int(1)), sums(int(0), int(0)), counts)));
    expect(cache).toEqual({ ...sample, thresholds: [1, 2], illumination: [0, 1], viewpoint: [0, 0] });
  });
});

describe("NumPy's pickles", () => {
  const read = (pickled: string) => unpickle(latin1(`${pickled}.`), { where: "t", names: numpyNames("t") }).value;
  const dtype = (code: string, order = "<") =>
    `${call(global("numpy", "dtype"), text(code), int(0), int(1))}${tuple(int(3), text(order), "N", "N", "N")}b`;
  const scalar = (code: string, bytes: string, order = "<") =>
    call(global("numpy.core.multiarray", "scalar"), dtype(code, order), bytes);
  const bytes = (content: string) => `C${String.fromCharCode(content.length)}${content}`;

  it("scalars", () => {
    expect(read(scalar("i8", bytes("\xfe\xff\xff\xff\xff\xff\xff\xff")))).toBe(-2);
    expect(read(scalar("i8", bytes("\0\0\0\0\0\0\0\x40")))).toBe(2n ** 62n);
    expect(read(scalar("f8", bytes("\0\0\0\0\0\0\xf8\x3f")))).toBe(1.5);
    expect(read(scalar("b1", bytes("\x01")))).toBe(true);
    expect(read(scalar("U2", bytes("\xe9\0\0\0\0\0\0\0")))).toBe("é");
    // Python 2's bytes, as protocol 2 has them: text of the characters 0 to 255.
    const encoded = call(global("_codecs", "encode"), text("\xc3\xbf"), text("latin1"));
    expect(read(scalar("u1", encoded))).toBe(255);
  });

  it.each<[string, string, RegExp]>([
    ["big-endian", scalar("i8", bytes("12345678"), ">"), /big-endian/],
    ["too few bytes", scalar("i8", bytes("1234")), /1 values of "i8" need 8 bytes, got 4 bytes/],
    ["no bytes", scalar("i8", int(1)), /got something else/],
    ["a structured type", dtype("V8"), /data type "V8"/],
    ["an inherited name", dtype("constructor"), /data type "constructor"/],
    ["an endless text", dtype("U99999999"), /data type "U99999999"/],
    ["complex numbers", dtype("c16"), /data type "c16"/],
    ["no character", scalar("U1", bytes("\0\0\x11\0")), /no character/],
    ["objects as scalar", scalar("O8", bytes("")), /scalar is described/],
    ["a state that is none", `${call(global("numpy", "dtype"), text("i8"))}Nb`, /data type is described/],
    ["characters above 255", call(global("_codecs", "encode"), text("\xe2\x82\xac")), /characters that are none/],
    ["an array of another class", call(global("numpy.core.multiarray", "_reconstruct"), text("x")), /unknown class/],
    ["bytes of something", call(global("builtins", "bytes"), int(9)), /bytes are made from arguments/],
    ["a dtype's state for a scalar's type", `${dtype("i8")}${tuple(int(3), text("?"))}b`, /data type is described/],
  ])("%s is refused", (_, pickled, message) => {
    expect(() => read(pickled)).toThrow(message);
  });

  it("arrays of numbers are left to readNpy", () => {
    const bytes = latin1("\x93NUMPY\x01\x00\x3a\x00{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }\n");
    bytes[8] = bytes.length - 10;
    expect(() => readNpyObjects(bytes)).toThrow(/array of Python objects, got values of type "<f8"/);
  });
});

describe("a run of ours as a cache", () => {
  const record = (kind: PairRecord["kind"], matches: number, correct: number, sequence = "s"): PairRecord => ({
    sequence,
    kind,
    images: [1, 2],
    keypoints: [5, 6],
    matches,
    correct: THRESHOLDS.map(() => correct),
    refined: { matches: matches / 2, correct: THRESHOLDS.map(() => correct / 2) },
    covisible: [5, 6],
    repeated: [1, 2],
    cornerError: { magsac: null, ransac: null, dlt: null },
    seconds: { match: 0, score: 0 },
    run: info,
  });
  const info = { method: "mine" } as PairRecord["run"];
  const images = Array.from({ length: 6 }, (_, i) => ({
    sequence: "s",
    image: i + 1,
    keypoints: 10 * i,
    seconds: null,
    peakMB: null,
  }));
  const run = (records: PairRecord[]): MethodRun => ({ info, records, images });

  it("sums shares; a pair without matches adds nothing", () => {
    const records = [
      record("illumination", 4, 2),
      record("illumination", 10, 10),
      record("illumination", 0, 0),
      record("illumination", 8, 2),
      record("viewpoint", 2, 2),
    ];
    const cache = cacheOfRun(run(records));
    expect(cache.illumination[4]).toBe(0.5 + 1 + 0.25);
    expect(cache.viewpoint[0]).toBe(1);
    expect(cache).toMatchObject({
      types: ["i", "i", "i", "i", "v"],
      features: [0, 10, 20, 30, 40, 50],
      matches: [4, 10, 0, 8, 2],
    });
    expect(readHpatchesCache(writeHpatchesCache(cache))).toEqual(cache);
    expect(cacheOfRun(run(records), true).matches).toEqual([2, 5, 0, 4, 1]);
  });

  it("refuses what the format cannot say", () => {
    const whole = Array.from({ length: 5 }, () => record("other", 1, 1, "rotation"));
    expect(() => cacheOfRun(run(whole))).toThrow(UnsupportedError);
    expect(() => cacheOfRun(run(whole))).toThrow(/sequence "rotation" is neither/);
    const six = Array(6).fill(0);
    expect(() => checkCacheable([{ name: "rotation", kind: "other", images: six }])).toThrow(/"rotation" is neither/);
    expect(() => checkCacheable([{ name: "i_x", kind: "illumination", images: [0, 0] }])).toThrow(/"i_x" has 2 images/);
    checkCacheable([{ name: "v_x", kind: "viewpoint", images: six }]);
    expect(() => cacheOfRun(run([record("viewpoint", 1, 1)]))).toThrow(ShapeError);
    expect(() => cacheOfRun(run([record("viewpoint", 1, 1)]))).toThrow(/1 pairs and 6 images/);
  });
});

describePython("a cache read by NumPy", (folder) => {
  it("as the reference's notebooks do", () => {
    const path = join(folder, "mine.npy");
    writeFileSync(path, writeHpatchesCache(sample));
    expect(python("read_cache.py", path)).toEqual({
      illumination: sample.illumination.map((sum, k) => [k + 1, sum]),
      viewpoint: sample.viewpoint.map((sum, k) => [k + 1, sum]),
      at3: sample.illumination[2],
      counts: [
        ["<U1", [10], sample.types],
        ["int64", [12], sample.features],
        ["int64", [10], sample.matches],
      ],
      i: 5,
    });
  });
});

function expectSound(cache: HpatchesCache): void {
  expect(cache.matches).toHaveLength(cache.types.length);
  for (const sums of [cache.illumination, cache.viewpoint]) {
    expect(sums).toHaveLength(cache.thresholds.length);
    for (const sum of sums) expect(sum).toBeGreaterThanOrEqual(0);
  }
  for (const count of [...cache.features, ...cache.matches]) expect(Number.isSafeInteger(count)).toBe(true);
}

/** A file of an object array whose header says three. */
function npy(pickled: string): Uint8Array {
  const header = `${"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }".padEnd(117)}\n`;
  return latin1(`\x93NUMPY\x01\x00\x76\x00${header}\x80\x02${pickled}.`);
}

/** An object array as NumPy pickles it. */
function objects(...items: string[]): string {
  const type = `${call(global("numpy", "dtype"), text("O8"), int(0), int(1))}${tuple(int(3), text("|"), "N", "N", "N")}b`;
  const empty = call(global("numpy.core.multiarray", "_reconstruct"), global("numpy", "ndarray"), tuple(int(0)));
  return `${empty}${tuple(int(1), tuple(int(items.length)), type, "\x89", list(...items))}b`;
}

/** A dictionary 1, 2, … → value. */
function sums(...values: string[]): string {
  return `}(${values.map((value, k) => int(k + 1) + value).join("")}u`;
}
