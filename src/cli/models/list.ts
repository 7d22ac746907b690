/** `strata models list`: what there is, and what of it is on this machine. */
import { modelsHome } from "../../node/models/home.js";
import { knownModels, stateOf } from "../../node/models/known.js";
import { type Context, EXIT } from "../context.js";
import { describeBytes } from "./bytes.js";

/** As commander hands them over. */
export interface ListFlags {
  registry?: string;
  cached?: boolean;
  json?: boolean;
  debug?: boolean;
}

export async function listCommand(flags: ListFlags, context: Context): Promise<number> {
  const all = await knownModels(flags.registry);
  const models = flags.cached ? all.filter(({ cached }) => cached) : all;
  if (flags.json) {
    const rows = models.map((model) => {
      const { name, entry, cached } = model;
      const record = cached?.model;
      return {
        name,
        kind: entry?.kind ?? record?.kind ?? null,
        state: entry?.shipped ? "shipped" : (cached?.state ?? "absent"),
        path: record?.path ?? cached?.folder ?? null,
        bytesOnDisk: cached?.bytes ?? 0,
        address: entry?.address ?? null,
        size: entry?.size ?? record?.bytes ?? null,
        sha256: entry?.sha256 ?? record?.sha256 ?? null,
        sha256Prefix: entry?.sha256Prefix ?? null,
        licence: entry?.licence ?? record?.licence ?? null,
        login: entry?.login ?? false,
        note: entry?.note ?? "",
        registry: entry?.registry ?? null,
      };
    });
    context.out(`${JSON.stringify({ cache: modelsHome(), models: rows })}\n`);
    return EXIT.ok;
  }
  const rows = models.map((model): string[] => {
    const { name, entry, cached } = model;
    const size = entry?.size ?? cached?.model?.bytes ?? cached?.bytes;
    const kind = entry?.kind ?? cached?.model?.kind ?? "?";
    const licence = entry?.licence ?? cached?.model?.licence ?? "not stated";
    return [
      name,
      kind,
      size === undefined ? "?" : describeBytes(size),
      stateOf(model),
      licence,
      entry?.login ? "yes" : "",
    ];
  });
  if (rows.length === 0) context.out(`no models in ${modelsHome()}\n`);
  else context.out(`${table(["name", "kind", "size", "state", "licence", "login"], rows)}\ncache: ${modelsHome()}\n`);
  return EXIT.ok;
}

/** Columns of text, all to the left. */
function table(header: readonly string[], rows: readonly string[][]): string {
  const widths = header.map((_, k) => Math.max(...[header, ...rows].map((row) => row[k].length)));
  return [header, ...rows]
    .map(
      (row) =>
        `${row
          .map((cell, k) => cell.padEnd(widths[k]))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
