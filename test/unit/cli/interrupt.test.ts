/** Work that can be interrupted: settled races leave nothing behind. */
import { describe, expect, it } from "vitest";
import { Interrupted, openInterrupt } from "../../../src/cli/context.js";

describe("openInterrupt", () => {
  it("settles as the work does, rejects as soon as it is stopped, and from then on at once", async () => {
    let released = 0;
    const interrupt = openInterrupt(() => released++);
    expect(await interrupt.race(Promise.resolve(7))).toBe(7);
    await expect(interrupt.race(Promise.reject(new RangeError("x")))).rejects.toThrow(RangeError);
    const never = interrupt.race(new Promise(() => {}));
    interrupt.stop();
    interrupt.stop();
    expect([interrupt.requested, released]).toEqual([true, 1]);
    await expect(never).rejects.toThrow(Interrupted);
    await expect(interrupt.race(Promise.resolve(7))).rejects.toThrow(Interrupted);
    // The work's own failure after that is nobody's to handle, and must not end the process.
    await expect(interrupt.race(Promise.reject(new RangeError("late")))).rejects.toThrow(Interrupted);
  });

  it("keeps no result of a race that is over", async () => {
    const { gc } = globalThis as { gc?: () => void };
    expect(gc, "vitest runs this project with --expose-gc").toBeDefined();
    const interrupt = openInterrupt();
    let collected = 0;
    const registry = new FinalizationRegistry(() => collected++);
    for (let i = 0; i < 20; i++) {
      const result = new Uint8Array(1000);
      registry.register(result, i);
      await interrupt.race(Promise.resolve(result));
    }
    for (let i = 0; i < 50 && collected < 18; i++) {
      gc?.();
      await new Promise((done) => setTimeout(done, 10));
    }
    expect(collected).toBeGreaterThanOrEqual(18);
    expect(interrupt.requested).toBe(false);
  });
});
