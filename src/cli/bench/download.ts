/** Names, options and help of `strata bench download`; what it does is imported when it is called. */
import type { Command } from "commander";
import { HPATCHES_FOLDER } from "../../bench/hpatches.js";
import type { Context } from "../context.js";
import type { BenchDownloadFlags } from "./download-hpatches.js";

export function addBenchDownload(parent: Command, context: Context, done: (code: number) => void): void {
  parent
    .command("download")
    .description("Fetch a data set: hpatches, the HPatches sequences.")
    .argument("<dataset>", "hpatches")
    .option("--out <folder>", `where the sequences go (default: ${HPATCHES_FOLDER})`)
    .option("--url <address>", `the archive's address (default: STRATA_HPATCHES_URL, or where HPatches publishes it)`)
    .option("--archive <file>", "unpack this archive (.tar.gz, .tar) instead of fetching one")
    .option("--sha256 <hex>", "the archive's SHA-256, to be checked")
    .option("--no-verify", "do not look for a checksum beside the archive (ARCHIVE.sha256)")
    .option("--all", "keep the eight sequences of high resolution, which evaluations leave out")
    .option("--keep-archive", "keep the archive after it is unpacked")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata bench download hpatches --out data/hpatches
  strata bench download hpatches --archive ~/hpatches-sequences-release.tar.gz
  strata bench download hpatches --url https://mirror.example/hpatches.tar.gz --sha256 HEX

Interrupted, the same command goes on where it stopped. A folder that is complete is not fetched again.`,
    )
    .action(async (dataset: string, flags: BenchDownloadFlags) => {
      const { benchDownloadCommand } = await import("./download-hpatches.js");
      done(await benchDownloadCommand(dataset, flags, context));
    });
}
