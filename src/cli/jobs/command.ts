/** `strata jobs …`, `strata worker` and `strata serve`: names, options and help. */
import { type Command, Option } from "commander";
import { OptionError } from "../../errors.js";
import { PAIR_RULES } from "../../match/pairs.js";
import { INDEX_KINDS } from "../../search/segment-format.js";
import { addExtractionOptions, choice, numberOf } from "../arguments.js";
import type { Context } from "../context.js";
import type { ServeFlags } from "../serve.js";
import type {
  CancelFlags,
  MergeFlags,
  RunFlags,
  StatusFlags,
  SubmitExtractFlags,
  SubmitIndexFlags,
  SubmitMatchFlags,
  WorkerFlags,
} from "./flags.js";

type Done = (code: number) => void;

export function addJobs(program: Command, context: Context, done: Done): void {
  const jobs = program
    .command("jobs")
    .description("Large work on many machines: cut into shards, done through a queue or without one.")
    .helpCommand(false);
  const submit = jobs.command("submit").description("Make a job, and queue its shards.").helpCommand(false);
  addSubmitExtract(submit, context, done);
  addSubmitIndex(submit, context, done);
  addSubmitMatch(submit, context, done);
  addRun(jobs, context, done);
  addMerge(jobs, context, done);
  addStatus(jobs, context, done);
  addCancel(jobs, context, done);
  addWorker(program, context, done);
}

export function addServe(program: Command, context: Context, done: Done): void {
  program
    .command("serve")
    .description("Serve an index over HTTP: search, match, add and remove pictures; /docs explains it.")
    .argument("<index>", "the index's folder; `strata index` makes one")
    .option(
      "--port <n>",
      "port; 0: a free one (default: 8080)",
      numberOf("--port", { min: 0, max: 65535, integer: true }),
    )
    .option("--host <address>", "address to listen on (default: 127.0.0.1, this machine only)")
    .option("--read-only", "search and match only; the index may have its writer elsewhere")
    .optionsGroup("Limits:")
    .option("--readers <n>", "threads that search, each with a model of its own (default: 2)", count("--readers"))
    .option("--threads <n>", "threads of the runtime in each (default: 1)", count("--threads"))
    .option(
      "--waiting <n>",
      "requests that may wait; more get 503 (default: 32)",
      numberOf("--waiting", { min: 0, integer: true }),
    )
    .option(
      "--longest-wait <seconds>",
      "searches that would wait longer, by how long others took, get 503 (default: 1)",
      numberOf("--longest-wait", { min: 0 }),
    )
    .option("--per-client <n>", "requests of one client at once; more get 429 (default: 16)", count("--per-client"))
    .option("--body-limit <MiB>", "largest body (default: 20)", numberOf("--body-limit", { min: 0.001, max: 1024 }))
    .option("--pixel-limit <megapixels>", "largest picture (default: 50)", numberOf("--pixel-limit", { min: 0.001 }))
    .option(
      "--timeout <seconds>",
      "longest time of a request (default: 30)",
      numberOf("--timeout", { min: 0.1, max: 3600 }),
    )
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata index photos/ --out photos.index && strata serve photos.index
  STRATA_TOKENS=$(openssl rand -hex 24) strata serve photos.index --host 0.0.0.0
  curl --data-binary @query.jpg -H 'Content-Type: image/jpeg' localhost:8080/search

Tokens come from the environment: those of STRATA_TOKENS may do everything, those of STRATA_READ_TOKENS search and match.
SIGTERM and Ctrl-C refuse what is new and finish what is at work.`,
    )
    .action(async (index: string, flags: ServeFlags) => {
      done(await (await import("../serve.js")).serveCommand(index, flags, context));
    });
}

const QUEUE_TEXT = "redis://HOST:6379 or postgres://HOST/DATABASE (default: the variable STRATA_QUEUE)";

const queueOption = () => new Option("--queue <url>", QUEUE_TEXT).env("STRATA_QUEUE");
const count = (flag: string) => numberOf(flag, { min: 1, integer: true });

/** What every job is made with; `out` and `shard` say what its folder is, and how large a shard. */
const addJobOptions = (command: Command, out: string, shard: string): Command =>
  command
    .optionsGroup("Job:")
    .requiredOption("--out <folder>", out)
    .addOption(queueOption())
    .option("--no-queue", "only make the job; its shards are run by `strata jobs run`")
    .option("--shard-size <n>", shard, count("--shard-size"))
    .option("--window <n>", "shards in the queue at once (default: 1000)", count("--window"))
    .option("--attempts <n>", "times that a shard is tried (default: 3)", count("--attempts"));

function addSubmitExtract(submit: Command, context: Context, done: Done): void {
  const command = addJobOptions(
    submit
      .command("extract")
      .description("A job that extracts features of images into one HDF5 file.")
      .argument("[inputs...]", "image files, folders or globs"),
    "the job's folder, which all machines share",
    "images of a shard (default: 1000)",
  )
    .optionsGroup("Input and output:")
    .option("--list <file>", "text file with one image per line (# begins a comment)")
    .option("--recursive", "search folders with all folders in them")
    .option("--root <folder>", "names of outputs start from here (default: the innermost folder of all images)")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata jobs submit extract /data/photos --recursive --out /data/jobs/photos --queue redis://queue:6379
  strata worker --queue redis://queue:6379                       on each machine
  strata jobs status /data/jobs/photos --queue redis://queue:6379

The same command again queues what is not done, and changes nothing of what is.`,
    )
    .action(async (inputs: string[], flags: SubmitExtractFlags) => {
      done(await (await import("./submit.js")).submitExtractCommand(inputs, flags, context));
    });
}

