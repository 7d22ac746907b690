/** The reference's networks in training: first values, batch norm, gradients, and the way back into a checkpoint. */
import { type numpy as np, valueAndGrad } from "@jax-js/jax";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { openReference } from "../../../src/extract/models.js";
import { type Compiled, compile, type InputSpec, input } from "../../../src/graph/compile.js";
import { type Tensors, trainingLayers } from "../../../src/model/layers/training.js";
import { referenceNetwork } from "../../../src/model/reference.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { Random } from "../../../src/random.js";
import type { Parameter } from "../../../src/train/parameters.js";
import { parseRecipe } from "../../../src/train/recipes.js";
import { assembleCheckpoint, referenceTraining } from "../../../src/train/reference/index.js";
import { counterpartsOn } from "../../../src/train/reference/levels.js";
import type { LossInputs } from "../../../src/train/task.js";
import { referenceTensors } from "../../models.js";
import { interpret, randomValues } from "../../networks.js";

const CHANNELS = [8, 12, 16] as const;
const GRID = { width: 12, height: 12 };
const CELLS = GRID.width * GRID.height;
const PAIRS = 3;

const specsOf = (parameters: readonly Parameter[]) =>
  Object.fromEntries(parameters.map(({ name, shape }): [string, InputSpec] => [name, input(shape)]));
const feedsOf = (prefix: string, parameters: readonly Parameter[]) =>
  Object.fromEntries(parameters.map(({ name, data }) => [`${prefix}.${name}`, data]));

/** A batch of noise in which the second image is the first with some more of it; the middle pair does not count. */
function batch(specs: Record<string, InputSpec>, weights = [1, 0, 1]): Record<string, Float32Array> {
  const random = new Random(5);
  const feeds: Record<string, Float32Array> = {};
  for (const [name, { shape }] of Object.entries(specs)) {
    const data = new Float32Array((shape as number[]).reduce((a, b) => a * b, 1));
    const half = data.length / 2;
    if (name === "targets") {
      data.forEach((_, i) => {
        const cell = (i >> 1) % CELLS;
        data[i] = (i % 2 ? Math.floor(cell / GRID.width) : cell % GRID.width) + random.uniform(-0.3, 0.3);
      });
    } else if (name === "valid") {
      for (let i = 0; i < data.length; i++) data[i] = random.uniform() < 0.8 ? 1 : 0;
    } else if (name === "pairWeights") data.set(weights);
    else {
      for (let i = 0; i < half; i++) {
        data[i] = Math.max(0, random.normal());
        data[half + i] = Math.max(0, data[i] + 0.3 * random.normal());
      }
    }
    feeds[`inputs.${name}`] = data;
  }
  return feeds;
}

interface Training {
  compiled: Compiled;
  parameters: Parameter[];
  feeds: Record<string, Float32Array>;
}

/** Loss, metrics, state and gradients of a recipe as one graph, and what to feed it. */
async function training(name: string, isTraining = true, weights?: number[]): Promise<Training> {
  const model = referenceTraining(parseRecipe(name), CHANNELS, GRID);
  const [parameters, state] = [model.parameters(1), model.state()];
  const step = (given: LossInputs) => {
    const fn = (own: Record<string, np.Array>) => {
      const { loss, ...rest } = model.loss({ ...given, parameters: own }, isTraining);
      return [loss, rest];
    };
    const differentiated = valueAndGrad(fn as never, { hasAux: true }) as unknown as (
      p: Record<string, np.Array>,
    ) => [[np.Array, Record<string, never>], Record<string, np.Array>];
    const [[loss, rest], gradients] = differentiated(given.parameters);
    return { loss, ...rest, gradients };
  };
  const inputs = model.inputs(PAIRS);
  const compiled = await compile(
    step as never,
    { parameters: specsOf(parameters), state: specsOf(state), inputs },
    { runtime: nodeRuntime, threads: 1 },
  );
  const feeds = { ...feedsOf("parameters", parameters), ...feedsOf("state", state), ...batch(inputs, weights) };
  const used = new Set(compiled.inputNames);
  return { compiled, parameters, feeds: Object.fromEntries(Object.entries(feeds).filter(([key]) => used.has(key))) };
}

const RECIPES = [
  "cfe16",
  "distinctiveness-n2-lambda0.5-squashed-dim16",
  "distinctiveness-n8-lambda1-dim16",
  "d2net-dim16",
  "d2net-backprop-dim16",
  "distinctiveness-softmax-dim16",
  "d2net-softmax-backprop-dim16",
  // Not distinctiveness: its counts follow the encoder, but not smoothly, and are constants to the gradient.
  "d2net-shared-dim16",
];

