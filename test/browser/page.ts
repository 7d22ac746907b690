/** Tests that need a browser: in headless Chromium, on a page that can import the sources. */
import { existsSync } from "node:fs";
import { describe } from "vitest";
import { CHROMIUM } from "./serve.js";

export { launch, openPage, type Served, servePage } from "./serve.js";

/** `describe` for tests in Chromium: skipped with a message where it is absent, except in CI, where that is a failure. */
export function describeBrowser(name: string, tests: () => void): void {
  if (existsSync(CHROMIUM)) describe(name, tests);
  else if (process.env.CI) throw new Error(`${name}: needs Chromium at ${CHROMIUM}`);
  else {
    console.warn(`skipped "${name}": no Chromium at ${CHROMIUM} (set CHROMIUM_PATH)`);
    describe.skip(name, () => {});
  }
}
