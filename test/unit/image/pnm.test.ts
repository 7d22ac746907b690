import { describe, expect, it } from "vitest";
import { FormatError, LimitError, OptionError, ShapeError, UnsupportedError } from "../../../src/errors.js";
import { checkImage } from "../../../src/image/image.js";
import { isPnm, readPnm } from "../../../src/image/pnm.js";
import { fuzz } from "../../fuzz.js";

const bytes = (header: string, ...samples: number[]) =>
  Uint8Array.from([...Array.from(header, (letter) => letter.charCodeAt(0)), ...samples]);
const pixels = (header: string, ...samples: number[]) => [...readPnm(bytes(header, ...samples)).data];

describe("readPnm", () => {
  it.each<[string, Uint8Array, [number, number], number[]]>([
    ["P6", bytes("P6\n2 1\n255\n", 1, 2, 3, 250, 251, 252), [2, 1], [1, 2, 3, 250, 251, 252]],
    ["P5", bytes("P5 1 2 255\n", 7, 200), [1, 2], [7, 7, 7, 200, 200, 200]],
    ["P3", bytes("P3\n1 2 255\n1 2 3\n4 5 6\n"), [1, 2], [1, 2, 3, 4, 5, 6]],
    ["P2", bytes("P2 2 1 255 9 10"), [2, 1], [9, 9, 9, 10, 10, 10]],
    ["P6 of 16 bits", bytes("P6 1 1 65535\n", 0, 0, 0x80, 0, 255, 255), [1, 1], [0, 128, 255]],
    ["P5 of 16 bits", bytes("P5 2 1 1000\n", 1, 0xf4, 3, 0xe8), [2, 1], [128, 128, 128, 255, 255, 255]],
    ["P2 of 16 bits", bytes("P2 1 1 65535 65535"), [1, 1], [255, 255, 255]],
    ["two levels", bytes("P5 2 1 1\n", 0, 1), [2, 1], [0, 0, 0, 255, 255, 255]],
    ["comments", bytes("P5#a\n# b\r\n1 # c\n 1#d\n255\n", 35), [1, 1], [35, 35, 35]],
    ["a comment that ends the header", bytes("P5 1 1 255# end\n", 9), [1, 1], [9, 9, 9]],
    ["comments between samples", bytes("P2 2 1 255 1 # one\n 2"), [2, 1], [1, 1, 1, 2, 2, 2]],
    ["any white space", bytes("P6\t1\r\n1\v255\f", 1, 2, 3), [1, 1], [1, 2, 3]],
    ["a sample that looks like white space", bytes("P5 1 1 255\n", 10), [1, 1], [10, 10, 10]],
    ["the first of several images", bytes("P5 1 1 255\n", 1, 80, 53), [1, 1], [1, 1, 1]],
    ["leading zeros", bytes("P2 01 1 0255 007"), [1, 1], [7, 7, 7]],
  ])("reads %s", (_, file, [width, height], data) => {
    expect(readPnm(file)).toEqual({ width, height, data: Uint8Array.from(data) });
  });

  it("scales by rounding v·255/maxval, for every value and several maxvals", () => {
    for (const maxval of [1, 2, 3, 15, 100, 254]) {
      const values = Array.from({ length: maxval + 1 }, (_, v) => v);
      const got = pixels(`P5 ${maxval + 1} 1 ${maxval}\n`, ...values).filter((_, i) => i % 3 === 0);
      expect(got).toEqual(values.map((v) => Math.round((v * 255) / maxval)));
    }
    for (const v of [0, 128, 129, 385, 386, 32767, 32768, 65406, 65407, 65535]) {
      expect(pixels("P5 1 1 65535\n", v >> 8, v & 255)[0]).toBe(Math.round(v / 257));
    }
  });

  it("copies: neither a Buffer nor its pool is kept", () => {
    const source = Buffer.from(bytes("P6 1 1 255\n", 1, 2, 3));
    const image = readPnm(source);
    source.fill(0);
    expect([...image.data]).toEqual([1, 2, 3]);
    expect(image.data.buffer.byteLength).toBe(3);
  });

  it.each<[string, Uint8Array]>([
    ["nothing", bytes("")],
    ["only a magic number", bytes("P6\n")],
    ["another format", bytes("\x89PNG\r\n")],
    ["P8", bytes("P8\n1 1 255\n", 1)],
    ["no height", bytes("P5 1")],
    ["a negative size", bytes("P5 -1 1 255\n", 1)],
    ["a size of 0", bytes("P5 0 1 255\n")],
    ["maxval 0", bytes("P5 1 1 0\n", 0)],
    ["maxval 65536", bytes("P5 1 1 65536\n", 0, 0)],
    ["letters", bytes("P5 x 1 255\n", 1)],
    ["a number that runs into letters", bytes("P5 1 1 255x", 1)],
    ["truncated P6", bytes("P6 2 2 255\n", 1, 2, 3)],
    ["truncated 16 bits", bytes("P5 1 1 65535\n", 1)],
    ["truncated P2", bytes("P2 3 1 255 1 2")],
    ["P2 that ends in white space", bytes("P2 3 1 255 1 2     ")],
    ["a sample above maxval", bytes("P5 1 1 100\n", 101)],
    ["a text sample above maxval", bytes("P2 1 1 100 101")],
    ["a text sample that is negative", bytes("P2 2 1 100 -1 7")],
  ])("refuses %s", (_, file) => {
    expect(() => readPnm(file)).toThrow(FormatError);
  });

  it("refuses bitmaps and PAM by name", () => {
    for (const kind of [1, 4, 7]) {
      expect(() => readPnm(bytes(`P${kind}\n1 1\n1`), { name: "scan.pbm" })).toThrow(UnsupportedError);
      expect(() => readPnm(bytes(`P${kind}\n1 1\n1`), { name: "scan.pbm" })).toThrow(`scan.pbm: P${kind}`);
    }
  });

  it("refuses absurd sizes before allocating, and keeps to the pixel limit", () => {
    expect(() => readPnm(bytes("P6 2147483647 2147483647 255\n"))).toThrow(LimitError);
    expect(() => readPnm(bytes("P6 99999999999999999999 1 255\n"))).toThrow(FormatError);
    expect(() => readPnm(bytes("P6 10000 10000 255\n"))).toThrow(/truncated: 10000×10000 needs 300000000 bytes/);
    const four = bytes("P5 2 2 255\n", 1, 2, 3, 4);
    expect(() => readPnm(four, { pixelLimit: 3 })).toThrow(LimitError);
    expect(readPnm(four, { pixelLimit: 4 }).width).toBe(2);
    expect(() => readPnm(four, { pixelLimit: 0 })).toThrow(OptionError);
    expect(() => readPnm(four, { limit: 4 } as object)).toThrow(OptionError);
  });

  it("tells any-maps from other files", () => {
    expect(isPnm(bytes("P6\n"))).toBe(true);
    expect(isPnm(bytes("P5#"))).toBe(true);
    for (const other of ["", "P", "P6", "P0 ", "P8 ", "PNG", "p6 "]) expect(isPnm(bytes(other))).toBe(false);
  });

  it("gives an image or a StrataError for damaged files", async () => {
    const check = (image: ReturnType<typeof readPnm>) => void checkImage("fuzz", image);
    const text = bytes(`P3 4 4 255\n${Array.from({ length: 48 }, (_, i) => i).join(" ")}`);
    const raw = bytes("P5 8 8 65535\n", ...Array(128).fill(17));
    for (const file of [text, raw]) {
      const counts = await fuzz(file, (damaged) => readPnm(damaged), check, { rounds: 500 });
      expect(counts.read).toBeGreaterThan(20);
      expect(counts.refused).toBeGreaterThan(20);
    }
    expect(() => checkImage("x", { width: 1, height: 1, data: new Uint8Array(2) })).toThrow(ShapeError);
  });
});