describe.each(RECIPES)("%s", (name) => {
  it("its gradient is the slope of its loss, for every tensor", async () => {
    const { compiled, parameters, feeds } = await training(name);
    try {
      const at = await compiled.run(feeds);
      const [loss] = at.loss.data as Float32Array;
      expect(Number.isFinite(loss)).toBe(true);
      for (const { name: tensor } of parameters) {
        const gradient = at[`gradients.${tensor}`].data as Float32Array;
        const square = gradient.reduce((sum, g) => sum + g * g, 0);
        // Batch norm takes the mean away, and with it whatever the bias before it adds.
        if (/(attention|attentions)\.0\.bias$/.test(tensor)) {
          expect(Math.sqrt(square)).toBeLessThan(1e-4);
          continue;
        }
        expect(square).toBeGreaterThan(0);
        const largest = gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
        const moved = async (by: number) => {
          const data = feeds[`parameters.${tensor}`].map((p, i) => p + by * gradient[i]);
          return (await compiled.run({ ...feeds, [`parameters.${tensor}`]: data })).loss.data[0] as number;
        };
        // Steps along the gradient: long ones meet the kinks of hinges, short ones rounding, but one must fit.
        let error = Number.POSITIVE_INFINITY;
        for (const share of [1e-3, 3e-3, 3e-4]) {
          const step = Math.min((share * loss) / square, 0.03 / largest);
          const change = (await moved(step)) - (await moved(-step));
          error = Math.min(error, (Math.abs(change - 2 * step * square) - 1e-6 * loss) / (2 * step * square));
          if (error < 0.04) break;
        }
        expect(error, tensor).toBeLessThan(0.04);
      }
    } finally {
      await compiled.dispose();
    }
  });

  it("no pair that counts: zero, and zero gradients", async () => {
    const { compiled, parameters, feeds } = await training(name, true, [0, 0, 0]);
    const at = await compiled.run(feeds);
    await compiled.dispose();
    expect(at.loss.data[0]).toBe(0);
    for (const { name: tensor } of parameters) {
      expect((at[`gradients.${tensor}`].data as Float32Array).every((g) => g === 0)).toBe(true);
    }
  });
});

it("the loss is the sum of its parts over levels", async () => {
  const value = async (name: string) => {
    const { compiled, feeds } = await training(name);
    const at = await compiled.run(feeds);
    await compiled.dispose();
    const metrics = Object.entries(at).filter(([key]) => key.startsWith("metrics."));
    return {
      loss: at.loss.data[0] as number,
      ...Object.fromEntries(metrics.map(([key, { data }]) => [key.slice(8), data[0] as number])),
    } as Record<string, number>;
  };
  const encoder = await value("cfe16");
  expect(encoder.loss).toBeCloseTo(encoder.reconstruction + encoder.correspondence, 4);
  const plus = await value("distinctiveness-n8-lambda0.25-dim16");
  expect(plus.loss).toBeCloseTo(plus.distinctiveness + 0.25 * plus.peaky, 4);
  expect(plus.loss).toBeCloseTo(plus.early + plus.middle + plus.deep, 4);
  const shared = await value("distinctiveness-n2-lambda0.5-shared-dim16");
  expect(shared.loss).toBeCloseTo(shared.reconstruction + shared.correspondence + shared.attention, 3);
});

it("running statistics move in training and stay in validation, where they are what scores hang on", async () => {
  const name = "distinctiveness-n2-lambda0.5-squashed-dim16";
  const states = async (isTraining: boolean) => {
    const { compiled, feeds } = await training(name, isTraining);
    const at = await compiled.run(feeds);
    const variance = "state.early_attentions.1.running_var";
    const other = await compiled.run({ ...feeds, [variance]: new Float32Array(512).fill(9) });
    await compiled.dispose();
    return {
      before: feeds[variance],
      after: at[variance].data as Float32Array,
      moved: other.loss.data[0],
      loss: at.loss.data[0],
    };
  };
  const trained = await states(true);
  expect([...trained.after]).not.toEqual([...trained.before]);
  expect(trained.moved).toBe(trained.loss);
  const validated = await states(false);
  expect([...validated.after]).toEqual([...validated.before]);
  expect(validated.moved).not.toBeCloseTo(validated.loss as number, 3);
});

