/**
 * From the image that is fed to the planes that a network takes, inside the graph: what image/shrink.ts, image/pad.ts and
 * extract/preprocess.ts do, in the same numbers. Pixels stay interleaved, [N, H, W, 3], until a network needs planes:
 * picking columns then copies three values at a time.
 */
import type { Preprocessing } from "../extract/preprocess.js";
import type { PixelType } from "./choices.js";
import type { Nodes, Size } from "./nodes.js";

/** Values 0…255. */
export interface Pixels {
  /** [N, height, width, 3]. */
  name: string;
  /** Element type; 8-bit pixels stay what they are until they are computed with. */
  type: PixelType;
  width: Size;
  height: Size;
}

export interface ShrunkPixels {
  pixels: Pixels;
  /** Pixels of the original per pixel, across and down: numbers, or float32 tensors [1]. */
  step: [number | string, number | string];
}

/** The image at a scale in (0, 1], as `shrinkImage` makes it. */
export function shrinkPixels(nodes: Nodes, pixels: Pixels, scale: number): ShrunkPixels {
  let halved = pixels;
  let halvings = 0;
  while (scale * 2 ** halvings <= 0.5) {
    halved = halve(nodes, halved);
    halvings++;
  }
  const left = scale * 2 ** halvings;
  if (left === 1 && halvings === 0) return { pixels, step: [1, 1] };
  const width = scaled(nodes, halved.width, left);
  const height = scaled(nodes, halved.height, left);
  const step = (from: Size, to: Size): number | string => {
    if (typeof from === "number" && typeof to === "number") return (2 ** halvings * from) / to;
    const double = (size: Size) => nodes.cast(nodes.tensor(size), "float64");
    const whole = nodes.with("Mul", double(from), 2 ** halvings, "float64");
    return nodes.cast(nodes.node("Div", [whole, double(to)]), "float32");
  };
  const shrunk = left === 1 ? halved : bilinear(nodes, halved, width, height);
  return { pixels: shrunk, step: [step(halved.width, width), step(halved.height, height)] };
}

/** max(1, ⌊size·scale + ½⌋), in double precision as JavaScript computes it. */
function scaled(nodes: Nodes, size: Size, scale: number): Size {
  if (typeof size === "number") return Math.max(1, Math.floor(size * scale + 0.5));
  const product = nodes.with("Mul", nodes.cast(size, "float64"), scale, "float64");
  const whole = nodes.node("Floor", [nodes.with("Add", product, 0.5, "float64")]);
  return nodes.size("Max", nodes.cast(whole, "int64"), 1);
}

/** Means of 2×2 pixels, rounded; an odd last row or column counts twice, which is repeating the border first. */
function halve(nodes: Nodes, pixels: Pixels): Pixels {
  const even = fitPixels(nodes, pixels, nodes.roundUp(pixels.width, 2), nodes.roundUp(pixels.height, 2));
  const planes = nodes.node("Transpose", [inFloats(nodes, even)], { perm: [0, 3, 1, 2] });
  const means = nodes.node("AveragePool", [planes], { kernel_shape: [2, 2], strides: [2, 2] });
  return {
    name: nodes.node("Transpose", [roundPixels(nodes, means)], { perm: [0, 2, 3, 1] }),
    type: "float32",
    width: nodes.size("Div", even.width, 2),
    height: nodes.size("Div", even.height, 2),
  };
}

/** ⌊x + ½⌋: whole grey levels again. */
export function roundPixels(nodes: Nodes, value: string, type: "float32" | "float64" = "float32"): string {
  return nodes.node("Floor", [nodes.with("Add", value, 0.5, type)]);
}

function inFloats(nodes: Nodes, { name, type }: Pixels): string {
  return type === "float32" ? name : nodes.cast(name, "float32");
}

/**
 * Linear interpolation between the four nearest pixel centres, rounded, in double precision like `shrinkImage`: in single
 * precision (or by Resize) one pixel in some thousand gets another grey level, and one keypoint in fifty moves by more
 * than a thousandth of a pixel.
 */
