/**
 * The command line: `strata extract`, `match`, `align`, `track`, `index`, `search`, `duplicates`, `bench`, `train`, `models`, `export`,
 * `jobs`, `worker` and `info`. This file has names, options and help; what a command does is imported when it is called, for nobody
 * should wait for a runtime to read the help.
 */
import { Command, CommanderError, Option } from "commander";
import { OptionError } from "../errors.js";
import { RECORD_FORMATS } from "../formats/feature-formats.js";
import { packageVersion } from "../node/version.js";
import { printable } from "../printable.js";
import { addAlign } from "./align/command.js";
import { addExtractionOptions, collect, numberOf, SEEDS } from "./arguments.js";
import { addBench } from "./bench/command.js";
import { type Context, EXIT } from "./context.js";
import { addExport } from "./export/command.js";
import type { ExtractFlags } from "./extract.js";
import { normalizeFlags } from "./flags.js";
import type { InfoFlags } from "./info.js";
import { addJobs, addServe } from "./jobs/command.js";
import type { MatchFlags } from "./match.js";
import { addModels } from "./models/command.js";
import { errorText, exitCodeOf } from "./report-error.js";
import { addResults } from "./results/command.js";
import { addSearch } from "./search/command.js";
import { addTrack } from "./track/command.js";
import { addTrain } from "./train/command.js";

