/** `strata models info`: a model by name, or a file or folder: what it is, what it is made of, where it comes from. */
import { type ModelInformation, modelInformation } from "../../node/models/information.js";
import { type Context, EXIT } from "../context.js";
import { columns } from "../info.js";

/** As commander hands them over. */
export interface ModelsInfoFlags {
  registry?: string;
  json?: boolean;
  debug?: boolean;
}

export async function modelsInfoCommand(target: string, flags: ModelsInfoFlags, context: Context): Promise<number> {
  const info = await modelInformation(target, flags.registry);
  context.out(flags.json ? `${JSON.stringify(info)}\n` : describe(info));
  return EXIT.ok;
}

function describe(info: ModelInformation): string {
  const {
    name,
    kind,
    state,
    architecture: made,
    here,
    path,
    bytes,
    sha256,
    checked,
    licence,
    from,
    login,
    note,
    next,
  } = info;
  const rows: [string, string | null][] = [
    ["name", name],
    ["kind", kind],
    ["state", state],
    ["architecture", made && (made.summary || made.problem)],
    ["parameters", made?.parameters?.toLocaleString("en") ?? null],
    ["tensors", made && String(made.tensors)],
    ["path", path],
    ["size", bytes === null ? null : `${bytes.toLocaleString("en")} bytes${here ? "" : " (expected)"}`],
    ["sha256", sha256 && `${sha256} (${here ? (checked ?? "no checksum is known to compare it with") : "expected"})`],
    ["licence", licence ?? "not stated"],
    ["from", from],
    ["login", login && !here ? "its server asks for a user and a password" : null],
    ["note", note || null],
    ["next", next],
  ];
  return `${columns(rows.filter((row): row is [string, string] => row[1] !== null)).join("\n")}\n`;
}
