/**
 * An entry of a registry: what a model is called, where its file comes from, and how to know that it is the right one.
 * What is not known is null and said to be so; entries are read strictly, for they may be a user's own.
 */
import { checkObject, wrong as wrongArgument } from "../check.js";
import { FormatError } from "../errors.js";
import type { ImportKind } from "../import/kinds.js";
import { isDeviceName } from "../names.js";

/** What the file is, which says how it is used. */
export type ModelKind = ImportKind;
const MODEL_KINDS: readonly ModelKind[] = ["strata", "reference", "torchvision", "delg"];

/** Kinds that `strata models import` turns into a model folder before they can be used. */
export const IMPORTED_KINDS: readonly ModelKind[] = ["torchvision", "delg"];

/** A file that can be fetched. */
export interface RemoteFile {
  /** http(s), without user and password; null: none is known. */
  address: string | null;
  /** Bytes; null: not known. */
  size: number | null;
  /** 64 hexadecimal digits; null: not known. */
  sha256: string | null;
}

export interface ModelEntry extends RemoteFile {
  name: string;
  kind: ModelKind;
  /** What the file is called in the cache and below a mirror's address; default: the address's last part. */
  file: string;
  /** First digits of the SHA-256 where no more is known; torchvision writes eight into its files' names. */
  sha256Prefix: string | null;
  /** The configuration that belongs to the weights; kind "strata" only. */
  config: RemoteFile | null;
  /** As far as it is known; null: not at all. */
  licence: string | null;
  /** Whether its server asks for a user and a password. */
  login: boolean;
  /** Comes with strata and lies in its models folder: nothing to fetch. */
  shipped: boolean;
  /** What people should know; "" nothing. */
  note: string;
}

const REQUIRED = ["name", "kind", "address", "size", "sha256", "licence", "login"] as const;
const OPTIONAL = ["file", "sha256Prefix", "config", "shipped", "note"] as const;
const REMOTE = ["address", "size", "sha256"] as const;

const NAME = /^[A-Za-z0-9][\w.+-]{0,199}$/;
const MAX_TEXT = 2000;

/** Whether a text can be a model's name, which is also the name of its folder in the cache. */
export const isModelName = (text: string): boolean => NAME.test(text) && !isDeviceName(text);

/** An OptionError for what is no entry: one of `openRegistry().get(name)`. */
export function checkEntry(where: string, entry: ModelEntry): void {
  checkObject(where, "the entry", entry);
  const { name, file, kind } = entry;
  if (typeof name !== "string" || !isModelName(name))
    throw wrongArgument(where, "the entry's name", "a model's name", name);
  if (!MODEL_KINDS.includes(kind)) throw wrongArgument(where, "the entry's kind", MODEL_KINDS.join(", "), kind);
  if (typeof file !== "string" || !isModelName(file))
    throw wrongArgument(where, "the entry's file", "a file's name", file);
}

/** The entry in parsed JSON; a FormatError names what is wrong, `where` being file and place in it. */
export function parseEntry(where: string, json: unknown): ModelEntry {
  const given = objectOf(where, json, REQUIRED, OPTIONAL);
  const { name, kind, login, shipped = false, config = null } = given;
  if (typeof name !== "string" || !isModelName(name)) {
    throw wrong(where, "name", "letters, digits and . _ + - (at most 200, first a letter or digit)", name);
  }
  const at = `${where} ("${name}")`;
  const known = MODEL_KINDS.find((one) => one === kind);
  if (!known) throw wrong(at, "kind", `one of ${MODEL_KINDS.join(", ")}`, kind);
  if (typeof login !== "boolean") throw wrong(at, "login", "true or false", login);
  if (typeof shipped !== "boolean") throw wrong(at, "shipped", "true or false", shipped);
  if (config !== null && known !== "strata") throw new FormatError(`${at}: "config" belongs to kind "strata" only`);
  const remote = parseRemote(at, given);
  if (known === "strata" && !shipped && config === null) {
    throw new FormatError(`${at}: a model of kind "strata" needs "config", with address, size and sha256`);
  }
  return {
    name,
    kind: known,
    ...remote,
    file: fileOf(at, given.file, remote.address),
    sha256Prefix: digits(at, "sha256Prefix", given.sha256Prefix ?? null, /^[0-9a-f]{8,63}$/i, "8 to 63"),
    config: config === null ? null : parseRemote(`${at}, config`, objectOf(`${at}, config`, config, REMOTE, [])),
    licence: text(at, "licence", given.licence),
    login,
    shipped,
    note: text(at, "note", given.note ?? null) ?? "",
  };
}

