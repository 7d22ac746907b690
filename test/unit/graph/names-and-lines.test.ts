/** What a user sees of a graph: the names that they gave, and the line of their own function in an error. */
import { grad, jit, lax, numpy as np } from "@jax-js/jax";
import { describe, expect, it } from "vitest";
import { input, lower } from "../../../src/graph/compile.js";

type Pair = { w: np.Array; w_0: np.Array };

describe("names", () => {
  it("a fed input keeps its name beside a stored one that would be called the same", async () => {
    const graph = await lower(({ w, w_0 }: Pair) => w.add(w_0), {
      w: { shape: [100], data: new Float32Array(100) },
      w_0: input([100]),
    });
    expect([...graph.fed.keys()]).toEqual(["w_0"]);
  });

  it("an output may share the name of an input", async () => {
    const graph = await lower(({ a }: { a: np.Array }) => ({ a: np.sin(a) }), { a: input([2]) });
    expect(graph.outputs.map(({ name }) => name)).toEqual(["a"]);
    expect(graph.outputs[0].onnxName).not.toBe("a");
  });
});

/**
 * The number in `made … (file:LINE:column)` for a matrix that is too large to be written out; the message of an error
 * names this file.
 */
async function lineNamed(fn: (x: np.Array) => np.Array): Promise<number> {
  const error = await lower(fn, input([65, 65])).then(
    () => undefined,
    (reason: Error) => reason,
  );
  expect(error?.message).toContain("= lu ");
  const found = /names-and-lines\.test\.ts:(\d+):\d+/.exec(error?.message ?? "");
  return Number(found?.[1]);
}

/** The line on which this was called. */
const here = () => Number(/names-and-lines\.test\.ts:(\d+)/.exec(new Error().stack?.split("\n")[2] ?? "")?.[1]);

describe("the line of the user's function", () => {
  it("is named for what cannot be lowered", async () => {
    const line = here() + 1;
    expect(await lineNamed((x) => lax.linalg.lu(x)[0])).toBe(line);
  });

  it("is named inside a gradient, whose stack is deep", async () => {
    const line = here() + 1;
    const loss = (a: np.Array) => np.sum(lax.linalg.lu(a)[0]);
    expect(await lineNamed((x) => grad(loss)(x))).toBe(line);
  });

  it("is named inside a jit; that of its call where the jit was traced before", async () => {
    const line = here() + 1;
    const factor = jit((a: np.Array) => lax.linalg.lu(a)[0]);
    expect(await lineNamed((x) => factor(x))).toBe(line);
    expect(await lineNamed((x) => factor(x))).toBe(line + 2);
  });
});
