/**
 * What `compile` knows of a function before it runs: the names of inputs and outputs from the types of its argument and
 * result, so that a wrong name, a missing input or an unknown output is found by the compiler and not by `run`.
 */
import type { numpy as np } from "@jax-js/jax";
import type { TensorData } from "./session.js";
import type { InputSpec } from "./specs.js";
import type { Tree } from "./trace.js";

/** What `run` takes for one input: values alone where the shape is fixed, a tensor where it is not. */
export type Feed = TensorData | { data: TensorData; shape: readonly number[] };

/** The argument of a compiled function: the tree of specs `I` with an array for each spec. */
export type ArraysOf<I> = I extends InputSpec ? np.Array : { -readonly [K in keyof I]: ArraysOf<I[K]> };

/** How deep names are followed; a deeper tree has open names. */
type Depth = [0, 0, 0, 0, 0, 0];

/** Paths of the leaves of a tree: "" for a lone leaf, else "scores", "maps.1", …; `string` where its type is open. */
type Paths<T, Leaf, D extends unknown[] = Depth> = D extends [unknown, ...infer Deeper]
  ? T extends Leaf
    ? ""
    : T extends readonly (infer E)[]
      ? Join<number extends T["length"] ? `${number}` : Extract<keyof T, `${number}`>, Paths<E, Leaf, Deeper>>
      : { [K in keyof T & string]: Join<K, Paths<T[K], Leaf, Deeper>> }[keyof T & string]
  : string;

type Join<K extends string, Rest> = Rest extends "" ? K : Rest extends string ? `${K}.${Rest}` : never;

/** The same tree without its stored leaves, which nobody feeds. */
type Fed<I, D extends unknown[] = Depth> = D extends [unknown, ...infer Deeper]
  ? I extends InputSpec
    ? I extends { readonly data: TensorData }
      ? never
      : I
    : { [K in keyof I as [Fed<I[K], Deeper>] extends [never] ? never : K]: Fed<I[K], Deeper> }
  : I;

/** Whether the type leaves open which names there are: unknown, `never` from a cast, or a tree in general. */
type IsOpen<T> = [T] extends [never]
  ? true
  : unknown extends T
    ? true
    : Tree<InputSpec> extends T
      ? true
      : Tree<np.Array> extends T
        ? true
        : false;

type Lone<P, Name extends string> = P extends "" ? Name : P;

/** Names of the inputs that are fed; "in" where the function takes one array. */
export type InputName<I> = IsOpen<I> extends true ? string : Lone<Paths<Fed<I>, InputSpec>, "in"> & string;

/** Names of the outputs; "out" where the function returns one array. */
export type OutputName<O> = IsOpen<O> extends true ? string : Lone<Paths<O, np.Array>, "out"> & string;

/** What `run` is fed: every input, and nothing else. */
export type Feeds<I> = Record<InputName<I>, Feed>;
export type { JaxGlobals } from "./globals.js";
