/**
 * Does shards in a child process, one after the other. A child that dies is started again and goes on where it was. Images of
 * which it dies are looked for one by one and set aside; a process that ends without one is tried a few times, and then fails.
 */
import type { ChildProcess } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkFunction } from "../../check.js";
import { type LimitError, StateError } from "../../errors.js";
import { checkNumber } from "../../options.js";
import { checkPath } from "../atomic.js";
import { startChild } from "../child.js";
import { errorOf, type Failure } from "../failure.js";
import { withScratch } from "../scratch.js";
import { checkVersion, ForeignJobError } from "./foreign.js";
import { readPlan, type SetAside } from "./plan.js";
import { readRecord, type ShardRecord } from "./records.js";

/** A shard for the child. */
export interface ToChild {
  folder: string;
  shard: number;
  scratch: string;
  setAside: SetAside[];
  /** Names to try alone first. */
  probe: string[];
  root: string | undefined;
  threads: number | undefined;
}

/** What the child tells. */
export type FromChild =
  | { type: "at"; inHand: readonly string[]; done: number }
  | { type: "probe"; name: string }
  | { type: "done"; record: ShardRecord }
  | { type: "failed"; failure: Failure; isForeign: boolean };

export interface RunnerOptions {
  /** Threads of the child; default: one per core. */
  threads?: number;
  /** Where the images lie on this machine; default: where the job was made. */
  root?: string;
  /** What is worth telling, a line each. */
  onNote?(text: string): void;
}

/** Times that an image tried alone may end the process before it is set aside. */
const STRIKES = 2;
/** Ends of the process, by no image in particular, after which the shard fails. */
const CRASHES = 3;

type Ended = { how: string | LimitError; inHand: readonly string[]; isProbe: boolean };

export class ShardRunner {
  private child: ChildProcess | undefined;
  private hear: (message: FromChild) => void = () => {};
  private end: (how: string | LimitError) => void = () => {};

  constructor(private readonly options: RunnerOptions = {}) {}

  /** OptionError, in the words of `where`, for options that are none. */
  static check(where: string, { threads, root, onNote }: RunnerOptions): void {
    if (threads !== undefined) checkNumber(where, "threads", threads, { min: 1, integer: true });
    if (root !== undefined) checkPath(`${where}: root`, root);
    if (onNote !== undefined) checkFunction(where, "onNote", onNote);
  }

  /**
   * The record of a shard, which is made unless it is there. Throws the signal's reason once that is aborted: the child is
   * ended. ForeignJobError for a job of another version or model.
   */
  async run(
    folder: string,
    shard: number,
    { signal, onProgress }: { signal?: AbortSignal; onProgress?(done: number): void } = {},
  ): Promise<ShardRecord> {
    const plan = await readPlan(folder);
    checkVersion(folder, plan);
    const there = await readRecord(folder, plan, shard);
    if (there) return there;
    const strikes = new Map<string, number>();
    const setAside: SetAside[] = [];
    let probe: string[] = [];
    let crashes = 0;
    return withScratch(join(tmpdir(), "strata-shard"), async (scratch) => {
      for (;;) {
        const { threads, root } = this.options;
        const ended = await this.ask({ folder, shard, scratch, setAside, probe, root, threads }, signal, onProgress);
        if (!("how" in ended)) return ended;
        if (typeof ended.how !== "string") throw ended.how;
        if (!ended.isProbe) {
          crashes++;
          if (crashes === CRASHES) throw new StateError(crashText(folder, shard, ended.how));
          probe = [...ended.inHand];
          this.note(`a process ended (${ended.how}) in shard ${shard} of ${folder}; it is started again`);
          continue;
        }
        const [name] = ended.inHand;
        const count = (strikes.get(name) ?? 0) + 1;
        strikes.set(name, count);
        if (count < STRIKES) continue;
        const message = `the process ended (${ended.how}) while it was at work on this image alone, ${STRIKES} times`;
        setAside.push({ name, code: "E_STATE", message });
        probe = probe.filter((other) => other !== name);
        // A crash with its reason known is none to be afraid of.
        crashes--;
        this.note(`${name} is set aside: ${message}`);
      }
    });
  }

  /** Ends the child. What it was at is lost; what is in its place stays. */
  close(): void {
    this.child?.kill("SIGKILL");
    this.child = undefined;
  }

  private note(text: string): void {
    this.options.onNote?.(text);
  }

  private ask(
    message: ToChild,
    signal: AbortSignal | undefined,
    onProgress: (done: number) => void = () => {},
  ): Promise<ShardRecord | Ended> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.close();
        settle(() => reject(signal?.reason));
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", abort, { once: true });
      const settle = (then: () => void) => {
        signal?.removeEventListener("abort", abort);
        this.hear = () => {};
        this.end = () => {};
        then();
      };
      let inHand: readonly string[] = [];
      let isProbe = false;
      this.hear = (told) => {
        if (told.type === "at") {
          ({ inHand } = told);
          isProbe = false;
          onProgress(told.done);
        } else if (told.type === "probe") {
          inHand = [told.name];
          isProbe = true;
        } else if (told.type === "done") settle(() => resolve(told.record));
        else {
          const error = errorOf(told.failure);
          settle(() => reject(told.isForeign ? new ForeignJobError(error.message) : error));
        }
      };
      this.end = (how) => {
        this.child = undefined;
        settle(() => resolve({ how, inHand, isProbe }));
      };
      // A failed send is followed by the child's end.
      this.start()?.send(message, () => {});
    });
  }

  private start(): ChildProcess | undefined {
    if (this.child) return this.child;
    let own: ChildProcess | undefined;
    own = startChild<FromChild>(import.meta.url, "./shard-child", [], {
      onMessage: (message) => this.child === own && this.hear(message),
      onEnd: (how) => this.child === own && this.end(how),
    });
    this.child = own;
    return own;
  }
}

const crashText = (folder: string, shard: number, how: string): string =>
  `shard ${shard} of ${folder} ended its process ${CRASHES} times (${how}), of no image in particular; if memory ran out, make ` +
  "the shards smaller or give the worker fewer --threads";
