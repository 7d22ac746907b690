/** Which packages are installed beside strata, told without loading them. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setPackageFinder } from "../peers.js";

const require = createRequire(import.meta.url);

/** The version of an installed package; {} where it is there and does not say; null where it is not there. */
export function findPackage(name: string): { version?: string } | null {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8")) as { version?: string };
    } catch {
      // Not here.
    }
  }
  try {
    require.resolve(name);
  } catch (error) {
    if ((error as { code?: unknown }).code === "MODULE_NOT_FOUND") return null;
  }
  return {};
}

setPackageFinder(findPackage);