/** Runs one command line (without node and script) and gives its exit code; never throws. */
export async function main(argv: readonly string[], world: Context): Promise<number> {
  const { ask } = world;
  // The one place where text from outside is made safe to show.
  const context: Context = {
    ...world,
    out: (text) => world.out(printable(text)),
    err: (text) => world.err(printable(text)),
    ask: ask && ((question, options) => ask(printable(question), options)),
  };
  const debug = argv.includes("--debug");
  try {
    const { arguments: normalized, notes } = normalizeFlags(argv);
    for (const note of notes) context.err(`strata: note: ${note}\n`);
    let code: number = EXIT.ok;
    const program = buildProgram(context, (result) => {
      code = result;
    });
    await program.parseAsync(normalized, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    context.err(errorText(error, debug));
    return exitCodeOf(error);
  }
}

/** All commands with their options and help, for `main`, and for the pages of the site that tell of them. */
export function buildProgram(context: Context, done: (code: number) => void): Command {
  const program = new Command("strata")
    .description("Local image features: keypoints, descriptors, matches and homographies.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .exitOverride()
    .hook("preAction", (_program, command) => refuseEmpty(command))
    .showHelpAfterError("(--help lists all options)")
    .configureOutput({
      writeOut: context.out,
      writeErr: context.err,
      outputError: (text, write) => write(text.replace(/^error: /, "strata: ")),
    })
    .addHelpText(
      "after",
      `
Examples:
  strata match a.jpg b.jpg --out matches.svg
  strata extract photos/ --out features/
  strata extract --list images.txt --format h5 --out features.h5 --resume
  strata align scan.jpg form.png --out aligned.png
  strata match-features features.h5 --out matches.h5
  strata export-colmap features.h5 --matches matches.h5 --out database.db
  strata bench hpatches --data hpatches-sequences-release
  strata train encoder --backbone NAME.ckpt --data MegaDepth --out runs/encoder
  strata track poster.jpg frames/ --json
  strata index photos/ --out photos.index
  strata search photos.index query.jpg
  strata export --out strata.onnx
  strata jobs submit extract /data/photos --recursive --out /data/jobs/photos --queue redis://queue:6379
  strata worker --queue redis://queue:6379
  strata info

"strata COMMAND --help" explains a command. Exit codes: 0 done, 1 something failed (results that a full disk or a closed
pipe did not take are a failure too), 2 wrong command line, 130 interrupted.`,
    );
  addExtract(program, context, done);
  addMatch(program, context, done);
  addAlign(program, context, done);
  addResults(program, context, done);
  addBench(program, context, done);
  addTrack(program, context, done);
  addSearch(program, context, done);
  addTrain(program, context, done);
  addModels(program, context, done);
  addExport(program, context, done);
  addJobs(program, context, done);
  addServe(program, context, done);
  addInfo(program, context, done);
  return program;
}

/** An OptionError for a value that is there and empty, as an unset variable of a shell script gives: nothing is called so. */
function refuseEmpty(command: Command): void {
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    const isEmpty = Array.isArray(value) ? value.includes("") : value === "";
    if (isEmpty) throw new OptionError(`${option.long ?? option.short} is empty; give a value or leave it out`);
  }
  if (command.args.includes("")) throw new OptionError("an argument is empty; is a variable of a script not set?");
}

function addExtract(program: Command, context: Context, done: (code: number) => void): void {
  const command = program
    .command("extract")
    .description("Extract the features of images, one file per image or one HDF5 file for all.")
    .argument("[inputs...]", "image files, folders or globs")
    .optionsGroup("Input and output:")
    .option("--list <file>", "text file with one image per line (# begins a comment)")
    .option("--recursive", "search folders with all folders in them")
    .option("--out <path>", "folder for the outputs (default: beside each image); for h5: the file")
    .option("--root <folder>", "names of outputs start from here (default: the innermost folder of all images)")
    .addOption(
      new Option("--format <name>", "a file per image, or with h5 one file for all, as hloc reads it")
        .choices(RECORD_FORMATS)
        .default("npz"),
    )
    .option("--output-extension <ext>", "appended to the image's name (default: .strata.FORMAT)")
    .option("--smart-name", "as extension .NAME of the model, with _SUM and _SCALE where they apply")
    .option("--append", "a third column of ones in keypoints (npz, mat)")
    .option("--resume", "skip images whose features are there: of the same picture, model and options")
    .option("--force", "h5: make the file anew where there is one")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata extract a.jpg b.jpg                          writes a.jpg.strata.npz and b.jpg.strata.npz
  strata extract photos/ --recursive --out features/  mirrors the folders of photos/ in features/
  strata extract "photos/*.png" --format mat --max-features 1000
  strata extract photos/ --format h5 --out features.h5 --resume
  strata extract a.jpg --attention_ckpt NAME --load_from_folder --output_extension .our-model --thresh 0.3

A run that was interrupted keeps what is finished; the same command with --resume goes on. An image is known by its
content, not by its date. Files per image are replaced where they are there; an h5 is not, unless --resume adds to it or
--force makes it anew. Finished images of an h5 wait in FILE.h5.parts/ until all are done. Flags of the reference system may be spelled with underscores.`,
    )
    .action(async (inputs: string[], flags: ExtractFlags) => {
      const { extractCommand } = await import("./extract.js");
      done(await extractCommand(inputs, flags, context));
    });
}

function addMatch(program: Command, context: Context, done: (code: number) => void): void {
  const command = program
    .command("match")
    .description("Match two images and estimate the homography between them.")
    .argument("<A>", "first image")
    .argument("<B>", "second image")
    .optionsGroup("Input and output:")
    .option("--out <file>", "write .svg, .png, .html (pictures), .json or .npz; may be given several times", collect)
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .optionsGroup("Matching:")
    .option("--ratio <r>", "Lowe's ratio test, 0 to 1 (default: none)", numberOf("--ratio", { min: 0, max: 1 }))
    .option(
      "--min-similarity <s>",
      "least cosine similarity, -1 to 1 (default: none)",
      numberOf("--min-similarity", { min: -1, max: 1 }),
    )
    .option(
      "--threshold-px <px>",
      "largest error of an inlier in pixels of B (default: 3)",
      numberOf("--threshold-px", { min: 0.001 }),
    )
    .option("--seed <n>", "seed of the robust estimation (default: 0)", numberOf("--seed", SEEDS))
    .option("--guided", "search matches a second time where the first homography allows them");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata match a.jpg b.jpg
  strata match a.jpg b.jpg --out matches.svg --out matches.html
  strata match a.jpg b.jpg --json --ratio 0.95 --max-features 4000`,
    )
    .action(async (a: string, b: string, flags: MatchFlags) => {
      const { matchCommand } = await import("./match.js");
      done(await matchCommand([a, b], flags, context));
    });
}

function addInfo(program: Command, context: Context, done: (code: number) => void): void {
  program
    .command("info")
    .description("Describe a model: its kind, configuration and tensors.")
    .argument("[model]", "a model's name or path (default: the default model)")
    .option("--json", "print the description as JSON")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata info
  strata info checkpoints/NAME.ckpt --json`,
    )
    .action(async (model: string | undefined, flags: InfoFlags) => {
      const { infoCommand } = await import("./info.js");
      done(await infoCommand(model, flags, context));
    });
}
