/** Real servers of queues, Debian's, each in a folder of its own and on a free port: started, killed, started again. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Kinds of servers. */
export const SERVER_KINDS = ["Redis", "PostgreSQL"] as const;
export type ServerKind = (typeof SERVER_KINDS)[number];

export interface QueueServer {
  url: string;
  /** Starts it, with what it had, and waits until it answers. */
  start(): Promise<void>;
  /** Kills it; what it has been told is on its disk. */
  kill(): Promise<void>;
  remove(): Promise<void>;
}

const BINARIES = "/usr/lib/postgresql";
const postgresFolder = existsSync(BINARIES) ? join(BINARIES, readdirSync(BINARIES)[0], "bin") : null;
const hasRedis = ["/usr/bin", "/usr/local/bin"].some((folder) => existsSync(join(folder, "redis-server")));

/** Whether a server of that kind is installed. */
export const hasServer = (kind: ServerKind): boolean => (kind === "Redis" ? hasRedis : postgresFolder !== null);

/** Starts a server of that kind. */
export const makeServer = (kind: ServerKind, ...settings: string[]): Promise<QueueServer> =>
  (kind === "Redis" ? redisServer : postgresServer)(...settings);

/** A Redis that writes everything down at once. `settings`: more of its command line. */
async function redisServer(...settings: string[]): Promise<QueueServer> {
  const folder = mkdtempSync(join(tmpdir(), "strata-redis-"));
  const port = await freePort();
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes"];
  return server(
    `redis://127.0.0.1:${port}`,
    folder,
    () => spawn("redis-server", [...args, "--appendfsync", "always", ...settings], { stdio: "ignore" }),
    async () => {
      const said = execFileSync("redis-cli", ["-p", `${port}`, "ping"], { encoding: "utf8", stdio: "pipe" });
      if (!/PONG|NOAUTH/.test(said)) throw new Error(said);
    },
  );
}

/** A PostgreSQL with an empty database; `settings`: more of its configuration, as name=value. */
async function postgresServer(...settings: string[]): Promise<QueueServer> {
  const folder = mkdtempSync(join(tmpdir(), "strata-postgres-"));
  const port = await freePort();
  // It refuses to be root.
  const user = process.getuid?.() === 0 ? idsOf("postgres") : {};
  execFileSync("chmod", ["777", folder]);
  const options = { ...user, cwd: folder, stdio: "ignore" } as const;
  const bin = (name: string) => join(postgresFolder as string, name);
  const data = join(folder, "data");
  execFileSync(bin("initdb"), ["-D", data, "-A", "trust", "-U", "strata", "--no-sync", "--no-instructions"], options);
  const more = ["listen_addresses=127.0.0.1", "fsync=off", ...settings].flatMap((setting) => ["-c", setting]);
  return server(
    `postgres://strata@127.0.0.1:${port}/postgres`,
    folder,
    () => spawn(bin("postgres"), ["-D", data, "-p", `${port}`, "-k", folder, ...more], options),
    async () => {
      execFileSync(bin("pg_isready"), ["-h", "127.0.0.1", "-p", `${port}`], { stdio: "ignore" });
    },
  );
}

function idsOf(user: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync("id", [flag, user], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

async function server(
  url: string,
  folder: string,
  spawnIt: () => ChildProcess,
  ask: () => Promise<void>,
): Promise<QueueServer> {
  let running: ChildProcess | undefined;
  const made: QueueServer = {
    url,
    async start() {
      running = spawnIt();
      for (;;) {
        if (running.exitCode !== null) throw new Error(`${url} ended with ${running.exitCode}`);
        try {
          return await ask();
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    },
    async kill() {
      const process = running;
      running = undefined;
      if (!process || process.exitCode !== null || process.signalCode !== null) return;
      await new Promise((resolve) => {
        process.once("exit", resolve);
        // PostgreSQL's immediate shutdown: as if it had crashed, but its children end with it.
        process.kill(url.startsWith("redis") ? "SIGKILL" : "SIGQUIT");
      });
    },
    async remove() {
      await made.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await made.start();
  return made;
}

async function freePort(): Promise<number> {
  const listening = createServer();
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const { port } = listening.address() as { port: number };
  await new Promise((resolve) => listening.close(resolve));
  return port;
}
