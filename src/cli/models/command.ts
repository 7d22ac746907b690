/** Names, options and help of `strata models`; what a command does is imported when it is called. */
import { type Command, Option } from "commander";
import { PREPROCESSINGS } from "../../extract/preprocess.js";
import { IMPORT_KINDS } from "../../import/kinds.js";
import { PACKINGS } from "../../model/pack.js";
import { numberOf, numbersOf } from "../arguments.js";
import type { Context } from "../context.js";
import { addDownload, addList, addModelsInfo, addRemove } from "./cached.js";
import type { ImportFlags } from "./import.js";
import type { PackFlags } from "./pack.js";

export function addModels(program: Command, context: Context, done: (code: number) => void): void {
  const models = program
    .command("models")
    .description("Get models and keep them; bring in weights made elsewhere.")
    .addHelpText(
      "after",
      `
Examples:
  strata models list
  strata models download resnet50-imagenet1k-v2
  strata models import NAME.ckpt --out models/NAME
  strata models import r50delg_gldv2clean_20200914.tar.gz --out models/delg
  strata extract photos/ --model models/NAME`,
    );
  addList(models, context, done);
  addDownload(models, context, done);
  addModelsInfo(models, context, done);
  addRemove(models, context, done);
  addImport(models, context, done);
  addPack(models, context, done);
}

function addPack(models: Command, context: Context, done: (code: number) => void): void {
  models
    .command("pack")
    .description("Write a model of the default family again: smaller, with scales or a name of its own.")
    .argument(
      "<models...>",
      "a model's name or folder, or a checkpoint of its training (RUN/checkpoints/step-N); of several the mean",
    )
    .requiredOption("--out <dir>", "the model folder to write")
    .addOption(new Option("--weights <how>", "how weights are stored").choices([...PACKINGS]).default("fp16"))
    .option("--name <name>", "the model's name (default: as it was)")
    .option("--scales <list>", "scales at which it looks for keypoints, like 0.8,0.5", numbersOf("--scales"))
    .option("--max-keypoints <n>", "keypoints of an image", numberOf("--max-keypoints", { min: 1, integer: true }))
    .option("--force", "write over the model that is in --out")
    .option("--json", "print what was done as JSON")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata models pack runs/s/model --out models/strata-s --weights fp16 --scales 1,0.75,0.55,0.4,0.3
  strata models pack strata-s --out models/small --weights int8 --name small --scales 0.57,0.4
  strata models pack runs/s/model runs/s/checkpoints/step-00003420 --out models/mean --weights fp32

int8 stores kernels with 8 bits and a scale per output channel. Weights are float32 when the model runs.`,
    )
    .action(async (names: string[], flags: PackFlags) => {
      const { packCommand } = await import("./pack.js");
      done(await packCommand(names, flags, context));
    });
}

function addImport(models: Command, context: Context, done: (code: number) => void): void {
  models
    .command("import")
    .description("Turn weights made elsewhere into a model folder of strata: model.safetensors and config.json.")
    .argument("<source>", "a .ckpt, .pth, .pt or .safetensors file, a TensorFlow checkpoint, a folder, or a .tar.gz")
    .requiredOption("--out <dir>", "the model folder to write")
    .optionsGroup("What it is:")
    .addOption(
      new Option("--kind <kind>", "what the weights are (auto: told by the names of the tensors)")
        .choices(IMPORT_KINDS)
        .default("auto"),
    )
    .option(
      "--name <name>",
      "the model's name; a name of the reference says which heads to expect (default: the file's)",
    )
    .option("--backbone <source>", "where the ResNet comes from, when the source has heads and encoders only")
    .addOption(
      new Option(
        "--preprocessing <kind>",
        "how pixels are normalised (default: torch; of DELG's weights not said, so each use has its own)",
      ).choices([...PREPROCESSINGS]),
    )
    .optionsGroup("Output:")
    .option("--force", "write over the model that is in --out")
    .option("--json", "print what was done, and what was left out, as JSON")
    .option("--quiet", "print errors only")
    .optionsGroup("Other:")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata models import 'cfe64_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm.ckpt' --out models/final
  strata models import heads.ckpt --backbone NAME.ckpt --out models/heads
  strata models import resnet101.pth --out models/resnet101
  strata models import r50delg_gldv2clean_20200914 --out models/delg
  strata train encoder --backbone models/delg --data MegaDepth --out runs/encoder

Tensors that the model does not use are listed, and so are those that are missing; with --json in full. A backbone alone
finds no features: train on it, or give it to \`strata extract\` with --attention-ckpt.`,
    )
    .action(async (source: string, flags: ImportFlags) => {
      const { importCommand } = await import("./import.js");
      done(await importCommand(source, flags, context));
    });
}
