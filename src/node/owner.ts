/**
 * Which process owns something that lies on the disk, in one line of words: process id, when that process began (ids are used
 * again), host, and the system that its ids belong to (machine, boot, process namespace), for containers may share a host's
 * name and not its processes. Whether such an owner is gone can be judged where the line was written, and nowhere else.
 */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFile, readlink, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { promisify } from "node:util";

/** Stands for what the system does not tell. */
const UNKNOWN = "?";

export interface Owner {
  pid: number;
  start: string;
  host: string;
  /** MACHINE/BOOT/NAMESPACE, or UNKNOWN. */
  system: string;
}

/** Where an owner is, as seen from here; "gone" only when that is certain. */
export type Standing = "here" | "gone" | "another container" | "another host";

let system: Promise<string> | undefined;

/** A line that names this process; no two lines are the same. */
export async function ownerLine(): Promise<string> {
  system ??= thisSystem();
  const start = (await startOf(process.pid)) ?? UNKNOWN;
  return `${process.pid} ${start} ${hostname()} ${await system} ${randomBytes(8).toString("hex")}\n`;
}

/** The owner that a line names; null for text that is no such line. */
export function parseOwner(text: string): Owner | null {
  const [pid, start, host, where = ""] = text.trim().split(" ");
  return host !== undefined && /^\d+$/.test(pid) ? { pid: Number(pid), start, host, system: where } : null;
}

/** Whether the owner is a process that runs. */
export async function standingOf({ pid, start, host, system: theirs }: Owner): Promise<Standing> {
  if (host !== hostname()) return "another host";
  system ??= thisSystem();
  const [machine, boot, namespace] = theirs.split("/");
  const here = (await system).split("/");
  const areKnown = boot !== undefined && here[1] !== undefined;
  if (areKnown && boot !== here[1]) {
    // Of the same name, but is it the same machine, started anew? Else it is another one.
    return machine === here[0] && machine !== UNKNOWN ? "gone" : "another host";
  }
  if (areKnown && namespace !== here[2]) return "another container";
  return (await isRunning(pid, (now) => [start, now].includes(UNKNOWN) || now === start)) ? "here" : "gone";
}

let name: Promise<string> | undefined;

/** This process in the name of a file: PID-START-SYSTEM, of which the last two are six hexadecimal digits each. */
export function ownerName(): Promise<string> {
  name ??= startOf(process.pid).then(
    async (start) => `${process.pid}-${digits(start ?? UNKNOWN)}-${digits(await systemName())}`,
  );
  return name;
}

/** Age of a file, in milliseconds, at which nobody on any machine is writing it any more. */
const OLD = 24 * 3600 * 1000;

/**
 * Whether the process in a file's name has ended; `path` is that file. Those of another system cannot be seen from here: theirs
 * are taken for gone when nobody has written to the file for a day. A process id alone is how names were until version 0.1.
 */
export async function isGone(owner: string, path: string): Promise<boolean> {
  const [pid, start, where] = owner.split("-");
  if (where !== undefined && where !== digits(await systemName())) {
    return stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs > OLD,
      () => false,
    );
  }
  return !(await isRunning(Number(pid), (now) => start === undefined || digits(now) === start));
}

const digits = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 6);

/** What process ids belong to, but for its boot: within one name, a process of an earlier boot is told by its start. */
async function systemName(): Promise<string> {
  system ??= thisSystem();
  const [machine, , namespace] = (await system).split("/");
  return [hostname(), machine, namespace].join("/");
}

/** Whether a process of that id runs, and began at a time that `began` takes. */
async function isRunning(pid: number, began: (start: string) => boolean): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const start = await startOf(pid);
  return start !== null && began(start);
}

/** When a process began, as the system says it, in one word; UNKNOWN where it does not, null of one that has ended. */
async function startOf(pid: number): Promise<string | null> {
  try {
    if (process.platform === "linux") {
      const text = await readFile(`/proc/${pid}/stat`, "utf8");
      // The second field, the program's name in brackets, may hold anything; the 22nd is the start in clock ticks.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      // A killed process whose parent does not care stays as a zombie, in containers for ever.
      return ["Z", "X"].includes(fields[0]) ? null : (fields[19] ?? UNKNOWN);
    }
    if (process.platform === "win32") return UNKNOWN;
    const { stdout } = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)]);
    return stdout.trim().replace(/\s+/g, "-") || UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

async function thisSystem(): Promise<string> {
  if (process.platform !== "linux") return UNKNOWN;
  const read = (path: string) =>
    readFile(path, "utf8").then(
      (text) => text.trim(),
      () => "",
    );
  const machine = await read("/etc/machine-id");
  const boot = await read("/proc/sys/kernel/random/boot_id");
  const namespace = await readlink("/proc/self/ns/pid").catch(() => "");
  if (boot === "" || namespace === "") return UNKNOWN;
  // A machine's id is not to be shown about.
  const shown = machine === "" ? UNKNOWN : createHash("sha256").update(machine).digest("hex").slice(0, 12);
  return `${shown}/${boot.slice(0, 13)}/${namespace.replace(/\D/g, "")}`;
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is alive as well.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
