/** The package's version and those of what results depend on, from its package.json (two folders up, in src as in dist). */
import { readFileSync } from "node:fs";

interface PackageJson {
  version: string;
  optionalDependencies: Record<string, string>;
}

export function packageVersion(): string {
  return packageJson().version;
}

/** The version of onnxruntime-node and onnxruntime-web. */
export const runtimeVersion = (): string => packageJson().optionalDependencies["onnxruntime-node"];

/** Versions of strata, Node and the runtime, for the records of a benchmark. Dependencies are pinned. */
export function packageVersions(): Record<string, string> {
  const { version } = packageJson();
  return {
    strata: version,
    node: process.versions.node,
    onnxruntime: runtimeVersion(),
  };
}

function packageJson(): PackageJson {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as PackageJson;
}
