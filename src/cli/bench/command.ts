/** Names, options and help of `strata bench`; what a command does is imported when it is called. */
import type { Command } from "commander";
import { TWO_VIEW_MODELS } from "../../geometry/robust/model.js";
import { INDEX_KINDS } from "../../search/segment-format.js";
import { addExtractionOptions, choice, numberOf, SEEDS } from "../arguments.js";
import type { Context } from "../context.js";
import type { CompareFlags } from "./compare.js";
import { addBenchDownload } from "./download.js";
import type { HpatchesFlags } from "./hpatches.js";
import type { PoseFlags } from "./pose.js";
import type { PublishedFlags } from "./published.js";
import type { SearchBenchFlags } from "./search.js";
import type { TrackBenchFlags } from "./track.js";
import type { VerdictFlags } from "./verdict.js";
import type { ViewsFlags } from "./views.js";

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
  addTrackBench(bench, context, done);
  addSearchBench(bench, context, done);
  addVerdict(bench, context, done);
  addViews(bench, context, done);
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

function addTrackBench(bench: Command, context: Context, done: (code: number) => void): void {
  const command = bench
    .command("track")
    .description("Measure the tracker on rendered videos of photographs, whose truth is known.")
    .optionsGroup("What is measured:")
    .requiredOption("--photos <dir>", "photographs, of which pictures and backgrounds are taken")
    .option("--videos <n>", "videos of 1014 frames", numberOf("--videos", { min: 1, max: 1000, integer: true }), 3)
    .option("--seed <n>", "seed of the first video", numberOf("--seed", SEEDS), 0)
    .option("--others <n>", "photographs shown that are no target", numberOf("--others", { min: 0, integer: true }), 20)
    .option(
      "--crowd <n>",
      "targets searched for at once, beside one",
      numberOf("--crowd", { min: 1, integer: true }),
      50,
    )
    .optionsGroup("Output:")
    .option("--json", "print everything as JSON")
    .option("--quiet", "print errors only");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
A frame counts where it shows at least half of the picture, 120 px large or more, tilted by at most 50°.

Example:
  strata bench track --photos photos/val --videos 1`,
    )
    .action(async (flags: TrackBenchFlags) => {
      const { trackBenchCommand } = await import("./track.js");
      done(await trackBenchCommand(flags, context));
    });
}

function addSearchBench(bench: Command, context: Context, done: (code: number) => void): void {
  const whole = (flag: string) => numberOf(flag, { min: 0, max: 1e6, integer: true });
  const command = bench
    .command("search")
    .description("Measure search on drawn photographs of prints: which picture of an index each one shows.")
    .optionsGroup("What is measured:")
    .requiredOption("--photos <dir>", "pictures of the index; may be given several times", collect)
    .option("--others <dir>", "pictures that are not in it, walls and rooms; may be given several times", collect)
    .option("--aside <n>", "keep n pictures of --photos out of the index, as others", whole("--aside"), 0)
    .option(
      "--one-place <starts>",
      "photographs whose names begin with one of these (separated by commas) are not set aside: others show the same place",
      (text: string) => text.split(",").map((start) => start.trim()),
    )
    .option("--queries <n>", "views of pictures of the index", whole("--queries"), 200)
    .option("--strangers <n>", "views of pictures that are not in it", whole("--strangers"), 100)
    .option("--flat <n>", "queries that are also matched with every picture, which takes long", whole("--flat"), 0)
    .option(
      "--rate <n>",
      "only how fast n of the pictures are indexed, beside their extraction alone",
      numberOf("--rate", { min: 1, integer: true }),
    )
    .option("--seed <n>", "seed of the views", numberOf("--seed", SEEDS), 0)
    .addOption(choice("--kind <kind>", "form of the index", INDEX_KINDS).default("asmk"))
    .option("--vocabulary <file>", "visual words (default: those in the model's folder)")
    .optionsGroup("Output:")
    .option("--into <folder>", "fit the verdict on finds, and write it into the configuration of this model")
    .option("--same <p>", "called found from this probability on", numberOf("--same", { min: 0.001, max: 0.999 }), 0.9)
    .option("--json", "print everything as JSON")
    .option("--quiet", "print errors only");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Views are 1280×960: the picture at 0.2 to 0.8 of it, tilted by up to 50°, turned, partly outside, behind glass, in other
light, as JPEG of quality 50 to 80.

Examples:
  strata bench search --photos photos/train --others photos/val
  strata bench search --photos photos --aside 36 --one-place brighton_,opensfm_
  strata bench search --photos photos/train --rate 100
  strata bench search --photos photos/train --others photos/val --seed 1 --into runs/t/model`,
    )
    .action(async (flags: SearchBenchFlags) => {
      const { searchBenchCommand } = await import("./search.js");
      done(await searchBenchCommand(flags, context));
    });
}

