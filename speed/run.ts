/**
 * `npm run bench [NAME…]`: times the cases of cases.ts, each in a process of its own, prints a table and keeps the
 * figures under speed/results. Nothing is asserted: compare figures of one run with each other. `npm run bench geometry`,
 * `align`, `pose`, `auto`, `threads`, `models`, `jobs`, `search`, `lance`, `chaos`, `scale` and `serve` are of another kind: they compare estimators of
 * homographies and of poses, count what is taken for a plane, compare numbers of threads, models, queues and workers, search a large
 * index, do harm to workers, load a service, and keep files of their own. So is `npm run bench gpu [-- --software]`.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BenchCase, built, CASES, type Outcome } from "./cases.js";
import { machine, machineSlug } from "./harness.js";

const CHILD = "--child";
const here = fileURLToPath(new URL(".", import.meta.url));

/** In the child: one case, its figures as one line of JSON on the last line. */
async function runChild(name: string): Promise<void> {
  const found = CASES.find((c) => c.name === name) as BenchCase;
  const before = process.memoryUsage().rss;
  const { timing, note } = await found.run();
  const peakMB = found.external ? null : (process.resourceUsage().maxRSS * 1024 - before) / 1e6;
  console.log(JSON.stringify({ timing, peakMB, note } satisfies Outcome));
}

function runAll(names: readonly string[]): void {
  const unknown = names.filter((name) => !CASES.some((c) => c.name === name));
  if (unknown.length) {
    console.error(`bench: no case ${unknown.join(", ")}; there are ${CASES.map((c) => c.name).join(", ")}`);
    process.exitCode = 2;
    return;
  }
  if (!built()) throw new Error("bench: dist is missing; run npm run build first");
  const about = machine();
  console.log(`${about.cpu}, ${about.cores} cores, ${about.memoryGiB} GiB, Node ${about.node}\n`);
  console.log(
    `${"case".padEnd(20)}${"median".padStart(10)}${"min … max".padStart(20)}${"peak memory".padStart(14)}   what`,
  );
  const results: Record<string, Outcome & { what: string; timesPlainResnet?: number }> = {};
  for (const { name, what } of CASES) {
    if (names.length && !names.includes(name)) continue;
    const child = spawnSync("npx", ["tsx", `${here}run.ts`, CHILD, name], { encoding: "utf8", maxBuffer: 2 ** 26 });
    if (child.status !== 0) throw new Error(`bench ${name} failed:\n${child.stderr}`);
    const outcome = JSON.parse(child.stdout.trim().split("\n").at(-1) as string) as Outcome;
    const yardstick = results.resnet50?.timing.median;
    results[name] = { what, ...outcome, ...(yardstick ? { timesPlainResnet: outcome.timing.median / yardstick } : {}) };
    const { median, min, max } = outcome.timing;
    const spread = `${min.toFixed(0)} … ${max.toFixed(0)} ms`;
    const memory = outcome.peakMB === null ? "" : `${outcome.peakMB.toFixed(0)} MB`;
    const note = outcome.note ? ` (${outcome.note})` : "";
    console.log(
      `${name.padEnd(20)}${`${median.toFixed(0)} ms`.padStart(10)}${spread.padStart(20)}${memory.padStart(14)}   ${what}${note}`,
    );
  }
  if (names.length) return; // Only a whole run is kept: figures of different runs do not compare.
  keep(`speed--${machineSlug(about)}`, { machine: about, results });
}

async function runGeometry(flags: readonly string[]): Promise<void> {
  const { compareGeometry, geometryTable, pairTable } = await import("./geometry.js");
  const about = machine();
  const results = await compareGeometry();
  console.log(geometryTable(results));
  if (flags.includes("--pairs")) console.log(`\n${pairTable(results)}`);
  keep(`geometry--${machineSlug(about)}`, { machine: about, ...results });
}

async function runAuto(): Promise<void> {
  const { compareAuto, autoTable } = await import("./auto.js");
  const about = machine();
  const rows = await compareAuto();
  console.log(autoTable(rows));
  keep(`auto--${machineSlug(about)}`, { machine: about, rows });
}

