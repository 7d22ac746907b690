/**
 * Blur of interleaved RGB floats: Gaussian (out of focus) and along a line (a moving camera). Beyond the border its
 * pixels go on. Values are light, not 8-bit codes: blurring codes would darken bright spots.
 */

/** Gaussians are cut off here, in standard deviations. */
const REACH = 3;

/** Gaussian blur of standard deviation `sigma` pixels, in place. */
export function gaussianBlur(data: Float32Array, width: number, height: number, sigma: number): void {
  const radius = Math.ceil(REACH * sigma);
  const offsets = Int32Array.from({ length: 2 * radius + 1 }, (_, k) => k - radius);
  const weights = normalised(Array.from(offsets, (offset) => Math.exp(-0.5 * (offset / sigma) ** 2)));
  const none = new Int32Array(offsets.length);
  convolve(data, width, height, { columns: offsets, rows: none, weights });
  convolve(data, width, height, { columns: none, rows: offsets, weights });
}

/** Mean along a line of `length` pixels in direction `angle` (radians) about each pixel, in place. */
export function motionBlur(data: Float32Array, width: number, height: number, length: number, angle: number): void {
  convolve(data, width, height, lineTaps(length, angle));
}

/** What a blurred pixel is made of: pixels at whole offsets, and how much each counts. */
interface Taps {
  columns: Int32Array;
  rows: Int32Array;
  weights: Float32Array;
}

/** Samples along the line for each of its pixels. */
const SAMPLES = 4;

/** A line: samples along it, each shared among the four pixels around. */
function lineTaps(length: number, angle: number): Taps {
  const count = Math.max(1, Math.ceil(SAMPLES * length));
  const taps = new Map<string, [column: number, row: number, weight: number]>();
  for (let i = 0; i < count; i++) {
    const along = ((i + 0.5) / count - 0.5) * length;
    const [x, y] = [along * Math.cos(angle), along * Math.sin(angle)];
    const [left, top] = [Math.floor(x), Math.floor(y)];
    for (const [column, row] of [
      [left, top],
      [left + 1, top],
      [left, top + 1],
      [left + 1, top + 1],
    ]) {
      const key = `${column} ${row}`;
      const weight = (1 - Math.abs(column - x)) * (1 - Math.abs(row - y));
      taps.set(key, [column, row, (taps.get(key)?.[2] ?? 0) + weight]);
    }
  }
  // Less than a hundredth of a sample is not worth its time.
  const used = [...taps.values()].filter(([, , weight]) => weight > 0.01);
  return {
    columns: Int32Array.from(used, ([column]) => column),
    rows: Int32Array.from(used, ([, row]) => row),
    weights: normalised(used.map(([, , weight]) => weight)),
  };
}

function normalised(weights: readonly number[]): Float32Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return Float32Array.from(weights, (weight) => weight / sum);
}

/**
 * Four taps at a time over whole rows of a copy with a margin, so that nothing but sums is in the inner loop: twice as
 * fast as pixel by pixel.
 */
function convolve(data: Float32Array, width: number, height: number, { columns, rows, weights }: Taps): void {
  const margin = [...columns, ...rows].reduce((most, offset) => Math.max(most, Math.abs(offset)), 0);
  const padded = pad(data, width, height, margin);
  const count = 3 * width;
  const stride = count + 6 * margin;
  data.fill(0);
  for (let y = 0; y < height; y++) {
    const start = (y + margin) * stride + 3 * margin;
    for (let k = 0; k < weights.length; k += 4) {
      addFour(padded, start, stride, columns, rows, weights, k, data, y * count, count);
    }
  }
}

/** Adds taps k to k + 3; those beyond the last have no weight. */
function addFour(
  padded: Float32Array,
  start: number,
  stride: number,
  columns: Int32Array,
  rows: Int32Array,
  weights: Float32Array,
  k: number,
  out: Float32Array,
  to: number,
  count: number,
): void {
  const last = weights.length - 1;
  const at = (tap: number) => start + rows[Math.min(tap, last)] * stride + 3 * columns[Math.min(tap, last)];
  const weightOf = (tap: number) => (tap <= last ? weights[tap] : 0);
  const [s0, s1, s2, s3] = [at(k), at(k + 1), at(k + 2), at(k + 3)];
  const [w0, w1, w2, w3] = [weightOf(k), weightOf(k + 1), weightOf(k + 2), weightOf(k + 3)];
  for (let i = 0; i < count; i++) {
    out[to + i] += w0 * padded[s0 + i] + w1 * padded[s1 + i] + w2 * padded[s2 + i] + w3 * padded[s3 + i];
  }
}

/** A copy whose border pixels go on for `margin` pixels. */
function pad(data: Float32Array, width: number, height: number, margin: number): Float32Array {
  const count = 3 * width;
  const stride = count + 6 * margin;
  const padded = new Float32Array(stride * (height + 2 * margin));
  for (let y = -margin; y < height + margin; y++) {
    const from = Math.min(height - 1, Math.max(0, y)) * count;
    const to = (y + margin) * stride + 3 * margin;
    padded.set(data.subarray(from, from + count), to);
    for (let i = 1; i <= 3 * margin; i++) {
      padded[to - i] = data[from + ((3 * margin - i) % 3)];
      padded[to + count - 1 + i] = data[from + count - 3 + ((i - 1) % 3)];
    }
  }
  return padded;
}
