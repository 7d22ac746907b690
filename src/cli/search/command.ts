/** Names, options and help of `strata index`, `strata search` and `strata duplicates`. */
import type { Command } from "commander";
import { OptionError } from "../../errors.js";
import { WORD_KINDS } from "../../search/segment-format.js";
import { addExtractionOptions, choice, numberOf } from "../arguments.js";
import type { Context } from "../context.js";
import type { DuplicatesFlags } from "./duplicates.js";
import type { IndexFlags } from "./index-images.js";
import type { AdminFlags } from "./manage.js";
import type { SearchFlags } from "./search.js";
import type { TrainVocabularyFlags } from "./train-vocabulary.js";

type Done = (code: number) => void;

export function addSearch(program: Command, context: Context, done: Done): void {
  addIndex(program, context, done);
  addQuery(program, context, done);
  addDuplicates(program, context, done);
}

const whole = (flag: string, max = 1e6) => numberOf(flag, { min: 1, max, integer: true });

function addIndex(program: Command, context: Context, done: Done): void {
  const index = program
    .command("index")
    .description("Put images into an index, in which strata search finds them; look after it.")
    .addHelpText(
      "after",
      `
"strata index DIR --out FOLDER" is short for "strata index add DIR --out FOLDER"; "strata index add --help" lists the options.

Examples:
  strata index photos/ --out photos.index
  strata index info photos.index
  strata index train-vocabulary photos/ --model runs/s/model --out vocabulary.strata`,
    );
  addImages(index, context, done);
  addManagement(index, context, done);
  addTrainVocabulary(index, context, done);
}

function addImages(index: Command, context: Context, done: Done): void {
  const command = index
    .command("add", { isDefault: true })
    .description("Add what is new, replace what has changed, remove what is gone: by the content of the files.")
    .argument("[inputs...]", "folders, with all folders in them; image files or globs")
    .optionsGroup("Input and output:")
    .option(
      "--out <folder>",
      "the index: made where it is not there, brought up to date where it is; lance:PLACE: in LanceDB",
    )
    .option("--watch", "then wait, and follow what changes in the folders until Ctrl-C")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .optionsGroup("A new index:")
    .addOption(
      choice("--kind <kind>", "words (asmk), or one vector per image for a few thousand images (vlad)", WORD_KINDS),
    )
    .option("--vocabulary <file>", "visual words of the model (default: those in the model's folder)")
    .option("--global <file>", "a global model, whose vectors take the place of words: ONNX, [1,3,H,W] to [1,D]");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
The same command again adds what is new, replaces what has changed and removes what is gone, by the content of the files. A
run that was stopped goes on where it was. An image that cannot be read is told and stops nothing. An image's id is its path
as it was named.

Examples:
  strata index photos/ --out photos.index
  strata index photos/ --out photos.index --watch
  strata index photos/ --out lance:s3://bucket/photos.lance`,
    )
    .action(async (inputs: string[], flags: IndexFlags) => {
      const { indexCommand } = await import("./index-images.js");
      done(await indexCommand(inputs, flags, context));
    });
}

function addManagement(index: Command, context: Context, done: Done): void {
  const admin = (name: string, description: string, run: "infoCommand" | "mergeCommand" | "checkCommand") =>
    index
      .command(name)
      .description(description)
      .argument("<index>", "folder of the index, or lance:PLACE")
      .option("--json", "print the result as JSON")
      .option("--quiet", "print errors only")
      .option("--debug", "print stack traces of errors")
      .action(async (folder: string, flags: AdminFlags) => {
        const manage = await import("./manage.js");
        done(await manage[run](folder, flags, context));
      });
  admin("info", "Say what is in an index.", "infoCommand");
  admin("merge", "Put the segments of an index together, and drop what was removed.", "mergeCommand");
  admin("check", "Read all of an index, and name what is damaged or missing.", "checkCommand");
  index
    .command("remove")
    .description("Remove images from an index. Their files stay.")
    .argument("<index>", "folder of the index, or lance:PLACE")
    .argument("<ids...>", "ids of the images: their paths as they were named")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .action(async (folder: string, ids: string[], flags: AdminFlags) => {
      const { removeCommand } = await import("./manage.js");
      done(await removeCommand(folder, ids, flags, context));
    });
}

