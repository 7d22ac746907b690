import { afterAll, describe, expect, it } from "vitest";
import { OptionError, ShapeError } from "../../../src/errors.js";
import { emptyFeatures, type Features } from "../../../src/features.js";
import { OnnxBuilder } from "../../../src/graph/onnx.js";
import { setDefaultRuntime } from "../../../src/graph/session.js";
import { disposeMatching, type MatchOptions, matchFeatures } from "../../../src/match/index.js";
import { PRODUCT_MODEL } from "../../../src/match/product.js";
import { Random } from "../../../src/random.js";
import { countingRuntime } from "./adapter.js";

/** Features with the given descriptor rows, each scaled to norm 1. */
function features(rows: number[][]): Features {
  const dim = rows[0].length;
  const unit = rows.map((row) => row.map((v) => v / Math.hypot(...row)));
  return {
    count: rows.length,
    dim,
    imageSize: [100, 100],
    keypoints: new Float32Array(2 * rows.length),
    scores: new Float32Array(rows.length),
    descriptors: Float32Array.from(unit.flat()),
  };
}
const randomRows = (random: Random, count: number, dim: number) =>
  Array.from({ length: count }, () => Array.from({ length: dim }, () => random.normal()));

/** The definition, without tiles: for each row of a the first largest similarity, and back. */
function bruteForce(a: Features, b: Features): number[] {
  const s = (i: number, j: number) => {
    let sum = 0;
    for (let k = 0; k < a.dim; k++) sum += a.descriptors[i * a.dim + k] * b.descriptors[j * a.dim + k];
    return sum;
  };
  const pairs: number[] = [];
  for (let i = 0; i < a.count; i++) {
    let j = 0;
    for (let k = 1; k < b.count; k++) if (s(i, k) > s(i, j)) j = k;
    let back = 0;
    for (let k = 1; k < a.count; k++) if (s(k, j) > s(back, j)) back = k;
    if (back === i) pairs.push(i, j);
  }
  return pairs;
}

const js: MatchOptions = { runtime: null };
afterAll(disposeMatching);

