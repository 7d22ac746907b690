/** Options of the benchmarks that draw what they measure from photographs: tracking, search, verdicts and views. */
import { type Command, Option } from "commander";
import { TWO_VIEW_MODELS } from "../../geometry/robust/model.js";
import { WORD_KINDS } from "../../search/segment-format.js";
import { addExtractionOptions, choice, collect, numberOf, SEEDS } from "../arguments.js";
import type { Context } from "../context.js";
import type { SearchBenchFlags } from "./search.js";
import type { TrackBenchFlags } from "./track.js";
import type { VerdictFlags } from "./verdict.js";
import type { ViewsFlags } from "./views.js";

export function addPhotographBenches(bench: Command, context: Context, done: (code: number) => void): void {
  addTrackBench(bench, context, done);
  addSearchBench(bench, context, done);
  addVerdict(bench, context, done);
  addViews(bench, context, done);
}

/** Beginnings of names of photographs that may show one place; `rest` says what that means. */
const onePlace = (rest: string): Option =>
  new Option("--one-place <starts>", `photographs whose names begin ${rest}`).argParser((text: string) =>
    text.split(",").map((start) => start.trim()),
  );

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
    .addOption(onePlace("with one of these (separated by commas) are not set aside: others show the same place"))
    .option("--queries <n>", "views of pictures of the index", whole("--queries"), 200)
    .option("--strangers <n>", "views of pictures that are not in it", whole("--strangers"), 100)
    .option("--flat <n>", "queries that are also matched with every picture, which takes long", whole("--flat"), 0)
    .option(
      "--rate <n>",
      "only how fast n of the pictures are indexed, beside their extraction alone",
      numberOf("--rate", { min: 1, integer: true }),
    )
    .option("--seed <n>", "seed of the views", numberOf("--seed", SEEDS), 0)
    .addOption(choice("--kind <kind>", "form of the index", WORD_KINDS).default("asmk"))
    .option("--vocabulary <file>", "visual words (default: those in the model's folder)")
    .optionsGroup("Output:")
    .option(
      "--out <dir>",
      "keep the index and what each query gave there; the same command goes on where it was stopped",
    )
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
  strata bench search --photos photos --aside 36 --one-place brighton_,opensfm_ --flat 40 --out found
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
    .addOption(onePlace("with the same one of these (separated by commas) are no pair of different ones"))
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
