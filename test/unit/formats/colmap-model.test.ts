import { describe, expect, it } from "vitest";
import { FormatError, OptionError, UnsupportedError } from "../../../src/errors.js";
import { type ColmapModel, type ColmapModelFormat, readColmapModel } from "../../../src/formats/colmap-model.js";
import { fuzz } from "../../fuzz.js";
import { binaryModel, type RawModel, textModel } from "../train/models.js";

const raw: RawModel = {
  cameras: [
    { id: 7, model: 1, width: 640, height: 480, params: [500, 510, 320.5, 240.25] },
    { id: 9, model: 0, width: 800, height: 600, params: [700, 400, 300] },
  ],
  images: [
    {
      id: 3,
      // Not of unit length.
      rotation: [2, 0, 0, 2],
      translation: [1, -2, 0.125],
      cameraId: 9,
      name: "day 1/a b.jpg",
      points: [
        [10.5, 20.25, 40],
        [1e-3, 479.5, -1],
        [3, 4, 2 ** 40],
      ],
    },
    { id: 1, rotation: [1, 0, 0, 0], translation: [0, 0, 0], cameraId: 7, name: "b.jpg", points: [] },
  ],
  points: [
    { id: 40, position: [1, 2, 3], track: [[3, 0]] },
    { id: 2 ** 40, position: [-1.5, 1e5, 0], track: [[3, 2]] },
  ],
};
const files = { text: textModel(raw), binary: binaryModel(raw) };
const latin = (text: string) => new TextEncoder().encode(text);

describe.each(["text", "binary"] as const)("a %s model", (format) => {
  it("is read with every value in its place", () => {
    const { cameras, images, pointIds, positions } = readColmapModel(files[format], format);
    expect([...cameras.keys()]).toEqual([7, 9]);
    expect(cameras.get(7)).toEqual({
      id: 7,
      model: "PINHOLE",
      width: 640,
      height: 480,
      params: Float64Array.of(500, 510, 320.5, 240.25),
    });
    expect(cameras.get(9)?.model).toBe("SIMPLE_PINHOLE");
    expect(images.map(({ id, name, cameraId }) => [id, name, cameraId])).toEqual([
      [3, "day 1/a b.jpg", 9],
      [1, "b.jpg", 7],
    ]);
    expect([...images[0].rotation].map((value) => value ** 2)).toEqual([0.5, 0, 0, 0.5].map((v) => expect.closeTo(v)));
    expect([...images[0].translation]).toEqual([1, -2, 0.125]);
    expect([...images[0].points]).toEqual([10.5, 20.25, 1e-3, 479.5, 3, 4]);
    expect([...images[0].pointIds]).toEqual([40, -1, 2 ** 40]);
    expect([images[1].points.length, images[1].pointIds.length]).toEqual([0, 0]);
    expect([...pointIds]).toEqual([40, 2 ** 40]);
    expect([...positions]).toEqual([1, 2, 3, -1.5, 1e5, 0]);
  });

  const broken = (change: (model: RawModel) => void) => {
    const copy = structuredClone(raw);
    change(copy);
    return () => readColmapModel((format === "text" ? textModel : binaryModel)(copy), format, "MODEL");
  };

  it.each<[string, (model: RawModel) => void, RegExp]>([
    ["a camera twice", ({ cameras }) => cameras.push(cameras[0]), /two cameras have the id 7/],
    ["an image twice", ({ images }) => images.push(images[0]), /two images have the id 3/],
    ["no such camera", ({ images }) => (images[1].cameraId = 8), /image 1 \("b.jpg"\) has no camera 8/],
    ["no rotation", ({ images }) => (images[1].rotation = [0, 0, 0, 0]), /no rotation/],
    ["a rotation that is no number", ({ images }) => (images[1].rotation[2] = NaN), /MODEL: images\.(txt|bin)/],
    ["an infinite position", ({ points }) => (points[0].position[1] = Infinity), /MODEL: points3D\.(txt|bin)/],
    ["an infinite observation", ({ images }) => (images[0].points[0][0] = Infinity), /MODEL: images/],
    ["a camera without pixels", ({ cameras }) => (cameras[1].width = 0), /camera 9 has no pixels/],
    ["a parameter that is no number", ({ cameras }) => (cameras[1].params[0] = NaN), /MODEL: cameras/],
  ])("refuses %s", (_, change, message) => {
    expect(broken(change)).toThrow(FormatError);
    expect(broken(change)).toThrow(message);
  });

  it("refuses camera models that COLMAP does not have", () => {
    expect(broken(({ cameras }) => (cameras[0].model = 99))).toThrow(UnsupportedError);
  });

  it("refuses each of the files when it is cut, or is another one", () => {
    for (const name of ["cameras", "images", "points3D"] as const) {
      for (const part of [0.3, 0.9]) {
        const cut = { ...files[format], [name]: files[format][name].slice(0, part * files[format][name].length) };
        // A text that ends at a line's end is a shorter model.
        if (format === "binary") expect(() => readColmapModel(cut, format), name).toThrow(FormatError);
      }
    }
    const { images, points3D } = files[format];
    expect(() => readColmapModel({ cameras: images, images, points3D }, format)).toThrow();
    expect(() => readColmapModel({ ...files[format], images: points3D }, format)).toThrow(FormatError);
  });

  it("gives a sound model or a StrataError on damage", async () => {
    const check = (model: ColmapModel): void => {
      expect(model.positions.length).toBe(3 * model.pointIds.length);
      for (const { cameraId, rotation, translation, points, pointIds } of model.images) {
        expect(model.cameras.has(cameraId)).toBe(true);
        expect(Math.hypot(...rotation)).toBeCloseTo(1);
        expect([...translation, ...points].every(Number.isFinite)).toBe(true);
        expect(points.length).toBe(2 * pointIds.length);
        expect(pointIds.every((id) => Number.isSafeInteger(id) && id >= -1)).toBe(true);
      }
    };
    for (const name of ["cameras", "images", "points3D"] as const) {
      const read = (bytes: Uint8Array) => readColmapModel({ ...files[format], [name]: bytes }, format);
      const { refused } = await fuzz(files[format][name], read, check, { rounds: 1000 });
      expect(refused, name).toBeGreaterThan(100);
    }
  });
});