function addSubmitIndex(submit: Command, context: Context, done: Done): void {
  const command = addJobOptions(
    submit
      .command("index")
      .description("A job that makes an index of images, as `strata index` does.")
      .argument("[inputs...]", "folders, with all folders in them; image files or globs"),
    "the job's folder, which all machines share, and the index in the end",
    "images of a shard, which is a segment of the index (default: 1000)",
  )
    .optionsGroup("The index:")
    .addOption(
      choice("--kind <kind>", "words (asmk), or one vector per image for a few thousand images (vlad)", INDEX_KINDS),
    )
    .option("--vocabulary <file>", "visual words of the model (default: those in the model's folder)")
    .optionsGroup("Output:")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only");
  addExtractionOptions(command)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      `
Examples:
  strata jobs submit index /data/photos --out /data/photos.index --queue redis://queue:6379
  strata worker --queue redis://queue:6379                       on each machine
  strata search /data/photos.index query.jpg                     when all is done

Images are called as they are named here. Once the index is there, "strata index" brings it up to date.`,
    )
    .action(async (inputs: string[], flags: SubmitIndexFlags) => {
      done(await (await import("./submit.js")).submitIndexCommand(inputs, flags, context));
    });
}

function addSubmitMatch(submit: Command, context: Context, done: Done): void {
  addJobOptions(
    submit
      .command("match")
      .description("A job that matches pairs of images into one HDF5 file.")
      .argument("<features...>", "HDF5 files of features, or folders of extraction jobs that are done"),
    "the job's folder, which all machines share",
    "pairs of a shard (default: 10000)",
  )
    .optionsGroup("Pairs:")
    .option("--pairs <rule>", `${PAIR_RULES.join(", ")}, or a file with two names a line`, PAIR_RULES[0])
    .option("--overlap <n>", "sequential: images on each side (default: 10)", count("--overlap"))
    .option("--ratio <r>", "Lowe's ratio test, 0 to 1 (default: none)", numberOf("--ratio", { min: 0, max: 1 }))
    .option(
      "--min-similarity <s>",
      "least cosine similarity, -1 to 1 (default: none)",
      numberOf("--min-similarity", { min: -1, max: 1 }),
    )
    .option("--no-mutual", "keep the nearest neighbour of each keypoint, mutual or not")
    .optionsGroup("Other:")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors")
    .action(async (features: string[], flags: SubmitMatchFlags) => {
      done(await (await import("./submit.js")).submitMatchCommand(features, flags, context));
    });
}

