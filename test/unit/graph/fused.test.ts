/** Operators that a caller defines: definition and lowering in one place, and neither is taken for another's. */
import { grad, numpy as np } from "@jax-js/jax";
import "../../../src/graph/jax-now.js";
import { describe, expect, it } from "vitest";
import { StateError } from "../../../src/errors.js";
import { input, lower } from "../../../src/graph/compile.js";
import { fused } from "../../../src/graph/fused.js";
import { interpret, runGraph, worstDifference } from "../../networks.js";

const erf = (x: np.Array) => np.tanh(x.mul(1.2));
const soft = fused({ name: "testSoft", definition: erf, lower: "Erf" });

/** Adds a constant that the definition closes over, so that arguments do not come first in the jit. */
const shifted = fused({
  name: "testShift",
  params: { by: 3 },
  definition: (x: np.Array, y: np.Array) => x.add(np.array([3, 3])).sub(y),
  lower({ builder, params, argument }) {
    const by = builder.constant("float32", [], Float32Array.of(Number(params.by)));
    return builder.node("Sub", [builder.node("Add", [argument(0), by]), argument(1)]);
  },
});

describe("fused", () => {
  it("lowers to its operator, and its gradient to the definition's", async () => {
    const { stats } = await lower(({ x }: { x: np.Array }) => soft(x), { x: input([3]) });
    expect(stats.operators).toEqual({ Erf: 1, Identity: 1 });
    const slope = await lower(({ x }: { x: np.Array }) => grad((a: np.Array) => np.sum(soft(a)))(x), { x: input([3]) });
    expect(slope.stats.operators).toHaveProperty("Exp");
    expect(slope.stats.operators.Erf).toBeUndefined();
  });

  it("gives its arguments by number, whatever its definition closes over", async () => {
    const fn = (({ image, y }: Record<string, np.Array>) => shifted(image, y)) as never;
    const image = { shape: [2], data: Float32Array.of(1, 2) };
    const rest = { y: { shape: [2], data: Float32Array.of(10, 20) } };
    const own = await interpret(fn, { image, ...rest });
    expect([...own.out.data]).toEqual([-6, -15]);
    expect(worstDifference((await runGraph(fn, rest, image)).out, own.out)).toBe(0);
  });

  it("refuses a second operator of the same name", () => {
    expect(() => fused({ name: "testSoft", definition: erf, lower: "Tanh" })).toThrow(StateError);
    expect(() => fused({ name: "testSoft", definition: erf, lower: "Erf" })).not.toThrow();
  });
});
