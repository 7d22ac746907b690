/** What loadImage takes, and what it refuses by its name. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Image } from "../../../src/image/image.js";
import { encodePng, type ImageSource, loadImage } from "../../../src/node/index.js";
import { drawTiff } from "./tiff.js";

const image: Image = { width: 3, height: 2, data: Uint8Array.from({ length: 18 }, (_, i) => 10 * i) };
let folder: string;
let png: Uint8Array<ArrayBuffer>;
let server: Server;
let origin: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-sources-"));
  png = new Uint8Array(await encodePng(image));
  await writeFile(join(folder, "ä #1%.png"), png);
  server = createServer((request, response) => {
    const known = request.url?.startsWith("/a.png") ?? false;
    response.writeHead(known ? 200 : 404).end(known ? png : "");
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const failure = (source: unknown): Promise<{ code: string; message: string }> =>
  loadImage(source as ImageSource).then(
    () => expect.fail("expected an error"),
    (error) => error,
  );

describe("loadImage takes", () => {
  it("paths, URLs and the bytes of a file in every form", async () => {
    const path = join(folder, "ä #1%.png");
    const padded = new Uint8Array(png.length + 8);
    padded.set(png, 5);
    const shared = new SharedArrayBuffer(png.length);
    new Uint8Array(shared).set(png);
    const base64 = Buffer.from(png).toString("base64");
    const sources: ImageSource[] = [
      path,
      pathToFileURL(path),
      new URL(`${origin}/a.png?secret`),
      new URL(`data:image/png;base64,${base64}`),
      new URL(`data:image/png;base64,${encodeURIComponent(base64)}`),
      new URL(`data:,${Array.from(png, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")}`),
      png,
      Buffer.from(png),
      padded.subarray(5, 5 + png.length),
      png.buffer,
      shared,
      new Uint8Array(shared),
      new DataView(padded.buffer, 5, png.length),
      new Blob([png]),
      new File([png], "a.png"),
    ];
    for (const source of sources) expect(await loadImage(source)).toEqual(image);
  });

  it("nothing else, and says what it expects", async () => {
    const others = [
      null,
      undefined,
      5,
      true,
      {},
      [1, 2],
      new Uint16Array(4),
      new Float32Array(4),
      new Uint8ClampedArray(4),
      image,
    ];
    for (const source of [...others, () => {}, new Date(0)]) {
      expect(await failure(source)).toMatchObject({
        code: "E_OPTION",
        message: expect.stringContaining("a path, a URL"),
      });
    }
    expect((await failure(image)).message).toMatch(/got pixels, which are an image already$/);
    for (const url of ["ftp://x/a.png", "blob:https://x/y"]) {
      expect(await failure(new URL(url))).toMatchObject({ code: "E_OPTION" });
    }
    for (const text of [pathToFileURL(join(folder, "x.png")).href, `${origin}/a.png`, "data:image/png;base64,AAAA"]) {
      expect(await failure(text)).toMatchObject({ code: "E_OPTION", message: expect.stringContaining("give new URL") });
    }
  });

  it("names what is missing, empty or no image", async () => {
    expect(await failure("")).toMatchObject({ code: "E_OPTION" });
    expect(await failure(pathToFileURL(join(folder, "no.png")))).toMatchObject({
      code: "E_IO",
      message: expect.stringContaining(join(folder, "no.png")),
    });
    expect(await failure(new URL(`${origin}/no.png?secret`))).toMatchObject({
      code: "E_IO",
      message: `cannot download ${origin}/no.png: there is no such file (status 404)`,
    });
    expect(await failure(new Blob([]))).toMatchObject({ code: "E_FORMAT", message: "image is empty" });
    expect((await failure(new File(["x"], "me.png"))).message).toMatch(/^me\.png: not an image/);
    expect((await failure(new URL("data:text/plain,hello"))).message).toMatch(/^data: URL: not an image/);
  });

  it("damage is a warning of the process where nobody listens, once", async () => {
    const emit = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    const cut = png.subarray(0, png.length - 12);
    for (let i = 0; i < 2; i++) await loadImage(cut, { name: "a\u001b.png" });
    expect(emit.mock.calls.map(([text]) => text)).toEqual([
      "a\\u001b.png: the PNG file is damaged: the end marker is missing",
    ]);
    emit.mockRestore();
  });
});

describe("loadImage refuses by name", () => {
  it.each<[string, string]>([
    ["BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "a BMP image"],
    ["\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC or HEIF image"],
    ["\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC or HEIF image"],
    ["\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "a camera's raw file"],
    ["II*\0\x10\0\0\0CR\x02\0", "a camera's raw file"],
    ["FUJIFILMCCD-RAW 0201", "a camera's raw file"],
    ["\xff\x0a\xfa\x7f", "a JPEG XL image"],
    ["\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"],
    ["\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"],
    ['<?xml version="1.0"?>\n<!-- c -->\n<svg xmlns="x">', "an SVG drawing"],
    ["%PDF-1.7", "a PDF or PostScript document"],
    ["8BPS\0\x01", "a Photoshop file"],
    ["\0\0\x01\0\x01\0\x20\x20", "an ICO icon"],
    ["v/1\x01", "an OpenEXR image"],
    ["#?RADIANCE\n", "a Radiance HDR image"],
    ["qoif\0\0", "a QOI image"],
    ["\0\0\0\x18ftypisom\0\0\0\0isommp42", "a video (MP4"],
    ["\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a QuickTime video"],
    ["\x1a\x45\xdf\xa3", "a Matroska or WebM video"],
    ["RIFF\0\0\0\0AVI LIST", "an AVI video"],
    ["PK\x03\x04", "a zip archive"],
    ["\ufeff<!DOCTYPE html><html>", "a web page"],
    ["version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"],
  ])("%j", async (start, what) => {
    const bytes = start.startsWith("\ufeff") ? Buffer.from(start) : Buffer.from(start, "latin1");
    const error = await failure(bytes);
    expect(error).toMatchObject({ code: "E_UNSUPPORTED", message: expect.stringContaining(`image: ${what}`) });
    expect(error.message).toMatch(/ is not read; .*(save|render|develop|unpack|download|fetch)/);
  });

  it("but takes no word for a file: texts that begin alike", async () => {
    for (const text of ["BMW builds cars", "hello", "<?xml version='1.0'?><note/>", "P", "II", "MM*"]) {
      expect(await failure(Buffer.from(text))).toMatchObject({
        code: "E_FORMAT",
        message: expect.stringMatching(/: not an image/),
      });
    }
  });

  it("sound TIFF files of kinds that are not read", async () => {
    const kinds: [Record<number, number[]>, string][] = [
      [{ 262: [8] }, "CIELAB"],
      [{ 262: [8], 258: [16, 16, 16] }, "CIELAB"],
      [{ 262: [9] }, "ICCLAB"],
      [{ 262: [32845], 259: [34676], 258: [16, 16, 16] }, "LogLuv"],
      [{ 262: [1], 258: [12] }, "12 bits"],
      [{ 258: [5, 6, 5] }, "5, 6, 5 bits"],
      [{ 259: [50000] }, "Zstandard"],
      [{ 259: [34712] }, "JPEG 2000"],
      [{ 259: [12345] }, "method 12345"],
      [{ 262: [1], 258: [64], 339: [6] }, "complex"],
      [{ 50706: [1] }, "camera's raw"],
      [{ 262: [32803], 258: [16] }, "camera's raw"],
      [{ 254: [1], 330: [8] }, "camera's raw"],
    ];
    for (const [tags, word] of kinds) {
      expect(await failure(drawTiff(tags))).toMatchObject({
        code: "E_UNSUPPORTED",
        message: expect.stringContaining(word),
      });
    }
    expect((await loadImage(drawTiff())).width).toBe(16);
    expect((await loadImage(drawTiff({ 254: [1] }))).height).toBe(12);
    expect((await loadImage(drawTiff({ 262: [1], 258: [4] }))).width).toBe(16);
    expect(await failure(drawTiff().subarray(0, 60))).toMatchObject({
      code: "E_FORMAT",
      message: expect.stringContaining("truncated or damaged"),
    });
  });
});
