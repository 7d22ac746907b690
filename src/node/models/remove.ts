/** Models taken out of the cache. */
import { checkFunction, checkTexts } from "../../check.js";
import { OptionError } from "../../errors.js";
import { listCached, removeCached } from "./cache.js";
import { modelsHome } from "./home.js";
import { openRegistry } from "./registry.js";

/** What was removed from the cache. */
export interface RemovedModel {
  name: string;
  /** Bytes that are free now. */
  bytes: number;
}

/** Removes models by name; `onRemoved` hears of each. OptionError, and nothing is removed, where one is not there. */
export async function removeModels(
  names: readonly string[],
  onRemoved: (model: RemovedModel) => void = () => {},
): Promise<RemovedModel[]> {
  checkTexts("removeModels", "names", names);
  checkFunction("removeModels", "onRemoved", onRemoved);
  const wanted = [...new Set(names)];
  const there = (await listCached()).map(({ name }) => name);
  for (const name of wanted.filter((name) => !there.includes(name))) {
    const shipped = (await openRegistry()).find(name)?.shipped;
    if (shipped) throw new OptionError(`"${name}" comes with strata and is not in the cache; nothing was removed`);
    throw new OptionError(`no model "${name.slice(0, 200)}" in the cache ${modelsHome()}; nothing was removed`);
  }
  const removed: RemovedModel[] = [];
  for (const name of wanted) {
    const model = { name, bytes: await removeCached(name) };
    removed.push(model);
    onRemoved(model);
  }
  return removed;
}