describe("matchFeatures", () => {
  it("is the definition, whatever the tile, in plain JavaScript", async () => {
    const random = new Random(1);
    for (const [rows, columns, dim] of [
      [37, 53, 16],
      [1, 300, 7],
      [70, 1, 3],
      [33, 517, 64],
    ]) {
      const [a, b] = [features(randomRows(random, rows, dim)), features(randomRows(random, columns, dim))];
      const wanted = bruteForce(a, b);
      for (const tileRows of [1, 2, 5, 32, 1000]) {
        const found = await matchFeatures(a, b, { ...js, tileRows });
        expect([...found.pairs]).toEqual(wanted);
        expect(found.count).toBe(wanted.length / 2);
        expect(found.scores.length).toBe(found.count);
      }
    }
  });

  it("gives the runtime's product the same pairs, and scores equal up to rounding", async () => {
    const runtime = countingRuntime();
    const random = new Random(2);
    for (const [rows, columns, dim] of [
      [301, 203, 64],
      [5, 1000, 32],
      [64, 1, 8],
    ]) {
      const [a, b] = [features(randomRows(random, rows, dim)), features(randomRows(random, columns, dim))];
      const one = await matchFeatures(a, b, js);
      const two = await matchFeatures(a, b, { runtime, tileRows: 50 });
      expect([...two.pairs]).toEqual([...one.pairs]);
      one.scores.forEach((score, i) => {
        expect(Math.abs(two.scores[i] - score)).toBeLessThan(1e-6);
      });
    }
    expect(runtime.opened).toBe(1); // one session serves all sizes
    await disposeMatching();
    await disposeMatching();
    expect(runtime.disposed).toBe(1);
    await matchFeatures(features([[1, 0]]), features([[1, 0]]), { runtime });
    expect(runtime.opened).toBe(2); // and is opened again after that
  });

  it("finds every descriptor of a shuffled copy, with similarity 1", async () => {
    const random = new Random(3);
    const rows = randomRows(random, 100, 24);
    const order = Array.from({ length: 100 }, (_, i) => (i * 37 + 11) % 100);
    const found = await matchFeatures(features(rows), features(order.map((i) => rows[i])), { ...js, ratio: 0.9 });
    expect(found.count).toBe(100);
    for (let m = 0; m < 100; m++) {
      expect(found.pairs[2 * m]).toBe(m);
      expect(order[found.pairs[2 * m + 1]]).toBe(m);
      expect(found.scores[m]).toBeCloseTo(1, 6);
    }
  });

  it("is symmetric when mutual", async () => {
    const random = new Random(4);
    const [a, b] = [features(randomRows(random, 80, 8)), features(randomRows(random, 90, 8))];
    const there = await matchFeatures(a, b, js);
    const back = await matchFeatures(b, a, js);
    const key = (i: number, j: number) => `${i}-${j}`;
    const set = new Set(Array.from({ length: back.count }, (_, m) => key(back.pairs[2 * m + 1], back.pairs[2 * m])));
    expect(there.count).toBe(back.count);
    for (let m = 0; m < there.count; m++) expect(set).toContain(key(there.pairs[2 * m], there.pairs[2 * m + 1]));
  });

  it("gives ties to the lower index", async () => {
    const twins = features([
      [1, 0],
      [1, 0],
    ]);
    expect([...(await matchFeatures(twins, twins, js)).pairs]).toEqual([0, 0]);
    expect([...(await matchFeatures(twins, twins, { ...js, mutual: false, tileRows: 1 })).pairs]).toEqual([0, 0, 1, 0]);
  });

  it("keeps one-way neighbours when not mutual", async () => {
    const a = features([
      [1, 0],
      [1, 0.1],
      [0, 1],
    ]);
    const b = features([
      [1, 0],
      [0.2, 1],
    ]);
    expect([...(await matchFeatures(a, b, { ...js, mutual: false })).pairs]).toEqual([0, 0, 1, 0, 2, 1]);
    expect([...(await matchFeatures(a, b, js)).pairs]).toEqual([0, 0, 2, 1]);
  });

  it("applies the ratio to distances, strictly, and lets a lone neighbour pass", async () => {
    const at = (degrees: number) => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
    // Chords 2·sin(θ/2) of 10° and 20°: their ratio is 0.50191.
    const a = features([at(0)]);
    const b = features([at(10), at(-20)]);
    expect((await matchFeatures(a, b, { ...js, ratio: 0.503 })).count).toBe(1);
    expect((await matchFeatures(a, b, { ...js, ratio: 0.501 })).count).toBe(0);
    expect((await matchFeatures(a, features([at(90)]), { ...js, ratio: 0.5 })).count).toBe(1);
    // Two equal neighbours are ambiguous, also at distance 0.
    expect((await matchFeatures(a, features([at(0), at(0)]), { ...js, ratio: 1 })).count).toBe(0);
  });

  it("applies the least similarity", async () => {
    const a = features([
      [1, 0],
      [0, 1],
    ]);
    const b = features([
      [1, 0],
      [1, 2],
    ]);
    expect([...(await matchFeatures(a, b, { ...js, minSimilarity: 0.95 })).pairs]).toEqual([0, 0]);
    expect((await matchFeatures(a, b, { ...js, minSimilarity: -1 })).count).toBe(2);
  });

  it("never matches a descriptor that is not a number", async () => {
    const a = features([
      [1, 0],
      [0, 1],
    ]);
    a.descriptors[0] = Number.NaN;
    const b = features([
      [1, 0],
      [0, 1],
    ]);
    for (const mutual of [true, false]) {
      const found = await matchFeatures(a, b, { ...js, mutual });
      expect([...found.pairs]).toEqual([1, 1]);
      expect([...found.scores]).toEqual([1]);
    }
  });

  it("answers no keypoints with no matches", async () => {
    const some = features([[1, 0, 0]]);
    for (const [a, b] of [
      [emptyFeatures([9, 9], 3), some],
      [some, emptyFeatures([9, 9], 3)],
      [emptyFeatures([9, 9], 0), some],
      [emptyFeatures([9, 9], 3), emptyFeatures([9, 9], 3)],
    ]) {
      expect(await matchFeatures(a, b)).toEqual({
        count: 0,
        pairs: new Uint32Array(0),
        scores: new Float32Array(0),
      });
    }
  });

  it("uses the default runtime once one is set", async () => {
    const one = features([[1, 0]]);
    expect((await matchFeatures(one, one)).count).toBe(1); // none set: plain JavaScript
    const runtime = countingRuntime();
    setDefaultRuntime(runtime);
    expect((await matchFeatures(one, one)).count).toBe(1);
    expect(runtime.opened).toBe(1);
  });

  it("tries a runtime again that once failed to open", async () => {
    const good = countingRuntime();
    let fail = true;
    const runtime = {
      name: "flaky",
      open: (model: Uint8Array) => (fail ? Promise.reject(new Error("no memory")) : good.open(model)),
    };
    const one = features([[1, 0]]);
    await expect(matchFeatures(one, one, { runtime })).rejects.toThrow("no memory");
    fail = false;
    expect((await matchFeatures(one, one, { runtime })).count).toBe(1);
  });

  it("refuses what does not fit, and says what", async () => {
    const [a, b] = [features([[1, 0]]), features([[1, 0, 0]])];
    await expect(matchFeatures(a, b)).rejects.toThrow(ShapeError);
    await expect(matchFeatures(a, b)).rejects.toThrow(/2 floats.*b 3 floats/);
    await expect(matchFeatures({ ...a, count: 2 }, a)).rejects.toThrow(ShapeError);
    for (const [options, word] of [
      [{ ratio: 1.5 }, "ratio"],
      [{ ratio: Number.NaN }, "ratio"],
      [{ minSimilarity: 2 }, "minSimilarity"],
      [{ tileRows: 0 }, "tileRows"],
      [{ tileRows: 1.5 }, "tileRows"],
      [{ mutual: "yes" }, "mutual"],
      [{ tiles: 3 }, "tiles"],
    ] as [object, string][]) {
      const failed = matchFeatures(a, a, options as MatchOptions);
      await expect(failed).rejects.toThrow(OptionError);
      await expect(failed).rejects.toThrow(`"${word}"`);
    }
  });
});

