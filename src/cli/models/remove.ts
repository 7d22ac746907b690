/** `strata models remove`: takes models out of the cache. */
import { removeModels } from "../../node/models/remove.js";
import { type Context, EXIT } from "../context.js";
import { describeBytes } from "./bytes.js";

/** As commander hands them over. */
export interface RemoveFlags {
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function removeCommand(names: readonly string[], flags: RemoveFlags, context: Context): Promise<number> {
  const removed = await removeModels(names, ({ name, bytes }) => {
    if (!flags.json && !flags.quiet) context.out(`removed ${name}: ${describeBytes(bytes)} freed\n`);
  });
  if (flags.json)
    context.out(`${JSON.stringify({ removed, freed: removed.reduce((sum, { bytes }) => sum + bytes, 0) })}\n`);
  return EXIT.ok;
}
