/** Pixels inside a graph against the library's own: shrinking, padding and preprocessing give the same numbers. */
import { describe, expect, it } from "vitest";
import { Nodes } from "../../../src/export/nodes.js";
import { fitPixels, planesOf, shrinkPixels } from "../../../src/export/pixels.js";
import { fromUnit, imageToPlanes, type Preprocessing, preprocessings } from "../../../src/extract/preprocess.js";
import { OnnxBuilder } from "../../../src/graph/onnx.js";
import type { Image } from "../../../src/image/image.js";
import { padImage } from "../../../src/image/pad.js";
import { shrinkImage } from "../../../src/image/shrink.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { noiseImage } from "../../models.js";

type Sizes = { width: number | string; height: number | string };

/** The graph that `make` writes over an image of any size, as a function of images. */
async function graphOf(make: (nodes: Nodes, image: string) => string, { width, height }: Sizes) {
  const builder = new OnnxBuilder();
  const nodes = new Nodes(builder);
  const image = builder.input("image", "uint8", ["N", height, width, 3]);
  builder.output("out", make(nodes, image), "float32", ["a", "b", "c", "d"]);
  const session = await nodeRuntime.open(builder.toBytes("pixels"), { threads: 1 });
  return {
    run: async (image: Image) => {
      const { width: w, height: h, data } = image;
      return (await session.run({ image: { type: "uint8", shape: [1, h, w, 3], data } })).out;
    },
    dispose: () => session.dispose(),
  };
}

const SIZES = [
  [64, 48],
  [17, 16],
  [1, 1],
  [2, 1],
  [33, 47],
  [3, 200],
  // 350 · 0.57 + ½ is just below 200 in double precision, and 200 in single.
  [350, 11],
] as const;

describe("shrinkPixels", () => {
  it.each([1, 0.8, 0.7, 0.57, 0.5, 0.4, 0.35, 0.25, 0.1])(
    "at scale %f is shrinkImage, pixel for pixel",
    async (scale) => {
      const graph = await graphOf(
        (nodes, image) => {
          const size = { width: nodes.length(image, 2), height: nodes.length(image, 1) };
          const { pixels } = shrinkPixels(nodes, { name: image, type: "uint8", ...size }, scale);
          return nodes.cast(pixels.name, "float32");
        },
        { width: "W", height: "H" },
      );
      for (const [width, height] of SIZES) {
        const image = noiseImage(width, height, width);
        const { image: wanted } = shrinkImage(image, scale);
        const { shape, data } = await graph.run(image);
        expect(shape).toEqual([1, wanted.height, wanted.width, 3]);
        expect(Buffer.from(Uint8Array.from(data)).equals(wanted.data), `${width}×${height}`).toBe(true);
      }
      await graph.dispose();
    },
  );

  it("computes sizes when it is written where they are known", () => {
    const builder = new OnnxBuilder();
    const nodes = new Nodes(builder);
    const pixels = { name: builder.input("image", "uint8", [1, 11, 350, 3]), type: "uint8" as const };
    const shrunk = shrinkPixels(nodes, { ...pixels, width: 350, height: 11 }, 0.285);
    const wanted = shrinkImage(noiseImage(350, 11), 0.285);
    expect([shrunk.pixels.width, shrunk.pixels.height]).toEqual([wanted.image.width, wanted.image.height]);
    expect(shrunk.step).toEqual(wanted.step);
  });
});

describe("planesOf", () => {
  const kinds: [string, Preprocessing][] = [
    ["torch", preprocessings.torch],
    ["caffe", preprocessings.caffe],
    ["none", preprocessings.none],
    ["the default family's", fromUnit([0.45, 0.45, 0.45], [0.25, 0.25, 0.25])],
    ["one with long numbers", fromUnit([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])],
  ];
  it.each(kinds)(
    "with preprocessing %s is imageToPlanes of the padded image, bit for bit",
    async (_, preprocessing) => {
      const graph = await graphOf(
        (nodes, image) => {
          const [width, height] = [nodes.length(image, 2), nodes.length(image, 1)];
          const pixels = { name: image, type: "uint8" as const, width, height };
          const fitted = fitPixels(nodes, pixels, nodes.roundUp(width, 16), nodes.roundUp(height, 16));
          return planesOf(nodes, fitted, preprocessing);
        },
        { width: "W", height: "H" },
      );
      for (const [width, height] of SIZES) {
        const image = noiseImage(width, height, 7);
        const padded = padImage(image, 16);
        const wanted = imageToPlanes(padded, preprocessing, new Float32Array(padded.data.length));
        const { shape, data } = await graph.run(image);
        expect(shape).toEqual([1, 3, padded.height, padded.width]);
        expect(data).toEqual(wanted);
      }
      await graph.dispose();
    },
  );
});
