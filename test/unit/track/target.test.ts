/** Targets: compiled, written, read back; damaged ones; how good a picture is; those of 8th Wall. */
import { beforeAll, describe, expect, it } from "vitest";
import { FormatError, OptionError, UnsupportedError } from "../../../src/errors.js";
import { crc32 } from "../../../src/formats/bytes.js";
import type { Image } from "../../../src/image/image.js";
import { Random } from "../../../src/random.js";
import { eighthWallPicture, readEighthWallTarget } from "../../../src/track/eighth-wall.js";
import { compileTarget, isTarget, readTarget, type Target, writeTarget } from "../../../src/track/index.js";
import { packPicture, unpackPicture } from "../../../src/track/picture-codec.js";
import { fuzz, fuzzRounds } from "../../fuzz.js";
import { cornerExtractor, drawPoster } from "./drawn.js";

const extractor = cornerExtractor();
let target: Target;
let bytes: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  target = await compileTarget(drawPoster(1), extractor, { name: "Plakat ä", physicalWidth: 0.4 });
  bytes = writeTarget(target);
});

/** The target with other bytes at `at`, its checksum set right. */
function changed(at: number, values: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  return resigned(copy);
}

function resigned(copy: Uint8Array): Uint8Array {
  if (copy.length < 24) return copy;
  const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
  view.setUint32(12, copy.length, true);
  view.setUint32(16, crc32(copy.subarray(20)), true);
  return copy;
}

describe("a target's file", () => {
  it("comes back as it was compiled, and is small", () => {
    expect(readTarget(bytes)).toEqual(target);
    expect(isTarget(bytes)).toBe(true);
    expect(bytes.length).toBeLessThan(100_000);
    expect(target.quality).toEqual({ score: expect.any(Number), reason: null });
    expect(target.size).toEqual([240, 180]);
  });

  it.each([1, 1.6])("is small of the richest picture, too: noise, %d times as wide as high", async (shape) => {
    const random = new Random(3);
    const [width, height] = [Math.round(600 * shape), 600];
    const data = Uint8Array.from({ length: 3 * width * height }, () => random.integer(256));
    const noise = await compileTarget({ width, height, data }, cornerExtractor());
    expect(noise.features.count).toBeGreaterThan(700);
    expect(writeTarget(noise).length).toBeLessThanOrEqual(100_000);
  });

  it.each([
    ["another file", () => new TextEncoder().encode("GIF89a, a picture"), FormatError, /not a target/],
    ["nothing", () => new Uint8Array(0), FormatError, /not a target/],
    ["its beginning", () => bytes.slice(0, 10), FormatError, /needs 4 bytes/],
    ["a truncated one", () => bytes.slice(0, 5000), FormatError, /has 5000 bytes, expected \d+; it is truncated/],
    ["a longer one", () => Uint8Array.from([...bytes, 0]), FormatError, /it is damaged/],
    ["another version", () => changed(8, [2, 0, 0, 0]), UnsupportedError, /version 2; this strata reads version 1/],
    ["a changed byte", () => bytes.map((value, i) => (i === 900 ? value ^ 1 : value)), FormatError, /checksum/],
    ["a long header", () => changed(20, [255, 255, 255, 127]), FormatError, /the header needs 2147483647 bytes/],
  ])("%s is refused", (_, make, kind, message) => {
    expect(() => readTarget(make(), "a.strata")).toThrow(kind);
    expect(() => readTarget(make(), "a.strata")).toThrow(message);
    expect(() => readTarget(make(), "a.strata")).toThrow(/^a\.strata: /);
  });

  it.each([
    ["count", -1],
    ["count", 1e9],
    ["dim", 0.5],
    ["size", [0, 3]],
    ["size", "big"],
    ["physicalWidth", 0],
    ["model", null],
    ["name", 7],
  ])("%s %j in its header is refused", (field, value) => {
    const length = new DataView(bytes.buffer).getUint32(20, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(24, 24 + length)));
    const text = new TextEncoder().encode(JSON.stringify({ ...header, [field]: value }));
    const other = new Uint8Array([...bytes.subarray(0, 24), ...text, ...bytes.subarray(24 + length)]);
    new DataView(other.buffer).setUint32(20, text.length, true);
    expect(() => readTarget(resigned(other))).toThrow(FormatError);
  });

  it("damaged anywhere, with a checksum that fits, is a target or a plain error", async () => {
    const check = ({ features, picture }: Target) => {
      expect(features.keypoints.every(Number.isFinite)).toBe(true);
      expect(picture.data.length).toBe(picture.width * picture.height);
    };
    const { read, refused } = await fuzz(bytes, (damaged) => readTarget(resigned(damaged)), check, {
      rounds: fuzzRounds(60),
    });
    expect(read + refused).toBe(fuzzRounds(60));
    expect(refused).toBeGreaterThan(0);
  });
});

