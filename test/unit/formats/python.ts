/**
 * NumPy, SciPy, h5py and protobuf as independent readers and writers: Debian's python3-numpy and so on.
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

/** Debian's packages and what of them is imported. */
const ARRAYS = { packages: "python3-numpy, python3-scipy and python3-h5py", modules: "numpy, scipy.io, h5py" };
export const PROTOBUF = { packages: "python3-protobuf", modules: "google.protobuf" };

/** `describe` for tests against the Python libraries; `tests` gets an empty folder that is removed afterwards. */
export function describePython(name: string, tests: (folder: string) => void, { packages, modules } = ARRAYS): void {
  const { status } = spawnSync(PYTHON, ["-c", `import ${modules}`]);
  if (status === 0) {
    describe(name, () => {
      const folder = mkdtempSync(join(tmpdir(), "strata-formats-"));
      afterAll(() => rmSync(folder, { recursive: true }));
      tests(folder);
    });
  } else if (process.env.CI) {
    throw new Error(`${name}: CI must have ${packages}`);
  } else {
    console.warn(`skipped "${name}": ${PYTHON} lacks ${packages}`);
    describe.skip(name, () => {});
  }
}
