import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FormatError, IoError, LimitError, OptionError, StrataError, UnsupportedError } from "../../../src/errors.js";
import { checkImage, type Image } from "../../../src/image/image.js";
import { encodeJpeg, encodePng, loadImage, renderSvg, saveImage } from "../../../src/node/images.js";
import { Random } from "../../../src/random.js";
import { mutate } from "../../fuzz.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-images-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Four flat quadrants (red, green / blue, white), which every lossy format keeps in their middles. */
const COLOURS = [
  [230, 30, 20],
  [20, 200, 40],
  [30, 40, 220],
  [250, 250, 250],
];
const W = 48;
const H = 32;
const quadrants: Image = { width: W, height: H, data: new Uint8Array(3 * W * H) };
for (let y = 0; y < H; y++) {
  for (let x = 0; x < W; x++) quadrants.data.set(COLOURS[(x < W / 2 ? 0 : 1) + (y < H / 2 ? 0 : 2)], 3 * (y * W + x));
}
const raw = (channels: 1 | 2 | 3 | 4 = 3, width = W, height = H) => ({ raw: { width, height, channels } });
const drawn = () => sharp(quadrants.data, raw());
const pixel = ({ width, data }: Image, x: number, y: number) => [...data.subarray(3 * (y * width + x)).subarray(0, 3)];
/** The colours in the middles of the four quarters. */
const middles = (image: Image) =>
  [1, 3].flatMap((v) => [1, 3].map((u) => pixel(image, (image.width * u) >> 2, (image.height * v) >> 2)));
const distance = (a: number[][], b: number[][]) => Math.max(...a.flat().map((v, i) => Math.abs(v - b.flat()[i])));
/** The error that a promise ends with. */
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => expect.fail("expected an error"),
    (error: Error) => error,
  );

describe("loadImage: formats", () => {
  it.each<[string, () => Promise<Uint8Array>, number]>([
    ["PNG", () => drawn().png().toBuffer(), 0],
    ["interlaced PNG", () => drawn().png({ progressive: true }).toBuffer(), 0],
    ["palette PNG", () => drawn().png({ palette: true }).toBuffer(), 2],
    ["JPEG", () => drawn().jpeg({ quality: 95 }).toBuffer(), 4],
    ["progressive JPEG", () => drawn().jpeg({ progressive: true, quality: 95 }).toBuffer(), 4],
    ["WebP", () => drawn().webp({ quality: 95 }).toBuffer(), 6],
    ["lossless WebP", () => drawn().webp({ lossless: true }).toBuffer(), 0],
    ["AVIF", () => drawn().avif({ quality: 90 }).toBuffer(), 8],
    ["TIFF", () => drawn().tiff({ compression: "none" }).toBuffer(), 0],
    ["deflated TIFF", () => drawn().tiff({ compression: "deflate", tile: true }).toBuffer(), 0],
    ["GIF", () => drawn().gif().toBuffer(), 4],
    ["PPM", async () => Buffer.concat([Buffer.from(`P6 ${W} ${H} 255\n`), quadrants.data]), 0],
  ])("%s", async (name, encode, tolerance) => {
    const bytes = await encode();
    const image = checkImage(name, await loadImage(bytes));
    expect([image.width, image.height]).toEqual([W, H]);
    expect(distance(middles(image), COLOURS)).toBeLessThanOrEqual(tolerance);
    const path = join(folder, `${name}.bin`); // the ending does not matter, the bytes do
    await writeFile(path, bytes);
    expect(await loadImage(path)).toEqual(image);
  });

  it("the first frame of an animation, the first page of a TIFF", async () => {
    const frames = Buffer.concat([quadrants.data, new Uint8Array(3 * W * H)]);
    const two = sharp(frames, { raw: { width: W, height: 2 * H, channels: 3, pageHeight: H } });
    const file = await two.gif({ delay: [10, 10], loop: 0 }).toBuffer();
    expect((await sharp(file).metadata()).pages).toBe(2);
    const image = await loadImage(file);
    expect([image.width, image.height]).toEqual([W, H]);
    expect(distance(middles(image), COLOURS)).toBeLessThanOrEqual(4);
  });

  it("one pixel", async () => {
    for (const format of ["png", "webp", "tiff", "gif"] as const) {
      const bytes = await sharp(new Uint8Array([10, 20, 30]), raw(3, 1, 1))
        .toFormat(format, { lossless: true })
        .toBuffer();
      const image = await loadImage(bytes);
      expect([image.width, image.height, image.data.length]).toEqual([1, 1, 3]);
      if (format === "png") expect([...image.data]).toEqual([10, 20, 30]);
    }
  });
});

