/** The Node runtime, counting the sessions that are opened and disposed. */
import type { Runtime } from "../../../src/graph/session.js";
import { nodeRuntime } from "../../../src/node/runtime.js";

export interface CountingRuntime extends Runtime {
  opened: number;
  disposed: number;
}

export function countingRuntime(): CountingRuntime {
  const runtime: CountingRuntime = {
    name: nodeRuntime.name,
    opened: 0,
    disposed: 0,
    async open(model, options) {
      const session = await nodeRuntime.open(model, options);
      runtime.opened++;
      const dispose = async () => {
        runtime.disposed++;
        await session.dispose();
      };
      return { ...session, run: (inputs) => session.run(inputs), dispose };
    },
  };
  return runtime;
}
