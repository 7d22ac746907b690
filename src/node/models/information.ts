/** What is known of one model, by name or by path: what it is made of, where it lies and comes from, what to do with it. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { FormatError } from "../../errors.js";
import { parseJson } from "../../formats/bytes.js";
import { checkPath, readFileChecked } from "../atomic.js";
import { hashFile } from "../download.js";
import { checkUrl, shownAddress } from "../http.js";
import { MODEL_FILES } from "../model-folder.js";
import { type Architecture, inspectModel } from "./inspect.js";
import { importHint, type KnownModel, knownModels, needsImport, quoted, stateOf } from "./known.js";
import { openRegistry, type RegisteredModel, type Registry } from "./registry.js";

/** Null: not known. */
export interface ModelInformation {
  name: string;
  kind: string | null;
  /** Of a name: whether it is on this machine. */
  state: string | null;
  architecture: Architecture | null;
  /** Whether it is on this machine, whole. */
  here: boolean;
  path: string | null;
  /** Of the file; of one that is not here as the registry says. */
  bytes: number | null;
  sha256: string | null;
  /** How far that SHA-256 is known to be the right one. */
  checked: string | null;
  licence: string | null;
  /** Address, or what the model was made from. */
  from: string | null;
  login: boolean;
  note: string;
  /** What to do with it; null: something is missing. */
  next: string | null;
}

const ARCHIVE = /\.(tar|tgz|tar\.gz)$/i;

/**
 * What is known of a model of the registry (or of a registry file), the cache, a file or a folder. A path goes before a name, as `--model` has it.
 * OptionError for a name that nobody knows; as reading does for damage.
 */
export async function modelInformation(target: string, file?: string): Promise<ModelInformation> {
  checkPath("modelInformation", target);
  const registry = await openRegistry(file);
  if (existsSync(target)) return ofPath(target, registry);
  const known = (await knownModels(file)).find(({ name }) => name === target);
  return known ? ofName(known, registry) : ofName({ name: target, entry: registry.get(target) }, registry);
}

async function ofName(model: KnownModel, registry: Registry): Promise<ModelInformation> {
  const { name, entry, cached } = model;
  const known = ofEntry(entry, name, stateOf(model));
  if (entry?.shipped) {
    const { path } = await inspectModel(name);
    return { ...(await ofPath(path, registry)), ...known, next: `strata extract IMAGE --model ${name}` };
  }
  const record = cached?.model;
  if (!record && cached?.state !== "usable") {
    const { kind = null, size = null, sha256 = null, sha256Prefix = null } = entry ?? {};
    const expected = sha256 ?? (sha256Prefix && `${sha256Prefix}…`);
    const path = cached?.folder ?? null;
    return { ...known, here: false, kind, architecture: null, path, bytes: size, sha256: expected, checked: null };
  }
  const path = record?.path ?? join(cached!.folder, MODEL_FILES.weights);
  const found = await ofPath(path, registry);
  const changed = record && record.sha256 !== found.sha256;
  return {
    ...found,
    ...known,
    kind: record?.kind ?? found.kind,
    state: changed ? "changed since it was fetched" : known.state,
    checked: changed ? `it was ${record.sha256} when it was fetched` : found.checked,
    licence: record?.licence ?? known.licence ?? found.licence,
    from: record?.from ?? found.from ?? known.from,
    next: needsImport(model) ? importHint(name) : `strata extract IMAGE --model ${quoted(name)}`,
  };
}

/** What a registry says; of what it does not have, little. */
function ofEntry(
  entry: RegisteredModel | undefined,
  name: string,
  state: string,
): Pick<ModelInformation, "name" | "state" | "licence" | "from" | "login" | "note" | "next"> {
  const { licence = null, address = null, login = false, note = "" } = entry ?? {};
  const from = entry?.shipped ? "strata" : address === null ? null : shownAddress(checkUrl("models info", address));
  return { name, state, licence, from, login, note, next: `strata models download ${name}` };
}

async function ofPath(path: string, registry: Registry): Promise<ModelInformation> {
  const inFolder = join(path, MODEL_FILES.weights);
  const file = existsSync(inFolder) ? inFolder : path;
  const { sha256, bytes } = statSync(file).isFile() ? await hashFile(file) : { sha256: null, bytes: null };
  const same = sha256 === null ? undefined : sameAs(sha256, registry);
  const architecture = ARCHIVE.test(file) ? null : await inspectModel(path);
  const isFolder = basename(file) === MODEL_FILES.weights;
  return {
    name:
      same?.entry.name ?? basename(resolve(isFolder ? dirname(file) : path)).replace(/\.[^.]*$/, isFolder ? "$&" : ""),
    kind: architecture?.kind ?? same?.entry.kind ?? null,
    state: null,
    architecture,
    here: true,
    path: file,
    bytes,
    sha256,
    checked: same?.checked ?? null,
    licence: same?.entry.licence ?? null,
    from: isFolder ? await sourceOf(join(dirname(file), MODEL_FILES.config)) : null,
    login: false,
    note: same?.entry.note ?? "",
    next: nextOf(path, architecture),
  };
}

function nextOf(path: string, architecture: Architecture | null): string | null {
  if (architecture?.problem) return null;
  if (architecture?.kind === "backbone") return `strata extract IMAGE --model ${quoted(path)} --attention-ckpt HEADS`;
  return architecture?.usable ? `strata extract IMAGE --model ${quoted(path)}` : importHint(path);
}

/** The registry's entry for exactly this file. */
function sameAs(sha256: string, registry: Registry): { entry: RegisteredModel; checked: string } | undefined {
  const whole = registry.models.find((entry) => entry.sha256 === sha256);
  if (whole) return { entry: whole, checked: `as the registry says of ${whole.name}` };
  const begun = registry.models.find(({ sha256Prefix: first }) => first !== null && sha256.startsWith(first));
  return begun && { entry: begun, checked: `its first digits are as the registry says of ${begun.name}` };
}

/** What `strata models import` noted in a model's configuration. */
async function sourceOf(config: string): Promise<string | null> {
  if (!existsSync(config)) return null;
  const json = parseJson(config, await readFileChecked(config, { limit: 2 ** 26 }));
  if (typeof json !== "object" || json === null) throw new FormatError(`${config}: expected an object`);
  const { source } = json as { source?: unknown };
  return source === undefined ? null : JSON.stringify(source);
}