async function runPose(): Promise<void> {
  const { comparePose, poseTable } = await import("./pose.js");
  const about = machine();
  const results = await comparePose();
  console.log(poseTable(results));
  keep(`pose--${machineSlug(about)}`, { machine: about, ...results });
}

async function runThreads(): Promise<void> {
  const { compareThreads, threadsTable } = await import("./threads.js");
  const about = machine();
  const rows = await compareThreads();
  console.log(`median (fastest; processor time) in ms, by threads\n\n${threadsTable(rows)}`);
  keep(`threads--${machineSlug(about)}`, { machine: about, rows });
}

async function runAlign(args: readonly string[]): Promise<void> {
  const { alignTable, measureAlign } = await import("./align.js");
  const maxEdge = given(args, "max-edge");
  console.log(alignTable(await measureAlign(given(args, "data"), maxEdge === undefined ? null : Number(maxEdge))));
}

async function runModels(): Promise<void> {
  const { compareModels, modelsTable } = await import("./models.js");
  const about = machine();
  const rows = await compareModels();
  console.log(`median (fastest) in ms, × the first model's median\n\n${modelsTable(rows)}`);
  keep(`models--${machineSlug(about)}`, { machine: about, rows });
}

async function runJobs(args: readonly string[]): Promise<void> {
  const { compareJobs, jobsTable } = await import("./jobs.js");
  const about = machine();
  const rows = await compareJobs(Number(given(args, "repeats") ?? 3), Number(given(args, "images") ?? 768));
  console.log(jobsTable(rows));
  keep(`jobs--${machineSlug(about)}`, { machine: about, rows });
}

/** The large index is made in this process and searched in another, whose memory is told. */
async function runSearch(args: readonly string[]): Promise<void> {
  const { largeIndex, searchTable } = await import("./search.js");
  await largeIndex(args);
  const child = spawnSync("npx", ["tsx", `${here}run.ts`, "--search-child", ...args], { encoding: "utf8" });
  if (child.status !== 0) throw new Error(`bench search failed:\n${child.stderr}`);
  const speed = JSON.parse(child.stdout.trim().split("\n").at(-1) as string);
  console.log(searchTable(speed));
  const about = machine();
  keep(`search--${machineSlug(about)}`, { machine: about, ...speed });
}

async function runLance(args: readonly string[]): Promise<void> {
  const { lanceTable, measureLance } = await import("./lance.js");
  const speed = await measureLance(args);
  console.log(lanceTable(speed));
  const about = machine();
  keep(`lance--${machineSlug(about)}`, { machine: about, ...speed });
}

async function runChaos(args: readonly string[]): Promise<void> {
  const { chaosTable, measureChaos } = await import("./chaos.js");
  const about = machine();
  const number = (name: string, otherwise: number) => Number(given(args, name) ?? otherwise);
  const options = { seconds: number("seconds", 120), every: number("every", 5), seed: number("seed", 1) };
  const rows = await measureChaos(options);
  console.log(chaosTable(rows));
  if (rows.some(({ different, missing, double }) => different.length + missing + double > 0)) process.exitCode = 1;
  keep(`chaos--${machineSlug(about)}`, { machine: about, options, rows });
}

async function runScale(): Promise<void> {
  const { measureScale, scaleTable } = await import("./scale.js");
  const about = machine();
  const figures = await measureScale();
  console.log(scaleTable(figures));
  keep(`scale--${machineSlug(about)}`, { machine: about, ...figures });
}

async function runServe(args: readonly string[]): Promise<void> {
  const { measureServe, serveTable } = await import("./serve.js");
  const about = machine();
  const number = (name: string, otherwise: number) => Number(given(args, name) ?? otherwise);
  const options = { minutes: number("minutes", 5), images: number("images", 100), most: number("most", 16) };
  const figures = await measureServe(options);
  console.log(serveTable(figures));
  // Shorter runs are for looking.
  if (options.minutes >= 5) keep(`serve--${machineSlug(about)}`, { machine: about, options, ...figures });
}