describe("loadImage: kinds of pixels", () => {
  const png = (data: Uint8Array | Uint16Array, channels: 1 | 2 | 3 | 4, space: string) =>
    sharp(data, raw(channels, data.length / channels, 1))
      .toColourspace(space)
      .png()
      .toBuffer();

  it("grey is repeated", async () => {
    const { data } = await loadImage(await png(new Uint8Array([0, 99, 255]), 1, "b-w"));
    expect([...data]).toEqual([0, 0, 0, 99, 99, 99, 255, 255, 255]);
  });

  it("transparency is laid on white", async () => {
    const grey = await png(new Uint8Array([0, 0, 100, 128, 200, 255]), 2, "b-w");
    expect((await sharp(grey).metadata()).channels).toBe(2);
    expect([...(await loadImage(grey)).data]).toEqual([255, 255, 255, 177, 177, 177, 200, 200, 200]);
    const colour = await png(new Uint8Array([255, 0, 0, 255, 9, 9, 9, 0]), 4, "srgb");
    expect([...(await loadImage(colour)).data]).toEqual([255, 0, 0, 255, 255, 255]);
  });

  it("16 bits are rounded, as in a PGM of 16 bits", async () => {
    const values = [0, 128, 129, 385, 386, 32767, 32768, 65406, 65407, 65535, 1000, 2000];
    const rounded = values.map((value) => Math.round(value / 257));
    const colour = await png(Uint16Array.from(values), 3, "rgb16");
    const grey = await png(Uint16Array.from(values), 1, "grey16");
    for (const file of [colour, grey]) expect((await sharp(file).metadata()).depth).toBe("ushort");
    expect([...(await loadImage(colour)).data]).toEqual(rounded);
    expect([...(await loadImage(grey)).data].filter((_, i) => i % 3 === 0)).toEqual(rounded);
    const pgm = Buffer.concat([
      Buffer.from(`P5 ${values.length} 1 65535\n`),
      Uint8Array.from(values.flatMap((value) => [value >> 8, value & 255])),
    ]);
    expect(await loadImage(pgm)).toEqual(await loadImage(grey));
    const alpha = await png(Uint16Array.from([65535, 0, 0, 65535, 0, 0, 0, 0]), 4, "rgb16");
    expect([...(await loadImage(alpha)).data]).toEqual([255, 0, 0, 255, 255, 255]);
  });

  it.each(["jpeg", "tiff"] as const)("CMYK %s becomes RGB", async (format) => {
    const file = await drawn().toColourspace("cmyk")[format]().toBuffer();
    expect((await sharp(file).metadata()).space).toBe("cmyk");
    const [red, green, blue, white] = middles(await loadImage(file));
    expect(red[0] - Math.max(red[1], red[2])).toBeGreaterThan(100);
    expect(green[1] - Math.max(green[0], green[2])).toBeGreaterThan(60);
    expect(blue[2] - Math.max(blue[0], blue[1])).toBeGreaterThan(60);
    expect(Math.min(...white)).toBeGreaterThan(240);
  });

  it.each([8, 16] as const)("a colour profile is applied, %i bits", async (bits) => {
    const space = bits === 8 ? "srgb" : "rgb16";
    const file = await drawn().toColourspace(space).withIccProfile("p3").png().toBuffer();
    const stored = await sharp(file, { ignoreIcc: true } as object)
      .raw()
      .toBuffer();
    expect((await sharp(file).metadata()).hasProfile).toBe(true);
    // The file's own numbers are Display P3; read back they are the sRGB colours that went in.
    expect(distance([[...stored.subarray(0, 3)]], [COLOURS[0]])).toBeGreaterThan(10);
    expect(distance(middles(await loadImage(file)), COLOURS)).toBeLessThanOrEqual(4);
  });

  it("other kinds of samples are refused by name", async () => {
    const float = await sharp(quadrants.data, raw()).toColourspace("scrgb").tiff({ compression: "none" }).toBuffer();
    const { depth } = await sharp(float).metadata();
    if (depth === "float") expect(await failure(loadImage(float))).toBeInstanceOf(UnsupportedError);
    else expect(distance(middles(await loadImage(float)), COLOURS)).toBeLessThanOrEqual(2);
  });
});

