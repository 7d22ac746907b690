/** The table of primitives, and the loop that lowers a program equation by equation. */
import { StrataError, UnsupportedError } from "../../errors.js";
import type { Eqn, Program } from "../jaxpr.js";
import type { OnnxBuilder } from "../onnx.js";
import type { View } from "../views.js";
import { bitRules } from "./bits.js";
import { convRules } from "./conv.js";
import { dotRules } from "./dot.js";
import { elementwiseRules } from "./elementwise.js";
import { fusedRules } from "./fused.js";
import { indexingRules } from "./indexing.js";
import { linalgRules } from "./linalg.js";
import { Lowering, type Rule } from "./lowering.js";
import { movementRules } from "./movement.js";
import { layOutPool, poolRules } from "./pool.js";
import { reduceRules } from "./reduce.js";
import { sortRules } from "./sort.js";

const RULES: Record<string, Rule> = {
  ...elementwiseRules,
  ...bitRules,
  ...movementRules,
  ...reduceRules,
  ...dotRules,
  ...convRules,
  ...poolRules,
  ...indexingRules,
  ...sortRules,
  ...linalgRules,
  ...fusedRules,
};

/** Primitives of jax-js that are lowered. */
export const SUPPORTED_PRIMITIVES: readonly string[] = Object.keys(RULES).sort();

/** Raised for one equation; compile.ts adds the line of the user's function. */
export class LoweringError extends UnsupportedError {
  constructor(
    readonly eqn: Eqn,
    reason: string,
    options?: { cause?: unknown },
  ) {
    super(`graph: cannot lower "${eqn.traced}": ${reason}`, options);
  }
}

/** Lowers every equation; returns the views of the program's outputs, laid out by the caller. */
export function lowerProgram(
  builder: OnnxBuilder,
  program: Program,
  inputs: readonly View[],
): { views: View[]; ctx: Lowering } {
  const ctx = new Lowering(builder, program.eqns, program.outputs, layOutPool);
  program.inputs.forEach((variable, i) => {
    ctx.bind(variable, inputs[i]);
  });
  for (const eqn of program.eqns) {
    const rule = RULES[eqn.primitive];
    if (!rule) {
      throw new LoweringError(
        eqn,
        `the primitive "${eqn.primitive}" has no ONNX form here; lowered are ${SUPPORTED_PRIMITIVES.join(", ")}`,
      );
    }
    try {
      rule(ctx, eqn).forEach((view, i) => {
        ctx.bind(eqn.outs[i], view);
      });
    } catch (error) {
      if (error instanceof StrataError) throw new LoweringError(eqn, error.message, { cause: error });
      throw error;
    }
  }
  return { views: program.outputs.map((atom) => ctx.view(atom)), ctx };
}
