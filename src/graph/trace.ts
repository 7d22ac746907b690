/** Traces a function on jax-js arrays into a jaxpr, and finds the line of the function that made an equation. */
import type { ClosedJaxpr, DType, numpy as np } from "@jax-js/jax";
import { makeJaxpr } from "./jax.js";
import type { RawEqn } from "./jaxpr.js";
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
  /** Where in the user's function an equation was made; undefined for one that an earlier trace has left in a jit. */
  lineOf(eqn: RawEqn): string | undefined;
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

/** Traces `fn` on inputs of the given tree. */
export function trace<L>(
  fn: (inputs: never) => unknown,
  inputs: Tree<L>,
  isLeaf: (value: unknown) => value is L,
  describe: (leaf: L) => Leaf,
): Traced {
  const leaves = leavesOf(inputs, isLeaf).map(([, leaf]) => describe(leaf));
  let outputPaths: string[] = [];
  const sites = new Map<unknown, Error>();
  let unwatch = () => {};
  const flat = (...tracers: np.Array[]) => {
    if (tracers.length) unwatch = watchBuilders(tracers[0], sites);
    let i = 0;
    const result = fn(rebuild(inputs, isLeaf, () => tracers[i++]) as never);
    const isArray = (value: unknown): value is np.Array =>
      typeof value === "object" && value !== null && "aval" in value;
    const outputs = leavesOf(result as Tree<np.Array>, isArray);
    outputPaths = outputs.map(([path]) => path || "out");
    return outputs.map(([, array]) => array);
  };
  const abstract = leaves.map((leaf) => new Abstract([...leaf.shape], leaf.type as DType));
  let closed: ClosedJaxpr;
  try {
    ({ jaxpr: closed } = makeJaxpr(flat as (...args: unknown[]) => never)(...abstract) as unknown as {
      jaxpr: ClosedJaxpr;
    });
  } finally {
    unwatch();
  }
  const siteOf = (eqn: RawEqn) => sites.get(eqn.outBinders[0]) ?? sites.get(eqn.params);
  return { closed, outputPaths, lineOf: (eqn) => userLine(siteOf(eqn)?.stack ?? "") };
}

/**
 * jax-js keeps the equations of a trace in a builder that every tracer can reach. We look over the shoulder of all
 * builders, for jit and grad make their own: each equation is remembered, by its first result and by its parameters,
 * with an Error, whose stack costs next to nothing until it is read. Returns what ends the watch.
 */
function watchBuilders(tracer: np.Array, sites: Map<unknown, Error>): () => void {
  const { _trace } = tracer as unknown as { _trace: { main: { globalData: { addEqn(eqn: RawEqn): void } } } };
  const builders = Object.getPrototypeOf(_trace.main.globalData) as { addEqn(eqn: RawEqn): void };
  const { addEqn } = builders;
  const depth = Error.stackTraceLimit;
  // jax-js puts some thirty calls of its own between a nested jit and its caller.
  Error.stackTraceLimit = 100;
  builders.addEqn = function (eqn) {
    const site = new Error();
    sites.set(eqn.outBinders[0], site);
    sites.set(eqn.params, site);
    addEqn.call(this, eqn);
  };
  return () => {
    builders.addEqn = addEqn;
    Error.stackTraceLimit = depth;
  };
}

/** The first line of a stack that is neither jax-js nor this folder: where the user wrote the operation. */
function userLine(stack: string): string | undefined {
  return stack
    .split("\n")
    .slice(1)
    .map((line) => line.trim())
    .find((line) => !/@jax-js|[/\\]graph[/\\](trace|compile|fused)\.|node:internal|<anonymous>\)?$/.test(line));
}
