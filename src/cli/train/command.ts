/** Names, options and help of `strata train`; what a command does is imported when it is called. */
import type { Command } from "commander";
import { numberOf } from "../arguments.js";
import type { Context } from "../context.js";
import { addDetector } from "./detector.js";
import { AFTER_TRAINING, addTrainOptions, type TrainFlags } from "./options.js";
import { addPrepareMegadepth } from "./prepare-megadepth.js";
import type { RecipesFlags } from "./recipes.js";
import { addTrainReport } from "./report.js";

export function addTrain(program: Command, context: Context, done: (code: number) => void): void {
  const train = program
    .command("train")
    .description("Train models of the default family, and encoders and attention of the reference network.")
    .addHelpText(
      "after",
      `
Examples:
  strata train prepare-megadepth --base MegaDepth
  strata train encoder --recipe cfe64 --backbone NAME.ckpt --data MegaDepth --out runs/encoder
  strata train attention --recipe distinctiveness-n2-lambda0.5-squashed --encoder runs/encoder --data MegaDepth --out runs/heads
  strata train attention --recipe d2net --encoder runs/encoder --photos photos/ --out runs/d2net --batch 8 --accumulate 8
  strata train detector --config strata-s --photos photos/train --out runs/s
  strata train recipes
  strata train report runs/encoder
  strata extract photos/ --model runs/heads/model`,
    );
  addEncoder(train, context, done);
  addAttention(train, context, done);
  addDetector(train, context, done);
  addRecipes(train, context, done);
  addTrainReport(train, context, done);
  addPrepareMegadepth(train, context, done);
}

function addEncoder(train: Command, context: Context, done: (code: number) => void): void {
  const command = train
    .command("encoder")
    .description("Train the encoders of the levels: reconstruction and correspondence.")
    .optionsGroup("What is trained:")
    .option("--recipe <name>", "cfe64, cfe32 or cfe16", "cfe64")
    .requiredOption("--backbone <path>", "frozen ResNet: a .ckpt, .pth (torchvision), .safetensors, or model folder")
    .option(
      "--correspondence-weight <w>",
      "of correspondence beside reconstruction (default: the recipe's, 1); larger for backbones of large activations",
      numberOf("--correspondence-weight", { min: 0 }),
    );
  addTrainOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  strata train encoder --backbone NAME.ckpt --data MegaDepth --out runs/encoder
  strata train encoder --recipe cfe32 --backbone resnet50.pth --preprocessing torch --photos photos/ --out runs/encoder32
${AFTER_TRAINING}`,
    )
    .action(async (flags: TrainFlags) => {
      const { trainCommand } = await import("./train.js");
      done(await trainCommand("encoder", flags, context));
    });
}

function addAttention(train: Command, context: Context, done: (code: number) => void): void {
  const command = train
    .command("attention")
    .description("Train attention heads; by the recipe the encoders too.")
    .optionsGroup("What is trained:")
    .requiredOption("--recipe <name>", "a recipe's name, the reference's or a readable one: `strata train recipes`")
    .option(
      "--backbone <path>",
      "frozen ResNet: a checkpoint, model folder or training (default: the one in --encoder)",
    )
    .option("--encoder <path>", "output of `strata train encoder`, or a checkpoint (default: the one in --backbone)");
  addTrainOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  strata train attention --recipe 'cfe64_multi_attention_model2_distinctiveness+_lossN2_lambda05_sm_SHARED' --backbone NAME.ckpt --data MegaDepth --out runs/shared
  strata train attention --recipe distinctiveness-n16-lambda0.1 --encoder runs/encoder --data MegaDepth --out runs/heads --batch 8 --accumulate 8

The reference trains with batches of 64 pairs, which take 2.5 GB, in shared recipes 9 GB; --batch 8 --accumulate 8 makes
updates of as many.
${AFTER_TRAINING}`,
    )
    .action(async (flags: TrainFlags) => {
      const { trainCommand } = await import("./train.js");
      done(await trainCommand("attention", flags, context));
    });
}

function addRecipes(train: Command, context: Context, done: (code: number) => void): void {
  train
    .command("recipes")
    .description("List the recipes: what they train, and by which loss.")
    .option("--json", "print the recipes as JSON")
    .addHelpText(
      "after",
      `
Examples:
  strata train recipes
  strata train recipes --json

Numbers in readable names are free: distinctiveness-n4-lambda0.25-margin0.7-squashed-dim32 is a recipe too.`,
    )
    .action(async (flags: RecipesFlags) => {
      const { recipesCommand } = await import("./recipes.js");
      done(recipesCommand(flags, context));
    });
}
