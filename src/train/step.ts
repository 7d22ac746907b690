/**
 * Graphs of a training step. One pass and one update are a single graph; with gradient accumulation, passes add to a
 * gradient vector and the update is a graph of its own. A graph is compiled per number of pairs, when it first comes.
 *
 * Parameters and moments are written into a second set of buffers, and the two sets swap: the runtime reads and writes
 * JavaScript's own memory, nothing is copied or allocated, and a step that went wrong has not touched what it read.
 */
import { numpy as np, valueAndGrad } from "@jax-js/jax";
import { type Compiled, type CompileOptions, compile, type Feed, input } from "../graph/compile.js";
import type { SessionInfo } from "../graph/session.js";
import type { Arr } from "../model/operators.js";
import { HYPER, type Moments, type OptimizerOptions, update } from "./optimizer.js";
import { flatten, type Layout, layoutOf, type Parameter, pack, unpack } from "./parameters.js";
import type { LossInputs, Task } from "./task.js";

/** What training changes: parameters, their moments, and the task's own state. */
export interface TrainState {
  flat: Float32Array;
  first: Float32Array;
  second: Float32Array;
  state: Float32Array;
}

export interface StepResult {
  loss: number;
  metrics: Record<string, number>;
}

type Batch = Record<string, Feed>;

export class Stepper {
  readonly layout: Layout;
  readonly stateLayout: Layout;
  private current: TrainState;
  private spare: TrainState;
  private gradient: [Float32Array, Float32Array] | null = null;
  /** Where the graphs run; null before the first one has been opened. */
  session: SessionInfo | null = null;
  private readonly graphs = new Map<string, Promise<Compiled>>();

  constructor(
    private readonly task: Task,
    seed: number,
    private readonly optimizer: OptimizerOptions,
    private readonly runtime: Pick<CompileOptions, "runtime" | "backend" | "threads">,
  ) {
    const parameters = task.parameters(seed);
    const state = task.state();
    this.layout = layoutOf(parameters);
    this.stateLayout = layoutOf(state);
    const { length } = this.layout;
    this.current = {
      flat: flatten(parameters),
      first: new Float32Array(length),
      second: new Float32Array(length),
      state: stateVector(state),
    };
    this.spare = copyOf(this.current);
  }

  /** A copy of the state, for a checkpoint. */
  save(): TrainState {
    return copyOf(this.current);
  }

  restore(saved: TrainState): void {
    for (const key of KEYS) this.current[key].set(saved[key]);
  }

  /** The parameters as they are; not to be changed. */
  get parameters(): Float32Array {
    return this.current.flat;
  }

  /** The task's state as it is; not to be changed. */
  get state(): Float32Array {
    return this.current.state;
  }

  /** One pass and one update. The state is as before until `commit`. */
  async step(pairs: number, batch: Batch, hyper: Float32Array): Promise<StepResult & { norm: number }> {
    const graph = await this.graph(`step${pairs}`, () => this.compileStep(pairs));
    const { flat, first, second, state } = this.current;
    const outputs = await graph.run({ flat, first, second, state, hyper, ...prefixed(batch) }, { ...this.spare });
    return { ...resultOf(outputs), norm: outputs.norm.data[0] };
  }

  /** One pass whose gradient, times `weight`, is added up; the first of an update begins anew. */
  async accumulate(pairs: number, batch: Batch, weight: number, begin: boolean): Promise<StepResult> {
    const graph = await this.graph(`gradient${pairs}`, () => this.compileGradient(pairs));
    this.gradient ??= [new Float32Array(this.layout.length), new Float32Array(this.layout.length)];
    const [sum, next] = this.gradient;
    if (begin) sum.fill(0);
    const { flat, state } = this.current;
    const feeds = { flat, state, sum, weight: Float32Array.of(weight), ...prefixed(batch) };
    const outputs = await graph.run(feeds, { gradient: next, state: this.spare.state });
    this.gradient = [next, sum];
    // The state (running statistics) advances with every pass.
    [this.current.state, this.spare.state] = [this.spare.state, this.current.state];
    return resultOf(outputs);
  }

  /** The update by the gradients added up. The state is as before until `commit`. */
  async apply(hyper: Float32Array): Promise<{ norm: number }> {
    const graph = await this.graph("apply", () => this.compileApply());
    const { flat, first, second } = this.current;
    const [gradient] = this.gradient as [Float32Array, Float32Array];
    const { flat: f, first: m, second: v } = this.spare;
    const outputs = await graph.run({ flat, first, second, hyper, gradient }, { flat: f, first: m, second: v });
    this.spare.state.set(this.current.state);
    return { norm: outputs.norm.data[0] };
  }

  /** Makes the last step's result the state. */
  commit(): void {
    [this.current, this.spare] = [this.spare, this.current];
  }

  /** Loss without training. */
  async evaluate(pairs: number, batch: Batch): Promise<StepResult> {
    const graph = await this.graph(`evaluate${pairs}`, () => this.compileEvaluation(pairs));
    const { flat, state } = this.current;
    return resultOf(await graph.run({ flat, state, ...prefixed(batch) }));
  }

