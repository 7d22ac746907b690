/** `strata convert`: features and matches of many images from one format to another. */

import { OptionError } from "../../errors.js";
import type { DescriptorKind } from "../../features.js";
import type { ImagePair } from "../../formats/colmap.js";
import type { FormatName } from "../../formats/feature-formats.js";
import { loadFeatures, saveFeatures } from "../../node/features-files.js";
import { checkWritable } from "../../node/folders.js";
import { refuseExisting } from "../../node/overwriting.js";
import { checkPairFile, checkPairs, loadPairs, savePairs } from "../../node/pair-files.js";
import { checkPeer } from "../../peers.js";
import { plural } from "../../plural.js";
import { type Context, EXIT } from "../context.js";
import { describeSeconds, stageOf } from "../progress.js";

export interface ConvertFlags {
  to?: FormatName;
  out?: string;
  matches?: string;
  matchesOut?: string;
  images?: string;
  descriptorKind?: DescriptorKind;
  verified?: boolean;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function convertCommand(input: string, flags: ConvertFlags, context: Context): Promise<number> {
  const { to, out, matchesOut, quiet = false, force } = flags;
  if ((to === undefined) !== (out === undefined)) throw new OptionError("--to and --out go together");
  if (out === undefined && matchesOut === undefined) {
    throw new OptionError("nothing to write: give --to FORMAT --out PATH, --matches-out FILE, or both");
  }
  if (to === "h5" && !/\.(h5|hdf5)$/i.test(out ?? ""))
    throw new OptionError(`--to h5 writes one file: give --out FILE.h5, got ${out}`);
  if (to === "h5") checkPeer("h5wasm");
  if (matchesOut !== undefined) checkPairFile("--matches-out", matchesOut);
  for (const path of [out, matchesOut]) if (path !== undefined) await refuseExisting(path, force);

  const started = performance.now();
  const { features, pairs: own } = await loadFeatures(
    input,
    to === undefined ? { ...flags, descriptors: "unused" } : flags,
  );
  const pairs = flags.matches === undefined ? own : await loadPairs(flags.matches, features);
  if (matchesOut !== undefined && pairs === null)
    throw new OptionError(`--matches-out: ${input} has no matches; give --matches FILE`);
  await checkWritable([matchesOut, to === "h5" ? out : out && `${out}/x`].filter((path) => path !== undefined));
  if (matchesOut !== undefined && pairs !== null) {
    await checkPairs(matchesOut, namesOf(pairs), features);
  }
  const outputs: string[] = [];
  if (to !== undefined && out !== undefined) {
    await saveFeatures(out, features, { format: to, force, progress: stageOf(quiet, context) });
    outputs.push(out);
  }
  if (matchesOut !== undefined && pairs !== null) {
    await savePairs(matchesOut, pairs, features);
    outputs.push(matchesOut);
  }
  const left = matchesOut === undefined && pairs !== null ? pairs.length : 0;
  if (left > 0 && !quiet)
    context.err(
      `strata: note: the matches of ${plural(left, "pair")} are not written; --matches-out FILE writes them\n`,
    );
  const seconds = (performance.now() - started) / 1000;
  const result = { images: features.size, pairs: pairs?.length ?? 0, outputs, seconds };
  if (flags.json) context.out(`${JSON.stringify(result)}\n`);
  else if (!quiet) {
    context.out(
      `${plural(result.images, "image")}, ${plural(result.pairs, "pair")} in ${describeSeconds(seconds)}\nwritten: ${outputs.join(", ")}\n`,
    );
  }
  return EXIT.ok;
}

function* namesOf(pairs: readonly ImagePair[]): Generator<[string, string]> {
  for (const { name0, name1 } of pairs) yield [name0, name1];
}