it("shared maps are a row and a column smaller: what lies on those, in either image, does not count", async () => {
  const [from, to] = [
    { width: 4, height: 3 },
    { width: 3, height: 2 },
  ];
  // Cell k's target is (k / 4, 0): the tenth and later ones round to column 3, which the smaller map lacks.
  const targets = Float32Array.from({ length: 24 }, (_, i) => (i % 2 ? 0 : i / 8));
  const got = await interpret(
    ((given: Record<string, np.Array>) => ({ ...counterpartsOn(given, from, to) })) as never,
    {
      targets: { shape: [1, 12, 2], data: targets },
      valid: { shape: [1, 12], data: Float32Array.of(1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1) },
      pairWeights: { shape: [1], data: Float32Array.of(1) },
    },
  );
  expect(got.targets.shape).toEqual([1, 6, 2]);
  expect([...got.targets.data].filter((_, i) => i % 2 === 0)).toEqual([0, 0.25, 0.5, 1, 1.25, 1.5]);
  expect([...got.valid.data]).toEqual([1, 1, 0, 1, 1, 1]);
  const far = await interpret(
    ((given: Record<string, np.Array>) => ({ ...counterpartsOn(given, from, to) })) as never,
    {
      targets: {
        shape: [1, 12, 2],
        data: Float32Array.from({ length: 24 }, (_, i) => (i % 2 ? i / 12 : 2.6 - i / 10)),
      },
      valid: { shape: [1, 12], data: new Float32Array(12).fill(1) },
      pairWeights: { shape: [1], data: Float32Array.of(1) },
    },
  );
  // x of cells 0, 1, 2, 4, 5, 6: 2.6, 2.4, 2.2, 1.8, 1.6, 1.4; y: 0.08, 0.25, 0.42, 0.75, 0.92, 1.08.
  expect([...far.valid.data]).toEqual([0, 1, 1, 1, 1, 1]);
});

it("a grid that the deep tap cannot be enlarged to is refused", () => {
  expect(() => referenceTraining(parseRecipe("d2net"), CHANNELS, { width: 30, height: 32 })).toThrow(OptionError);
  expect(() => referenceTraining(parseRecipe("d2net"), CHANNELS, { width: 30, height: 32 })).toThrow(
    /multiples of 4, got 30×32/,
  );
});