describe("text", () => {
  const images = (text: string) => readColmapModel({ ...files.text, images: latin(text) }, "text", "MODEL").images;

  it("may have comments, blank lines, other line ends, and images without points", () => {
    const text =
      "# Image list\r\n\r\n3 1 0 0 0 0 0 0 7 a.jpg\r\n\r\n  4   1 0 0 0 0 0 0  7 b.jpg\r\n1 2 40 \r\n# end\r\n5 1 0 0 0 0 0 0 7 c.jpg\n\n";
    expect(images(text).map(({ name, pointIds }) => [name, ...pointIds])).toEqual([
      ["a.jpg"],
      ["b.jpg", 40],
      ["c.jpg"],
    ]);
  });

  it("names the line that is wrong", () => {
    expect(() => images("3 1 0 0 0 0 0 0 7 a.jpg\n1 2\n")).toThrow(/images\.txt: line 2: expected X Y POINT3D_ID/);
    expect(() => images("3 1 0 0 0 0 0 0 7 a.jpg")).toThrow(/line 1: the line of its points is missing/);
    expect(() => images("#\n3 1 0 0 0 0 0 0 7\n\n")).toThrow(/line 2: expected IMAGE_ID/);
    expect(() => images("3 1 0 0 x 0 0 0 7 a.jpg\n\n")).toThrow(/line 1: expected a number, got "x"/);
    expect(() => images("-3 1 0 0 0 0 0 0 7 a.jpg\n\n")).toThrow(/line 1: expected a whole number, got "-3"/);
    expect(() => images("3 1 0 0 0 0 0 0 7 a.jpg\n1 2 1.5\n")).toThrow(/line 2: 1.5 is no POINT3D_ID/);
  });

  it("is asked for by its name", () => {
    expect(() => readColmapModel(files.text, "txt" as ColmapModelFormat)).toThrow(OptionError);
  });
});

it("a false count in a binary file takes no memory", () => {
  const huge = files.binary.points3D.slice();
  new DataView(huge.buffer).setBigUint64(0, 2n ** 40n, true);
  expect(() => readColmapModel({ ...files.binary, points3D: huge }, "binary")).toThrow(/points need/);
  const longer = new Uint8Array([...files.binary.cameras, 0]);
  expect(() => readColmapModel({ ...files.binary, cameras: longer }, "binary")).toThrow(/1 bytes follow/);
});
