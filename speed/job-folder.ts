/** What benchmarks of jobs share: drawn photographs, and strata as people run it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawDemoPair } from "../demo/draw.js";
import { resizeImage } from "../src/image/resize.js";
import { saveImage } from "../src/node/images.js";

const BIN = fileURLToPath(new URL("../bin/strata.js", import.meta.url));

/** Pairs that are drawn, for that takes most of a second; more are their copies. */
const DRAWN = 48;

/** Draws so many photographs into `folder`/photos. */
export async function drawPhotos(folder: string, count: number, width: number, height: number): Promise<void> {
  mkdirSync(join(folder, "photos"));
  const named = (i: number, side: string) => join(folder, "photos", `${`${i}`.padStart(4, "0")}${side}.png`);
  for (let i = 0; i < count / 2; i++) {
    if (i >= DRAWN) {
      for (const side of ["a", "b"]) cpSync(named(i % DRAWN, side), named(i, side));
      continue;
    }
    const { a, b } = drawDemoPair(i + 1);
    for (const [side, image] of Object.entries({ a, b })) {
      await saveImage(named(i, side), resizeImage(image, width, height));
    }
  }
}

/** Runs a command line to its end. */
export function strata(cwd: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [BIN, ...args], { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`strata ${args.join(" ")}: ${stderr}`);
}

/** Starts a command line; what it tells of itself (the error stream) is thrown away unless it is to be `heard`. */
export const startStrata = (cwd: string, args: readonly string[], heard = false): ChildProcess =>
  spawn(process.execPath, [BIN, ...args], { cwd, stdio: ["ignore", "ignore", heard ? "pipe" : "ignore"] });

/** Ends a process and waits for its end. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

export const wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
