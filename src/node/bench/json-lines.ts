/**
 * A file of JSON lines that grows while a run goes on. A crash or a full disk may tear the last line: lines that do not
 * read back are dropped, and the file is made whole again before anything is added.
 */
import { appendFile, readFile } from "node:fs/promises";
import { ioError, writeFileAtomic } from "../atomic.js";

export interface JsonLines<T> {
  /** What the file held. */
  values: T[];
  /** Lines that were torn or are no such record. */
  dropped: number;
  /** Adds a line; an IoError when that fails, and then the line does not count. */
  append(value: T): Promise<void>;
}

/** Opens the file, which need not be there; `parse` gives null for what is not a record of this kind. */
export async function openJsonLines<T>(path: string, parse: (value: unknown) => T | null): Promise<JsonLines<T>> {
  const { values, dropped, good } = await readJsonLines(path, parse);
  if (dropped > 0) await writeFileAtomic(path, good.map((line) => `${line}\n`).join(""));
  return {
    values,
    dropped,
    async append(value) {
      await appendFile(path, `${JSON.stringify(value)}\n`).catch((cause) => {
        throw ioError("write", path, cause);
      });
    },
  };
}

/** The records of such a file, read only. */
export async function readJsonLines<T>(path: string, parse: (value: unknown) => T | null) {
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return "";
    throw ioError("read", path, cause);
  });
  const lines = text.split("\n");
  // A line counts once its line break is written: what follows the last one is torn.
  const torn = lines.pop() ?? "";
  const values: T[] = [];
  const good: string[] = [];
  for (const line of lines) {
    const value = parse(parseLine(line));
    if (value === null) continue;
    values.push(value);
    good.push(line);
  }
  return { values, good, dropped: lines.length - good.length + (torn === "" ? 0 : 1) };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return null;
  }
}
