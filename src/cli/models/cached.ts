/** Names, options and help of what works on the registry and the cache: `strata models list`, `download`, `info`, `remove`. */
import type { Command } from "commander";
import type { Context } from "../context.js";
import type { DownloadFlags } from "./download.js";
import type { ModelsInfoFlags } from "./info.js";
import type { ListFlags } from "./list.js";
import type { RemoveFlags } from "./remove.js";

const REGISTRY = [
  "--registry <file>",
  "a registry of your own, beside strata's (default: STRATA_REGISTRY, or models.json in STRATA_HOME)",
] as const;

const CACHE = `
Models are kept in STRATA_HOME/models; STRATA_HOME is by default the platform's folder for caches: ~/.cache/strata,
~/Library/Caches/strata or %LOCALAPPDATA%\\strata.`;

type Done = (code: number) => void;

export function addList(models: Command, context: Context, done: Done): void {
  models
    .command("list")
    .description("List the models of the registry, and which of them are on this machine.")
    .option(...REGISTRY)
    .option("--cached", "only what is in the cache")
    .option("--json", "print all that is known as JSON")
    .option("--debug", "print stack traces of errors")
    .addHelpText("after", `\nExamples:\n  strata models list\n  strata models list --cached --json\n${CACHE}`)
    .action(async (flags: ListFlags) => {
      const { listCommand } = await import("./list.js");
      done(await listCommand(flags, context));
    });
}

export function addDownload(models: Command, context: Context, done: Done): void {
  models
    .command("download")
    .description("Fetch models of the registry into the cache, and check them.")
    .argument("<names...>", "names of models, as in strata models list")
    .option(...REGISTRY)
    .option("--base-url <address>", "fetch from a mirror: ADDRESS/FILE in place of the registry's address")
    .option("--sha256 <hex>", "the file's SHA-256, to be checked")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata models download resnet50-imagenet1k-v2
  strata models download cfe64_multi_attention_model2_d2netloss
  strata models download r50delg_gldv2clean_20200914 --base-url https://mirror.example/models
  strata extract photos/ --model cfe64_multi_attention_model2_d2netloss

Interrupted, the same command goes on where it stopped; what is there and unchanged is not fetched again. A file with
another checksum than expected is kept aside as FILE.bad and not used. Where a server asks for a login, it is taken from
STRATA_USER and STRATA_PASSWORD (for models marked so, and mirrors), from ~/.netrc (NETRC), or asked for at the terminal;
never from the command line. Proxies: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.
${CACHE}`,
    )
    .action(async (names: string[], flags: DownloadFlags) => {
      const { downloadCommand } = await import("./download.js");
      done(await downloadCommand(names, flags, context));
    });
}

export function addModelsInfo(models: Command, context: Context, done: Done): void {
  models
    .command("info")
    .description("Tell what a model is made of, its size, SHA-256 and licence, and where it comes from.")
    .argument("<model>", "a name of strata models list, or the path of a model folder or checkpoint")
    .option(...REGISTRY)
    .option("--json", "print it as JSON")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata models info strata-s
  strata models info models/NAME --json
  strata models info resnet50-0676ba61.pth

"strata info" lists a model's tensors.`,
    )
    .action(async (model: string, flags: ModelsInfoFlags) => {
      const { modelsInfoCommand } = await import("./info.js");
      done(await modelsInfoCommand(model, flags, context));
    });
}

export function addRemove(models: Command, context: Context, done: Done): void {
  models
    .command("remove")
    .description("Remove models from the cache, with what is kept aside and the beginnings of downloads.")
    .argument("<names...>", "names of models in the cache")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .addHelpText("after", `\nExamples:\n  strata models remove resnet50-imagenet1k-v2\n${CACHE}`)
    .action(async (names: string[], flags: RemoveFlags) => {
      const { removeCommand } = await import("./remove.js");
      done(await removeCommand(names, flags, context));
    });
}
