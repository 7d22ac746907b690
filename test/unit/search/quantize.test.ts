import { beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../../src/random.js";
import { openDotProducts, plainProducts } from "../../../src/search/dot-products.js";
import { NO_WORD, nearestOf, Quantizer, quantizerOf } from "../../../src/search/quantize.js";
import type { Vocabulary } from "../../../src/search/vocabulary.js";
import { Comparison, cosinePerProduct, wholeRows } from "../../../src/search/whole-products.js";
import { DIM, drawnFeatures, smallVocabulary } from "./samples.js";

let vocabulary: Vocabulary;
beforeAll(async () => {
  vocabulary = await smallVocabulary();
});

/** Rows of length 1, the extremes among them: one value, all values alike, nothing. */
function unitRows(count: number, dim: number, seed: number): Float32Array {
  const random = new Random(seed);
  const rows = new Float32Array(count * dim);
  for (let i = 0; i < count; i++) {
    const row = rows.subarray(i * dim, (i + 1) * dim);
    if (i % 5 === 0) row[i % dim] = i % 2 ? -1 : 1;
    else if (i % 5 === 1) row.fill((i % 2 ? -1 : 1) / Math.sqrt(dim));
    else if (i % 11 !== 2) for (let k = 0; k < dim; k++) row[k] = random.normal();
    const length = Math.hypot(...row);
    for (let k = 0; k < dim && length > 0; k++) row[k] /= length;
  }
  return rows;
}

const dot = (a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, dim: number): number => {
  let sum = 0;
  for (let k = 0; k < dim; k++) sum += a[i * dim + k] * b[j * dim + k];
  return sum;
};

describe("products in whole numbers", () => {
  it.each([1, 3, 64, 128, 1024])("are exact for %i values, by either way, in blocks of every size", (dim) => {
    const starts = [0, 0, 1, 4, 13, 23];
    const rows = wholeRows(unitRows(23, dim, 1), 23, dim);
    const vectors = wholeRows(unitRows(37, dim, 2), 37, dim);
    const { stride } = rows;
    const comparison = new Comparison(vectors);
    const most = 3;
    for (let block = 0; block < 5; block++) {
      const list = Uint32Array.from({ length: 37 }, (_, i) => i).filter((i) => i % 3 !== block % 3);
      const best = {
        most,
        indices: new Uint32Array(37 * most).fill(NO_WORD),
        products: new Float64Array(37 * most).fill(-Infinity),
      };
      comparison.take(rows, starts[block], starts[block + 1], list, best);
      for (const i of list) {
        const want = Array.from({ length: starts[block + 1] - starts[block] }, (_, n) => starts[block] + n)
          .map((row) => ({ row, product: dot(vectors.values, i, rows.values, row, stride) }))
          .sort((x, y) => y.product - x.product || x.row - y.row)
          .slice(0, most);
        const at = i * most;
        expect([...best.indices.subarray(at, at + want.length)]).toEqual(want.map(({ row }) => row));
        expect([...best.products.subarray(at, at + want.length)]).toEqual(want.map(({ product }) => product));
        expect([...best.indices.subarray(at + want.length, at + most)].every((row) => row === NO_WORD)).toBe(true);
      }
    }
  });

  it("come from WebAssembly here, and the same from a plain loop", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const values = new Int16Array(memory.buffer);
    const random = new Random(4);
    for (let i = 1024; i < values.length; i++) values[i] = Math.round(random.uniform(-255, 255));
    const [fast, plain] = [openDotProducts(memory), plainProducts(memory)];
    expect(fast).not.toBe(plain);
    expect(String(fast)).toContain("native code");
    for (const rowBytes of [16, 128, 2048]) {
      const [got, want] = [fast, plain].map((dots) => {
        dots(4096, 8192, 20, rowBytes, 0);
        return [...new Int32Array(memory.buffer, 0, 20)];
      });
      expect(got).toEqual(want);
      expect(new Set(got).size).toBeGreaterThan(10);
    }
  });

  it("are the same where the host refuses WebAssembly's instructions", () => {
    const { Module } = WebAssembly;
    const memory = new WebAssembly.Memory({ initial: 1 });
    try {
      WebAssembly.Module = class {
        constructor() {
          throw new EvalError("refused by the policy");
        }
      } as unknown as typeof Module;
      const values = new Int16Array(memory.buffer);
      values.fill(3, 512, 520);
      values.fill(-2, 1024, 1040);
      openDotProducts(memory)(1024, 2048, 2, 16, 0);
      expect([...new Int32Array(memory.buffer, 0, 2)]).toEqual([-48, -48]);
    } finally {
      WebAssembly.Module = Module;
    }
  });

  it("are cosines within what rounding allows", () => {
    const rows = unitRows(20, DIM, 3);
    const { similarities, words } = nearestOf(rows, 20, DIM, rows, 20);
    for (let i = 0; i < 20; i++) {
      if (i % 11 === 2 && i % 5 > 1) continue;
      expect(similarities[i]).toBeCloseTo(1, 1);
      expect(dot(rows, i, rows, words[i], DIM)).toBeCloseTo(1, 5);
    }
    expect(cosinePerProduct(DIM) * 2 ** 16).toBeGreaterThan(1);
  });
});

describe("the words of descriptors", () => {
  it("are the nearest of all where all cells are looked into, and nearly those with the usual three", () => {
    const { descriptors, count } = drawnFeatures(5, 200);
    const { dim, cells, words, centres } = vocabulary;
    const all = quantizerOf(vocabulary).assign(descriptors, count, 2, cells);
    const usual = quantizerOf(vocabulary).assign(descriptors, count);
    let same = 0;
    for (let i = 0; i < count; i++) {
      const order = Array.from({ length: words }, (_, w) => dot(descriptors, i, centres, w, dim));
      const best = Math.max(...order);
      expect(order[all.words[2 * i]]).toBeGreaterThan(best - 0.01);
      expect(all.similarities[2 * i]).toBeGreaterThanOrEqual(all.similarities[2 * i + 1]);
      same += Number(order[usual.words[i]] > best - 0.01);
    }
    expect(same / count).toBeGreaterThan(0.7);
  });

  it("do not depend on what else is looked for, and are counted", () => {
    const { descriptors } = drawnFeatures(6, 40);
    const quantizer = new Quantizer(vocabulary);
    const together = quantizer.assign(descriptors, 40, 3).words;
    for (const i of [0, 1, 17, 39]) {
      const alone = quantizer.assign(descriptors.slice(i * DIM, (i + 1) * DIM), 1, 3).words;
      expect([...alone]).toEqual([...together.subarray(3 * i, 3 * i + 3)]);
    }
    expect(quantizer.assign(descriptors, 0).words).toHaveLength(0);
    expect(quantizer.assign(descriptors, 1, 64, 1).words).toContain(NO_WORD);
    expect(() => quantizer.assign(descriptors, 41)).toThrow(/41 descriptors of 64 values expected, got 2560 values/);
    expect(() => quantizer.assign(descriptors, 1, 65)).toThrow(/neighbours/);
  });
});
