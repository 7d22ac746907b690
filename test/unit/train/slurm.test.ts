/** The Slurm example with stand-ins for srun, scontrol and strata: its commands, and what it does when it is signalled. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Context } from "../../../src/cli/context.js";
import { addTrain } from "../../../src/cli/train/command.js";
import { parseAttentionRecipe, parseRecipe, REFERENCE_RECIPES } from "../../../src/train/recipes.js";

const SCRIPT = fileURLToPath(new URL("../../../examples/slurm/train-all.sbatch", import.meta.url));
const DOCS = fileURLToPath(new URL("../../../docs/cluster.md", import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "strata-slurm-"));
  // strata says what it was called with, and goes on until it is asked to stop, which it does some time later, or ends at
  // once with the code that a test wants.
  stub(
    "strata",
    `
    stop=-1
    trap "exit 130" TERM
    trap 'echo usr1 >> "$LOG/signals"; if [ $stop -lt 0 ]; then stop=10; fi' USR1
    printf "%s\\n" "$@" > "$LOG/command"
    echo $$ > "$LOG/pid.part"
    mv "$LOG/pid.part" "$LOG/pid"
    [ -z "$ENDS" ] || exit "$ENDS"
    while [ $stop -ne 0 ]; do
      sleep 0.05
      [ $stop -lt 0 ] || stop=$((stop - 1))
    done
    exit 130`,
  );
  stub("srun", 'exec "$@"');
  stub("scontrol", 'echo "$@" >> "$LOG/scontrol"');
});
afterAll(() => rmSync(folder, { recursive: true }));

function stub(name: string, body: string): void {
  writeFileSync(join(folder, name), `#!/usr/bin/env bash\n${body}\n`);
  chmodSync(join(folder, name), 0o755);
}
interface Running {
  log: string;
  script: ChildProcess;
  code: Promise<number | null>;
}

function start(task: number, extra: Record<string, string> = {}): Running {
  const log = mkdtempSync(join(folder, "log-"));
  const env = {
    PATH: `${folder}:${process.env.PATH}`,
    LOG: log,
    SLURM_ARRAY_JOB_ID: "77",
    SLURM_ARRAY_TASK_ID: String(task),
    SLURM_CPUS_PER_TASK: "3",
    PATIENCE: "0",
    ENDS: "",
    ...extra,
  };
  const script = spawn("bash", [SCRIPT], { env, stdio: "ignore" });
  return { log, script, code: new Promise((resolve) => script.on("exit", resolve)) };
}

const has = (log: string, file: string) => expect.poll(() => existsSync(join(log, file))).toBe(true);
const read = (log: string, file: string) =>
  existsSync(join(log, file)) ? readFileSync(join(log, file), "utf8") : null;

/** Parses a command line as `strata` does and answers with the flags; throws for what the command does not know. */
async function parse(args: string[]): Promise<Record<string, unknown>> {
  let flags: Record<string, unknown> = {};
  const program = new Command("strata");
  addTrain(program, {} as Context, () => {});
  const inAll = (command: Command, change: (one: Command) => void): void => {
    change(command);
    for (const inner of command.commands) inAll(inner, change);
  };
  inAll(program, (command) => {
    command.exitOverride().configureOutput({ writeErr: () => {}, outputError: () => {} });
    if (command.commands.length === 0)
      command.action((...given: unknown[]) => {
        flags = (given.at(-1) as Command).opts();
      });
  });
  await program.parseAsync(args, { from: "user" });
  return flags;
}

