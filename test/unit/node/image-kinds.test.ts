import { expect, it } from "vitest";
import { describePassedOver, isImageName, passedOverKind } from "../../../src/node/image-kinds.js";

it("knows images by their endings, in any case", () => {
  for (const name of ["a.png", "A.JPEG", "b.jfif", "c.TIF", "d.e.webp", "x/y.ppm"])
    expect(isImageName(name), name).toBe(true);
  for (const name of ["png", "a.png.npz", "a.heic", "a.pn g", "a."]) expect(isImageName(name), name).toBe(false);
});

it("names what is passed over, but nothing hidden and nothing that nobody takes for a photograph", () => {
  const kinds = [
    "IMG.HEIC",
    "a.heif",
    "a.Bmp",
    "a.CR2",
    "a.nef",
    "a.svg",
    "a.svgz",
    "a.pdf",
    "a.psd",
    "a.jxl",
    "a.mp4",
  ];
  expect(kinds.map(passedOverKind)).toEqual([
    "HEIC",
    "HEIC",
    "BMP",
    "RAW",
    "RAW",
    "SVG",
    "SVG",
    "PDF",
    "PSD",
    "JPEG XL",
    "MP4",
  ]);
  for (const name of [".DS_Store", "sub/.x.heic", "a.txt", "a.png.strata.npz", "Thumbs.db", "a.png"]) {
    expect(passedOverKind(name), name).toBeNull();
  }
  expect([passedOverKind("DSC0001"), passedOverKind("a.\u001b[31m"), passedOverKind("a.")]).toEqual([
    "without an ending",
    "of other kinds",
    "of other kinds",
  ]);
});

it("counts the most frequent first", () => {
  expect(describePassedOver({ BMP: 1, HEIC: 12, PDF: 1 })).toBe("12 HEIC, 1 BMP, 1 PDF");
  expect(describePassedOver({})).toBe("");
});
