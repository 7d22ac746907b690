/**
 * Names, options and help of the commands that take results on: `match-features`, `export-colmap` and `convert`. What
 * they do is imported when they are called.
 */
import { type Command, Option } from "commander";
import { OptionError } from "../../errors.js";
import { DESCRIPTOR_KINDS } from "../../features.js";
import { CAMERA_MODEL_NAMES } from "../../formats/colmap-cameras.js";
import { COLMAP_VERSIONS } from "../../formats/colmap-database-parts.js";
import { CAMERA_MODES, VERIFICATIONS } from "../../formats/colmap-results.js";
import { FORMAT_NAMES } from "../../formats/feature-formats.js";
import { numberOf } from "../arguments.js";
import type { Context } from "../context.js";
import type { ConvertFlags } from "./convert.js";
import type { ExportColmapFlags } from "./export-colmap.js";
import type { MatchFeaturesFlags } from "./match-features.js";

type Done = (code: number) => void;

export function addResults(program: Command, context: Context, done: Done): void {
  addMatchFeatures(program, context, done);
  addExportColmap(program, context, done);
  addConvert(program, context, done);
}

function addMatchFeatures(program: Command, context: Context, done: Done): void {
  const command = program
    .command("match-features")
    .description("Match the features of many images, pair by pair.")
    .argument("<features>", "HDF5 file of features, COLMAP database, or folder of feature files")
    .requiredOption("--out <file>", "matches: .h5 (hloc's layout), .txt (COLMAP's list), .json (OpenCV's) or .csv")
    .optionsGroup("Matching:")
    .option(
      "--pairs <what>",
      "exhaustive, folders (images of one folder), sequential, or a file with two names a line (in quotes, or a tab between)",
      "exhaustive",
    )
    .option(
      "--overlap <n>",
      "sequential: each image with so many after it",
      numberOf("--overlap", { min: 1, integer: true }),
      10,
    )
    .option("--ratio <r>", "Lowe's ratio test, 0 to 1 (default: none)", numberOf("--ratio", { min: 0, max: 1 }))
    .option(
      "--min-similarity <s>",
      "least cosine similarity, -1 to 1 (default: none)",
      numberOf("--min-similarity", { min: -1, max: 1 }),
    )
    .option(
      "--no-mutual",
      "every keypoint of the first image with its nearest, also one that has a nearer itself (with --ratio: Lowe's test alone)",
    )
    .option(
      "--threads <n>",
      "threads (default: one per core)",
      numberOf("--threads", { min: 1, max: 256, integer: true }),
    )
    .optionsGroup("Input and output:")
    .option("--images <folder>", "the images, for features that do not say how large theirs are")
    .addOption(descriptorKind())
    .option("--resume", "keep pairs that are matched: those of a run that was stopped, or of a finished file");
  addCommon(command)
    .addHelpText(
      "after",
      `
Examples:
  strata extract photos/ --format h5 --out features.h5
  strata match-features features.h5 --out matches.h5
  strata match-features features.h5 --out matches.h5 --resume
  strata match-features features.h5 --pairs pairs.txt --ratio 0.9 --out matches.h5
  strata match-features features.h5 --pairs sequential --overlap 5 --out matches.csv

A run that was interrupted keeps the pairs that are matched in FILE.parts/; the same command with --resume goes on. Over a
finished file --resume matches what is new: pairs, and images whose features have changed.`,
    )
    .action(async (input: string, flags: MatchFeaturesFlags) => {
      const { matchFeaturesCommand } = await import("./match-features.js");
      done(await matchFeaturesCommand(input, flags, context));
    });
}

