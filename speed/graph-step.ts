/**
 * A training step as src/graph runs it: a small network with batch norm in training mode, cross-entropy over all
 * similarities of two images, backward pass and Adam in one graph. Timed, and its operators counted.
 */
import { lax, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import { type Compiled, type CompileStats, compile, type InputSpec, input } from "../src/graph/compile.js";
import { nodeRuntime } from "../src/node/runtime.js";
import { Random } from "../src/random.js";
import { type Timing, time } from "./harness.js";

const PAIRS = 2;
const SIZE = 192;
/** [in, out, stride] of the 3×3 convolutions, each with batch norm and ReLU; a 1×1 to 64 follows. */
const LAYERS = [
  [3, 32, 1],
  [32, 32, 2],
  [32, 64, 1],
  [64, 64, 2],
  [64, 128, 1],
  [128, 128, 2],
  [128, 128, 1],
] as const;
const DIM = 64;
const RATE = 1e-3;

type Parameters = Record<string, np.Array>;

/** Shapes of all parameters by name. */
function parameterShapes(): Record<string, number[]> {
  const shapes: Record<string, number[]> = { head: [DIM, 128, 1, 1] };
  LAYERS.forEach(([from, to], i) => {
    shapes[`kernel${i}`] = [to, from, 3, 3];
    shapes[`gain${i}`] = [to, 1, 1];
    shapes[`bias${i}`] = [to, 1, 1];
  });
  return shapes;
}

function batchNorm(x: np.Array, gain: np.Array, bias: np.Array): np.Array {
  const centred = np.subtract(x.ref, np.mean(x, [0, 2, 3], { keepdims: true }));
  const variance = np.mean(np.square(centred.ref), [0, 2, 3], { keepdims: true });
  return centred
    .div(np.sqrt(variance.add(1e-5)))
    .mul(gain)
    .add(bias);
}

/** [N, 3, S, S] → unit descriptors [N, S/8·S/8, 64]. */
function describe(images: np.Array, p: Parameters): np.Array {
  let x = images;
  LAYERS.forEach(([, , stride], i) => {
    x = lax.conv(
      x,
      p[`kernel${i}`].ref,
      [stride, stride],
      [
        [1, 1],
        [1, 1],
      ],
    );
    x = nn.relu(batchNorm(x, p[`gain${i}`].ref, p[`bias${i}`].ref));
  });
  const y = lax.conv(x, p.head.ref, [1, 1], "VALID");
  const flat = np.transpose(y.reshape([2 * PAIRS, DIM, -1]), [0, 2, 1]);
  return flat.ref.div(np.sqrt(np.sum(np.square(flat), 2, { keepdims: true }).add(1e-12)));
}

/** Cross-entropy over similarities times 20, both ways; the right answer is the same place in the other image. */
function loss(p: Parameters, images: np.Array): np.Array {
  const [a, b] = np.split(describe(images, p), 2, 0);
  const logits = np.matmul(a, np.transpose(b, [0, 2, 1])).mul(20);
  const places = logits.shape[1];
  const right = np.eye(places);
  const both = nn.logSoftmax(logits.ref, 1).add(nn.logSoftmax(logits, 2));
  return np.sum(both.mul(right)).mul(-1 / (2 * PAIRS * places));
}

interface StepInputs {
  images: np.Array;
  /** 1 − β₁ᵗ and 1 − β₂ᵗ. */
  corrections: np.Array;
  parameters: Parameters;
  first: Parameters;
  second: Parameters;
}

/** One step of Adam. */
function step({ images, corrections, parameters, first, second }: StepInputs) {
  const [value, gradients] = valueAndGrad(loss)(parameters, images) as [np.Array, Parameters];
  const [c1, c2] = np.split(corrections, 2);
  const next = { parameters: {} as Parameters, first: {} as Parameters, second: {} as Parameters };
  for (const name of Object.keys(gradients)) {
    const g = gradients[name];
    const m = first[name].mul(0.9).add(g.ref.mul(0.1));
    const v = second[name].mul(0.999).add(np.square(g).mul(0.001));
    const root = np.sqrt(v.ref.div(c2.ref)).add(1e-8);
    next.parameters[name] = parameters[name].ref.sub(m.ref.div(c1.ref).div(root).mul(RATE));
    next.first[name] = m;
    next.second[name] = v;
  }
  return { loss: value, ...next };
}

export interface StepOutcome {
  timing: Timing;
  /** Loss of the first step and of the last one timed; they fall when the gradients are right. */
  losses: [number, number];
  stats: CompileStats;
}

/** Compiles the step, runs it `warmup + repeats` times on one batch of noise, and times the repeats. */
export async function timeGraphStep({ warmup = 2, repeats = 9, threads = 0 } = {}): Promise<StepOutcome> {
  const shapes = parameterShapes();
  const specs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]): [string, InputSpec] => [name, input(shape)]),
  );
  const compiled: Compiled = await compile(
    step,
    {
      images: input([2 * PAIRS, 3, SIZE, SIZE]),
      corrections: input([2]),
      parameters: specs,
      first: specs,
      second: specs,
    },
    { runtime: nodeRuntime, ...(threads ? { threads } : {}) },
  );
  const random = new Random(1);
  const state: Record<string, Float32Array> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const size = shape.reduce((a, b) => a * b, 1);
    const spread = Math.sqrt(2 / (size / shape[0]));
    const start = (): number => (name.startsWith("gain") ? 1 : name.startsWith("bias") ? 0 : spread * random.normal());
    state[`parameters.${name}`] = Float32Array.from({ length: size }, start);
    state[`first.${name}`] = new Float32Array(size);
    state[`second.${name}`] = new Float32Array(size);
  }
  // The second image of a pair is the first with a little noise.
  const pixels = 3 * SIZE * SIZE;
  const images = new Float32Array(2 * PAIRS * pixels);
  for (let i = 0; i < PAIRS * pixels; i++) {
    images[i] = random.normal();
    images[PAIRS * pixels + i] = images[i] + 0.3 * random.normal();
  }
  const losses: number[] = [];
  const timing = await time(
    async () => {
      const t = losses.length + 1;
      const corrections = Float32Array.of(1 - 0.9 ** t, 1 - 0.999 ** t);
      const outputs = await compiled.run({ images, corrections, ...state });
      losses.push(outputs.loss.data[0]);
      for (const name of Object.keys(state)) state[name] = outputs[name].data as Float32Array;
    },
    { warmup, repeats },
  );
  await compiled.dispose();
  return { timing, losses: [losses[0], losses[losses.length - 1]], stats: compiled.stats };
}