function addTrainVocabulary(index: Command, context: Context, done: Done): void {
  const command = index
    .command("train-vocabulary")
    .description("Train the visual words of a model on photographs.")
    .argument("<inputs...>", "folders of photographs, with all folders in them; files or globs")
    .optionsGroup("Output:")
    .requiredOption("--out <file>", "the vocabulary; a model's own is vocabulary.strata in its folder")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .optionsGroup("Training:")
    .option("--words <n>", "number of words", whole("--words", 2 ** 20), 16_384)
    .option("--keypoints <n>", "keypoints of each photograph, drawn from all of its own", whole("--keypoints"), 1000)
    .option("--iterations <n>", "rounds of k-means", whole("--iterations", 1000), 10)
    .option("--seed <n>", "seed", numberOf("--seed", { min: 0, max: 2 ** 32 - 1, integer: true }), 0);
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Example:
  strata index train-vocabulary photos/ --model strata-xs --out models/strata-xs/vocabulary.strata`,
    )
    .action(async (inputs: string[], flags: TrainVocabularyFlags) => {
      const { trainVocabularyCommand } = await import("./train-vocabulary.js");
      done(await trainVocabularyCommand(inputs, flags, context));
    });
}

function addQuery(program: Command, context: Context, done: Done): void {
  const command = program
    .command("search")
    .description("Find the images of an index that a picture shows, where in it, and how sure that is.")
    .argument("<index>", "folder of the index, or lance:PLACE")
    .argument("<query>", "image file")
    .optionsGroup("Input and output:")
    .option("--top <n>", "most results", whole("--top", 1e5), 10)
    .option("--region <x,y,w,h>", "look only for what this part of the query shows, in its pixels", regionOf)
    .option("--html <file>", "write a page with the matches drawn")
    .option("--json", "print the results as JSON")
    .option("--quiet", "print errors only")
    .optionsGroup("Search:")
    .option(
      "--verify <n>",
      "candidates whose geometry is verified; 0: none (default: 50)",
      numberOf("--verify", { min: 0, max: 1e5, integer: true }),
    )
    .option("--global <file>", "the index's global model, where its file lies elsewhere now");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
--json prints { query, results: [{ id, score, found, probability, inliers, geometry }], … }, the surest first. geometry is
{ model, matrix, corners }: the homography from the image to the query, and where the image's corners lie in it, or null.

Examples:
  strata search photos.index query.jpg
  strata search photos.index query.jpg --json --top 3
  strata search photos.index query.jpg --region 200,100,640,480 --html found.html`,
    )
    .action(async (folder: string, query: string, flags: SearchFlags) => {
      const { searchCommand } = await import("./search.js");
      done(await searchCommand(folder, query, flags, context));
    });
}

function addDuplicates(program: Command, context: Context, done: Done): void {
  const command = program
    .command("duplicates")
    .description("Find images that show the same: copies, other sizes, parts, overlapping views. Nothing is deleted.")
    .argument("<inputs...>", "folders, with all folders in them; image files or globs")
    .optionsGroup("Input and output:")
    .option("--html <file>", "write a page to look through")
    .option("--json", "print the groups as JSON")
    .option("--quiet", "print errors only")
    .optionsGroup("Search:")
    .option(
      "--overlap <share>",
      "least part of the smaller image that the other one shows",
      numberOf("--overlap", { min: 0, max: 1 }),
      0.5,
    )
    .option("--vocabulary <file>", "visual words of the model (default: those in the model's folder)");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Reasons: identical (the same bytes), same (the same picture in another size, quality or light), part (the first is a part of
the second), overlap (both show a part of the other).

Examples:
  strata duplicates photos/
  strata duplicates photos/ --json --html duplicates.html`,
    )
    .action(async (inputs: string[], flags: DuplicatesFlags) => {
      const { duplicatesCommand } = await import("./duplicates.js");
      done(await duplicatesCommand(inputs, flags, context));
    });
}

/** "200,100,640,480"; whether it fits the picture is seen when that is read. */
function regionOf(text: string): [number, number, number, number] {
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (values.length !== 4 || !values.every((value) => Number.isInteger(value) && value >= 0)) {
    throw new OptionError(`arguments: "--region" must be x,y,width,height in whole pixels, got ${text}`);
  }
  return values as [number, number, number, number];
}
