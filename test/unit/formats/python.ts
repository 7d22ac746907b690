/**
 * NumPy, SciPy and h5py as independent readers and writers: Debian's python3-numpy, python3-scipy and python3-h5py.
 * Where they are absent such tests are skipped with a message; in CI they are required.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe } from "vitest";

const PYTHON = "/usr/bin/python3";

/** Runs the script that lies beside this file; returns what it prints as JSON. */
export function python(script: string, ...args: string[]): unknown {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return JSON.parse(execFileSync(PYTHON, [path, ...args], { encoding: "utf8", maxBuffer: 1 << 26 }));
}

/** `describe` for tests against the Python libraries; `tests` gets an empty folder that is removed afterwards. */
export function describePython(name: string, tests: (folder: string) => void): void {
  const { status } = spawnSync(PYTHON, ["-c", "import numpy, scipy.io, h5py"]);
  if (status === 0) {
    describe(name, () => {
      const folder = mkdtempSync(join(tmpdir(), "strata-formats-"));
      afterAll(() => rmSync(folder, { recursive: true }));
      tests(folder);
    });
  } else if (process.env.CI) {
    throw new Error(`${name}: CI must have python3-numpy, python3-scipy and python3-h5py`);
  } else {
    console.warn(`skipped "${name}": ${PYTHON} has no numpy, scipy or h5py`);
    describe.skip(name, () => {});
  }
}
