import { defineConfig } from "vitest/config";

/** OpenCV's module is a promise; Vitest's default interop wraps it in a proxy on which `then` cannot be called. */
const deps = { interopDefault: false };

/** One project per kind of proof; `npm test` runs them all, `npm run unit` and the like run one. */
const project = (name: string, extra: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: 60_000, hookTimeout: 120_000, deps, ...extra },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", { execArgv: ["--expose-gc"] }),
      project("contract", { testTimeout: 120_000 }),
      project("reference", { testTimeout: 240_000 }),
      project("browser", { testTimeout: 240_000 }),
    ],
    // Two cores is the smallest machine this runs on; more workers only fight over the runtime's threads.
    maxWorkers: 2,
  },
});
