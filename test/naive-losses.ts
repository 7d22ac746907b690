/** The losses of reference.md §3 as loops over single numbers in double precision: the judge of those on arrays. */

export interface NaiveLevel {
  pairs: number;
  channels: number;
  width: number;
  height: number;
  /** [N, C, h, w] of both images. */
  z1: ArrayLike<number>;
  z2: ArrayLike<number>;
  /** [N, 1, h, w]. */
  a1: ArrayLike<number>;
  a2: ArrayLike<number>;
  /** [N, h·w, 2], [N, h·w], [N]. */
  targets: ArrayLike<number>;
  valid: ArrayLike<number>;
  pairWeights: ArrayLike<number>;
}

const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (values: number[]): number => (values.length ? sum(values) / values.length : 0);

/** Mean of what `fn` gives for the pairs that count. */
function overPairs({ pairs, pairWeights }: NaiveLevel, fn: (pair: number) => number): number {
  return mean(
    Array.from({ length: pairs }, (_, n) => n)
      .filter((n) => pairWeights[n] > 0)
      .map(fn),
  );
}

/** Unit descriptors of one image. */
function descriptors(z: ArrayLike<number>, pair: number, { channels, width, height }: NaiveLevel): number[][] {
  const cells = width * height;
  return Array.from({ length: cells }, (_, p) => {
    const d = Array.from({ length: channels }, (_, c) => z[(pair * channels + c) * cells + p]);
    const length = Math.sqrt(sum(d.map((v) => v * v)));
    return d.map((v) => v / Math.max(length, 1e-12));
  });
}

const distance2 = (a: number[], b: number[]): number => 2 - 2 * sum(a.map((v, i) => v * b[i]));

/** Pairs of cells (image 1, image 2) that correspond. */
function matches({ targets, valid, width, height }: NaiveLevel, pair: number): [number, number][] {
  const cells = width * height;
  const found: [number, number][] = [];
  for (let p = 0; p < cells; p++) {
    const at = pair * cells + p;
    if (valid[at]) found.push([p, Math.round(targets[2 * at + 1]) * width + Math.round(targets[2 * at])]);
  }
  return found;
}

/** The hinges of a pair's correspondences. */
function hinges(level: NaiveLevel, pair: number): number[] {
  const { width } = level;
  const [d1, d2] = [descriptors(level.z1, pair, level), descriptors(level.z2, pair, level)];
  const apart = (a: number, b: number) =>
    Math.max(Math.abs((a % width) - (b % width)), Math.abs(Math.floor(a / width) - Math.floor(b / width)));
  const nearest = (d: number[], others: number[][], place: number) =>
    Math.min(...others.map((other, q) => distance2(d, other) + (apart(q, place) > 4 ? 0 : 10)));
  return matches(level, pair).map(([i, j]) => {
    const negative = Math.min(nearest(d1[i], d2, j), nearest(d2[j], d1, i));
    return Math.max(0, 1 + distance2(d1[i], d2[j]) - negative);
  });
}

export const naiveCorrespondence = (level: NaiveLevel): number => overPairs(level, (n) => mean(hinges(level, n)));

export function naiveD2net(level: NaiveLevel): number {
  const cells = level.width * level.height;
  return overPairs(level, (n) => {
    const weights = matches(level, n).map(([i, j]) => level.a1[n * cells + i] * level.a2[n * cells + j]);
    const terms = hinges(level, n);
    return weights.length ? sum(weights.map((w, k) => w * terms[k])) / sum(weights) : 0;
  });
}

export function naiveDistinctiveness(level: NaiveLevel, margin: number): number {
  const cells = level.width * level.height;
  return overPairs(level, (n) => {
    const [d1, d2] = [descriptors(level.z1, n, level), descriptors(level.z2, n, level)];
    const wanted = (d: number[], others: number[][]) =>
      (1 + others.filter((other) => Math.sqrt(Math.max(distance2(d, other), 0)) < margin).length) ** -0.25;
    const pairs = matches(level, n);
    const first = pairs.map(([i]) => Math.abs(level.a1[n * cells + i] - wanted(d1[i], d2)));
    const second = pairs.map(([, j]) => Math.abs(level.a2[n * cells + j] - wanted(d2[j], d1)));
    return mean(first) + mean(second);
  });
}

/** Of the scores of one image of each pair. */
export function naivePeaky(level: NaiveLevel, scores: ArrayLike<number>, size: number): number {
  const { width, height } = level;
  const windowOf = (map: (x: number, y: number) => number, x: number, y: number, radius: number) => {
    const values: number[] = [];
    for (let j = y - radius; j <= y + radius; j++) {
      for (let i = x - radius; i <= x + radius; i++) {
        if (i >= 0 && j >= 0 && i < width && j < height) values.push(map(i, j));
      }
    }
    return values;
  };
  const contrast = overPairs(level, (n) => {
    const raw = (x: number, y: number) => scores[(n * height + y) * width + x];
    const smooth = Array.from(
      { length: width * height },
      (_, p) => sum(windowOf(raw, p % width, Math.floor(p / width), 1)) / 9,
    );
    const at = (x: number, y: number) => smooth[y * width + x];
    return mean(
      smooth.map((_, p) => {
        const values = windowOf(at, p % width, Math.floor(p / width), size / 2);
        return Math.max(...values) - sum(values) / (size + 1) ** 2;
      }),
    );
  });
  return Math.max(0, 1 - contrast);
}

export function naiveDistinctivenessPlus(
  level: NaiveLevel,
  { n, lambda, margin }: { n: number; lambda: number; margin: number },
): number {
  const peaky = (naivePeaky(level, level.a1, n) + naivePeaky(level, level.a2, n)) / 2;
  return naiveDistinctiveness(level, margin) + lambda * peaky;
}