describe("loadImage: EXIF orientation", () => {
  /** Where the corner pixel that was seen at the top left and the one right of it lie in the stored 3×2 image. */
  const seen = [
    [1, 2, 3, 4, 5, 6],
    [3, 2, 1, 6, 5, 4],
    [6, 5, 4, 3, 2, 1],
    [4, 5, 6, 1, 2, 3],
    [1, 4, 2, 5, 3, 6],
    [4, 1, 5, 2, 6, 3],
    [6, 3, 5, 2, 4, 1],
    [3, 6, 2, 5, 1, 4],
  ];
  const stored = Uint8Array.from([1, 2, 3, 4, 5, 6].flatMap((n) => [40 * n, 40 * n, 40 * n]));

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("%i", async (orientation) => {
    for (const format of ["png", "tiff", "webp"] as const) {
      const image = sharp(stored, raw(3, 3, 2)).withMetadata({ orientation });
      const file = await (format === "tiff"
        ? image.tiff({ compression: "none" })
        : image[format]({ lossless: true } as object)
      ).toBuffer();
      expect((await sharp(file).metadata()).orientation).toBe(orientation);
      const upright = await loadImage(file);
      expect([upright.width, upright.height], format).toEqual(orientation > 4 ? [2, 3] : [3, 2]);
      const numbers = [...upright.data].filter((_, i) => i % 3 === 0).map((value) => Math.round(value / 40));
      expect(numbers, format).toEqual(seen[orientation - 1]);
      const asStored = await loadImage(file, { orientation: false });
      expect([...asStored.data]).toEqual([...stored]);
    }
    const jpeg = await drawn().withMetadata({ orientation }).jpeg({ quality: 95 }).toBuffer();
    const upright = await loadImage(jpeg);
    expect(upright.width).toBe(orientation > 4 ? H : W);
    const order = [
      [0, 1, 2, 3],
      [1, 0, 3, 2],
      [3, 2, 1, 0],
      [2, 3, 0, 1],
      [0, 2, 1, 3],
      [2, 0, 3, 1],
      [3, 1, 2, 0],
      [1, 3, 0, 2],
    ];
    expect(
      distance(
        middles(upright),
        order[orientation - 1].map((i) => COLOURS[i]),
      ),
    ).toBeLessThanOrEqual(4);
  });
});

describe("loadImage: what is no image", () => {
  it("a missing file, a folder, an empty file", async () => {
    const missing = join(folder, "missing.jpg");
    expect(await failure(loadImage(missing))).toBeInstanceOf(IoError);
    expect((await failure(loadImage(missing))).message).toContain(missing);
    expect(await failure(loadImage(folder))).toMatchObject({ code: "E_IO", message: expect.stringContaining(folder) });
    const empty = join(folder, "empty.png");
    await writeFile(empty, "");
    expect(await failure(loadImage(empty))).toMatchObject({ code: "E_FORMAT", message: `${empty} is empty` });
    expect(await failure(loadImage(new Uint8Array(0)))).toMatchObject({ message: "image is empty" });
  });

  it.each<[string, string | Uint8Array, string]>([
    ["text", "hello world", "E_FORMAT"],
    ["SVG", '<svg xmlns="http://www.w3.org/2000/svg" width="5" height="5"/>', "E_UNSUPPORTED"],
    ["PDF", "%PDF-1.7", "E_UNSUPPORTED"],
    ["one byte", "P", "E_FORMAT"],
    ["a JPEG's first bytes", Uint8Array.of(0xff, 0xd8, 0xff), "E_FORMAT"],
    ["a PNG's first bytes", Uint8Array.of(0x89, 80, 78, 71, 13, 10, 26, 10), "E_FORMAT"],
    ["a TIFF without a directory", "II*\0\xff\xff\xff\xff", "E_FORMAT"],
    ["HEIC", "\0\0\0\x18ftypheic\0\0\0\0mif1heic", "E_UNSUPPORTED"],
    ["a video", "\0\0\0\x18ftypisom\0\0\0\0isommp42", "E_UNSUPPORTED"],
    ["a bitmap PBM", "P4 8 1 x", "E_UNSUPPORTED"],
    ["a PPM that ends early", "P6 8 8 255\nabc", "E_FORMAT"],
  ])("%s", async (_, content, code) => {
    const path = join(folder, "x.jpg");
    await writeFile(path, typeof content === "string" ? Buffer.from(content, "latin1") : content);
    const error = await failure(loadImage(path));
    expect(error).toBeInstanceOf(StrataError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(path) });
    expect(error.message).not.toMatch(/vips|libpng|Input buffer|\n/i);
  });

  it.each(["jpeg", "png", "webp", "avif", "tiff", "gif"] as const)("a truncated %s", async (format) => {
    const noise = Uint8Array.from({ length: 3 * 100 * 80 }, (_, i) => (i * i * 31) % 251);
    const whole = await sharp(noise, raw(3, 100, 80))
      .toFormat(format)
      .toBuffer();
    for (const part of [0.02, 0.1, 0.3, 0.5, 0.7, 0.9]) {
      const error = await failure(loadImage(whole.subarray(0, Math.floor(part * whole.length)), { name: "cut" }));
      expect(error, `${part}`).toBeInstanceOf(FormatError);
      expect(error.message).toMatch(/^cut: (cannot be decoded as .*; the file is truncated or damaged|not an image)/);
    }
  });

  it("absurd sizes, before decoding", async () => {
    const png = Buffer.from(await drawn().png().toBuffer());
    png.writeUInt32BE(200_000, 16);
    png.writeUInt32BE(200_000, 20);
    // libpng wants the header's checksum to fit.
    let crc = -1;
    for (const byte of png.subarray(12, 29)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    }
    png.writeInt32BE(~crc, 29);
    expect(await failure(loadImage(png))).toMatchObject({
      code: "E_LIMIT",
      message: expect.stringContaining("200000×200000"),
    });
    const whole = await drawn().webp().toBuffer();
    expect(await failure(loadImage(whole, { pixelLimit: W * H - 1 }))).toBeInstanceOf(LimitError);
    expect((await loadImage(whole, { pixelLimit: W * H })).width).toBe(W);
  });

  it("wrong options", async () => {
    expect(await failure(loadImage("x.png", { pixels: 5 } as object))).toBeInstanceOf(OptionError);
    expect(await failure(loadImage("x.png", { pixelLimit: -1 }))).toBeInstanceOf(OptionError);
  });

  it("damaged files give an image or a StrataError", async () => {
    const random = new Random(7);
    for (const format of ["jpeg", "png", "webp", "tiff", "gif"] as const) {
      const whole = await drawn().toFormat(format).toBuffer();
      for (let round = 0; round < 40; round++) {
        const damaged = mutate(new Uint8Array(whole), random);
        try {
          checkImage(format, await loadImage(damaged, { pixelLimit: 1e6 }));
        } catch (error) {
          expect(error, `${format}, round ${round}`).toBeInstanceOf(StrataError);
        }
      }
    }
  });
});