function keep(name: string, what: object): void {
  const file = `${here}results/${name}.json`;
  mkdirSync(`${here}results`, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ date: new Date().toISOString(), ...what }, null, 2)}\n`);
  console.log(`\nkept in speed/results/${name}.json`);
}

/** `--name value` among arguments. */
function given(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? undefined : args[at + 1];
}

async function runStages(args: readonly string[]): Promise<void> {
  const { measureGrowth, measureStages, stagesTable } = await import("./stages.js");
  const about = machine();
  const scales = given(args, "scales")?.split(",").map(Number);
  const options = { model: given(args, "model") ?? "strata-xs", ...(scales && { scales }) };
  const stages = await measureStages(options);
  console.log(
    `${about.cpu}, ${about.cores} cores; ${JSON.stringify(options)}; ms at 640×480\n\n${stagesTable(stages)}`,
  );
  const growth = await measureGrowth(options);
  const kB = ([early, late]: readonly [number, number]) => `${((late - early) / 1000).toFixed(0)} kB`;
  console.log(
    `\n${growth.frames} tracked frames and ${growth.pairs} pairs in a page, after the first tenth: heap ${kB(growth.heap)}, ` +
      `WebAssembly ${kB(growth.wasm)} more`,
  );
  keep(`stages--${machineSlug(about)}`, { machine: about, options, stages, growth });
}

async function runLarge(args: readonly string[]): Promise<void> {
  const { measureLarge } = await import("./large-page.js");
  const about = machine();
  const model = given(args, "model") ?? "strata-xs";
  const formats = (given(args, "formats") ?? "jpeg,png").split(",") as ("jpeg" | "png")[];
  const figures = await measureLarge(model, formats);
  console.table(figures);
  keep(`large--${machineSlug(about)}`, { machine: about, model, figures });
}

async function runApp(args: readonly string[]): Promise<void> {
  const { appTable, measureApp } = await import("./app.js");
  const about = machine();
  const [pairs, frames] = ["pairs", "frames"].map((name) => given(args, name)).map((text) => text && Number(text));
  const figures = await measureApp({ ...(pairs && { pairs }), ...(frames && { frames }) });
  console.log(appTable(figures));
  // Shorter runs are for looking.
  if (pairs || frames) return;
  keep(`app--${machineSlug(about)}`, { machine: about, ...figures });
}

/** Figures of SwiftShader are shown and not kept: they are of the processor. */
async function runOnGpu(software: boolean): Promise<void> {
  const { gpuTable, runGpu } = await import("./gpu.js");
  const about = machine();
  try {
    const figures = runGpu(software);
    console.log(gpuTable(figures));
    if (!figures.agrees) process.exitCode = 1;
    if (!software) keep(`gpu--${machineSlug({ ...about, cpu: figures.driver })}`, { machine: about, ...figures });
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}

const [flag, name] = process.argv.slice(2);
if (flag === "--gpu-child") {
  const { measureGpu } = await import("./gpu.js");
  await measureGpu(name === "--software");
  // Dawn's threads outlive the sessions.
  process.exit(0);
} else if (flag === "--search-child") {
  const { measureSearch } = await import("./search.js");
  console.log(JSON.stringify(await measureSearch(process.argv.slice(3))));
} else if (flag === "search") await runSearch(process.argv.slice(3));
else if (flag === "lance") await runLance(process.argv.slice(3));
else if (flag === "gpu") await runOnGpu(name === "--software");
else if (flag === CHILD) await runChild(name);
else if (flag === "geometry") await runGeometry(process.argv.slice(3));
else if (flag === "align") await runAlign(process.argv.slice(3));
else if (flag === "pose") await runPose();
else if (flag === "auto") await runAuto();
else if (flag === "threads") await runThreads();
else if (flag === "stages") await runStages(process.argv.slice(3));
else if (flag === "large") await runLarge(process.argv.slice(3));
else if (flag === "models") await runModels();
else if (flag === "jobs") await runJobs(process.argv.slice(3));
else if (flag === "app") await runApp(process.argv.slice(3));
else if (flag === "chaos") await runChaos(process.argv.slice(3));
else if (flag === "scale") await runScale();
else if (flag === "serve") await runServe(process.argv.slice(3));
else runAll(process.argv.slice(2));