function addExportColmap(program: Command, context: Context, done: Done): void {
  const command = program
    .command("export-colmap")
    .description("Write features and matches as a COLMAP database, or as the text files that COLMAP imports.")
    .argument("<features>", "HDF5 file of features, COLMAP database, or folder of feature files")
    .requiredOption("--out <path>", "a database (.db) or a folder for text files")
    .option("--matches <file>", "matches: HDF5 (hloc's layout), .txt, .json or .csv")
    .option(
      "--images <folder>",
      "the images: check that COLMAP will find them, as large as the features say (or for features that do not say)",
    )
    .option("--no-descriptors", "leave descriptors out, as hloc does (COLMAP needs them only to match by itself)")
    .addOption(descriptorKind())
    .optionsGroup("Matches:")
    .option("--min-score <s>", "drop matches with a lower score", numberOf("--min-score", {}))
    .addOption(
      new Option(
        "--verify <how>",
        "what counts as verified: none (COLMAP does it), homography (planes, rotations), all (every match, as it is)",
      )
        .choices([...VERIFICATIONS])
        .default("none"),
    )
    .option(
      "--threshold-px <px>",
      "homography: largest error of an inlier in pixels (default: 3)",
      numberOf("--threshold-px", { min: 0.001 }),
    )
    .option(
      "--seed <n>",
      "homography: seed of the estimation (default: 0)",
      numberOf("--seed", { min: 0, max: 2 ** 32 - 1, integer: true }),
    )
    .optionsGroup("Cameras:")
    .addOption(
      new Option("--camera-mode <mode>", "which images share a camera").choices([...CAMERA_MODES]).default("per-image"),
    )
    .addOption(
      new Option("--camera-model <name>", "COLMAP's name").choices([...CAMERA_MODEL_NAMES]).default("SIMPLE_RADIAL"),
    )
    .option(
      "--camera-params <list>",
      "parameters, e.g. 1200,320,240,0 (default: focal length 1.2 × the longer edge, marked as a guess)",
      paramList,
    )
    .optionsGroup("Output:")
    .addOption(
      new Option("--colmap <version>", "layout of the database; 4 holds descriptors of floats as they are")
        .choices([...COLMAP_VERSIONS])
        .default("3.8"),
    );
  addCommon(command)
    .addHelpText(
      "after",
      `
Examples:
  strata extract photos/ --recursive --no-orientation --format h5 --out features.h5
  strata match-features features.h5 --out matches.h5
  strata export-colmap features.h5 --matches matches.h5 --images photos/ --out database.db
  colmap matches_importer --database_path database.db --match_list_path database.pairs.txt --match_type pairs
  colmap mapper --database_path database.db --image_path photos/ --output_path model

  strata export-colmap features.h5 --matches matches.h5 --verify homography --out planes.db
  strata export-colmap features.h5 --matches matches.h5 --out text/

A database is made in memory: at most 1 GiB. Keypoints are moved by half a pixel, to COLMAP's pixels.`,
    )
    .action(async (input: string, flags: ExportColmapFlags) => {
      const { exportColmapCommand } = await import("./export-colmap.js");
      done(await exportColmapCommand(input, flags, context));
    });
}

function addConvert(program: Command, context: Context, done: Done): void {
  const command = program
    .command("convert")
    .description("Convert features and matches between formats; also imports hloc's files and COLMAP's databases.")
    .argument("<input>", "HDF5 file of features, COLMAP database, a feature file, or a folder of them")
    .addOption(
      new Option("--to <format>", "h5: one file; the others: one per image, in a folder").choices([...FORMAT_NAMES]),
    )
    .option("--out <path>", "where features go: a file for h5, else a folder")
    .option("--matches <file>", "matches of these features: HDF5 (hloc's layout), .txt, .json or .csv")
    .option("--matches-out <file>", "where matches go: .h5, .txt (COLMAP's list), .json (OpenCV's) or .csv")
    .option("--images <folder>", "the images, for features that do not say how large theirs are")
    .addOption(descriptorKind())
    .option("--verified", "of a COLMAP database: the verified matches instead of all");
  addCommon(command)
    .addHelpText(
      "after",
      `
Examples:
  strata convert database.db --to h5 --out features.h5 --matches-out matches.h5
  strata convert features.h5 --to opencv --out keypoints/ --matches matches.h5 --matches-out matches.json
  strata convert features.h5 --to csv --out csv/
  strata convert features/ --to h5 --out features.h5
  strata convert text/features --images photos/ --to npz --out npz/

For COLMAP databases see "strata export-colmap --help".`,
    )
    .action(async (input: string, flags: ConvertFlags) => {
      const { convertCommand } = await import("./convert.js");
      done(await convertCommand(input, flags, context));
    });
}

function addCommon(command: Command): Command {
  return command
    .option("--force", "write over what is there")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .optionsGroup("Other:")
    .option("--debug", "print stack traces of errors");
}

/** For files whose numbers do not tell; see docs/formats.md. */
function descriptorKind(): Option {
  return new Option(
    "--descriptor-kind <kind>",
    "what descriptors are (default: by their type: bytes are bits, but SIFT's 128; other numbers floats)",
  ).choices([...DESCRIPTOR_KINDS]);
}

function paramList(text: string): number[] {
  const values = text.split(",").map((word) => (word.trim() === "" ? Number.NaN : Number(word)));
  if (!values.every(Number.isFinite)) {
    throw new OptionError(`arguments: "--camera-params" must be numbers with commas between them, got ${text}`);
  }
  return values;
}