  async dispose(): Promise<void> {
    for (const graph of this.graphs.values()) await (await graph.catch(() => undefined))?.dispose();
    this.graphs.clear();
  }

  private graph(name: string, make: () => Promise<Compiled>): Promise<Compiled> {
    let graph = this.graphs.get(name);
    if (!graph) {
      graph = make().then((compiled) => {
        this.session ??= compiled.info;
        return compiled;
      });
      this.graphs.set(name, graph);
    }
    return graph;
  }

  private pass({ flat, state, inputs }: PassInputs, training: boolean) {
    const carried = this.stateLayout.length ? unpack(this.stateLayout, state) : {};
    const named = unpack(this.layout, flat);
    // Through one function for both: the loss alone is wanted, but its gradient too.
    const lossOf = (parameters: Record<string, Arr>): [Arr, Pick<PassOutputs, "metrics" | "state">] => {
      const given: LossInputs = { parameters, state: carried, inputs };
      const { loss, metrics, state: next } = this.task.loss(given, training);
      return [loss, { metrics, state: this.stateLayout.length ? pack(this.stateLayout, next) : np.zeros([1]) }];
    };
    return { named, lossOf };
  }

  private differentiate(given: PassInputs): PassOutputs & { gradient: Arr } {
    const { named, lossOf } = this.pass(given, true);
    const [[loss, aux], gradients] = valueAndGrad(lossOf as unknown as (...args: np.Array[]) => never, {
      hasAux: true,
    })(named as never) as unknown as [[Arr, Pick<PassOutputs, "metrics" | "state">], Record<string, Arr>];
    return { loss, ...aux, gradient: pack(this.layout, gradients) };
  }

  private specs(pairs: number) {
    const { length } = this.layout;
    const vector = input([length]);
    return {
      flat: vector,
      first: vector,
      second: vector,
      state: input([this.current.state.length]),
      hyper: input([HYPER]),
      inputs: this.task.inputs(pairs),
    };
  }

  private compileStep(pairs: number): Promise<Compiled> {
    const step = ({ first, second, hyper, ...given }: PassInputs & Moments & { hyper: Arr }) => {
      const { gradient, ...rest } = this.differentiate({ ...given, flat: given.flat.ref });
      return { ...rest, ...update({ flat: given.flat, first, second }, gradient, hyper, this.optimizer) };
    };
    return compile(step, this.specs(pairs), { ...this.runtime, name: `${this.task.name}-step` });
  }

  private compileGradient(pairs: number): Promise<Compiled> {
    const { flat, state, inputs } = this.specs(pairs);
    const fn = ({ sum, weight, ...given }: PassInputs & { sum: Arr; weight: Arr }) => {
      const { gradient, ...rest } = this.differentiate(given);
      return { ...rest, gradient: sum.add(gradient.mul(weight)) };
    };
    const specs = { flat, state, inputs, sum: flat, weight: input([1]) };
    return compile(fn, specs, { ...this.runtime, name: `${this.task.name}-gradient` });
  }

  private compileApply(): Promise<Compiled> {
    const { flat, first, second, hyper } = this.specs(1);
    const fn = ({ gradient, hyper: numbers, ...moments }: Moments & { gradient: Arr; hyper: Arr }) =>
      update(moments, gradient, numbers, this.optimizer);
    const specs = { flat, first, second, hyper, gradient: flat };
    return compile(fn as never, specs, { ...this.runtime, name: `${this.task.name}-apply` });
  }

  private compileEvaluation(pairs: number): Promise<Compiled> {
    const { flat, state, inputs } = this.specs(pairs);
    const fn = (given: PassInputs) => {
      const { named, lossOf } = this.pass(given, false);
      const [loss, { metrics }] = lossOf(named);
      return { loss, metrics };
    };
    return compile(fn, { flat, state, inputs }, { ...this.runtime, name: `${this.task.name}-evaluation` });
  }
}

interface PassInputs {
  flat: Arr;
  state: Arr;
  inputs: Record<string, Arr>;
}

interface PassOutputs {
  loss: Arr;
  metrics: Record<string, Arr>;
  state: Arr;
}

const KEYS = ["flat", "first", "second", "state"] as const;

const copyOf = (state: TrainState): TrainState =>
  Object.fromEntries(KEYS.map((key) => [key, state[key].slice()])) as unknown as TrainState;

/** A graph has no empty inputs: a task without state carries one number. */
const stateVector = (state: readonly Parameter[]): Float32Array =>
  state.length ? flatten(state) : new Float32Array(1);

const prefixed = (batch: Batch): Batch =>
  Object.fromEntries(Object.entries(batch).map(([name, feed]) => [`inputs.${name}`, feed]));

function resultOf(outputs: Awaited<ReturnType<Compiled["run"]>>): StepResult {
  const metrics = Object.entries(outputs)
    .filter(([name]) => name.startsWith("metrics."))
    .map(([name, { data }]): [string, number] => [name.slice("metrics.".length), data[0]]);
  return { loss: outputs.loss.data[0], metrics: Object.fromEntries(metrics) };
}
