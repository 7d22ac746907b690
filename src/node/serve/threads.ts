/**
 * The service's threads: readers that take what waits, and one writer. How much may wait is limited; what has waited or worked
 * for too long is given up. A thread that does not come back is ended, and another one takes its place.
 */
import type { Worker } from "node:worker_threads";
import { LimitError, StateError } from "../../errors.js";
import { errorOf } from "../failure.js";
import { startThread } from "../thread.js";
import { ExpectedWait } from "./expected-wait.js";
import type { Answers, FromThread, ThreadSetup, ToThread, Work } from "./work.js";

/** More work than may wait. */
export class BusyError extends LimitError {
  /** `seconds`: after which it is worth while to ask again. */
  constructor(readonly seconds: number) {
    super("the service has as much to do as it takes; try again in a moment");
  }
}
/** Work that took too long. */
export class LateError extends LimitError {}

interface Task {
  id: number;
  work: Work;
  resolve(value: never): void;
  reject(error: unknown): void;
  timer: NodeJS.Timeout;
  /** When a thread took it. */
  began: number;
}

interface Thread {
  worker: Worker;
  isOpen: boolean;
  /** At work now: one for a reader, all that were sent for the writer. */
  tasks: Map<number, Task>;
}

export interface ThreadsOptions extends Omit<ThreadSetup, "isWriter"> {
  readers: number;
  /** Whether there is a writer. */
  write: boolean;
  /** Most work that waits for a reader, and for the writer. */
  waiting: number;
  /** Milliseconds for which work may be expected to wait for a reader. */
  longestWait: number;
  /** Milliseconds that work may take, waiting included. */
  timeout: number;
  onNote(text: string): void;
}

export class Threads {
  /** Images in the index, as they were told last. */
  images = 0;
  private readonly readers: Thread[] = [];
  private writer: Thread | undefined;
  private readonly queue: Task[] = [];
  private readonly expected = new ExpectedWait();
  private last = 0;
  private closing = false;

  private constructor(private readonly options: ThreadsOptions) {}

  /** Opens all threads; the error of the first one that cannot be opened. */
  static async open(options: ThreadsOptions): Promise<Threads> {
    const threads = new Threads(options);
    try {
      // First, so that a second service of this index is refused before any work.
      if (options.write) threads.writer = await threads.start(true);
      for (let i = 0; i < options.readers; i++) threads.readers.push(await threads.start(false));
      return threads;
    } catch (error) {
      await threads.close();
      throw error;
    }
  }

  /** Work that waits, and work that is done now. */
  get load(): { waiting: number; working: number; readers: number } {
    const working = this.readers.reduce((sum, { tasks }) => sum + tasks.size, 0) + (this.writer?.tasks.size ?? 0);
    return { waiting: this.queue.length, working, readers: this.readers.filter(({ isOpen }) => isOpen).length };
  }

  /** Milliseconds that a search which comes now may expect to wait. */
  get expectedWait(): number {
    return this.expected.behind(this.queue.length, this.load.readers);
  }

  /** Whether so much waits for readers, in number or in time, that a search is refused. */
  get isFull(): boolean {
    const { waiting, longestWait } = this.options;
    const isFree = this.queue.length === 0 && this.readers.some(({ isOpen, tasks }) => isOpen && tasks.size === 0);
    return !isFree && (this.queue.length >= waiting || this.expectedWait > longestWait);
  }

  /** The error of work that is refused. */
  busy(): BusyError {
    return new BusyError(Math.max(1, Math.ceil(this.expectedWait / 1000)));
  }

  /** BusyError where too much waits, LateError after `timeout`, or the error of the work. */
  run<T extends Work>(work: T): Promise<Answers[T["type"]]> {
    if (this.closing) return Promise.reject(new StateError("the service is stopping"));
    const isWriting = work.type === "add" || work.type === "remove";
    const { writer, options } = this;
    if (isWriting && !writer) return Promise.reject(new StateError("this service only reads"));
    const tasks = (writer as Thread)?.tasks.size ?? 0;
    if (isWriting ? tasks > 0 && tasks >= options.waiting : this.isFull) return Promise.reject(this.busy());
    return new Promise((resolve, reject) => {
      const id = ++this.last;
      const timer = setTimeout(() => this.late(id), options.timeout);
      const task: Task = { id, work, resolve: resolve as (value: never) => void, reject, timer, began: 0 };
      if (isWriting) this.send(writer as Thread, task);
      else {
        this.queue.push(task);
        this.next();
      }
    });
  }