describe("the runtime's product", () => {
  it("is the file that OnnxBuilder writes", () => {
    const graph = new OnnxBuilder();
    const a = graph.input("a", "float32", ["rows", "dim"]);
    const b = graph.input("b", "float32", ["columns", "dim"]);
    graph.output("s", graph.node("Gemm", [a, b], { transB: 1 }), "float32", ["rows", "columns"]);
    expect(PRODUCT_MODEL).toBe(Buffer.from(graph.toBytes("similarity")).toString("base64"));
  });

  it("has a session for each number of threads, which it passes on", async () => {
    await disposeMatching();
    const asked: (number | undefined)[] = [];
    const counting = countingRuntime();
    const runtime: typeof counting = {
      ...counting,
      open: (model, options) => {
        asked.push(options?.threads);
        return counting.open(model, options);
      },
    };
    const own = features([
      [1, 0],
      [0, 1],
    ]);
    for (const threads of [1, 2, 1, undefined]) {
      expect((await matchFeatures(own, own, { runtime, threads })).count).toBe(2);
    }
    expect(asked).toEqual([1, 2, undefined]);
    await expect(matchFeatures(own, own, { threads: 0 })).rejects.toThrow(OptionError);
    await disposeMatching();
    expect(counting.disposed).toBe(3);
  });
});
