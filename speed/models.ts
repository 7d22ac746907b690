/**
 * `npm run bench models`: the models that ship, in one run and in turns, in Node and in headless Chromium (WebAssembly),
 * with one thread and with two; a 640×480 image with everything included.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawDemoPair } from "../demo/draw.js";
import { resizeImage } from "../src/image/resize.js";
import { servePage } from "../test/browser/serve.js";
import { summarize, type Timing } from "./harness.js";

/** The first is what the others are compared with. */
const MODELS = ["strata-xs", "strata-t", "strata-s"];
const SIZE: [number, number] = [640, 480];
const THREADS = [1, 2];
const REPEATS = { node: 15, chromium: 9 };

export interface ModelRow {
  where: string;
  threads: number;
  models: { model: string; timing: Timing; count: number; timesFirst: number }[];
}

interface Timed {
  times: number[];
  count: number;
}

function rowOf(where: string, threads: number, timed: readonly Timed[]): ModelRow {
  const timings = timed.map(({ times }) => summarize(times));
  return {
    ...{ where, threads },
    models: timed.map(({ count }, i) => ({
      ...{ model: MODELS[i], timing: timings[i], count },
      timesFirst: timings[i].median / timings[0].median,
    })),
  };
}

function inNode(threads: number): Timed[] {
  const folder = mkdtempSync(join(tmpdir(), "strata-bench-"));
  try {
    const image = join(folder, "image.rgb");
    writeFileSync(image, resizeImage(drawDemoPair(7).a, ...SIZE).data);
    const script = fileURLToPath(new URL("models-node.mjs", import.meta.url));
    const args = [script, image, ...SIZE.map(String), String(threads), String(REPEATS.node), ...MODELS];
    const child = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (child.status !== 0) throw new Error(`bench models: ${child.stderr}`);
    return JSON.parse(child.stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function inChromium(threads: number): Promise<Timed[]> {
  const served = await servePage();
  try {
    const addresses = MODELS.map((model) => `/models/${model}/`);
    return await served.page.evaluate(
      async ([models, count, size, repeats]) => {
        const path = "/speed/models-page.ts";
        const { timeModels } = (await import(path)) as typeof import("./models-page.js");
        return timeModels("/dist/web/index.js", models, count, size, repeats);
      },
      [addresses, threads, SIZE, REPEATS.chromium] as const,
    );
  } finally {
    await served.close();
  }
}

export async function compareModels(): Promise<ModelRow[]> {
  const rows = THREADS.map((threads) => rowOf("Node", threads, inNode(threads)));
  for (const threads of THREADS) rows.push(rowOf("Chromium", threads, await inChromium(threads)));
  return rows;
}

/** As a table of Markdown: medians, the fastest run, and how many times the first model's median that is. */
export function modelsTable(rows: readonly ModelRow[]): string {
  const lines = [`| | threads | ${MODELS.join(" | ")} |`, `|---|---|${MODELS.map(() => "---|").join("")}`];
  for (const { where, threads, models } of rows) {
    const cells = models.map(({ timing: { median, min }, timesFirst }) => {
      return `${median.toFixed(1)} (${min.toFixed(1)}), × ${timesFirst.toFixed(3)}`;
    });
    lines.push(`| ${where} | ${threads} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}
