/** The same five training steps on the CPU and on WebGPU; prints the losses of both as one line of JSON. */
import { nn, numpy as np } from "@jax-js/jax";
import "../../src/graph/jax-now.js";
import { input, lower } from "../../src/graph/compile.js";
import type { Backend } from "../../src/graph/session.js";
import { type Arr, conv2d } from "../../src/model/operators.js";
import { nodeRuntime } from "../../src/node/runtime.js";
import { Random } from "../../src/random.js";
import { hyperparameters, type OptimizerOptions } from "../../src/train/optimizer.js";
import { Stepper } from "../../src/train/step.js";
import { toyTask } from "../unit/train/toy.js";

const ADAM: OptimizerOptions = { optimizer: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
const [SIZE, CHANNELS, DIM] = [16, 8, 6];
const random = new Random(5);
const normal = (length: number, scale = 1) => Float32Array.from({ length }, () => scale * random.normal());
const parameters = [
  { name: "a.weight", shape: [CHANNELS, 3, 3, 3], data: normal(CHANNELS * 27, 0.2) },
  { name: "a.bias", shape: [CHANNELS], data: normal(CHANNELS, 0.1) },
  { name: "b.weight", shape: [DIM, CHANNELS, 1, 1], data: normal(DIM * CHANNELS, 0.3) },
  { name: "b.bias", shape: [DIM], data: normal(DIM, 0.1) },
];

/** Strided convolution, batch norm of the batch, contrast between two images: what trainings are made of. */
const task = toyTask({
  parameters: () => parameters,
  state: () => [],
  inputs: () => ({ images: input([2, 3, SIZE, SIZE]) }),
  loss: ({ parameters: p, inputs: { images } }) => {
    const x = conv2d(images, { weight: p["a.weight"], bias: p["a.bias"] }, { stride: 2, padding: 1 });
    const centred = x.ref.sub(np.mean(x, [0, 2, 3], { keepdims: true }));
    const variance = np.mean(np.square(centred.ref), [0, 2, 3], { keepdims: true });
    const hidden = nn.relu(centred.div(np.sqrt(variance.add(1e-5))));
    const maps = conv2d(hidden, { weight: p["b.weight"], bias: p["b.bias"] }).reshape([2, DIM, -1]);
    const unit = maps.ref.div(np.sqrt(np.sum(np.square(maps), 1, { keepdims: true }).add(1e-12)));
    const [a, b]: Arr[] = np.split(unit, 2, 0).map((map: Arr) => map.reshape([DIM, -1]));
    const logits = np.matmul(a.transpose(), b).mul(10);
    const right = np.eye(logits.shape[0]);
    return { loss: np.sum(nn.logSoftmax(logits, 1).mul(right)).mul(-1 / right.shape[0]), metrics: {}, state: {} };
  },
});

const images = normal(2 * 3 * SIZE * SIZE);
// The second image is the first with a little noise.
for (let i = 0; i < images.length / 2; i++) images[images.length / 2 + i] = images[i] + 0.3 * random.normal();

async function losses(backend: Backend): Promise<number[]> {
  const stepper = new Stepper(task, 0, ADAM, { runtime: nodeRuntime, backend, threads: 1 });
  const found: number[] = [];
  for (let t = 1; t <= 5; t++) {
    found.push((await stepper.step(1, { images }, hyperparameters(0.02, t, 1, ADAM))).loss);
    stepper.commit();
  }
  await stepper.dispose();
  return found;
}

const { onnx } = await lower((x: never) => x, input([1]));
const session = await nodeRuntime.open(onnx, { backend: "webgpu" });
const { fallback } = session.info;
await session.dispose();
if (fallback) console.log(JSON.stringify({ absent: fallback }));
else console.log(JSON.stringify({ cpu: await losses("cpu"), webgpu: await losses("webgpu") }));
// Dawn's threads outlive the sessions.
process.exit(0);