describe("examples/slurm/train-all.sbatch", () => {
  it("is valid, as bash and as a job", () => {
    execFileSync("bash", ["-n", SCRIPT]);
    const lines = readFileSync(SCRIPT, "utf8").split("\n");
    const directives = lines.flatMap((line, i) => (line.startsWith("#SBATCH") ? [i] : []));
    // sbatch reads no directive below the first command.
    expect(directives.at(-1)).toBeLessThan(lines.findIndex((line) => line !== "" && !line.startsWith("#")));
    const said = directives.map((i) => lines[i].slice(8));
    expect(said).toEqual(expect.arrayContaining(["--requeue", "--signal=B:USR1@300", "--open-mode=append"]));
  });

  it("trains the encoder and all 19 recipes, by commands that strata knows", async () => {
    const names = new Set<string>();
    for (let task = 0; task <= 19; task++) {
      const { log, code } = start(task, { ENDS: "0" });
      expect(await code).toBe(0);
      const args = read(log, "command")!.trimEnd().split("\n");
      const flags = await parse(args);
      const recipe = flags.recipe as string;
      names.add(recipe);
      expect(flags).toMatchObject({
        data: "MegaDepth",
        resume: true,
        threads: 3,
        backend: "cpu",
        tbLogs: "runs/tb_logs",
      });
      expect(flags.out).toBe(`runs/${recipe}`);
      expect(args[1]).toBe(task === 0 ? "encoder" : "attention");
      if (task === 0) {
        expect(parseRecipe(recipe).kind).toBe("encoder");
        expect(flags.backbone).toBe("backbone.ckpt");
      } else {
        expect(flags.encoder).toBe("runs/cfe64");
        expect(parseAttentionRecipe(recipe).encoder.dim).toBe(64);
        expect((flags.batch as number) * (flags.accumulate as number)).toBe(parseAttentionRecipe(recipe).batch);
      }
      expect(read(log, "scontrol")).toBeNull();
    }
    expect(names).toEqual(new Set(["cfe64", ...REFERENCE_RECIPES.map((name) => `cfe64_${name}`)]));
  });

  it("at the time limit passes one signal on and queues itself again", async () => {
    const { log, script, code } = start(3);
    await has(log, "pid");
    script.kill("SIGUSR1");
    await has(log, "signals");
    script.kill("SIGUSR1");
    expect(await code).toBe(0);
    expect(read(log, "signals")).toBe("usr1\n");
    expect(read(log, "scontrol")).toBe("requeue 77_3\n");
  });

  it("when preempted leaves it to Slurm, and waits to be taken away", async () => {
    const { log, code } = start(3, { PATIENCE: "1" });
    await has(log, "pid");
    const began = performance.now();
    // Slurm signals the step, which is what srun has started.
    process.kill(Number(read(log, "pid")), "SIGTERM");
    expect(await code).toBe(130);
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(read(log, "scontrol")).toBeNull();
  });

  it("takes away the lock of its own run that was killed, and of no other's", async () => {
    const RUNS = mkdtempSync(join(folder, "runs-"));
    const locked = join(RUNS, `cfe64_${REFERENCE_RECIPES[2]}`, ".strata.lock");
    mkdirSync(dirname(locked));
    writeFileSync(locked, "7 1 node17\n");
    await start(3, { ENDS: "0", RUNS }).code;
    expect(existsSync(locked)).toBe(true);
    await start(3, { ENDS: "0", RUNS, SLURM_RESTART_COUNT: "1" }).code;
    expect(existsSync(locked)).toBe(false);
  });

  it("hands on that a training failed", async () => {
    const { log, code } = start(3, { ENDS: "1" });
    expect(await code).toBe(1);
    expect(read(log, "scontrol")).toBeNull();
  });
});

describe("docs/cluster.md", () => {
  it("has commands that strata knows", async () => {
    const lines = readFileSync(DOCS, "utf8").split("\n");
    const commands = lines.flatMap((line) => /^(?:srun )?strata (train .*)$/.exec(line)?.[1] ?? []);
    expect(commands.length).toBeGreaterThan(2);
    for (const command of commands) {
      const words = execFileSync("bash", ["-c", `printf '%s\\n' ${command}`], { encoding: "utf8" });
      await parse(words.trimEnd().split("\n"));
    }
    await expect(parse(["train", "attention", "--recipe", "d2net", "--out", "x", "--no-such-flag"])).rejects.toThrow(
      /unknown option/,
    );
  });
});