describe("writing", () => {
  it("PNG is exact, JPEG near, by the path's ending", async () => {
    expect(await loadImage(await encodePng(quadrants))).toEqual(quadrants);
    expect(distance(middles(await loadImage(await encodeJpeg(quadrants))), COLOURS)).toBeLessThanOrEqual(6);
    expect((await encodeJpeg(quadrants, 30)).length).toBeLessThan((await encodeJpeg(quadrants, 100)).length);
    for (const name of ["a.png", "b.JPG", "c.jpeg"]) {
      await saveImage(join(folder, name), quadrants);
      expect((await loadImage(join(folder, name))).width).toBe(W);
    }
    expect(await failure(saveImage(join(folder, "a.bmp"), quadrants))).toBeInstanceOf(OptionError);
    expect(await failure(saveImage(join(folder, "no/such/a.png"), quadrants))).toBeInstanceOf(IoError);
    expect(() => encodeJpeg(quadrants, 0)).toThrow(OptionError);
    expect((await failure(encodePng({ ...quadrants, width: 7 }))).name).toBe("ShapeError");
    const long = { width: 70_000, height: 1, data: new Uint8Array(210_000) };
    expect(await failure(encodeJpeg(long))).toBeInstanceOf(LimitError);
  });

  it("SVG with images inside is drawn, also above libxml's limits", async () => {
    await mkdir(folder, { recursive: true });
    const embed = (bytes: Uint8Array) => `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`;
    const svg = (href: string) =>
      `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><rect width="60" height="40" fill="#102030"/>` +
      `<image href="${href}" x="6" y="4" width="${W}" height="${H}"/></svg>`;
    const image = await loadImage(await renderSvg(svg(embed(await encodePng(quadrants)))));
    expect([image.width, image.height]).toEqual([60, 40]);
    expect(pixel(image, 2, 2)).toEqual([0x10, 0x20, 0x30]);
    expect([pixel(image, 12, 10), pixel(image, 48, 30)]).toEqual([COLOURS[0], COLOURS[3]]);

    const random = new Random(1);
    const noise = { width: 2100, height: 2000, data: Uint8Array.from({ length: 12_600_000 }, () => random.uint32()) };
    noise.data.set(quadrants.data.subarray(0, 3));
    const large = embed(await encodePng(noise));
    expect(large.length).toBeGreaterThan(12e6);
    const drawnLarge = await loadImage(await renderSvg(svg(large)));
    expect(pixel(drawnLarge, 30, 20)).not.toEqual([0x10, 0x20, 0x30]);
    expect(await failure(renderSvg("<svg"))).toBeInstanceOf(FormatError);
  });
});
