/** Damaged files: what can be shown is read with a warning, the rest is an error; and files that are whole give no warning. */
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { FormatError, type StrataError, UnsupportedError } from "../../../src/errors.js";
import { checkJpeg } from "../../../src/image/jpeg-check.js";
import { loadImage } from "../../../src/node/images.js";
import { Random } from "../../../src/random.js";

const W = 160;
const H = 120;
const random = new Random(3);
const pixels = Uint8Array.from(
  { length: 3 * W * H },
  (_, i) => 128 + 60 * Math.sin(i / 99) + 40 * Math.cos(i / (7 * W)) + 25 * random.uniform(),
);
const drawn = (width = W, height = H) =>
  sharp(pixels.subarray(0, 3 * width * height), { raw: { width, height, channels: 3 } });

async function read(bytes: Uint8Array) {
  const warnings: string[] = [];
  const image = await loadImage(bytes, { name: "x", onWarning: (text) => warnings.push(text) }).catch(
    (error: unknown) => error as StrataError,
  );
  return { image: image instanceof Error ? null : image, error: image instanceof Error ? image : null, warnings };
}
const cut = (bytes: Uint8Array, length: number) => bytes.subarray(0, bytes.length - length);
function wrong(bytes: Uint8Array, part: number, count = 20): Uint8Array {
  const damaged = new Uint8Array(bytes);
  for (let i = 0; i < count; i++) damaged[Math.floor(part * bytes.length) + i] ^= 0x5a + i;
  return damaged;
}

let jpeg: Uint8Array;
let progressive: Uint8Array;
let png: Uint8Array;
let grey: Buffer;
beforeAll(async () => {
  jpeg = await drawn().jpeg().toBuffer();
  progressive = await drawn().jpeg({ progressive: true }).toBuffer();
  png = await drawn().png().toBuffer();
  grey = await drawn().toColourspace("b-w").jpeg({ optimizeCoding: false }).toBuffer();
});

describe("a JPEG that is whole gives no warning", () => {
  it.each([
    {},
    { progressive: true },
    { chromaSubsampling: "4:4:4" },
    { quality: 100 },
    { quality: 2 },
    { mozjpeg: true },
  ])("%o", async (options) => {
    for (const [width, height] of [
      [W, H],
      [157, 113],
      [1, 1],
      [9, 17],
    ]) {
      const bytes = await drawn(width, height).jpeg(options).toBuffer();
      expect(checkJpeg(bytes)).toEqual({ ended: true, damaged: false, missing: 0, unsupported: null });
      expect((await read(bytes)).warnings).toEqual([]);
    }
  });

  it("grey, CMYK, with restarts, and with what cameras put behind it", async () => {
    const files = [
      grey,
      await drawn().toColourspace("cmyk").jpeg().toBuffer(),
      withRestarts(grey),
      Buffer.concat([jpeg, Buffer.from("a second picture, a thumbnail, …")]),
      Buffer.concat([cut(jpeg, 2), Buffer.alloc(7), Buffer.from([0xff, 0xd9])]),
    ];
    for (const bytes of files) {
      const { image, warnings } = await read(bytes);
      expect([image === null, warnings]).toEqual([false, []]);
    }
  });
});

/** A grey JPEG whose flat blocks all are followed by a restart: its own data is replaced by that of one block each. */
function withRestarts(bytes: Buffer): Uint8Array {
  const scan = bytes.indexOf(Buffer.from([0xff, 0xda]));
  const header = bytes.subarray(0, scan);
  const start = bytes.subarray(scan, scan + 2 + bytes.readUInt16BE(scan + 2));
  const blocks = Math.ceil(W / 8) * Math.ceil(H / 8);
  // In the usual tables DC 0 is 00 and the end of a block 1010; ones fill the byte.
  const data = Array.from({ length: blocks }, (_, i) => [
    0b00101011,
    ...(i < blocks - 1 ? [0xff, 0xd0 + (i % 8)] : []),
  ]);
  return Buffer.concat([
    header,
    Buffer.from([0xff, 0xdd, 0, 4, 0, 1]),
    start,
    Buffer.from(data.flat()),
    Buffer.from([0xff, 0xd9]),
  ]);
}

describe("a JPEG without its end", () => {
  it("has every pixel and is read with a warning", async () => {
    for (const whole of [jpeg, progressive]) {
      for (const length of [1, 2]) {
        const { image, warnings } = await read(cut(whole, length));
        expect(image).toEqual((await read(whole)).image);
        expect(warnings).toEqual(["x: the JPEG file is damaged: the end marker is missing"]);
      }
    }
  });

  it("that lacks a few pixels says how many; one that lacks more is an error", async () => {
    const { image, warnings } = await read(cut(jpeg, 20));
    expect(image?.data.subarray(0, W * 60)).toEqual((await read(jpeg)).image?.data.subarray(0, W * 60));
    expect(warnings).toEqual([
      expect.stringMatching(/^x: the JPEG file is damaged: \d(\.\d)? % of its pixels are missing and grey$/),
    ]);
    for (const part of [0.05, 0.3, 0.6, 0.9]) {
      const { error } = await read(jpeg.subarray(0, Math.floor(part * jpeg.length)));
      expect(error).toBeInstanceOf(FormatError);
      expect(error?.message).toMatch(/^x: cannot be decoded as JPEG; the file is truncated or damaged/);
    }
    expect((await read(jpeg.subarray(0, jpeg.length / 2))).error?.message).toMatch(
      /; \d\d % of its pixels are missing$/,
    );
  });

  it("whose scans are not all there is an error", async () => {
    expect((await read(progressive.subarray(0, progressive.length / 2))).error).toBeInstanceOf(FormatError);
  });
});