  /** Finishes what is at work, and ends all threads. */
  async close(): Promise<void> {
    this.closing = true;
    for (const task of this.queue.splice(0))
      this.settle(task, () => task.reject(new StateError("the service is stopping")));
    const all = [...this.readers, ...(this.writer ? [this.writer] : [])];
    await Promise.all(
      all.map(({ worker }) => {
        const ended = new Promise((resolve) => worker.once("exit", resolve));
        worker.postMessage("close" satisfies ToThread);
        return ended;
      }),
    );
  }

  private start(isWriter: boolean): Promise<Thread> {
    const { folder, threads, pixelLimit } = this.options;
    const setup: ThreadSetup = { folder, isWriter, threads, pixelLimit };
    const thread: Thread = {
      worker: startThread(import.meta.url, "./serve-thread", setup),
      isOpen: false,
      tasks: new Map(),
    };
    return new Promise((resolve, reject) => {
      let cause: Error | undefined;
      thread.worker.on("error", (error) => {
        cause = error;
      });
      thread.worker.on("exit", () => {
        const error = new StateError(`a thread of the service ended by itself${cause ? `: ${cause.message}` : ""}`);
        reject(error);
        this.ended(thread, isWriter, error);
      });
      thread.worker.on("message", (message: FromThread) => {
        if (message.type === "open") {
          thread.isOpen = true;
          this.images = message.images;
          resolve(thread);
        } else if (message.type === "failed-open") reject(errorOf(message.failure));
        else this.hear(thread, message);
      });
    });
  }

  private hear(thread: Thread, message: Extract<FromThread, { id: number }>): void {
    const task = thread.tasks.get(message.id);
    thread.tasks.delete(message.id);
    this.noteTime(thread, task);
    if (message.type === "answer") {
      const { images } = Object(message.value) as { images?: unknown };
      // Of a match these are its two pictures.
      if (typeof images === "number") this.images = images;
    }
    if (task) {
      this.settle(task, () => {
        if (message.type === "answer") task.resolve(message.value as never);
        else task.reject(errorOf(message.failure));
      });
    }
    this.next();
  }

  private next(): void {
    for (const reader of this.readers) {
      if (!reader.isOpen || reader.tasks.size > 0) continue;
      const task = this.queue.shift();
      if (!task) return;
      this.send(reader, task);
    }
  }

  private send(thread: Thread, task: Task): void {
    thread.tasks.set(task.id, task);
    task.began = performance.now();
    thread.worker.postMessage({ id: task.id, work: task.work } satisfies ToThread);
  }

  private noteTime(thread: Thread, task: Task | undefined): void {
    if (task && thread !== this.writer) this.expected.note(performance.now() - task.began);
  }

  private settle(task: Task, how: () => void): void {
    clearTimeout(task.timer);
    how();
  }

  /** What waits is given up; a reader that is at it cannot be stopped otherwise, and is ended. */
  private late(id: number): void {
    const waiting = this.queue.findIndex((task) => task.id === id);
    const { timeout } = this.options;
    const error = new LateError(`this took longer than ${timeout / 1000} s, and was given up`);
    if (waiting >= 0) {
      this.queue.splice(waiting, 1)[0].reject(error);
      return;
    }
    for (const thread of [...this.readers, ...(this.writer ? [this.writer] : [])]) {
      const task = thread.tasks.get(id);
      if (!task) continue;
      thread.tasks.delete(id);
      this.noteTime(thread, task);
      task.reject(error);
      // The writer goes on: what it has begun may still come into the index.
      if (thread !== this.writer) void thread.worker.terminate();
    }
  }

  /** Another thread in the place of one that ended; what it was at fails. */
  private ended(thread: Thread, isWriter: boolean, error: StateError): void {
    for (const task of thread.tasks.values()) this.settle(task, () => task.reject(error));
    thread.tasks.clear();
    const wasOpen = thread.isOpen;
    thread.isOpen = false;
    if (this.closing || !wasOpen) return;
    this.options.onNote(`${error.message}; another one takes its place`);
    this.start(isWriter).then(
      (fresh) => {
        if (isWriter) this.writer = fresh;
        else this.readers[this.readers.indexOf(thread)] = fresh;
        if (this.closing) fresh.worker.postMessage("close" satisfies ToThread);
        this.next();
      },
      (cause: Error) => this.options.onNote(`no other thread can be opened: ${cause.message}`),
    );
  }
}
