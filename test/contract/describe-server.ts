/** Tests with real servers of queues. */
import { describe } from "vitest";
import { hasServer, makeServer, type QueueServer, type ServerKind } from "../queue-servers.js";

/** `describe` for tests with a server of that kind; `tests` gets what makes one. */
export function describeServer(
  kind: ServerKind,
  tests: (make: (...settings: string[]) => Promise<QueueServer>) => void,
): void {
  if (hasServer(kind)) describe(kind, () => tests((...settings) => makeServer(kind, ...settings)));
  else if (process.env.CI) throw new Error(`CI must have ${kind}: redis-server and postgresql of Debian`);
  else {
    console.warn(`skipped "${kind}": it is not installed`);
    describe.skip(kind, () => {});
  }
}
