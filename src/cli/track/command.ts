/** Names, options and help of `strata target` and `strata track`. */
import type { Command } from "commander";
import { OptionError } from "../../errors.js";
import type { Intrinsics } from "../../geometry/intrinsics.js";
import { addExtractionOptions, numberOf } from "../arguments.js";
import type { Context } from "../context.js";
import type { CompileFlags, TargetInfoFlags } from "./target.js";
import type { TrackFlags } from "./track.js";

export function addTrack(program: Command, context: Context, done: (code: number) => void): void {
  const target = program
    .command("target")
    .description("Flat pictures to be tracked: compile one, or say what is in one.")
    .addHelpText(
      "after",
      `
Examples:
  strata target compile poster.jpg --out poster.strata --width 0.6
  strata target info poster.strata`,
    );
  addCompile(target, context, done);
  target
    .command("info")
    .description("Describe a compiled target.")
    .argument("<target>", "file of strata target compile")
    .option("--json", "print the description as JSON")
    .option("--debug", "print stack traces of errors")
    .action(async (path: string, flags: TargetInfoFlags) => {
      const { targetInfoCommand } = await import("./target.js");
      done(await targetInfoCommand(path, flags, context));
    });
  addFrames(program, context, done);
}

function addCompile(target: Command, context: Context, done: (code: number) => void): void {
  const command = target
    .command("compile")
    .description("Compile a picture into a target for strata track and the tracker in a page.")
    .argument("<picture>", "an image, or the JSON of an 8th Wall image target with its picture beside it")
    .optionsGroup("Input and output:")
    .option("--out <file>", "the target (default: the picture's name with .strata)")
    .option("--name <name>", "what the target is called (default: the picture's name)")
    .option(
      "--width <w>",
      "width of the printed picture in the unit of poses (default: 1)",
      numberOf("--width", { min: 1e-9 }),
    )
    .option("--json", "print what was compiled as JSON")
    .option("--quiet", "print errors only");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
The default model is strata-t; a target can be tracked with the model that it was compiled with only. A picture without
detail, or with detail in one corner, is refused with the reason.

Examples:
  strata target compile poster.jpg
  strata target compile image-targets/poster.json --out poster.strata`,
    )
    .action(async (picture: string, flags: CompileFlags) => {
      const { compileCommand } = await import("./target.js");
      done(await compileCommand(picture, flags, context));
    });
}

function addFrames(program: Command, context: Context, done: (code: number) => void): void {
  const command = program
    .command("track")
    .description("Follow flat pictures through the frames of a folder or a video.")
    .argument(
      "<paths...>",
      "TARGET... FRAMES: compiled targets or pictures, then a folder of images, or a video (by ffmpeg)",
    )
    .optionsGroup("Input and output:")
    .option(
      "--out <path>",
      "write the frames with outlines: a folder for images, or a video by its ending (.mp4; by ffmpeg)",
    )
    .option(
      "--intrinsics <fx,fy,cx,cy>",
      "the camera, in pixels of a frame (default: 60° across the longer edge)",
      intrinsicsOf,
    )
    .option(
      "--max-track <n>",
      "follow at most this many targets at once (default: all)",
      numberOf("--max-track", { min: 1, integer: true }),
    )
    .option(
      "--rate <fps>",
      "frames a second (default: the video's; 30 of images)",
      numberOf("--rate", { min: 0.001, max: 10_000 }),
    )
    .option("--json", "print a JSON line per frame")
    .option("--quiet", "print errors only");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
A line of --json is { frame, targets: [{ target, state, corners, confidence }], ms }: corners are those of the picture,
clockwise from its top left, x0, y0, …, x3, y3 in pixels of the frame, or null where it is not seen. The model is the one that
the targets were compiled with, and compiles the pictures beside them; strata-t where there are pictures alone.

Examples:
  strata track poster.strata frames/ --json > poster.jsonl
  strata track poster.jpg flyer.jpg video.mp4 --out drawn/`,
    )
    .action(async (paths: string[], flags: TrackFlags) => {
      const { trackCommand } = await import("./track.js");
      done(await trackCommand(paths, flags, context));
    });
}

/** Four numbers with commas between them; an OptionError says what is wrong. */
function intrinsicsOf(text: string): Intrinsics {
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const [fx, fy, cx, cy] = values;
  if (values.length !== 4 || !values.every(Number.isFinite) || !(fx > 0 && fy > 0)) {
    throw new OptionError(
      `arguments: "--intrinsics" must be fx,fy,cx,cy in pixels, four numbers with fx and fy above 0, got ${text}`,
    );
  }
  return { fx, fy, cx, cy };
}