function bilinear(nodes: Nodes, pixels: Pixels, width: Size, height: Size): Pixels {
  const across = places(nodes, pixels.width, width);
  const down = places(nodes, pixels.height, height);
  // A fraction for each of the three values, so that a whole row is multiplied at once.
  const column = nodes.node("Expand", [nodes.reshape(across.fraction, [-1, 1]), nodes.shape([width, 3])]);
  const row = nodes.reshape(down.fraction, [-1, 1, 1]);
  const pick = (name: string, index: string, axis: number) => nodes.node("Gather", [name, index], { axis });
  const columns = (index: string) => nodes.cast(pick(pixels.name, index, 2), "float64");
  const between = (from: string, to: string, fraction: string) =>
    nodes.node("Add", [from, nodes.node("Mul", [nodes.node("Sub", [to, from]), fraction])]);
  const wide = between(columns(across.low), columns(across.high), column);
  const both = between(pick(wide, down.low, 1), pick(wide, down.high, 1), row);
  return { name: nodes.cast(roundPixels(nodes, both, "float64"), "float32"), type: "float32", width, height };
}

/** For each new pixel: the old ones on both sides (int64), and how far it lies from the first to the second (float64). */
function places(nodes: Nodes, from: Size, to: Size) {
  const double = (op: string, a: string, b: number) => nodes.with(op, a, b, "float64");
  const [old, now] = [from, to].map((size) => nodes.cast(nodes.tensor(size), "float64"));
  const centres = nodes.node("Mul", [double("Add", nodes.cast(nodes.range(to), "float64"), 0.5), old]);
  const place = double("Max", double("Sub", nodes.node("Div", [centres, now]), 0.5), 0);
  const last = nodes.size("Sub", from, 1);
  const inside = nodes.node("Min", [place, nodes.cast(nodes.tensor(last), "float64")]);
  const floor = nodes.node("Floor", [inside]);
  const low = nodes.cast(floor, "int64");
  const high = nodes.node("Min", [nodes.with("Add", low, 1, "int64"), nodes.tensor(last)]);
  return { low, high, fraction: nodes.node("Sub", [inside, floor]) };
}

/** The image grown to the right and down to width × height, its border repeated. */
export function fitPixels(nodes: Nodes, pixels: Pixels, width: Size, height: Size): Pixels {
  const by = [0, nodes.size("Sub", height, pixels.height), nodes.size("Sub", width, pixels.width), 0];
  return { ...pixels, name: nodes.grow(pixels.name, by, "edge"), width, height };
}

/**
 * The network's input [N, 3, H, W], in the numbers of `imageToPlanes`. Single precision gives them where mean and scale
 * are short enough (the default family's), double precision always.
 */
export function planesOf(nodes: Nodes, pixels: Pixels, { order, mean, scale }: Preprocessing): string {
  const type = isExact(mean, scale) ? "float32" : "float64";
  const own = pixels.type === type ? pixels.name : nodes.cast(pixels.name, type);
  const planes = nodes.node("Transpose", [own], { perm: [0, 3, 1, 2] });
  const ordered = order.every((from, i) => from === i)
    ? planes
    : nodes.node("Gather", [planes, nodes.graph.ints(order)], { axis: 1 });
  const perChannel = (values: readonly number[]) => nodes.reshape(nodes.constant(type, values), [3, 1, 1]);
  const centred = mean.some((m) => m !== 0) ? nodes.node("Sub", [ordered, perChannel(mean)]) : ordered;
  const scaled = scale.some((s) => s !== 1)
    ? type === "float32"
      ? nodes.node("Div", [centred, perChannel(scale.map((s) => 1 / s))])
      : nodes.node("Mul", [centred, perChannel(scale)])
    : centred;
  return type === "float32" ? scaled : nodes.cast(scaled, "float32");
}

/** Whether (v − mean) / (1/scale) in single precision is what `imageToPlanes` has for every grey level. */
function isExact(mean: readonly number[], scale: readonly number[]): boolean {
  const { fround } = Math;
  return mean.every((m, c) =>
    Array.from({ length: 256 }, (_, v) => v).every(
      (v) => fround(fround(v - fround(m)) / fround(1 / scale[c])) === fround((v - m) * scale[c]),
    ),
  );
}
