/** Names, options and help of `strata bench`; what a command does is imported when it is called. */
import type { Command } from "commander";
import { addExtractionOptions, collect, numberOf, SEEDS } from "../arguments.js";
import type { Context } from "../context.js";
import type { CompareFlags } from "./compare.js";
import { addBenchDownload } from "./download.js";
import type { HpatchesFlags } from "./hpatches.js";
import { addPhotographBenches } from "./photographs.js";
import type { PoseFlags } from "./pose.js";
import type { PublishedFlags } from "./published.js";

/** Folder of everything that is kept, unless said otherwise. */
const OUT = "strata-bench";

export function addBench(program: Command, context: Context, done: (code: number) => void): void {
  const bench = program
    .command("bench")
    .description("Measure features on image sequences with known homographies, and compare measurements.")
    .addHelpText(
      "after",
      `
Examples:
  strata bench download hpatches --out data/hpatches
  strata bench hpatches --data data/hpatches
  strata bench compare strata-s orb
  strata bench pose --data scenes --method strata-s --method orb
  strata bench published
  strata bench track --photos photos/
  strata bench search --photos photos/train --others photos/val
  strata bench verdict --photos photos/ --into runs/s/model
  strata bench views --photos photos/ --out views/`,
    );
  addHpatches(bench, context, done);
  addCompare(bench, context, done);
  addPose(bench, context, done);
  addPublished(bench, context, done);
  addPhotographBenches(bench, context, done);
  addBenchDownload(bench, context, done);
}

function addHpatches(bench: Command, context: Context, done: (code: number) => void): void {
  const command = bench
    .command("hpatches")
    .description("Score methods on HPatches, or on any folder in its layout: SEQUENCE/1.ppm, 2.ppm, …, H_1_2, ….")
    .optionsGroup("What is measured:")
    .requiredOption("--data <dir>", "folder of sequences, or one sequence")
    .option("--sequences <names>", "only these sequences, separated by commas")
    .option("--skip-bad", "go on without sequences that are not whole or not readable")
    .option(
      "--method <spec>",
      `may be given several times: a model's name or path, orb, akaze, files:.EXT (npz beside the images), h5:FILE (hloc)`,
      collect,
    )
    .option(
      "--max-features <k>",
      "also score the best K keypoints; several, separated by commas (default: 2000)",
      limitsOf,
    )
    .option("--curves", "also curves over rotation and scale, from first images of the sequences")
    .option(
      "--curve-photos <n>",
      "first images of how many sequences, evenly taken (default: 3)",
      numberOf("--curve-photos", { min: 1, integer: true }),
    )
    .option("--seed <n>", "seed of the robust estimations (default: 0)", numberOf("--seed", SEEDS))
    .optionsGroup("Output:")
    .option("--out <dir>", "where features and results are kept; what is there is not done again", OUT)
    .option("--report <file>", "write a page with figures, tables and pictures (.html)")
    .option("--csv <file>", "write every pair's scores")
    .option(
      "--cached <file>",
      "show a METHOD.npy of the reference's cache beside the results; may be repeated",
      collect,
    )
    .option("--write-cache <dir>", "write results as the reference caches them: METHOD.npy, METHOD_RANSAC.npy")
    .option("--json", "print the result as JSON")
    .option("--verbose", "also rows for illumination and viewpoint")
    .option("--quiet", "print errors only")
    .option("--jobs <n>", "images or pairs worked on at once (default: one per core)", jobsOf);
  addExtractionOptions(command, { limit: false })
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata bench hpatches --data hpatches-sequences-release
  strata bench hpatches --data hpatches-sequences-release --method strata-s --method orb --method akaze --report r.html
  strata bench hpatches --data hpatches-sequences-release --method files:.d2-net --method h5:features.h5
  strata bench hpatches --data sequences/ --model checkpoints/NAME.ckpt --thresh 0.3 --max-features 1000,5000
  strata bench hpatches --data sequences/ --sequences v_graf,v_boat --curves --csv pairs.csv --json

Columns: keypoints per image, mutual nearest neighbours per pair, MMA (share of matches right within 1, 3, 5 px, mean
over pairs), the same after RANSAC, repeatability, matching score, share of pairs whose MAGSAC homography has a mean
corner error up to 1, 3, 5 px, and the median time of an image. docs/benchmark.md has the definitions.

A run that was interrupted keeps what is finished; the same command goes on. Results are kept by model checksum, options,
versions, seed and a digest of the data: what was measured otherwise is never mixed in.`,
    )
    .action(async (flags: HpatchesFlags) => {
      const { hpatchesCommand } = await import("./hpatches.js");
      done(await hpatchesCommand(flags, commandLine(bench), context));
    });
}

function addCompare(bench: Command, context: Context, done: (code: number) => void): void {
  bench
    .command("compare")
    .description("Compare two runs pair by pair: differences of the means with 95 % bootstrap intervals.")
    .argument("<A>", "a results file, a folder of a benchmark, or the beginning of a results file's name")
    .argument("<B>", "the other one")
    .option("--out <dir>", "folder that names are looked for in", OUT)
    .option("--seed <n>", "seed of the bootstrap (default: 0)", numberOf("--seed", SEEDS))
    .option("--json", "print the comparison as JSON")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata bench compare strata-s orb
  strata bench compare before/ after/
  strata bench compare a/results/RUN.jsonl b/results/RUN.jsonl --json`,
    )
    .action(async (a: string, b: string, flags: CompareFlags) => {
      const { compareCommand } = await import("./compare.js");
      done(await compareCommand(a, b, flags, context));
    });
}