function addVerdict(bench: Command, context: Context, done: (code: number) => void): void {
  const whole = (flag: string, min: number) => numberOf(flag, { min, max: 1e6, integer: true });
  const share = (flag: string) => numberOf(flag, { min: 0.001, max: 0.999 });
  const command = bench
    .command("verdict")
    .description("Fit a model's verdict (same, uncertain, different) on photographs, and measure it on others.")
    .optionsGroup("What it is fitted on:")
    .requiredOption("--photos <dir>", "photographs; two views of one are a pair, so are views of different ones")
    .option("--test <dir>", "other photographs, to say how good it is")
    .addOption(choice("--geometry <kind>", "geometry whose verdict it is", TWO_VIEW_MODELS).default("homography"))
    .option("--pairs <n>", "pairs of views of one photograph", whole("--pairs", 10), 500)
    .option("--different <n>", "pairs of different photographs", whole("--different", 10), 1000)
    .option("--test-different <n>", "the same of --test (default: as many)", whole("--test-different", 10))
    .option(
      "--one-place <starts>",
      "photographs whose names begin with the same one of these (separated by commas) are no pair of different ones",
      (text: string) => text.split(",").map((start) => start.trim()),
    )
    .option("--same <p>", "called the same from this probability on", share("--same"), 0.9)
    .option("--unlike <p>", "called different below this one", share("--unlike"), 0.05)
    .option("--seed <n>", "seed of the views", numberOf("--seed", SEEDS), 0)
    .optionsGroup("Output:")
    .option("--into <folder>", "write it into the configuration of this model, which is the one that is measured")
    .option("--figure <file>", "draw the reliability curve (.svg)")
    .option("--json", "print everything as JSON")
    .option("--quiet", "print errors only");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata bench verdict --photos photos/val --test photos/train
  strata bench verdict --photos photos/val --into runs/s/model --figure reliability.svg
  strata bench verdict --photos photos/val --geometry fundamental --into runs/s/model

A homography is right when it places the corners of a 448×448 view within 5 px of the truth, on average. A fundamental or
essential matrix is judged on scenes of up to four planes that are drawn of the photographs; it is right when four of
five points are within 3 px of the lines where it has them.`,
    )
    .action(async (flags: VerdictFlags) => {
      const { verdictCommand } = await import("./verdict.js");
      done(await verdictCommand(flags, context));
    });
}

function addViews(bench: Command, context: Context, done: (code: number) => void): void {
  bench
    .command("views")
    .description("Draw views of photographs by known homographies, as sequences for bench hpatches.")
    .optionsGroup("What is drawn:")
    .requiredOption("--photos <dir>", "photographs; two views of one are a sequence")
    .requiredOption("--out <dir>", "folder of the sequences, empty or new")
    .option("--pairs <n>", "sequences", numberOf("--pairs", { min: 1, max: 1e6, integer: true }), 46)
    .option("--size <px>", "edge of a view", numberOf("--size", { min: 64, max: 4096, integer: true }), 480)
    .option("--zoom <times>", "largest zoom between two views", numberOf("--zoom", { min: 1, max: 4 }), 2.5)
    .option("--seed <n>", "seed of the views", numberOf("--seed", SEEDS), 0)
    .optionsGroup("Output:")
    .option("--json", "print what was drawn as JSON")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata bench views --photos photos/val --out views
  strata bench hpatches --data views --method strata-s --method strata-xs

Views are turned by any angle, tilted, moved and in different light. Photographs smaller than a view are left out.`,
    )
    .action(async (flags: ViewsFlags) => {
      const { viewsCommand } = await import("./views.js");
      done(await viewsCommand(flags, context));
    });
}

/** "2000" or "1000,5000". */
function limitsOf(text: string): number[] {
  return text.split(",").map((part) => numberOf("--max-features", { min: 1, integer: true })(part.trim()));
}

function jobsOf(text: string): number {
  return numberOf("--jobs", { min: 1, max: 64, integer: true })(text);
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** What the user typed, to be typed again. */
function commandLine(bench: Command): string {
  const words = ["strata", ...(bench.parent?.args ?? [])];
  return words.map((word) => (/^[\w.,:/@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}
