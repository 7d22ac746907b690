/**
 * A source of pairs behind worker threads: files are decoded and views are warped beside the training. A pair is a
 * function of seed, epoch and index, so it is the same whichever thread makes it. How far the threads are ahead, and so
 * the memory that finished pairs take, is up to who asks: the loader asks for so many pairs at a time.
 */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { StateError, StrataError } from "../../errors.js";
import { asLimit } from "../../limits.js";
import { checkNumber, withDefaults } from "../../options.js";
import type { PairSource, TrainingPair } from "../../train/types.js";
import { errorOf, type Failure } from "../failure.js";
import { startThread } from "../thread.js";
import { openSource, type SourceSpec, specForWorker } from "./sources.js";

/** How many threads make pairs. */
export interface PairWorkerOptions {
  /** Threads; 0: pairs are made in this one. Default: one per core but one, at least 1, at most 4. */
  workers: number;
}

/** A pair that is asked for. */
export interface PairOrder {
  id: number;
  epoch: number;
  index: number;
}
/** What a worker says: that its source is open, or how an order ended. */
export type PairAnswer =
  | { opened: string }
  | { id: number; pair: TrainingPair | { skipped: string } }
  | { id: number; failure: Failure }
  /** It cannot be opened. */
  | { failed: Failure };

/** Orders at a worker at a time: one is decoded (outside JavaScript) while another is warped. */
const AT_ONCE = 2;
/** Patience with a worker that is asked to end, in milliseconds. */
const PATIENCE = 5000;

/** Opens the source, and as many threads as asked that make its pairs. Errors as the source's own `open`. */
export async function openPairWorkers(spec: SourceSpec, given: Partial<PairWorkerOptions> = {}): Promise<PairSource> {
  const where = "openPairWorkers";
  const cores = Math.min(4, Math.max(1, availableParallelism() - 1));
  const { workers } = withDefaults<PairWorkerOptions>(where, { workers: cores }, given);
  checkNumber(where, "workers", workers, { min: 0, max: 256, integer: true });
  const source = await openSource(spec);
  if (workers === 0) return source;
  let pairs: PairSource = source;
  try {
    const started = new PairWorkers(source, await specForWorker(spec, source, workers), workers);
    pairs = started;
    await started.opened;
    return started;
  } catch (error) {
    await pairs.dispose();
    throw asLimit(error, { what: "a worker thread cannot be started" });
  }
}

interface Waiting extends PairOrder {
  resolve(pair: TrainingPair | { skipped: string }): void;
  reject(error: unknown): void;
}

class PairWorkers implements PairSource {
  /** Once every thread has opened its source. */
  readonly opened: Promise<void>;
  private readonly threads: Thread[] = [];
  private readonly queue: Waiting[] = [];
  private last = 0;
  /** Why no more pairs are made. */
  private ended: Error | undefined;

  constructor(
    private readonly source: PairSource,
    spec: SourceSpec,
    workers: number,
  ) {
    try {
      while (this.threads.length < workers) {
        const onEnd = (error: Error) => this.end(error);
        this.threads.push(new Thread(spec, source.digest, () => this.hand(), onEnd));
      }
    } catch (error) {
      for (const thread of this.threads) void thread.close();
      throw error;
    }
    this.opened = Promise.all(this.threads.map(({ opened }) => opened)).then(() => {});
    // Looked at by who opens.
    this.opened.catch(() => {});
  }

  get digest(): string {
    return this.source.digest;
  }

  get length(): number {
    return this.source.length;
  }

  leftOut(): readonly string[] {
    return this.source.leftOut?.() ?? [];
  }

  pair(epoch: number, index: number): Promise<TrainingPair | { skipped: string }> {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.queue.push({ id: ++this.last, epoch, index, resolve, reject });
      this.hand();
    });
  }

  async dispose(): Promise<void> {
    this.end(new StateError("pair workers: used after dispose()"));
    await Promise.all(this.threads.map((thread) => thread.close()));
    await this.source.dispose();
  }

  /** Gives orders, the oldest first, to the threads that have least to do. */
  private hand(): void {
    while (this.queue.length > 0) {
      const idlest = this.threads.reduce((a, b) => (b.load < a.load ? b : a));
      if (idlest.load >= AT_ONCE) return;
      idlest.send(this.queue.shift() as Waiting);
    }
  }

  private end(error: Error): void {
    this.ended ??= error;
    for (const { reject } of this.queue.splice(0)) reject(this.ended);
    for (const thread of this.threads) thread.giveUp(this.ended);
  }
}

class Thread {
  readonly opened: Promise<void>;
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private readonly exited: Promise<void>;
  private isOpen = false;
  private closing = false;
  private refuse: (error: Error) => void = () => {};

  constructor(
    spec: SourceSpec,
    digest: string,
    private readonly onIdle: () => void,
    private readonly onEnd: (error: Error) => void,
  ) {
    this.worker = startThread(import.meta.url, "./pair-worker", spec);
    let accept: () => void = () => {};
    this.opened = new Promise((resolve, reject) => {
      accept = () => {
        this.isOpen = true;
        this.rest();
        resolve();
      };
      this.refuse = reject;
    });
    this.opened.catch(() => {});
    let uncaught: Error | undefined;
    this.exited = new Promise((resolve) => {
      this.worker.on("error", (error) => {
        uncaught = error instanceof Error ? error : new Error(String(error));
      });
      this.worker.on("exit", (code) => {
        if (!this.closing) this.died(code, uncaught);
        resolve();
      });
    });
    this.worker.on("message", (answer: PairAnswer) => {
      if ("failed" in answer) this.refuse(errorOf(answer.failed));
      else if (!("opened" in answer)) this.settle(answer);
      else if (answer.opened === digest) accept();
      else this.refuse(new StateError("pair workers: the data changed while it was being opened; start again"));
    });
  }

  get load(): number {
    return this.waiting.size;
  }

  send(order: Waiting): void {
    this.worker.ref();
    this.waiting.set(order.id, order);
    const { id, epoch, index } = order;
    this.worker.postMessage({ id, epoch, index } satisfies PairOrder);
  }

  /** Rejects what is waited for. */
  giveUp(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    this.refuse(error);
  }

  async close(): Promise<void> {
    this.closing = true;
    this.worker.ref();
    this.worker.postMessage(null);
    const timer = setTimeout(() => void this.worker.terminate(), PATIENCE);
    await this.exited;
    clearTimeout(timer);
  }

  private settle(answer: Extract<PairAnswer, { id: number }>): void {
    const order = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    this.rest();
    if ("pair" in answer) order?.resolve(answer.pair);
    else order?.reject(errorOf(answer.failure));
    this.onIdle();
  }

  /** A thread that is waited for keeps the process alive, an idle one does not. */
  private rest(): void {
    if (this.waiting.size === 0) this.worker.unref();
  }

  private died(code: number, cause: Error | undefined): void {
    const why = cause ? cause.message : `exit code ${code}`;
    const orders = [...this.waiting.values()].map(({ epoch, index }) => `pair ${index} of epoch ${epoch}`);
    const busy = orders.length > 0 ? `made ${orders.join(" and ")}` : this.isOpen ? "was idle" : "was opened";
    const what = `a worker thread of the training pairs ended by itself while it ${busy}`;
    const limit = asLimit(cause, { what });
    this.onEnd(limit instanceof StrataError ? limit : new StateError(`${what}: ${why}`, { cause }));
  }
}
