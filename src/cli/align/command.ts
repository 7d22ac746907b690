/** Names, options and help of `strata align`; what it does is imported when it is called. */
import type { Command } from "commander";
import { ALIGN_CROPS } from "../../align/canvas.js";
import { addExtractionOptions, choice, numberOf, numbersOf, SEEDS } from "../arguments.js";
import type { Context } from "../context.js";
import type { AlignFlags } from "./align.js";

export function addAlign(program: Command, context: Context, done: (code: number) => void): void {
  const command = program
    .command("align")
    .description("Warp images onto one of them: a scan onto its form, photographs of a wall into one picture.")
    .argument("<images...>", "two images or more; the last one stays as it is, unless --onto names another")
    .optionsGroup("Input and output:")
    .requiredOption("--out <path>", "the picture (.png, .jpg), or a folder for one picture of each image")
    .option("--onto <file>", "the image that the others are warped onto; it need not be among them")
    .addOption(
      choice(
        "--crop [what]",
        "what is drawn: the frame of --onto, what all show (--crop alone), or all",
        ALIGN_CROPS,
      ).preset("overlap"),
    )
    .addOption(
      choice("--overlay <how>", "the images over --onto: their mean, or how far they are from it", ["blend", "diff"]),
    )
    .option("--fill <r,g,b>", "colour where nothing is shown (default: 0,0,0)", numbersOf("--fill"))
    .option("--json", "print homographies and verdicts as JSON")
    .option("--quiet", "print errors only")
    .optionsGroup("Matching:")
    .option("--ratio <r>", "Lowe's ratio test, 0 to 1 (default: none)", numberOf("--ratio", { min: 0, max: 1 }))
    .option(
      "--threshold-px <px>",
      "largest error of an inlier in pixels (default: 3)",
      numberOf("--threshold-px", { min: 0.001 }),
    )
    .option("--seed <n>", "seed of the robust estimation (default: 0)", numberOf("--seed", SEEDS));
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata align scan.jpg form.png --out aligned.png
  strata align scan.jpg form.png --out difference.png --overlay diff --crop
  strata align wall1.jpg wall2.jpg wall3.jpg --crop all --out wall.jpg
  strata align pages/*.jpg --onto form.png --out aligned/

An image that does not show the reference is named; the others are written. Nothing is written where none shows it.`,
    )
    .action(async (images: string[], flags: AlignFlags) => {
      const { alignCommand } = await import("./align.js");
      done(await alignCommand(images, flags, context));
    });
}
