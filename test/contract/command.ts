/** `strata` as people run it: bin/strata.js in a process of its own, to its end or watched on the way. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

const root = new URL("../../", import.meta.url);
export const BIN = fileURLToPath(new URL("bin/strata.js", root));

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** Runs a command line in a folder. */
export function runStrata(cwd: string, args: readonly string[]): Ended {
  checkBuilt();
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: "utf8", cwd });
  // Whatever went wrong, people are told in plain words.
  if (!args.includes("--debug"))
    expect(stderr, args.join(" ")).not.toMatch(/\n\s+at .*[:(]\d+|TypeError|undefined is not/);
  return { code: status, out: stdout, err: stderr };
}

export interface Running {
  child: ChildProcess;
  /** What it has printed so far, both streams. */
  text(): string;
  /** Its exit code, when it has ended and all its text has come. */
  ended: Promise<number | null>;
  isOver(): boolean;
}

/** Starts a command line in a folder. */
export function startStrata(cwd: string, args: readonly string[], options: SpawnOptions = {}): Running {
  checkBuilt();
  const child = spawn(process.execPath, [BIN, ...args], { cwd, stdio: ["ignore", "pipe", "pipe"], ...options });
  let [text, over] = ["", false];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (text += chunk));
  const ended = new Promise<number | null>((resolve) =>
    child.on("close", (code) => {
      over = true;
      resolve(code);
    }),
  );
  return { child, text: () => text, ended, isOver: () => over };
}

/** Looks until a running command has done something; only its end ends the wait, however slow the machine is. */
export async function until(running: Running, done: () => boolean): Promise<void> {
  for (;;) {
    // Asked first, for it may end between the two.
    const isOver = running.isOver();
    if (done()) return;
    if (isOver) expect.fail(`it ended before that:\n${running.text()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function checkBuilt(): void {
  if (!existsSync(new URL("dist/cli/main.js", root))) {
    throw new Error("the command line is tested as built: run npm run build first");
  }
}
