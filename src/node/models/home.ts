/** Where models that were fetched are kept: STRATA_HOME, or the platform's folder for caches. */
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import type { Environment } from "../proxy.js";

/**
 * The folder of everything that strata keeps for a user. STRATA_HOME; else $XDG_CACHE_HOME/strata (default ~/.cache/strata),
 * on macOS ~/Library/Caches/strata, on Windows %LOCALAPPDATA%\strata.
 */
export function strataHome(
  environment: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (environment.STRATA_HOME) return resolve(environment.STRATA_HOME);
  if (platform === "darwin") return join(home, "Library", "Caches", "strata");
  if (platform === "win32") return join(environment.LOCALAPPDATA || join(home, "AppData", "Local"), "strata");
  // A relative path there counts as not set (XDG Base Directory Specification).
  const cache = environment.XDG_CACHE_HOME;
  return join(cache && isAbsolute(cache) ? cache : join(home, ".cache"), "strata");
}

/** The folder with one folder per model. */
export const modelsHome = (environment?: Environment): string => join(strataHome(environment), "models");
