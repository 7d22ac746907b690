/**
 * What the compiler knows of a compiled function. Each `@ts-expect-error` is a mistake that `npm run types` must find: where
 * it finds none, the line itself is an error. The same mistakes are told by `run` to those without types.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { numpy as np } from "@jax-js/jax";
import { describe, expect, it } from "vitest";
import { type Compiled, compile, input } from "../../../src/node/index.js";

const one = Float32Array.of(1);

describe("compile keeps the types of its function", () => {
  it("names of inputs and outputs, nested ones by path", async () => {
    const weight = { shape: [1], data: Float32Array.of(2) } as const;
    const compiled = await compile(
      ({ a, b, weight }) => ({ sum: a.ref.add(b.c), parts: [a.mul(weight)] as const }),
      { a: input([1]), b: { c: input([1]) }, weight },
      { threads: 1 },
    );
    const outputs = await compiled.run({ a: one, "b.c": one });
    expect([outputs.sum.data[0], outputs["parts.0"].data[0]]).toEqual([2, 2]);
    // @ts-expect-error: there is no output "total"
    expect(outputs.total).toBeUndefined();
    // @ts-expect-error: "b.c" is missing
    await expect(compiled.run({ a: one })).rejects.toThrow('the input "b.c" is missing');
    // @ts-expect-error: there is no input "d"
    await expect(compiled.run({ a: one, "b.c": one, d: one })).rejects.toThrow('no input "d"');
    // @ts-expect-error: weights are stored, not fed
    await expect(compiled.run({ a: one, "b.c": one, weight: one })).rejects.toThrow('no input "weight"');
    // @ts-expect-error: there is no output "total" to write into
    await expect(compiled.run({ a: one, "b.c": one }, { total: one })).rejects.toThrow('no output "total"');
    const loose: Compiled = compiled;
    await loose.dispose();
  });

  it("a lone array is called in and out", async () => {
    const compiled = await compile((x) => x.add(1), input([1]), { threads: 1 });
    const { out } = await compiled.run({ in: one });
    expect(out.data[0]).toBe(2);
    // @ts-expect-error: the input is called "in"
    await expect(compiled.run({ x: one })).rejects.toThrow('no input "x"');
    await compiled.dispose();
  });

  it("the function sees the inputs that there are", async () => {
    // @ts-expect-error: the function takes "y", which is not given
    const wrong = compile(({ y }: { y: np.Array }) => y.add(1), { x: input([1]) }, { threads: 1 });
    await expect(wrong).rejects.toThrow();
  });

  it("examples/compile.ts fits its line", async () => {
    const example = fileURLToPath(new URL("../../../examples/compile.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", example]);
    expect(stdout).toMatch(/^y = 3\.000 x \+ -1\.000, mean squared error/);
  });
});
