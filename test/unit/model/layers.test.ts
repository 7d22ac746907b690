/** The ways a network can be given its layers, held against each other, and batch norm against its definition. */
import type { numpy as np } from "@jax-js/jax";
import "../../../src/graph/jax-now.js";
import { describe, expect, it } from "vitest";
import { FormatError, StateError } from "../../../src/errors.js";
import { denseMaps } from "../../../src/extract/score-graph.js";
import { type NdArray, ndarray, toFloat32 } from "../../../src/formats/ndarray.js";
import { ATTENTION_KINDS } from "../../../src/model/attention-kinds.js";
import { ignoreBeside } from "../../../src/model/checkpoint.js";
import type { StrataConfig } from "../../../src/model/config.js";
import { fold, foldedPass } from "../../../src/model/layers/folded.js";
import { type Kernel, type Layers, type Network, type Norm, TORCH_NORM } from "../../../src/model/layers/layers.js";
import { record, tensorsOf } from "../../../src/model/layers/record.js";
import { type Statistics, type Tensors, trainingLayers } from "../../../src/model/layers/training.js";
import { referenceNetwork } from "../../../src/model/reference.js";
import { scoresOf } from "../../../src/model/score-network.js";
import { strataNetwork } from "../../../src/model/strata.js";
import { WeightReader } from "../../../src/model/weights.js";
import { Random } from "../../../src/random.js";
import { initialParameters, initialStatistics } from "../../../src/train/initial.js";
import { referenceTensors, SLIM, type StateDict, strataTensors, TINY } from "../../models.js";
import { interpret, naiveConv, randomValues, runGraph, type Values, worstDifference } from "../../networks.js";

type Pass = Network<(image: np.Array) => Record<string, np.Array>>;

/** Every map of a score network, encoded ones too. */
const strata =
  (config: StrataConfig): Pass =>
  (layers) => {
    const network = strataNetwork(layers, config);
    return (image) => {
      const { levels, logits } = network.maps(image);
      const maps = levels.map((map, i) => [`map${network.levels[i]}`, network.encoders[i](map)]);
      return { ...scoresOf(network, logits), ...Object.fromEntries(maps) };
    };
  };

const ORDINARY = { squash: true, firstStride: 2, replaceStrideWithDilation: false } as const;

const NETWORKS: [name: string, network: Pass, tensors: () => StateDict, ignore?: (reader: WeightReader) => void][] = [
  ["strata", strata(TINY), () => strataTensors(TINY)],
  ["strata, slim and at half resolution", strata(SLIM), () => strataTensors(SLIM)],
  ...[{ ...TINY, scoreLevels: [1, 4], descriptorLevels: [1, 3] }].map((config): (typeof NETWORKS)[number] => [
    "strata that sees some levels",
    strata(config),
    () => strataTensors(config),
  ]),
  ...ATTENTION_KINDS.map((attention): (typeof NETWORKS)[number] => [
    `the reference with ${attention}`,
    (layers) => referenceNetwork(layers, { depth: 18, attention, dim: 16 }, ORDINARY),
    () => referenceTensors({ attention }),
    (reader) => ignoreBeside(reader, attention),
  ]),
];

const specs = (tensors: Iterable<readonly [string, NdArray]>) =>
  Object.fromEntries([...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]));

