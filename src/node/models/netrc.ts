/**
 * Users and passwords by host, as ftp, curl and git read them from ~/.netrc (netrc(5); quoted values as curl has them).
 * Errors name the line and never what stands in it.
 */
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { FormatError } from "../../errors.js";
import { readFileChecked } from "../atomic.js";
import type { Environment } from "../proxy.js";

export interface NetrcEntry {
  /** Host name in small letters; null: the default, for every host that is not named. */
  machine: string | null;
  login: string | null;
  password: string | null;
}

const MAX_BYTES = 2 ** 20;

interface Token {
  text: string;
  line: number;
  /** Where the text after it begins. */
  end: number;
}

/** The entries of a netrc in order; a FormatError for what is none, `where` being the file. */
export function parseNetrc(where: string, text: string): NetrcEntry[] {
  const entries: NetrcEntry[] = [];
  let at = 0;
  let line = 1;
  const next = (): Token | undefined => {
    const token = tokenAt(where, text, at, line);
    if (token) [at, line] = [token.end, token.line];
    return token;
  };
  const value = (after: Token): string => {
    const token = next();
    if (!token) throw new FormatError(`${where}, line ${after.line}: nothing follows "${after.text}"`);
    return token.text;
  };
  for (let token = next(); token; token = next()) {
    const entry = entries.at(-1);
    if (token.text === "machine") {
      entries.push({ machine: value(token).toLowerCase(), login: null, password: null });
    } else if (token.text === "default") {
      entries.push({ machine: null, login: null, password: null });
    } else if (token.text.startsWith("#")) {
      at = endOf(text, "\n", token.end - token.text.length);
    } else if (token.text === "macdef") {
      // A macro ends with an empty line.
      const end = endOf(text, /\r?\n[ \t]*\r?\n/, at);
      line += text.slice(at, end).split("\n").length - 1;
      at = end;
    } else if (entry && (token.text === "login" || token.text === "user")) {
      entry.login = value(token);
    } else if (entry && token.text === "password") {
      entry.password = value(token);
    } else if (entry && token.text === "account") {
      value(token);
    } else {
      throw new FormatError(
        `${where}, line ${token.line}: expected machine, default, login, password, account or macdef`,
      );
    }
  }
  return entries;
}

/** The next word, or quoted text, from `at` on. */
function tokenAt(where: string, text: string, at: number, lineBefore: number): Token | undefined {
  const blank = /^\s*/.exec(text.slice(at))?.[0] ?? "";
  const line = lineBefore + blank.split("\n").length - 1;
  const from = at + blank.length;
  if (from >= text.length) return undefined;
  if (text[from] !== '"') {
    const word = /^\S+/.exec(text.slice(from))?.[0] ?? "";
    return { text: word, line, end: from + word.length };
  }
  const quoted = /^"((?:[^"\\\n]|\\[^\n])*)"/.exec(text.slice(from));
  if (!quoted) throw new FormatError(`${where}, line ${line}: a quote is not closed`);
  const plain = quoted[1].replaceAll(/\\(.)/g, (_, char: string) => ({ n: "\n", r: "\r", t: "\t" })[char] ?? char);
  return { text: plain, line, end: from + quoted[0].length };
}

/** Where the text after the mark begins, the mark's line break not being part of it; the end where there is none. */
function endOf(text: string, mark: string | RegExp, from: number): number {
  const rest = text.slice(from);
  const found = typeof mark === "string" ? rest.indexOf(mark) : rest.search(mark);
  return found < 0 ? text.length : from + found;
}

/** The entry for a host, the one with that login where one is wanted; else the default. */
export function findMachine(entries: readonly NetrcEntry[], host: string, login?: string): NetrcEntry | undefined {
  const fits = (entry: NetrcEntry) => login === undefined || entry.login === null || entry.login === login;
  const wanted = host.toLowerCase();
  return (
    entries.find((entry) => entry.machine === wanted && fits(entry)) ??
    entries.find((entry) => entry.machine === null && fits(entry))
  );
}

export interface Netrc {
  path: string;
  entries: NetrcEntry[];
  /** Others than its owner can read it. */
  open: boolean;
}

/** The file that NETRC names, else ~/.netrc (on Windows also ~/_netrc); undefined where there is none. */
export async function readNetrc(environment: Environment, home: string = homedir()): Promise<Netrc | undefined> {
  const named = environment.NETRC;
  const candidates = named ? [named] : [".netrc", "_netrc"].map((name) => join(home, name));
  for (const path of candidates) {
    const info = await stat(path).catch(() => undefined);
    if (!info && !named) continue;
    if (info?.size === 0) return { path, entries: [], open: false };
    const text = new TextDecoder().decode(await readFileChecked(path, { limit: MAX_BYTES }));
    const open = process.platform !== "win32" && ((info?.mode ?? 0) & 0o077) !== 0;
    return { path, entries: parseNetrc(path, text), open };
  }
  return undefined;
}
