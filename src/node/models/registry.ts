/**
 * Registries: what models there are and where they come from. Strata's own is data/models.json; a user's file in the same
 * form adds to it, and an entry there goes before one of ours of the same name.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkObject } from "../../check.js";
import { FormatError, IoError, OptionError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { type ModelEntry, objectOf, parseEntry } from "../../model/registry-entry.js";
import { checkPath, readFileChecked } from "../atomic.js";
import type { Environment } from "../proxy.js";
import { strataHome } from "./home.js";

const OWN = fileURLToPath(new URL("../../../data/models.json", import.meta.url));

/** Names a registry file of the user. */
const SETTING = "STRATA_REGISTRY";

/** The user's registry where neither a flag nor the setting names one, in STRATA_HOME. */
const FILE = "models.json";

const MAX_BYTES = 2 ** 20;
const MAX_ENTRIES = 5000;
const VERSION = 1;

/** At most so many names are told. */
const SUGGESTED = 5;

/** An entry of the registry and where it was read. */
export interface RegisteredModel extends ModelEntry {
  /** The user's file that it is in; null: strata's own registry. */
  registry: string | null;
}

/** All models that are known by name. */
export class Registry {
  constructor(private readonly byName: ReadonlyMap<string, RegisteredModel>) {}

  /** In the registries' order, the user's last. */
  get models(): RegisteredModel[] {
    return [...this.byName.values()];
  }

  find(name: string): RegisteredModel | undefined {
    return this.byName.get(name);
  }

  /** The model of that name; an OptionError that tells similar ones otherwise. */
  get(name: string): RegisteredModel {
    const found = this.find(name);
    if (found) return found;
    const similar = this.models.map((model) => model.name).filter((known) => isSimilar(known, name));
    const hint = similar.length > 0 ? `similar: ${similar.slice(0, SUGGESTED).join(", ")}` : "";
    throw new OptionError(
      `no model "${name.slice(0, 200)}" in the registry; ${hint === "" ? "" : `${hint}; `}"strata models list" shows all`,
    );
  }
}

/** Words in common are enough: names are long. */
function isSimilar(known: string, name: string): boolean {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const [a, b] = [plain(known), plain(name)];
  return b.length >= 3 && (a.includes(b) || b.includes(a));
}

/**
 * Strata's registry and the user's: the file given, else the one that STRATA_REGISTRY names, else models.json in STRATA_HOME
 * where there is one. A FormatError names file, entry and what is wrong.
 */
export async function openRegistry(file?: string, environment: Environment = process.env): Promise<Registry> {
  if (file !== undefined) checkPath("openRegistry", file);
  checkObject("openRegistry", "environment", environment);
  const own = await readRegistry(OWN);
  const users = file ?? usersRegistry(environment);
  const added = users === undefined ? [] : await readRegistry(users);
  const marked = [
    ...own.map((entry) => ({ ...entry, registry: null })),
    ...added.map((entry) => ({ ...entry, registry: users ?? null })),
  ];
  return new Registry(new Map(marked.map((model) => [model.name, model])));
}

function usersRegistry(environment: Environment): string | undefined {
  if (environment[SETTING]) return environment[SETTING];
  const atHome = join(strataHome(environment), FILE);
  return existsSync(atHome) ? atHome : undefined;
}

/** The entries of one file: {"version": 1, "models": [{"name": …}, …]}. */
export async function readRegistry(path: string): Promise<ModelEntry[]> {
  const bytes = await readFileChecked(path, { limit: MAX_BYTES }).catch((error: unknown) => {
    if (error instanceof IoError) throw new IoError(`the registry: ${error.message}`, { cause: error });
    throw error;
  });
  return parseRegistry(path, bytes);
}

/** As `readRegistry`, of a file's bytes. */
export function parseRegistry(path: string, bytes: Uint8Array): ModelEntry[] {
  const { version, models } = objectOf(path, parseJson(path, bytes), ["version", "models"], []);
  if (version !== VERSION) {
    throw new FormatError(`${path}: "version" must be ${VERSION}, got ${JSON.stringify(version)?.slice(0, 100)}`);
  }
  if (!Array.isArray(models) || models.length > MAX_ENTRIES) {
    throw new FormatError(`${path}: "models" must be a list of at most ${MAX_ENTRIES} entries`);
  }
  const entries = models.map((json, i) => parseEntry(`${path}: models[${i}]`, json));
  // Names are folders, and some file systems do not tell large letters from small ones.
  const names = entries.map(({ name }) => name.toLowerCase());
  const twice = entries.find(({ name }, i) => names.indexOf(name.toLowerCase()) !== i);
  if (twice)
    throw new FormatError(`${path}: the name "${twice.name}" is there twice (large and small letters are the same)`);
  return entries;
}