function parseRemote(where: string, { address, size, sha256 }: Record<string, unknown>): RemoteFile {
  if (size !== null && !(Number.isSafeInteger(size) && (size as number) > 0)) {
    throw wrong(where, "size", "a number of bytes, or null where it is not known", size);
  }
  return {
    address: addressOf(where, address),
    size: size as number | null,
    sha256: digits(where, "sha256", sha256, /^[0-9a-f]{64}$/i, "64"),
  };
}

function addressOf(where: string, address: unknown): string | null {
  if (address === null) return null;
  const url = typeof address === "string" && URL.canParse(address) ? new URL(address) : undefined;
  // It may hold a password and is not repeated.
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new FormatError(`${where}: "address" must begin with https:// or http://, or be null where none is known`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new FormatError(
      `${where}: no user or password in "address"; they are read from STRATA_USER and STRATA_PASSWORD, netrc, or asked for`,
    );
  }
  return url.href;
}

function fileOf(where: string, file: unknown, address: string | null): string {
  let name = file;
  if (name === undefined) {
    if (address === null) throw new FormatError(`${where}: "file" must be given where there is no address`);
    try {
      name = decodeURIComponent(new URL(address).pathname.split("/").at(-1) ?? "");
    } catch {
      name = "";
    }
  }
  // The cache keeps its own notes beside it.
  if (typeof name === "string" && isModelName(name) && !/\.(part|bad|json)$/i.test(name)) return name;
  throw wrong(
    where,
    "file",
    "the name of a file: letters, digits and . _ + -, not ending in .part, .bad or .json",
    name,
  );
}

function digits(where: string, key: string, value: unknown, pattern: RegExp, count: string): string | null {
  if (value === null) return null;
  if (typeof value === "string" && pattern.test(value)) return value.toLowerCase();
  throw wrong(where, key, `${count} hexadecimal digits, or null where it is not known`, value);
}

function text(where: string, key: string, value: unknown): string | null {
  if (value === null) return null;
  // It is printed: no control characters, which could move a terminal's cursor.
  if (typeof value === "string" && value.length <= MAX_TEXT && !/\p{Cc}/u.test(value)) return value;
  throw wrong(where, key, `a line of text of at most ${MAX_TEXT} characters`, value);
}

/** The object, with all of `required` and nothing that is not known. */
export function objectOf(
  where: string,
  json: unknown,
  required: readonly string[],
  optional: readonly string[],
): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw wrong(where, "", "an object", json);
  const keys = Object.keys(json);
  const missing = required.filter((key) => !keys.includes(key));
  if (missing.length > 0) throw new FormatError(`${where}: missing ${missing.map((key) => `"${key}"`).join(", ")}`);
  const known = [...required, ...optional];
  const unknown = keys.find((key) => !known.includes(key));
  if (unknown === undefined) return json as Record<string, unknown>;
  throw new FormatError(`${where}: unknown "${unknown.slice(0, 100)}"; known: ${known.join(", ")}`);
}

function wrong(where: string, key: string, expected: string, got: unknown): FormatError {
  const shown = (JSON.stringify(got) ?? String(got)).slice(0, 100);
  return new FormatError(`${where}: ${key === "" ? "expected" : `"${key}" must be`} ${expected}, got ${shown}`);
}