function addPose(bench: Command, context: Context, done: (code: number) => void): void {
  const whole = (flag: string) => numberOf(flag, { min: 1, max: 1e6, integer: true });
  const command = bench
    .command("pose")
    .description("Measure the pose between images of scenes with known cameras: SCENE/NAME.jpg and NAME.txt.")
    .optionsGroup("What is measured:")
    .requiredOption("--data <dir>", "folder of scenes, or one scene")
    .option(
      "--method <spec>",
      "may be given several times: a model's name or path, orb, akaze, files:.EXT (npz beside the images), h5:FILE (hloc)",
      collect,
    )
    .option("--max-features <k>", "the best K keypoints of an image count", whole("--max-features"), 2000)
    .option("--steps <n>", "pair image i with i + 1 to i + N", whole("--steps"), 3)
    .optionsGroup("How a pose is found:")
    .option(
      "--ratio <r>",
      "Lowe's ratio test (default: mutual nearest neighbours alone)",
      numberOf("--ratio", { min: 0, max: 1 }),
    )
    .option("--guided", "search matches a second time near the lines of the first geometry")
    .option(
      "--threshold-px <px>",
      "largest Sampson error of an inlier (default: 1.5)",
      numberOf("--threshold-px", { min: 1e-3 }),
    )
    .option("--seed <n>", "seed of the estimation", numberOf("--seed", SEEDS), 0)
    .option("--auto", 'also say how many pairs the model "auto" takes for planes (see docs/geometry.md)')
    .optionsGroup("Output:")
    .option("--json", "print every pair as JSON");
  addExtractionOptions(command, { limit: false })
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata bench pose --data scenes
  strata bench pose --data scenes --method strata-s --method strata-xs --method orb --ratio 0.9
  strata bench pose --data scenes/fountain-P11 --method files:.sift --json

NAME.txt holds 21 numbers: 3×3 intrinsics for pixel centres on integers, then 3×4 world to camera. A pair's error is the
larger of the angles of rotation and of the translation's direction; AUC@t is the mean of max(0, 1 − error / t).`,
    )
    .action(async (flags: PoseFlags) => {
      const { poseCommand } = await import("./pose.js");
      done(await poseCommand(flags, context));
    });
}

function addPublished(bench: Command, context: Context, done: (code: number) => void): void {
  bench
    .command("published")
    .description("Show the figures on the full HPatches that others have published.")
    .option("--report <file>", "write a page with their figures (.html)")
    .option("--json", "print all curves as JSON")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata bench published
  strata bench published --report published.html`,
    )
    .action(async (flags: PublishedFlags) => {
      const { publishedCommand } = await import("./published.js");
      done(await publishedCommand(flags, commandLine(bench), context));
    });
}

function limitsOf(text: string): number[] {
  return text.split(",").map((part) => numberOf("--max-features", { min: 1, integer: true })(part.trim()));
}

function jobsOf(text: string): number {
  return numberOf("--jobs", { min: 1, max: 64, integer: true })(text);
}

/** What the user typed, to be typed again. */
function commandLine(bench: Command): string {
  const words = ["strata", ...(bench.parent?.args ?? [])];
  return words.map((word) => (/^[\w.,:/@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}
