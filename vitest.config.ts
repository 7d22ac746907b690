import { defineConfig } from "vitest/config";

/** OpenCV's module is a promise; Vitest's default interop wraps it in a proxy on which `then` cannot be called. */
const deps = { interopDefault: false };

/** Ends what hangs, and nothing else: no test depends on how fast the machine is, so none has a limit of its own. */
const HANGS = 30 * 60_000;

/** One project per kind of proof; `npm test` runs them all, `npm run unit` and the like run one. */
const project = (name: string, extra: Record<string, unknown> = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: HANGS,
    hookTimeout: HANGS,
    expect: { poll: { timeout: HANGS / 2 } },
    deps,
    ...extra,
  },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", { execArgv: ["--expose-gc"] }),
      project("contract"),
      project("reference"),
      project("browser"),
    ],
    // Two cores is the smallest machine this runs on; more workers only fight over the runtime's threads.
    maxWorkers: 2,
  },
});
