/** `strata models import`: weights made elsewhere, as a model folder of strata. */
import { UnsupportedError } from "../../errors.js";
import type { PREPROCESSINGS } from "../../extract/preprocess.js";
import type { IMPORT_KINDS } from "../../model/import/kinds.js";
import type { Context } from "../context.js";

/** As commander hands them over. */
export interface ImportFlags {
  out: string;
  kind: (typeof IMPORT_KINDS)[number];
  name?: string;
  backbone?: string;
  preprocessing?: (typeof PREPROCESSINGS)[number];
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function importCommand(source: string, _flags: ImportFlags, _context: Context): Promise<number> {
  throw new UnsupportedError(`${source}: importing is being written`);
}
