/** How much the service's threads take: by number, and by the time that it would wait. Threads and the clock are told what to do. */
import { EventEmitter } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ExpectedWait } from "../../../src/node/serve/expected-wait.js";
import { BusyError, Threads } from "../../../src/node/serve/threads.js";
import type { FromThread, ToThread } from "../../../src/node/serve/work.js";

const workers: FakeWorker[] = [];

/** A thread that opens at once and answers when it is told to. */
class FakeWorker extends EventEmitter {
  readonly sent: Exclude<ToThread, "close">[] = [];

  constructor() {
    super();
    workers.push(this);
    queueMicrotask(() => this.tell({ type: "open", images: 3, model: "strata-t" }));
  }

  postMessage(message: ToThread): void {
    if (message === "close") this.emit("exit", 0);
    else this.sent.push(message);
  }

  tell(message: FromThread): void {
    this.emit("message", message);
  }

  answer(): void {
    const { id } = this.sent.shift() as { id: number };
    this.tell({ type: "answer", id, value: { images: 3 } });
  }
}

vi.mock("../../../src/node/thread.js", () => ({ startThread: () => new FakeWorker() }));

afterEach(() => {
  workers.length = 0;
  vi.restoreAllMocks();
});

describe("ExpectedWait", () => {
  it("knows nothing at first, then the mean of the last times, shared by the threads", () => {
    const expected = new ExpectedWait();
    expect(expected.behind(5, 2)).toBe(0);
    expected.note(100);
    expected.note(300);
    expect(expected.behind(5, 2)).toBe(500);
    expect(expected.behind(0, 2)).toBe(0);
    for (let i = 0; i < 400; i++) expected.note(1000);
    expect(expected.behind(1, 1)).toBeCloseTo(1000, 0);
    expect(expected.behind(3, 0)).toBeCloseTo(3000, 0);
  });
});

describe("the service's threads", () => {
  const search = { type: "search", image: new Uint8Array(1), top: 1 } as const;
  const open = (waiting: number, longestWait: number) =>
    Threads.open({
      ...{ folder: "x", readers: 2, threads: 1, write: true, waiting, longestWait },
      ...{ pixelLimit: 1, timeout: 60_000, onNote: () => {} },
    });

  it("refuse a search that would wait too long, say when to come again, and take it once they are faster", async () => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const threads = await open(100, 1000);
    const [, first, second] = workers;
    const done: Promise<unknown>[] = [];
    const take = (count: number) => {
      for (let i = 0; i < count; i++) done.push(threads.run(search));
    };
    // Nothing is known of how long they take: as many wait as may by number.
    take(12);
    expect(threads.load).toMatchObject({ waiting: 10, working: 2 });
    now = 800;
    first.answer();
    expect(threads.expectedWait).toBe((9 * 800) / 2);
    expect(threads.isFull).toBe(true);
    await expect(threads.run(search)).rejects.toThrow(BusyError);
    expect(threads.busy().seconds).toBe(4);
    for (let i = 0; i < 11; i++) (i & 1 ? first : second).answer();
    await Promise.all(done.splice(0));
    // A free thread takes what comes; then one may wait whatever the others took, and what waits behind it in time.
    expect(threads.isFull).toBe(false);
    for (let i = 0; i < 16; i++) {
      take(1);
      now += 3000;
      first.answer();
    }
    take(3);
    expect(threads.load).toMatchObject({ waiting: 1, working: 2 });
    await expect(threads.run(search)).rejects.toThrow(/as much to do as it takes/);
    // Adding has a thread of its own.
    done.push(threads.run({ type: "add", image: new Uint8Array(1), id: "a" }));
    workers[0].answer();
    for (const one of [first, second, first]) one.answer();
    await Promise.all(done);
    await threads.close();
  });

  it("refuse by number too, and a free one takes work where none may wait", async () => {
    const threads = await open(0, 1000);
    const [, first, second] = workers;
    const done = [threads.run(search), threads.run(search)];
    await expect(threads.run(search)).rejects.toThrow(BusyError);
    first.answer();
    done.push(threads.run(search));
    first.answer();
    second.answer();
    await Promise.all(done);
    await threads.close();
  });
});
