/**
 * Where the reference data lies for tests that compare with it. It is not part of the repository: without it such
 * tests are skipped with a message, except where STRATA_REQUIRE_SHARED is set, as `.ci/run` does: there its absence is a failure.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

const folder = fileURLToPath(new URL("../../shared", import.meta.url));

/** Absolute path of the folder `shared` beside the checkout, or null where there is none. */
export const SHARED: string | null = existsSync(folder) ? folder : null;

/** `describe` for tests that read reference data; `tests` gets the folder's path. */
export function describeShared(name: string, tests: (shared: string) => void): void {
  if (SHARED !== null) {
    const path = SHARED;
    describe(name, () => tests(path));
  } else if (process.env.STRATA_REQUIRE_SHARED) {
    throw new Error(`${name}: needs the reference data in ${folder}, which STRATA_REQUIRE_SHARED says must be there`);
  } else {
    console.warn(`skipped "${name}": no reference data in ${folder}`);
    describe.skip(name, () => {});
  }
}
