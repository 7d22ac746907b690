/** `strata models remove`: takes models out of the cache. */
import { OptionError } from "../../errors.js";
import { listCached, removeCached } from "../../node/models/cache.js";
import { modelsHome } from "../../node/models/home.js";
import { openRegistry } from "../../node/models/registry.js";
import { type Context, EXIT } from "../context.js";
import { describeBytes } from "./state.js";

/** As commander hands them over. */
export interface RemoveFlags {
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function removeCommand(names: readonly string[], flags: RemoveFlags, context: Context): Promise<number> {
  const wanted = [...new Set(names)];
  const there = (await listCached()).map(({ name }) => name);
  // All names first: nothing is removed when one of them is wrong.
  for (const name of wanted.filter((name) => !there.includes(name))) {
    const shipped = (await openRegistry()).find(name)?.shipped;
    if (shipped) throw new OptionError(`"${name}" comes with strata and is not in the cache; nothing was removed`);
    throw new OptionError(`no model "${name.slice(0, 200)}" in the cache ${modelsHome()}; nothing was removed`);
  }
  const removed: { name: string; bytes: number }[] = [];
  for (const name of wanted) {
    const bytes = await removeCached(name);
    removed.push({ name, bytes });
    if (!flags.json && !flags.quiet) context.out(`removed ${name}: ${describeBytes(bytes)} freed\n`);
  }
  if (flags.json)
    context.out(`${JSON.stringify({ removed, freed: removed.reduce((sum, { bytes }) => sum + bytes, 0) })}\n`);
  return EXIT.ok;
}
