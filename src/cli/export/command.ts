/** Names, options and help of `strata export`; what it does is imported when it is called. */
import type { Command } from "commander";
import { OptionError } from "../../errors.js";
import { EXPORT_FORMATS, PIXEL_TYPES } from "../../export/choices.js";
import { PACKINGS } from "../../model/pack.js";
import { CHECK_AGAINST, CHECK_RUNTIMES, type CheckRuntime } from "../../node/export-choices.js";
import { addModelOptions, choice, numberOf, numbersOf } from "../arguments.js";
import type { Context } from "../context.js";
import type { ExportFlags } from "./export.js";

export function addExport(program: Command, context: Context, done: (code: number) => void): void {
  const count = (flag: string) => numberOf(flag, { min: 1, integer: true });
  const command = program
    .command("export")
    .description("Write a model as one ONNX file: RGB image in, keypoints, scores and descriptors out.")
    .requiredOption("--out <file>", "the file to write, .onnx")
    .option("--force", "write over a file that is there");
  addModelOptions(command)
    .optionsGroup("Keypoints:")
    .option("--thresh <score>", "drop keypoints with a lower score; 0 keeps all", numberOf("--thresh", { min: 0 }))
    .option(
      "--max-features <n>",
      "rows of the outputs (default: the model's, 10000 for reference models)",
      count("--max-features"),
    )
    .option("--scales <list>", "scales at which keypoints are looked for (default: the model's)", numbersOf("--scales"))
    .optionsGroup("File:")
    .addOption(choice("--format <f>", "strata's own, or what COLMAP runs as ALIKED (default: strata)", EXPORT_FORMATS))
    .addOption(choice("--input <type>", "pixels 0 to 255 as this type (default: uint8)", PIXEL_TYPES))
    .option("--size <WxH>", "for images of this size only (default: any)", sizeOf)
    .option("--batch <n>", "for so many images at a time (default: any)", count("--batch"))
    .addOption(choice("--precision <p>", "how weights are stored; arithmetic is fp32 (default: fp32)", PACKINGS))
    .option("--int8", "short for --precision int8")
    .optionsGroup("Matcher:")
    .option("--matcher", "write the matcher instead: descriptors a, b to pairs of mutual nearest neighbours")
    .option("--dim <n>", "length of its descriptors (default: any)", count("--dim"))
    .optionsGroup("Check:")
    .option("--check <images...>", "compare the file with the library on these images, folders or globs")
    .option("--runtimes <list>", `where: ${CHECK_RUNTIMES.join(", ")} (default: node,web)`, runtimesOf)
    .addOption(
      choice(
        "--against <which>",
        "the library on onnxruntime-node, or on the same runtime (default: node)",
        CHECK_AGAINST,
      ),
    )
    .option("--threads <n>", "threads of the check (default: one per core)", count("--threads"))
    .optionsGroup("Other:")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata export --out strata.onnx
  strata export --out strata.onnx --check photos/ --runtimes node,web,webgpu
  strata export --out small.onnx --size 640x480 --batch 1 --max-features 500 --precision fp16
  strata export --attention-ckpt checkpoints/NAME.ckpt --max-features 4000 --out reference.onnx
  strata export --matcher --out matcher.onnx
  strata export --format colmap --out strata-colmap.onnx

The file takes image [N, H, W, 3] and gives keypoints [N, K, 2], scores [N, K] and descriptors [N, K, dim]; a score of
0 says that there is no keypoint. docs/export.md shows it in Python, C++ and COLMAP. With --check the exit code is 1 where fewer
than 99.9 % of the points are the library's within 0.001 px (fp32; rounded weights are measured and not judged).`,
    )
    .action(async (flags: ExportFlags) => {
      const { exportCommand } = await import("./export.js");
      done(await exportCommand(flags, context));
    });
}

function sizeOf(text: string): [number, number] {
  const match = /^(\d{1,6})[xX×](\d{1,6})$/.exec(text.trim());
  if (!match) throw new OptionError(`arguments: "--size" must be WIDTHxHEIGHT, like 640x480, got ${text}`);
  return [Number(match[1]), Number(match[2])];
}

function runtimesOf(text: string): CheckRuntime[] {
  const names = text.split(",").map((name) => name.trim());
  return names.map((name) => {
    const known = CHECK_RUNTIMES.find((runtime) => runtime === name);
    if (!known) {
      throw new OptionError(`arguments: "--runtimes" must name some of ${CHECK_RUNTIMES.join(", ")}, got ${text}`);
    }
    return known;
  });
}