describe.each(NETWORKS)("%s", (_, network, tensorsOfFile, ignore = () => {}) => {
  const image = { shape: [1, 3, 32, 32], data: randomValues(3 * 32 * 32, 7) };
  const tensors = tensorsOfFile();
  const asked = record(network);

  it("what is recorded is what folding reads, and what training learns and carries", () => {
    const names = asked.flatMap(tensorsOf).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    // Files without a tensor too many or too few: nothing else is asked for.
    const reader = new WeightReader("file", tensors);
    const folded = fold(network, reader);
    ignore(reader);
    reader.finish();
    expect(Object.keys(folded)).toHaveLength(asked.length);
    const learnt = [...initialParameters(asked, new Random(1), "zero"), ...initialStatistics(asked)];
    for (const { name, shape } of learnt) expect(tensors.get(name)?.shape, name).toEqual([...shape]);
    const unlearnt = asked.flatMap((layer) =>
      layer.kind === "convNorm" && !layer.style.bias ? [`${layer.conv}.bias`] : [],
    );
    expect([...learnt.map(({ name }) => name), ...unlearnt].sort()).toEqual(names.sort());
  });

  it("training by running statistics gives what folded weights give", async () => {
    const params = fold(network, new WeightReader("file", tensors));
    const folded = await runGraph(foldedPass(network) as never, { params }, image);
    const pass = ({ image: x, parameters }: { image: np.Array; parameters: Tensors }) =>
      network(trainingLayers({ parameters, state: parameters, statistics: "running" }).layers)(x);
    const floats = [...tensors].filter(([name, { dtype }]) => dtype === "float32" && !/resnet\.fc\./.test(name));
    const trained = await runGraph(pass as never, { parameters: specs(floats) }, image);
    expect(Object.keys(trained).sort()).toEqual(Object.keys(folded).sort());
    for (const [name, map] of Object.entries(folded)) {
      expect(worstDifference(trained[name], map), name).toBeLessThan(2e-5);
      // Of so small an image the deepest score is one cell.
      if (name !== "score2") expect(new Set(map.data).size, name).toBeGreaterThan(1);
    }
  });
});

it("extraction's dense pass is the network's", async () => {
  const image = { shape: [1, 3, 32, 32], data: randomValues(3 * 32 * 32, 7) };
  const params = fold(strata(SLIM), new WeightReader("file", strataTensors(SLIM)));
  const own = await runGraph(foldedPass(strata(SLIM)) as never, { params }, image);
  const dense = await runGraph(denseMaps((layers) => strataNetwork(layers, SLIM)) as never, { params }, image);
  expect(dense).toEqual(own);
});

it("by the batch's statistics strata is the same network with these as running ones, which move a fiftieth of the way", async () => {
  const SIZE = 32;
  const image = { shape: [2, 3, SIZE, SIZE], data: randomValues(2 * 3 * SIZE * SIZE, 7) };
  const tensors = specs(strataTensors(TINY));
  const run = (state: Record<string, Values>, statistics: Statistics) => {
    const pass = (x: { image: np.Array; parameters: Tensors; state: Tensors }) => {
      const own = trainingLayers({ ...x, statistics });
      return { ...strata(TINY)(own.layers)(x.image), state: own.state() };
    };
    return interpret(pass as never, { image, parameters: tensors, state } as never);
  };
  const state = Object.fromEntries(Object.entries(tensors).filter(([name]) => /\.(mean|var)$/.test(name)));
  const batch = await run(state, "batch");
  // What the batch's statistics were, told by what running ones have become.
  const own = Object.entries(state).map(([name, { shape, data }]): [string, Values] => {
    const level = Number(/^levels\.(\d)/.exec(name)?.[1] ?? 0);
    const count = 2 * (SIZE / 2 ** level) ** 2;
    const unbiased = name.endsWith("var") ? count / (count - 1) : 1;
    const next = batch[`state.${name}`].data;
    return [name, { shape, data: data.map((old, i) => (next[i] - 0.98 * old) / (0.02 * unbiased)) }];
  });
  const running = await run(Object.fromEntries(own), "running");
  for (const output of ["attention", "map1", "map4"]) {
    expect(worstDifference(batch[output], running[output]), output).toBeLessThan(2e-4);
  }
  // Running statistics that are used stay.
  for (const [name, { data }] of own) expect([...running[`state.${name}`].data], name).toEqual([...data]);
});

describe("a recorded network", () => {
  it("has no numbers", () => {
    let layer: ReturnType<Layers["conv"]> | undefined;
    record((layers) => {
      layer = layers.conv("c", [1, 1, 1, 1]);
    });
    expect(() => layer?.(undefined as never)).toThrow(StateError);
    expect(() => layer?.weights()).toThrow("a recorded network has no numbers to compute with");
  });
});