function addRun(jobs: Command, context: Context, done: Done): void {
  addMachine(
    jobs
      .command("run")
      .description("Run shards of a job here, without a queue: all, or those of one machine of many.")
      .argument("<folder>", "the job's folder")
      .option("--shard <i/n>", "as machine i of n, from 0: every n-th shard (Slurm arrays, Kubernetes)", shardOf)
      .option("--json", "print the result as JSON"),
  )
    .addHelpText(
      "after",
      `
Examples:
  strata jobs run /data/jobs/photos
  strata jobs run /data/jobs/photos --shard $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT
  strata jobs run /data/jobs/photos --shard $JOB_COMPLETION_INDEX/16
  strata jobs merge /data/jobs/photos

What is done is not done again, so a machine that was stopped runs the same command.`,
    )
    .action(async (folder: string, flags: RunFlags) => {
      done(await (await import("./run.js")).runCommand(folder, flags, context));
    });
}

function addMerge(jobs: Command, context: Context, done: Done): void {
  jobs
    .command("merge")
    .description("Merge a job's shards into its result; with a queue a worker does it.")
    .argument("<folder>", "the job's folder")
    .option("--json", "print the result as JSON")
    .option("--debug", "print stack traces of errors")
    .action(async (folder: string, flags: MergeFlags) => {
      done(await (await import("./run.js")).mergeCommand(folder, flags, context));
    });
}

function addStatus(jobs: Command, context: Context, done: Done): void {
  jobs
    .command("status")
    .description("Say how far a job is: progress, rate, what failed and which images were set aside.")
    .argument("<folder>", "the job's folder")
    .addOption(queueOption())
    .option("--html <file>", "write a page as well")
    .option("--watch <seconds>", "say it again every so often, until the job is done", numberOf("--watch", { min: 1 }))
    .option("--json", "print as JSON")
    .option("--debug", "print stack traces of errors")
    .action(async (folder: string, flags: StatusFlags) => {
      done(await (await import("./status.js")).statusCommand(folder, flags, context));
    });
}

function addCancel(jobs: Command, context: Context, done: Done): void {
  jobs
    .command("cancel")
    .description("Take a job out of the queue; shards at work are finished, what is done stays.")
    .argument("<folder>", "the job's folder")
    .addOption(queueOption())
    .option("--json", "print as JSON")
    .option("--debug", "print stack traces of errors")
    .action(async (folder: string, flags: CancelFlags) => {
      done(await (await import("./status.js")).cancelCommand(folder, flags, context));
    });
}

function addWorker(program: Command, context: Context, done: Done): void {
  addMachine(
    program
      .command("worker")
      .description("Take shards of jobs from a queue and do them, until it is stopped.")
      .addOption(queueOption())
      .option("--until-empty", "end when nothing is in the queue")
      .option(
        "--lock <seconds>",
        "a shard whose worker is silent for so long is given to another one (default: 30)",
        numberOf("--lock", { min: 1, max: 3600 }),
      ),
  )
    .addHelpText(
      "after",
      `
Examples:
  strata worker --queue redis://queue:6379
  STRATA_QUEUE=postgres://user:password@host/jobs strata worker --threads 8

The variable STRATA_QUEUE keeps a password out of the list of processes. Ctrl-C gives the shard at work back to the queue.`,
    )
    .action(async (flags: WorkerFlags) => {
      done(await (await import("./run.js")).workerCommand(flags, context));
    });
}

/** What depends on the machine, and on nothing of the job. */
function addMachine(command: Command): Command {
  return command
    .option("--threads <n>", "threads (default: one per core)", count("--threads"))
    .option("--images <folder>", "where the images lie on this machine (default: where the job was made)")
    .option("--quiet", "print errors only")
    .option("--debug", "print stack traces of errors");
}

/** "3/16": this machine, from 0, and how many there are. */
function shardOf(text: string): { index: number; count: number } {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (index === undefined || Number(index) >= Number(count)) {
    throw new OptionError(`--shard must be i/n with i from 0 to n − 1, like 3/16, got ${text}`);
  }
  return { index: Number(index), count: Number(count) };
}