describe("a JPEG with wrong bytes in its data", () => {
  it("is read with a warning: codes that are none, or that end before the data does", async () => {
    let told = 0;
    for (let k = 0; k < 20; k++) {
      const { image, error, warnings } = await read(wrong(jpeg, 0.3 + 0.03 * k));
      expect(error === null || error instanceof FormatError).toBe(true);
      if (image) expect([image.width, image.height]).toEqual([W, H]);
      if (error || warnings.length === 1) told++;
    }
    // What is still made of codes that fit cannot be seen.
    expect(told).toBeGreaterThan(14);
    const { warnings } = await read(wrong(jpeg, 0.6));
    expect(warnings).toEqual([
      "x: the JPEG file is damaged: there are wrong bytes in its data, so parts of the picture may be wrong",
    ]);
  });

  it("tells in which of its restarts something is wrong or missing", () => {
    const whole = withRestarts(grey);
    const at = whole.length - 200;
    expect(checkJpeg(whole)).toMatchObject({ damaged: false, missing: 0 });
    // A block and its restart marker are three bytes.
    const shorter = Buffer.concat([whole.subarray(0, at), whole.subarray(at + 3)]);
    expect(checkJpeg(shorter)?.missing).toBeCloseTo(1 / 300);
    const longer = Buffer.concat([whole.subarray(0, at), whole.subarray(at - 3)]);
    expect(checkJpeg(longer)).toMatchObject({ damaged: true, missing: 0 });
  });
});

it("kinds of JPEG that decoders do not read are called unsupported", async () => {
  const at = 1 + Buffer.from(jpeg).indexOf(Buffer.from([0xff, 0xc0]));
  for (const [marker, word] of [
    [0xc3, "lossless"],
    [0xc9, "arithmetic-coded"],
    [0xc5, "hierarchical"],
  ] as const) {
    const other = new Uint8Array(jpeg);
    other[at] = marker;
    expect((await read(other)).error).toMatchObject({ code: "E_UNSUPPORTED", message: expect.stringContaining(word) });
  }
  const deep = new Uint8Array(jpeg);
  deep[at + 3] = 12;
  expect((await read(deep)).error).toBeInstanceOf(UnsupportedError);
});

describe("PNG and GIF follow the same rule", () => {
  it("a PNG without its end, and with few rows or many missing", async () => {
    const whole = (await read(png)).image;
    for (const length of [1, 12]) {
      const { image, warnings } = await read(cut(png, length));
      expect(image).toEqual(whole);
      expect(warnings).toEqual(["x: the PNG file is damaged: the end marker is missing"]);
    }
    // Decoders read by the piece: of a larger one less is lost.
    const large = await drawn().resize(640, 480).png({ compressionLevel: 0 }).toBuffer();
    const few = await read(cut(large, 20_000));
    expect(few.warnings).toEqual([
      expect.stringMatching(
        /: the end marker is missing; .* cannot be read to the end; \d(\.\d)? % of its pixels are missing$/,
      ),
    ]);
    expect(few.image?.data.subarray(0, 640 * 400)).toEqual((await read(large)).image?.data.subarray(0, 640 * 400));
    expect((await read(cut(large, 90_000))).error?.message).toMatch(/; \d\d % of its pixels are missing$/);
    expect((await read(wrong(png, 0.5))).error).toBeInstanceOf(FormatError);
    expect((await read(Buffer.concat([png, Buffer.from("more")]))).warnings).toEqual([]);
  });

  it("a GIF without its end", async () => {
    const gif = await drawn().gif().toBuffer();
    expect((await read(gif)).warnings).toEqual([]);
    expect((await read(cut(gif, 12))).warnings).toHaveLength(1);
    expect((await read(gif.subarray(0, gif.length / 2))).error).toBeInstanceOf(FormatError);
  });
});

it("damaged files are read the same way each time", async () => {
  for (const bytes of [cut(jpeg, 20), wrong(jpeg, 0.6), cut(png, 12)]) {
    expect((await read(bytes)).image).toEqual((await read(bytes)).image);
  }
});

it("any damage gives an image, with or without a warning, or an error of ours", () => {
  for (const whole of [jpeg, progressive]) {
    for (let round = 0; round < 300; round++) {
      const damaged = new Uint8Array(whole);
      for (let i = 0; i < 3; i++) damaged[random.integer(whole.length)] = random.integer(256);
      const state = checkJpeg(damaged.subarray(0, random.integer(whole.length) + 1));
      if (state) expect(state.missing >= 0 && state.missing <= 1).toBe(true);
    }
  }
});
