/** What is known of every model: its entry in a registry, and its folder in the cache. */

import { IMPORTED_KINDS } from "../../model/registry-entry.js";
import { type CacheFolder, listCached } from "./cache.js";
import { openRegistry, type RegisteredModel } from "./registry.js";

/** A model that a name stands for. */
export interface KnownModel {
  name: string;
  /** Undefined: it is in the cache, and in no registry. */
  entry?: RegisteredModel;
  /** Undefined: nothing of it is in the cache. */
  cached?: CacheFolder;
}

/** All models of the registries, then those that only the cache has. */
export async function knownModels(registryFile?: string): Promise<KnownModel[]> {
  const [registry, folders] = [await openRegistry(registryFile), await listCached()];
  const listed = registry.models.map((entry): KnownModel => {
    const cached = folders.find((folder) => folder.name === entry.name);
    return { name: entry.name, entry, cached };
  });
  const others = folders.filter(({ name }) => !registry.find(name)).map((cached) => ({ name: cached.name, cached }));
  return [...listed, ...others];
}

/** In a word or two: whether it can be used. */
export function stateOf({ entry, cached }: KnownModel): string {
  if (entry?.shipped) return "comes with strata";
  if (cached?.state === "downloaded") return needsImport({ entry, cached }) ? "downloaded, to import" : "downloaded";
  if (cached?.state === "usable") return "ready";
  if (cached?.state === "part") return "partly downloaded";
  if (cached) return "nothing usable";
  return entry?.address === null ? "no address known" : "not downloaded";
}

/** Whether the file is not strata's own kind and `strata models import` comes first. */
export function needsImport({ entry, cached }: Pick<KnownModel, "entry" | "cached">): boolean {
  const kind = cached?.model?.kind ?? entry?.kind;
  return kind !== undefined && IMPORTED_KINDS.includes(kind);
}

/** The command that makes a model folder of what was downloaded, or lies at a path. */
export const importHint = (source: string): string => `strata models import ${quoted(source)} --out FOLDER`;

/** As a word of a command line is written for a shell. */
export const quoted = (word: string): string =>
  /^[\w.,:/@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
