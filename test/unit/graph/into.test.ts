/** Outputs written into arrays that the caller brings: no allocation from step to step of a training. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { type Compiled, compile, input } from "../../../src/graph/compile.js";
import type { Arr } from "../../../src/model/operators.js";
import { nodeRuntime } from "../../../src/node/runtime.js";
import { webRuntime } from "../../../src/web/runtime.js";

const fn = ({ x }: { x: Arr }) => ({ x: x.ref.mul(2), sum: x.ref.sum(), square: x.ref.mul(x).reshape([2, 2]) });

for (const runtime of [nodeRuntime, webRuntime]) {
  let compiled: Compiled;
  beforeAll(async () => {
    compiled = await compile(fn as never, { x: input([4]) }, { runtime });
  });
  afterAll(() => compiled.dispose());

  it(`${runtime.name}: outputs lie in the given arrays, others in new ones; the input stays`, async () => {
    const x = Float32Array.of(1, 2, 3, 4);
    const [doubled, squared] = [new Float32Array(4), new Float32Array(4)];
    for (let round = 0; round < 2; round++) {
      doubled.fill(-1);
      const outputs = await compiled.run({ x }, { x: doubled, square: { data: squared, shape: [2, 2] } });
      expect(outputs.x.data).toBe(doubled);
      expect(outputs.square.data).toBe(squared);
      expect([...doubled]).toEqual([2, 4, 6, 8]);
      expect([...squared]).toEqual([1, 4, 9, 16]);
      expect(outputs.sum.data[0]).toBe(10);
      expect([...x]).toEqual([1, 2, 3, 4]);
    }
  });

  it(`${runtime.name}: an output that there is not is named`, async () => {
    const run = compiled.run({ x: new Float32Array(4) }, { cube: new Float32Array(4) });
    await expect(run).rejects.toThrow(OptionError);
    await expect(run).rejects.toThrow('no output "cube"; outputs: x, sum, square');
  });
}