describe("batch norm", () => {
  const [M, C, H, W] = [3, 4, 6, 5];
  /** A kernel that makes more channels with one pixel has a way of its own. */
  const shapes: [what: string, kernel: Kernel, bias: boolean, stride: number][] = [
    ["to more channels, with a bias", [6, C, 1, 1], true, 1],
    ["to more channels, without", [6, C, 1, 1], false, 1],
    ["to fewer channels", [2, C, 1, 1], true, 1],
    ["of 3×3", [5, C, 3, 3], false, 1],
    ["of 3×3, with a bias", [5, C, 3, 3], true, 1],
    ["with a stride", [6, C, 1, 1], false, 2],
  ];

  it.each(shapes)(
    "after a convolution %s is what defines it, by the batch and by running statistics",
    async (_, kernel, bias, stride) => {
      const [k, , size] = kernel;
      const style: Norm = { ...TORCH_NORM, bias };
      const options = { padding: size >> 1, stride };
      const vector = (seed: number, plus = 0) => ({ shape: [k], data: randomValues(k, seed).map((v) => v + plus) });
      const parameters: Record<string, Values> = {
        "c.weight": {
          shape: kernel,
          data: randomValues(
            kernel.reduce((a, b) => a * b, 1),
            2,
          ),
        },
        ...(bias && { "c.bias": vector(3) }),
        "n.weight": vector(4),
        "n.bias": vector(5),
      };
      const state: Record<string, Values> = { "n.running_mean": vector(6), "n.running_var": vector(7, 1.5) };
      const x = { shape: [M, C, H, W], data: randomValues(M * C * H * W, 1) };
      const plain = naiveConv(x, parameters["c.weight"], parameters["c.bias"]?.data ?? new Float32Array(k), options);
      const each = plain.shape[2] * plain.shape[3];
      const channel = (i: number) => Math.floor(i / each) % k;
      const count = M * each;
      const moments = Array.from({ length: k }, (__, c) => {
        const all = [...plain.data].filter((___, i) => channel(i) === c);
        const mean = all.reduce((a, b) => a + b, 0) / count;
        return [mean, all.reduce((a, b) => a + (b - mean) ** 2, 0) / count];
      });
      for (const statistics of ["batch", "running"] as const) {
        const pass = (given: { image: np.Array; parameters: Tensors; state: Tensors }) => {
          const own = trainingLayers({ ...given, statistics });
          return { out: own.layers.convNorm("c", "n", kernel, style, options)(given.image), state: own.state() };
        };
        const got = await interpret(pass as never, { image: x, parameters, state } as never);
        const [mean, variance] = [state["n.running_mean"].data, state["n.running_var"].data];
        const used = (c: number) => (statistics === "batch" ? moments[c] : [mean[c], variance[c]]);
        const expected = plain.data.map((v, i) => {
          const [m, s] = used(channel(i));
          const { data: gain } = parameters["n.weight"];
          return ((v - m) / Math.sqrt(s + 1e-5)) * gain[channel(i)] + parameters["n.bias"].data[channel(i)];
        });
        expect(worstDifference(got.out, { shape: plain.shape, data: expected }), statistics).toBeLessThan(2e-5);
        // PyTorch: a tenth of the batch's mean, and of its unbiased variance.
        const kept = (old: Float32Array, of: (c: number) => number) =>
          old.map((v, c) => (statistics === "batch" ? 0.9 * v + 0.1 * of(c) : v));
        const next = kept(mean, (c) => moments[c][0]);
        const spread = kept(variance, (c) => (moments[c][1] * count) / (count - 1));
        expect(worstDifference(got["state.n.running_mean"], { shape: [k], data: next })).toBeLessThan(1e-5);
        expect(worstDifference(got["state.n.running_var"], { shape: [k], data: spread })).toBeLessThan(1e-5);
      }
    },
  );

  it("meets maps one after the other, each with statistics of its own", async () => {
    const style: Norm = { ...TORCH_NORM, momentum: 0.5 };
    const parameters = { "c.weight": { shape: [1, 1, 3, 3], data: Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0) } };
    const norm = {
      "n.weight": { shape: [1], data: Float32Array.of(1) },
      "n.bias": { shape: [1], data: Float32Array.of(0) },
    };
    const state = {
      "n.running_mean": { shape: [1], data: Float32Array.of(0) },
      "n.running_var": { shape: [1], data: Float32Array.of(1) },
    };
    const pass = (given: { parameters: Tensors; state: Tensors; image: np.Array; other: np.Array }) => {
      const own = trainingLayers({ ...given, statistics: "batch" });
      const layer = own.layers.convNorm("c", "n", [1, 1, 3, 3], style, { padding: 1 });
      return { first: layer(given.image), second: layer(given.other), state: own.state() };
    };
    const image = { shape: [1, 1, 1, 2], data: Float32Array.of(1, 3) };
    const other = { shape: [1, 1, 1, 2], data: Float32Array.of(7, 9) };
    const got = await interpret(
      pass as never,
      { image, other, parameters: { ...parameters, ...norm }, state } as never,
    );
    for (const map of [got.first, got.second]) {
      expect(map.data[0]).toBeCloseTo(-1, 4);
      expect(map.data[1]).toBeCloseTo(1, 4);
    }
    // Half of (half of 0 and 2) and 8.
    expect(got["state.n.running_mean"].data[0]).toBeCloseTo(4.5, 5);
  });

  const zeros = (...shape: number[]): NdArray => ndarray(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  const normed =
    (kernel: Kernel, eps = 1e-3): Network<unknown> =>
    (layers) =>
      layers.convNorm("c", "n", kernel, { ...TORCH_NORM, eps });

  it.each([
    ["without a bias", false],
    ["with a bias", true],
  ])("folds into a convolution %s", (_, hasBias) => {
    const [eps, out] = [1e-3, 3];
    const parts: Record<string, NdArray> = {
      "c.weight": ndarray(randomValues(out * 2 * 9, 1), [out, 2, 3, 3]),
      "n.weight": ndarray(randomValues(out, 2), [out]),
      "n.bias": ndarray(randomValues(out, 3), [out]),
      "n.running_mean": ndarray(randomValues(out, 4), [out]),
      "n.running_var": ndarray(Float32Array.of(0, 0.3, 2), [out]),
    };
    if (hasBias) parts["c.bias"] = ndarray(randomValues(out, 5), [out]);
    const reader = new WeightReader("w", new Map(Object.entries(parts)));
    const { c: folded } = fold(normed([out, 2, 3, 3], eps), reader);
    reader.finish();
    const x: Values = { shape: [1, 2, 5, 4], data: randomValues(40, 6) };
    const value = (name: string) => parts[name].data as Float32Array;
    const bias = hasBias ? value("c.bias") : new Float32Array(out);
    const plain = naiveConv(x, { shape: [out, 2, 3, 3], data: value("c.weight") }, bias, { padding: 1 });
    plain.data.forEach((v, i) => {
      const o = Math.floor(i / 20);
      const centred = (v - value("n.running_mean")[o]) / Math.sqrt(value("n.running_var")[o] + eps);
      plain.data[i] = centred * value("n.weight")[o] + value("n.bias")[o];
    });
    const weight = { shape: [out, 2, 3, 3], data: folded.weight.data as Float32Array };
    const once = naiveConv(x, weight, folded.bias.data as Float32Array, { padding: 1 });
    expect(worstDifference(once, plain)).toBeLessThan(1e-5);
    // The file's own values stay: another model may be read from them.
    expect(value("c.weight")).toEqual(randomValues(out * 2 * 9, 1));
  });

  it("is refused with a negative variance", () => {
    const parts = {
      "c.weight": zeros(1, 1, 1, 1),
      "n.weight": zeros(1),
      "n.bias": zeros(1),
      "n.running_mean": zeros(1),
    };
    const bad = new Map(Object.entries({ ...parts, "n.running_var": ndarray(Float32Array.of(-1)) }));
    const folding = () => fold(normed([1, 1, 1, 1]), new WeightReader("w.bin", bad));
    expect(folding).toThrow(FormatError);
    expect(folding).toThrow(/w\.bin: the variance -1 of batch norm "n" is not positive/);
  });

  it("takes no memory for tensors that are missing, however large a file says they are", () => {
    const reader = new WeightReader("w", new Map());
    const huge = 2 ** 40;
    fold((layers) => [normed([huge, huge, 3, 3])(layers), layers.conv("d", [huge, huge, 1, 1])], reader);
    expect(() => reader.finish()).toThrow(FormatError);
  });
});
