/** `strata info`: what a model is made of. */
import type { Context } from "./context.js";
import { EXIT } from "./context.js";

export interface InfoFlags {
  json?: boolean;
  debug?: boolean;
}

export async function infoCommand(model: string | undefined, flags: InfoFlags, context: Context): Promise<number> {
  const description = await context.engine.describeModel(model);
  const runtime = await context.engine.describeRuntime();
  const kept = await context.engine.describeKept();
  if (flags.json) {
    context.out(`${JSON.stringify({ ...description, runtime, kept })}\n`);
    return EXIT.ok;
  }
  const { name, kind, sha256, parameters, tensors, config, path, bytes } = description;
  const facts: [string, string][] = [
    ["name", name],
    ["kind", kind],
    ["parameters", parameters.toLocaleString("en")],
    ["file", `${path}, ${bytes.toLocaleString("en")} bytes`],
    ["sha256", sha256],
    ["runs on", runtime],
    ["kept graphs", `${kept.graphs} in ${kept.folder}, ${kept.bytes.toLocaleString("en")} bytes`],
  ];
  const rows = tensors.map((tensor): [string, string] => [tensor.name, `${tensor.type} [${tensor.shape.join(", ")}]`]);
  const settings = Object.entries(config).map(([key, value]): [string, string] => [key, JSON.stringify(value)]);
  const sections = [
    columns(facts),
    ["config", ...columns(settings).map((line) => `  ${line}`)],
    [`${tensors.length} tensors`, ...columns(rows).map((line) => `  ${line}`)],
  ];
  context.out(`${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`);
  return EXIT.ok;
}

/** Lines of names and values. */
export function columns(rows: readonly [string, string][]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`);
}
