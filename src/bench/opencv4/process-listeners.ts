/**
 * Listeners that a library puts on Node's process while it loads. Emscripten's modules of old answer a crash of any part
 * of the program: every uncaught exception is thrown again inside a listener, so that Node exits with 7 instead of 1, and
 * an unhandled rejection becomes an abort of OpenCV. Elsewhere than in Node there is no process, and nothing is done.
 */

interface Emitter {
  listeners(event: string): ((...values: never[]) => unknown)[];
  removeListener(event: string, listener: (...values: never[]) => unknown): unknown;
}

const EVENTS = ["uncaughtException", "unhandledRejection"];

/** Notes the listeners that there are; what it gives removes those that have come since. */
export function noteListeners(): () => void {
  const { process } = globalThis as unknown as { process?: Partial<Emitter> };
  if (typeof process?.listeners !== "function" || typeof process.removeListener !== "function") return () => {};
  const emitter = process as Emitter;
  const before = EVENTS.map((event) => emitter.listeners(event));
  return () => {
    for (const [i, event] of EVENTS.entries()) {
      for (const listener of emitter.listeners(event)) {
        if (!before[i].includes(listener)) emitter.removeListener(event, listener);
      }
    }
  };
}
