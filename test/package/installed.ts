/** The package as a stranger gets it: packed, and installed into an empty folder from the registry that npm is set to. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export interface Installed {
  folder: string;
  /** Bytes of node_modules, and the seconds of the installation. */
  bytes: number;
  seconds: number;
  /** Runs a program of Node in the folder; its arguments. */
  node(...args: string[]): Ended;
  strata(...args: string[]): Ended;
  remove(): void;
}

/** Nobody listens there. */
const NOWHERE = "http://127.0.0.1:9";

/**
 * Installs with scripts on. The feed from which onnxruntime-node's script fetches GPU files cannot be reached: the script
 * goes through a proxy of its own, which is not there; npm's registry can.
 */
export function install(): Installed {
  const folder = mkdtempSync(join(tmpdir(), "strata-package-"));
  const run = (command: string, args: readonly string[], cwd = folder): Ended => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", env: environment() });
    return { code: status, out: stdout, err: stderr };
  };
  const npm = (args: readonly string[], cwd?: string): string => {
    const { code, out, err } = run("npm", [...args, "--no-audit", "--no-fund"], cwd);
    if (code !== 0) throw new Error(`npm ${args.join(" ")} ended with ${code}: ${err.slice(-2000)}`);
    return out;
  };
  const packed = npm(["pack", "--ignore-scripts", "--pack-destination", folder], ROOT)
    .trim()
    .split("\n")
    .pop() as string;
  writeFileSync(join(folder, "package.json"), '{ "name": "stranger", "private": true }');
  const started = performance.now();
  npm(["install", join(folder, packed), "--ignore-scripts=false", "--prefer-offline"]);
  const seconds = (performance.now() - started) / 1000;
  return {
    folder,
    seconds,
    bytes: bytesIn(join(folder, "node_modules")),
    node: (...args) => run(process.execPath, args),
    strata: (...args) => run(process.execPath, [join(folder, "node_modules/strata-features/bin/strata.js"), ...args]),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Of this process, without what npm and Vitest set for their own. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^npm_(config_(?!cache|registry)|lifecycle|package|node)|^VITEST|^ONNXRUNTIME/.test(name),
  );
  return { ...Object.fromEntries(own), GLOBAL_AGENT_HTTPS_PROXY: NOWHERE, GLOBAL_AGENT_HTTP_PROXY: NOWHERE };
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size, 0);
}
