/** Traces a function on jax-js arrays into a jaxpr, and finds the line of the function that made an equation. */
import { type ClosedJaxpr, type DType, makeJaxpr, type numpy as np } from "@jax-js/jax";
import type { ElementType } from "./session.js";

/** A nested object or array whose leaves are `L`. */
export type Tree<L> = L | { [key: string]: Tree<L> } | Tree<L>[];

/** Shape and type of a traced input; jax-js takes any object with these fields that is not a plain one. */
class Abstract {
  readonly weakType = false;
  constructor(
    readonly shape: number[],
    readonly dtype: DType,
  ) {}
}

export interface Traced {
  closed: ClosedJaxpr;
  /** Path of each output, e.g. "scores" or "maps.1"; "out" where the function returns one array. */
  outputPaths: string[];
}

/** Leaves of a tree with their paths, in a fixed order. */
export function leavesOf<L>(root: Tree<L>, isLeaf: (value: unknown) => value is L, path = ""): [string, L][] {
  if (isLeaf(root)) return [[path, root]];
  return Object.entries(root as Record<string, Tree<L>>).flatMap(([key, value]) =>
    leavesOf(value, isLeaf, path ? `${path}.${key}` : key),
  );
}

/** The same tree with its leaves replaced in order. */
function rebuild<L, M>(root: Tree<L>, isLeaf: (value: unknown) => value is L, next: () => M): Tree<M> {
  if (isLeaf(root)) return next();
  if (Array.isArray(root)) return root.map((value) => rebuild(value, isLeaf, next));
  return Object.fromEntries(Object.entries(root as object).map(([key, value]) => [key, rebuild(value, isLeaf, next)]));
}

export interface Leaf {
  type: ElementType;
  shape: readonly number[];
}

/** Traces `fn` on inputs of the given tree; `watch` sees every equation as it is made, with the stack that made it. */
export function trace<L>(
  fn: (inputs: never) => unknown,
  inputs: Tree<L>,
  isLeaf: (value: unknown) => value is L,
  describe: (leaf: L) => Leaf,
  watch?: (stack: string, text: string) => void,
): Traced {
  const leaves = leavesOf(inputs, isLeaf).map(([, leaf]) => describe(leaf));
  let outputPaths: string[] = [];
  const flat = (...tracers: np.Array[]) => {
    if (watch && tracers.length) watchBuilder(tracers[0], watch);
    let i = 0;
    const result = fn(rebuild(inputs, isLeaf, () => tracers[i++]) as never);
    const isArray = (value: unknown): value is np.Array =>
      typeof value === "object" && value !== null && "aval" in value;
    const outputs = leavesOf(result as Tree<np.Array>, isArray);
    outputPaths = outputs.map(([path]) => path || "out");
    return outputs.map(([, array]) => array);
  };
  const abstract = leaves.map((leaf) => new Abstract([...leaf.shape], leaf.type as DType));
  const { jaxpr: closed } = makeJaxpr(flat as (...args: unknown[]) => never)(...abstract) as unknown as {
    jaxpr: ClosedJaxpr;
  };
  return { closed, outputPaths };
}

/** jax-js keeps the equations of a trace in a builder that every tracer can reach; we look over its shoulder. */
function watchBuilder(tracer: np.Array, watch: (stack: string, text: string) => void): void {
  const { _trace } = tracer as unknown as { _trace: { main: { globalData: { addEqn(eqn: unknown): void } } } };
  const builder = _trace.main.globalData;
  const add = builder.addEqn.bind(builder);
  builder.addEqn = (eqn) => {
    watch(wholeStack(), String(eqn));
    add(eqn);
  };
}

/** The stack in full: inside a gradient, the user's line lies far below the ten frames that V8 keeps by itself. */
function wholeStack(): string {
  const limited = Error as { stackTraceLimit?: number };
  const before = limited.stackTraceLimit;
  limited.stackTraceLimit = 200;
  const { stack } = new Error();
  limited.stackTraceLimit = before;
  return stack ?? "";
}

/** The first line of a stack that is neither jax-js nor this folder: where the user wrote the operation. */
export function userLine(stack: string): string | undefined {
  return stack
    .split("\n")
    .slice(1)
    .map((line) => line.trim())
    .find((line) => !/@jax-js|[/\\]graph[/\\](trace|compile|fused)\.|node:internal/.test(line));
}