describe("the grey picture", () => {
  it("loses two levels at most, whatever its size", () => {
    for (const [width, height] of [
      [1, 1],
      [1, 9],
      [37, 23],
      [64, 2],
    ]) {
      const data = Uint8Array.from({ length: width * height }, (_, i) => (i * i * 37 + 11 * i) & 255);
      const back = unpackPicture("test", packPicture({ width, height, data }));
      expect([back.width, back.height]).toEqual([width, height]);
      expect(Math.max(...back.data.map((value, i) => Math.abs(value - data[i])))).toBeLessThanOrEqual(2);
    }
  });

  it("that unpacks to more than its size is refused before it takes memory", () => {
    const packed = packPicture({ width: 900, height: 900, data: new Uint8Array(810_000) });
    new DataView(packed.buffer).setUint16(0, 9, true);
    expect(() => unpackPicture("test", packed)).toThrow(/pixels, expected 8100/);
  });
});

describe("compileTarget", () => {
  const flat: Image = { width: 300, height: 200, data: new Uint8Array(180_000).fill(200) };

  it("says why a picture is poor", async () => {
    expect((await compileTarget(flat, extractor)).quality).toEqual({ score: 0, reason: "too little texture" });
    const corner: Image = { ...flat, data: flat.data.slice() };
    const poster = drawPoster(5, 80, 60, 800);
    for (let y = 0; y < 60; y++) corner.data.set(poster.data.subarray(240 * y, 240 * (y + 1)), 900 * y);
    expect((await compileTarget(corner, extractor)).quality.reason).not.toBeNull();
    const tile = drawPoster(6, 60, 50, 60);
    const repeated: Image = {
      ...flat,
      data: flat.data.map((_, i) => {
        const [x, y, c] = [Math.floor(i / 3) % 300, Math.floor(i / 900), i % 3];
        return tile.data[3 * ((y % 50) * 60 + (x % 60)) + c];
      }),
    };
    const { quality } = await compileTarget(repeated, extractor);
    expect(quality.reason).toBe("repeats itself");
    expect(quality.score).toBeLessThan(0.3);
  });

  it.each([
    [{ ...drawPoster(1, 20, 20, 5) }, {}, /20×20; its edges must be 32 pixels at least/],
    [drawPoster(1), { physicalWidth: 0 }, /"physicalWidth"/],
    [drawPoster(1), { width: 3 }, /unknown option "width"/],
  ])("refuses what it cannot compile: %#", async (image, options, message) => {
    await expect(compileTarget(image, extractor, options as never)).rejects.toThrow(OptionError);
    await expect(compileTarget(image, extractor, options as never)).rejects.toThrow(message);
  });
});

describe("image targets of 8th Wall", () => {
  const properties = {
    left: 10,
    top: 20,
    width: 60,
    height: 80,
    originalWidth: 100,
    originalHeight: 120,
    isRotated: false,
  };
  const json = { imagePath: "image-targets/a_luminance.png", metadata: null, name: "a", type: "PLANAR", properties };
  const read = (value: unknown) => readEighthWallTarget("a.json", new TextEncoder().encode(JSON.stringify(value)));
  const plain = (width: number, height: number): Image => ({
    width,
    height,
    data: Uint8Array.from({ length: 3 * width * height }, (_, i) => i & 255),
  });

  it("are read, with properties under either name and type under either word", () => {
    expect(read({ ...json, resources: { croppedImage: "a_cropped.png" } })).toEqual({
      name: "a",
      imagePath: json.imagePath,
      otherPaths: ["a_cropped.png"],
      crop: { left: 10, top: 20, width: 60, height: 80 },
      originalSize: [100, 120],
      isRotated: false,
    });
    expect(read({ ...json, type: "FLAT", properties: undefined, xrMetadata: properties }).crop.width).toBe(60);
  });

  it("give the part of the original, or the part as it is, turned back where it was turned", () => {
    const part = eighthWallPicture("a.json", read(json), plain(100, 120));
    expect([part.width, part.height, part.data[0]]).toEqual([60, 80, (3 * (20 * 100 + 10)) & 255]);
    expect(eighthWallPicture("a.json", read(json), plain(480, 640)).width).toBe(480);
    const turned = eighthWallPicture(
      "a.json",
      read({ ...json, properties: { ...properties, isRotated: true } }),
      plain(3, 4),
    );
    expect([turned.width, turned.height]).toEqual([4, 3]);
    // Turned clockwise, the upright picture's top left is the turned one's top right.
    expect(turned.data[0]).toBe(3 * 2);
  });

  it.each([
    [{ ...json, type: "CYLINDER" }, UnsupportedError, /curved target \(CYLINDER\); only flat pictures are tracked/],
    [{ ...json, type: "CONICAL" }, UnsupportedError, /curved/],
    [{ ...json, type: "SPHERE" }, FormatError, /"type" must be PLANAR or FLAT/],
    [{ ...json, imagePath: "" }, FormatError, /"imagePath" must be the path/],
    [{ ...json, properties: null }, FormatError, /"properties" must be an object/],
    [{ ...json, properties: { ...properties, width: "60" } }, FormatError, /"properties.width"/],
    [{ ...json, properties: { ...properties, left: 50 } }, FormatError, /leaves the picture/],
    [{ name: "x" }, FormatError, /no image target of 8th Wall/],
    [[1], FormatError, /no image target/],
  ])("%j is refused", (value, kind, message) => {
    expect(() => read(value)).toThrow(kind);
    expect(() => read(value)).toThrow(message);
  });

  it("refuse a picture of another shape", () => {
    expect(() => eighthWallPicture("a.json", read(json), plain(50, 50))).toThrow(/is 50×50; expected the shape 60×80/);
  });
});