describe("first values", () => {
  it("are PyTorch's: uniform in ±1/√fan_in, gains 1, shifts 0; and the same for the same seed", () => {
    const model = referenceTraining(parseRecipe("cfe64"), [512, 1024, 2048]);
    const named = new Map(model.parameters(3).map((p) => [p.name, p]));
    for (const [name, bound, length] of [
      ["feature_encoder.e1.0.weight", 1 / Math.sqrt(512), 64 * 512],
      ["feature_encoder.e3.0.bias", 1 / Math.sqrt(2048), 64],
      // Of a transposed convolution PyTorch takes the outputs for the fan.
      ["feature_encoder.d1.0.weight", 1 / Math.sqrt(512), 64 * 512],
      ["feature_encoder.d3.0.bias", 1 / Math.sqrt(2048), 2048],
    ] as const) {
      const { data } = named.get(name) as Parameter;
      expect(data.length).toBe(length);
      expect(Math.max(...data)).toBeLessThanOrEqual(bound);
      expect(Math.min(...data)).toBeGreaterThanOrEqual(-bound);
      const deviation = Math.sqrt(data.reduce((sum, v) => sum + v * v, 0) / length);
      expect(deviation / (bound / Math.sqrt(3))).toBeGreaterThan(length > 1000 ? 0.98 : 0.8);
      expect(deviation / (bound / Math.sqrt(3))).toBeLessThan(length > 1000 ? 1.02 : 1.2);
    }
    const heads = referenceTraining(parseRecipe("d2net"), CHANNELS);
    const [first, again, other] = [heads.parameters(1), heads.parameters(1), heads.parameters(2)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    const gain = first.find(({ name }) => name === "deep_attentions.1.weight");
    expect(new Set(gain?.data)).toEqual(new Set([1]));
  });

  it("frozen parts are no parameters", () => {
    const names = (recipe: string) =>
      referenceTraining(parseRecipe(recipe), CHANNELS)
        .parameters(1)
        .map((p) => p.name);
    expect(names("d2net").some((name) => name.startsWith("feature_encoder"))).toBe(false);
    expect(names("d2net-backprop")).toContain("feature_encoder.e2.0.weight");
    expect(names("d2net-shared")).toContain("feature_encoder.p3.1.weight");
    const shapeOf = (recipe: string) => referenceTraining(parseRecipe(recipe), CHANNELS).inputs(4).deep.shape;
    expect(shapeOf("d2net-dim32")).toEqual([8, 32, 32, 32]);
    expect(shapeOf("d2net-backprop")).toEqual([8, 16, 8, 8]);
  });
});

describe("a trained model as a checkpoint", () => {
  const whole = referenceTensors({ depth: 18, dim: 16 });
  const CHANNELS18 = [128, 256, 512] as const;

  it.each([
    ["d2net-dim16", "multi_attention_model2"],
    ["d2net-backprop-dim16", "multi_attention_model2"],
    ["d2net-softmax-dim16", "multi_attention_model"],
    ["d2net-shared-dim16", "shared_multi_attention_model2"],
  ])("%s opens as %s", (recipe, attention) => {
    const model = referenceTraining(parseRecipe(recipe), CHANNELS18);
    const tensors = assembleCheckpoint(whole, model.parameters(1), model.state(), 42);
    const opened = openReference("trained", "trained", tensors, {}, "");
    expect(opened.config).toMatchObject({ attention, descriptorDim: 16, backbone: "resnet18" });
    if (model.state().length) {
      const counter = [...tensors].find(([name]) => /attentions?\.1\.num_batches_tracked$/.test(name));
      expect(counter?.[1]).toMatchObject({ dtype: "int64", shape: [], data: BigInt64Array.of(42n) });
    }
  });

  it("gives the scores and descriptors that training saw", async () => {
    const recipe = parseRecipe("d2net-dim16");
    const model = referenceTraining(recipe, CHANNELS18);
    const random = new Random(9);
    // Statistics as after some training, so that they matter.
    const state = model.state().map(({ name, shape, data }) => ({
      name,
      shape,
      data: data.map((v) => v + random.uniform(0, 0.5)),
    }));
    const parameters = model.parameters(1);
    const tensors = assembleCheckpoint(whole, parameters, state, 1);
    const { model: opened } = openReference("trained", "trained", tensors, { firstStride: 2 }, "");
    const shape = [1, 3, 64, 64];
    const image = { shape, data: randomValues(3 * 64 * 64) };
    const shape18 = { depth: 18, attention: "multi_attention_model2", dim: 16 } as const;
    const options = { squash: false, firstStride: 2, replaceStrideWithDilation: false } as const;
    // The frozen part from the checkpoint, the learnt part as training has it.
    const scored = (given: { image: np.Array } & Record<"frozen" | "parameters" | "state", Tensors>) => {
      const tensors = { ...given.frozen, ...given.parameters };
      const state = { ...given.frozen, ...given.state };
      const { layers } = trainingLayers({ parameters: tensors, state, statistics: "running" });
      return referenceNetwork(layers, shape18, options)(given.image);
    };
    const frozen = [...whole]
      .filter(([name, { dtype }]) => dtype === "float32" && !/resnet\.fc\.|attentions/.test(name))
      .map(([name, { shape: own, data }]) => ({ name, shape: own, data: data as Float32Array }));
    const withData = (list: Parameter[]) =>
      Object.fromEntries(list.map(({ name, shape: own, data }) => [name, { shape: own, data }]));
    const run = async (fn: never, rest: Record<string, unknown>) => {
      const compiled = await compile(fn, { image: input(shape), ...rest } as never, {
        runtime: nodeRuntime,
        threads: 1,
      });
      const out = await compiled.run({ image: image.data });
      await compiled.dispose();
      return out;
    };
    const seen = await run(scored as never, {
      frozen: withData(frozen),
      parameters: withData(parameters),
      state: withData(state),
    });
    const given = await run(opened.network as never, { params: opened.params });
    for (const name of ["map0", "map1", "map2", "score0", "score1", "score2"]) {
      const [a, b] = [seen[name].data as Float32Array, given[name].data as Float32Array];
      expect(a.length).toBe(b.length);
      const largest = Math.max(...b.map(Math.abs));
      a.forEach((value, i) => {
        expect(Math.abs(value - b[i]) / largest).toBeLessThan(1e-4);
      });
    }
  });

  it("needs a backbone", () => {
    expect(() => assembleCheckpoint(new Map(), [], [], 0)).toThrow(OptionError);
  });
});
