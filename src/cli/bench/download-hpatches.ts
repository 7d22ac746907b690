/** `strata bench download`: HPatches, fetched, checked and unpacked. */
import { OptionError } from "../../errors.js";
import {
  type DownloadedHpatches,
  downloadHpatches,
  type HpatchesDownload,
} from "../../node/bench/download-hpatches.js";
import { byteMeter } from "../byte-meter.js";
import { type Context, EXIT, untilInterrupted } from "../context.js";

/** As commander hands them over. */
export interface BenchDownloadFlags
  extends Pick<HpatchesDownload, "out" | "url" | "archive" | "sha256" | "all" | "keepArchive"> {
  /** False for --no-verify. */
  verify: boolean;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
}

export async function benchDownloadCommand(
  dataset: string,
  flags: BenchDownloadFlags,
  context: Context,
): Promise<number> {
  if (dataset !== "hpatches") {
    throw new OptionError(`no data set "${dataset.slice(0, 100)}"; there is: hpatches`);
  }
  const result = await untilInterrupted(context, (signal) => download(flags, context, signal));
  if (result === null) return EXIT.interrupted;
  if (flags.json) context.out(`${JSON.stringify(result)}\n`);
  else if (!flags.quiet) context.out(describe(result));
  return EXIT.ok;
}

async function download(flags: BenchDownloadFlags, context: Context, signal: AbortSignal): Promise<DownloadedHpatches> {
  // A bar for each stage.
  const fetching = byteMeter(flags, context);
  const unpacking = byteMeter(flags, context);
  try {
    const { out, url, archive, sha256, verify, all, keepArchive } = flags;
    return await downloadHpatches({
      ...{ out, url, archive, sha256, verify, all, keepArchive, signal },
      note: (line) => flags.quiet || fetching.log(`strata: ${line}`),
      onProgress({ stage, done, total, worked }) {
        if (stage === "unpack") fetching.stop();
        (stage === "fetch" ? fetching : unpacking).update(done, total, worked);
      },
    });
  } finally {
    fetching.stop();
    unpacking.stop();
  }
}

function describe({ folder, sequences, removed, sha256, verifiedBy, wasComplete }: DownloadedHpatches): string {
  const what = `${sequences} sequences in ${folder}`;
  const gone = removed.length > 0 ? `; left out for their resolution: ${removed.join(", ")}` : "";
  if (wasComplete) return `${what}: complete, nothing to fetch${gone}\n`;
  const checked =
    verifiedBy === null
      ? "not checked, for no checksum is known here: compare it with one you trust, or give it with --sha256"
      : `as ${verifiedBy} says`;
  return `${what}${gone}\narchive's SHA-256: ${sha256} (${checked})\n`;
}
