/**
 * jax-js, loaded when something is traced: a model whose graph is prepared never needs it, and it takes a quarter of a
 * second. Networks name `np` and `lax` from here; they compute when they are traced, and by then `loadJax` has been
 * awaited. What computes on arrays itself (losses, trainings, tests) imports jax-now.ts.
 */
import type * as Jax from "@jax-js/jax";

export let lax: typeof Jax.lax;
export let nn: typeof Jax.nn;
export let np: typeof Jax.numpy;
export let jit: typeof Jax.jit;
export let makeJaxpr: typeof Jax.makeJaxpr;

export function setJax(module: typeof Jax): void {
  ({ lax, nn, numpy: np, jit, makeJaxpr } = module);
}

let loading: Promise<void> | undefined;

/** Loads jax-js, ready to trace. A failure is not kept: the next call tries again. */
export function loadJax(): Promise<void> {
  loading ??= (async () => {
    const module = await import("@jax-js/jax");
    setJax(module);
    await module.init("cpu");
  })();
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}
