import { numpy as np } from "@jax-js/jax";
import "../../../src/graph/jax-now.js";
import { describe, expect, it } from "vitest";
import {
  type Alignment,
  type Arr,
  averagePool2,
  conv2d,
  maxPool3,
  normalizeChannels,
  relu,
  sigmoid,
  softplus,
  upsample,
} from "../../../src/model/operators.js";
import { interpret, naiveConv, randomValues, runGraph, type Values, worstDifference } from "../../networks.js";

type Layer = (x: Arr) => Arr;

const map = (shape: number[], seed = 1): Values => ({
  shape,
  data: randomValues(
    shape.reduce((a, b) => a * b, 1),
    seed,
  ),
});

/** Both ways a layer runs: by jax-js's interpreter and as a graph in ONNX Runtime, which must agree. */
async function apply(layer: Layer, x: Values): Promise<Values> {
  const fn = ({ image }: { image: Arr }) => layer(image);
  const { out } = await interpret(fn as never, { image: x });
  const graph = await runGraph(fn as never, {}, x);
  expect(worstDifference(graph.out, out)).toBeLessThan(2e-6);
  return out;
}

const grid = (values: number[][]): Values => ({
  shape: [1, 1, values.length, values[0].length],
  data: Float32Array.from(values.flat()),
});
const near = (actual: Values, expected: number[][]) => {
  expect(actual.shape).toEqual([1, 1, expected.length, expected[0].length]);
  expect(worstDifference(actual, grid(expected))).toBeLessThan(1e-6);
};

describe("conv2d", () => {
  it.each([
    { size: 1, stride: 1, padding: 0, dilation: 1 },
    { size: 1, stride: 2, padding: 0, dilation: 1 },
    { size: 3, stride: 1, padding: 1, dilation: 1 },
    { size: 3, stride: 2, padding: 1, dilation: 1 },
    { size: 3, stride: 1, padding: 2, dilation: 2 },
    { size: 7, stride: 2, padding: 3, dilation: 1 },
    { size: 7, stride: 1, padding: 3, dilation: 2 },
    { size: 2, stride: 1, padding: 0, dilation: 1 },
  ])("is the sum that defines it: $size×$size, stride $stride, dilation $dilation", async ({ size, ...options }) => {
    const [x, weight] = [map([2, 3, 15, 14], 1), map([4, 3, size, size], 2)];
    const bias = randomValues(4, 3);
    const layer: Layer = (image) =>
      conv2d(
        image,
        {
          weight: np.array(weight.data as Float32Array<ArrayBuffer>).reshape(weight.shape as number[]),
          bias: np.array(bias),
        },
        options,
      );
    expect(worstDifference(await apply(layer, x), naiveConv(x, weight, bias, options))).toBeLessThan(1e-6);
  });
});

describe("pooling", () => {
  it("takes the mean of 2×2 blocks and leaves an odd edge out", async () => {
    const x = grid([
      [1, 2, 3, 4, 100],
      [5, 6, 7, 8, 100],
      [100, 100, 100, 100, 100],
    ]);
    near(await apply(averagePool2, x), [[3.5, 5.5]]);
  });

  it("takes the largest of 3×3 windows, every second position, zeros around", async () => {
    const x = grid([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 1, 2, 0],
      [0, 0, 0, 0],
      [0, 5, 0, 1],
    ]);
    near(await apply(maxPool3, x), [
      [6, 8],
      [9, 8],
      [5, 5],
    ]);
    near(await apply(maxPool3, grid([[3]])), [[3]]);
  });
});

describe("upsample", () => {
  it("half_pixel keeps areas: the ends are repeated", async () => {
    near(await apply((x) => upsample(x, 2, "half_pixel"), grid([[0, 4]])), [
      [0, 1, 3, 4],
      [0, 1, 3, 4],
    ]);
  });

  it("align_corners keeps the first and last position", async () => {
    near(
      await apply(
        (x) => upsample(x, 2, "align_corners"),
        grid([
          [0, 3],
          [6, 9],
        ]),
      ),
      [
        [0, 1, 2, 3],
        [2, 3, 4, 5],
        [4, 5, 6, 7],
        [6, 7, 8, 9],
      ],
    );
  });

  const sizes: [number, number][] = [
    [1, 1],
    [1, 5],
    [7, 1],
    [3, 4],
    [5, 7],
  ];
  const cases = (["half_pixel", "align_corners"] as Alignment[]).flatMap((alignment) =>
    [2, 4, 16].map((factor): [Alignment, number] => [alignment, factor]),
  );
  // `apply` compares the definition with ONNX's Resize.
  it.each(cases)("%s ×%d is ONNX's Resize at odd sizes and at one cell", async (alignment, factor) => {
    for (const [h, w] of sizes) {
      const x = map([2, 3, h, w], h + w);
      const out = await apply((image) => upsample(image, factor, alignment), x);
      expect(out.shape).toEqual([2, 3, h * factor, w * factor]);
      // Weights sum to one: nothing leaves the range of the map, and a flat map stays flat.
      expect(Math.max(...out.data)).toBeLessThanOrEqual(Math.max(...x.data) + 1e-6);
      const flat = await interpret((({ image }: { image: Arr }) => upsample(image, factor, alignment)) as never, {
        image: { shape: x.shape, data: new Float32Array(x.data.length).fill(3) },
      });
      expect(
        worstDifference(flat.out, { shape: out.shape, data: new Float32Array(out.data.length).fill(3) }),
      ).toBeLessThan(1e-6);
    }
  });
});

describe("activations", () => {
  const extremes = { shape: [1, 1, 1, 7], data: Float32Array.of(-1000, -90, -1, 0, 1, 90, 1000) };

  it("relu, sigmoid and softplus hold at extremes", async () => {
    expect([...(await apply(relu, extremes)).data]).toEqual([0, 0, 0, 0, 1, 90, 1000]);
    const squashed = await apply(sigmoid, extremes);
    expect([squashed.data[0], squashed.data[3], squashed.data[6]]).toEqual([0, 0.5, 1]);
    expect(squashed.data[4]).toBeCloseTo(1 / (1 + Math.exp(-1)), 6);
    const soft = await apply(softplus, extremes);
    expect([soft.data[0], soft.data[5], soft.data[6]]).toEqual([0, 90, 1000]);
    expect(soft.data[3]).toBeCloseTo(Math.LN2, 6);
    expect(soft.data[2]).toBeCloseTo(Math.log1p(Math.exp(-1)), 6);
  });

  it("normalizeChannels gives unit length along channels, and zeros for zeros", async () => {
    const x = map([2, 4, 2, 3]);
    for (let c = 0; c < 4; c++) x.data[c * 6] = 0; // the first position of the first image
    const { data } = await apply(normalizeChannels, x);
    for (let image = 0; image < 2; image++) {
      for (let i = 0; i < 6; i++) {
        const norm = Math.hypot(...[0, 1, 2, 3].map((c) => data[(image * 4 + c) * 6 + i]));
        expect(norm).toBeCloseTo(image === 0 && i === 0 ? 0 : 1, 6);
      }
    }
  });
});
