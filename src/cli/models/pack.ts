/** `strata models pack`: a model's files, smaller. */
import type { Packing } from "../../model/pack.js";
import { type Context, EXIT } from "../context.js";

/** As commander hands them over. */
export interface PackFlags {
  out: string;
  weights: Packing;
  name?: string;
  scales?: number[];
  maxKeypoints?: number;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function packCommand(models: string[], flags: PackFlags, context: Context): Promise<number> {
  const { packModel } = await import("../../node/models-pack.js");
  const { out, weights, name, scales, maxKeypoints, force } = flags;
  const report = await packModel(models, { out, weights, name, scales, maxKeypoints, force });
  if (flags.json) context.out(`${JSON.stringify(report)}\n`);
  else if (!flags.quiet) {
    const { bytes, sha256, rounding } = report;
    context.out(
      `${report.name}: ${bytes.toLocaleString("en")} bytes, SHA-256 ${sha256}\n` +
        `largest rounding ${(100 * rounding).toFixed(3)} % of a tensor's largest number\nwritten: ${out}\n`,
    );
  }
  return EXIT.ok;
}
