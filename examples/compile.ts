/**
 * A function on jax-js arrays as an ONNX graph, and its gradient as another: fits a line to points by gradient descent.
 *
 *   npx tsx examples/compile.ts
 *
 * The types of the function stay: a wrong input name, a missing input or an unknown output is an error of the compiler.
 */
import { grad, numpy as np } from "@jax-js/jax";
import { compile, input } from "../src/node/index.js";

/** Points on y = 3x − 1. */
const COUNT = 50;
const x = Float32Array.from({ length: COUNT }, (_, i) => i / COUNT);
const y = x.map((value) => 3 * value - 1);

/** Mean squared error of the line with slope line[0] and height line[1]. jax-js arrays are used up; `.ref` keeps one. */
function loss(line: np.Array, x: np.Array, y: np.Array): np.Array {
  const [slope, height] = [line.ref.slice(0), line.slice(1)];
  return np.square(x.mul(slope).add(height).sub(y)).mean();
}

const specs = { line: input([2]), x: input([COUNT]), y: input([COUNT]) };
const error = await compile(({ line, x, y }) => loss(line, x, y), specs, { name: "loss" });
const slope = await compile(({ line, x, y }) => ({ gradient: grad(loss)(line, x, y) }), specs, { name: "gradient" });

const line = new Float32Array(2);
for (let step = 0; step < 400; step++) {
  const { gradient } = await slope.run({ line, x, y });
  for (const i of [0, 1]) line[i] -= 0.5 * Number(gradient.data[i]);
}
const { out } = await error.run({ line, x, y });
console.log(
  `y = ${line[0].toFixed(3)} x + ${line[1].toFixed(3)}, mean squared error ${Number(out.data[0]).toExponential(1)}`,
);
console.log(`graphs of ${error.stats.nodes} and ${slope.stats.nodes} nodes on ${error.info.backend}`);
await error.dispose();
await slope.dispose();
