/** The report of trainings: what is counted, curves that lose no spike, text that is only text, data that reads back. */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OptionError } from "../../../src/errors.js";
import { logText } from "../../../src/train/log.js";
import { axisOf } from "../../../src/train/report/figures.js";
import { trainReportCsv, trainReportHtml, trainReportJson } from "../../../src/train/report/index.js";
import { type Point, reportRuns, smooth, summarizeRun, thin, when } from "../../../src/train/report/input.js";
import { fakeStrata } from "../cli/fake.js";
import { madeRun } from "./runs.js";

const DATE = "2026-01-02 05:00 UTC";
const input = (...logs: ReturnType<typeof madeRun>[]) => ({
  date: DATE,
  runs: logs.map((log, i) => ({ folder: `runs/${i}`, log })),
});
const page = async (...logs: ReturnType<typeof madeRun>[]) => parseHTML(await trainReportHtml(input(...logs))).document;

describe("what is counted", () => {
  it("best and last losses, speed, time, skipped pairs", () => {
    const [run] = reportRuns("x", input(madeRun()));
    // Validation is worst at the last epoch, so the best is the one before, at update 360.
    const at = (n: number) => 0.05 + Math.exp(-n / 60);
    expect(summarizeRun(run)).toMatchObject({
      step: 400,
      total: 400,
      epochs: 10,
      state: "finished",
      best: { step: 360, epoch: 8 },
      imagesPerSecond: 16,
      seconds: 400,
      skipped: 8,
    });
    const { best, validationLoss, trainLoss } = summarizeRun(run);
    expect(best?.loss).toBeCloseTo(1.1 * at(360), 12);
    expect(best?.metrics.attention).toBeCloseTo(0.22 * at(360), 12);
    expect(validationLoss).toBeCloseTo(2 * at(400), 12);
    expect(Math.abs(trainLoss! / at(395) - 1)).toBeLessThan(0.2);
  });

  it("how a run ended, or that it has not", () => {
    const state = (end: object | null) => {
      const log = madeRun({ updates: 3, finished: false });
      if (end) log.records.push({ kind: "end", time: "t", step: 3, ended: "failed", ...end });
      return summarizeRun(reportRuns("x", input(log))[0]).state;
    };
    expect(state(null)).toBe("running or interrupted, last line 2026-01-02 03:00 UTC");
    expect(state({ ended: "stopped" })).toBe("stopped");
    expect(state({ ended: "patience" })).toBe("ended early, the validation loss fell no more");
    expect(state({ message: "the loss is NaN" })).toBe("failed: the loss is NaN");
    expect(when("whenever")).toBe("whenever");
  });

  it("a run that has only begun", async () => {
    const log = madeRun({ updates: 0, finished: false });
    const [run] = reportRuns("x", input(log));
    expect(summarizeRun(run)).toEqual({
      ...{ step: 0, total: 0, epochs: 0, trainLoss: null, validationLoss: null, best: null, imagesPerSecond: null },
      ...{ seconds: 0, skipped: 0, state: "running or interrupted, last line 2026-01-02 03:00 UTC" },
    });
    const document = await page(log);
    expect([...document.querySelectorAll("h2")].map((h2) => h2.textContent)).toEqual(["Summary", "How it was made"]);
    expect(document.toString()).not.toMatch(/NaN|undefined|Infinity/);
    expect(() => reportRuns("trainReportHtml", input())).toThrow(OptionError);
  });

  it("validation losses that are no numbers are never the best", () => {
    const log = madeRun({ updates: 80 });
    for (const record of log.records) if (record.kind === "validation" && record.step === 40) record.loss = null;
    expect(summarizeRun(reportRuns("x", input(log))[0]).best?.step).toBe(80);
  });
});

describe("curves", () => {
  it("are smoothed without a pull to the first value, gaps left out", () => {
    const constant = Array.from({ length: 500 }, (_, i): Point => [i, 3]);
    for (const [, y] of smooth(constant)) expect(y).toBeCloseTo(3, 12);
    const [[, first], [, second]] = smooth(Array.from({ length: 100 }, (_, i): Point => [i, i]));
    expect(first).toBe(0);
    // Two updates: weights 1 and 1/2, so (0/2 + 1) / 1.5.
    expect(second).toBeCloseTo(2 / 3, 12);
    const few: Point[] = [
      [1, 5],
      [2, Number.NaN],
      [3, 1],
    ];
    expect(smooth(few)).toEqual([few[0], few[2]]);
  });

  it("are thinned so that lowest and highest values stay, in order", () => {
    const points = Array.from({ length: 10_001 }, (_, i): Point => [i, i === 777 ? 50 : i === 5001 ? -9 : Math.sin(i)]);
    const thinned = thin(points, 200);
    expect(thinned.length).toBeLessThanOrEqual(200);
    expect(thinned.length).toBeGreaterThan(150);
    expect(thinned).toContainEqual([777, 50]);
    expect(thinned).toContainEqual([5001, -9]);
    for (const [i, [x]] of thinned.entries()) if (i > 0) expect(x).toBeGreaterThan(thinned[i - 1][0]);
    expect(thin(points.slice(0, 200), 200)).toEqual(points.slice(0, 200));
  });

  it("have logarithmic axes where values are far apart, with ticks in them", () => {
    expect(axisOf([1, 19])).toMatchObject({ type: "linear", domain: [1, 19] });
    expect(axisOf([0, 1000]).type).toBe("linear");
    expect(axisOf([5, 5])).toMatchObject({ type: "linear", domain: [4.5, 5.5] });
    expect(axisOf([0, 0])).toMatchObject({ domain: [-1, 1] });
    expect(axisOf([0.02, 1.5])).toMatchObject({ type: "log", ticks: [0.02, 0.05, 0.1, 0.2, 0.5, 1] });
    expect(axisOf([1e-3, 1e4])).toMatchObject({ ticks: [0.001, 0.01, 0.1, 1, 10, 100, 1000, 10000] });
    const wide = axisOf([1e-12, 1e12]).ticks as number[];
    expect(wide.length).toBeLessThan(10);
    expect(wide.map(axisOf([1, 1]).tickFormat)).toContain("1e−8");
    const texts = [4_000_000, -250_000, 20_000, 0.0005, 0.00005, 0].map(axisOf([1, 1]).tickFormat);
    expect(texts).toEqual(["4e6", "-2.5e5", "20000", "0.0005", "5e−5", "0"]);
  });
});

describe("the page", () => {
  it("draws what one run has: pale and smoothed training, validation, metrics, rate, norm", async () => {
    const document = await page(madeRun());
    expect(document.title).toBe("attention");
    const panels = [...document.querySelectorAll("figure .panels > div")].map((panel) => ({
      title: panel.querySelector("h4")?.textContent,
      lines: panel.querySelectorAll('g[aria-label="line"]').length,
      marks: panel.querySelectorAll('g[aria-label="dot"] path').length,
    }));
    expect(panels).toEqual([
      { title: "Loss", lines: 3, marks: 10 },
      { title: "share of correct", lines: 2, marks: 0 },
      { title: "attention", lines: 3, marks: 10 },
      { title: "Learning rate", lines: 1, marks: 0 },
      { title: "Norm of the gradient, before clipping", lines: 2, marks: 0 },
      { title: "Images per second", lines: 2, marks: 0 },
    ]);
    expect(document.querySelector("#loss-figure svg")?.getAttribute("aria-label")).toMatch(
      /^Loss, training: attention from [\d.]+ to 0\.0\d+, between .* Loss, validation: attention from 0\.\d+ to/,
    );
    const text = document.body.textContent ?? "";
    for (const fact of ["seed 42", "4b227777d4dd", "strata 0.1.0", "at update 120, 2026-01-02 03:02 UTC", "version_0"])
      expect(text).toContain(fact);
    expect(text).toContain("<b>0002</b>: no pair overlaps enough");
    expect(document.querySelector("dd b")).toBeNull();
    expect(document.querySelectorAll("script, [onload], [onerror]")).toHaveLength(0);
  });

  it("compares several: a panel for training and one for validation, a colour each, cautions", async () => {
    const document = await page(madeRun({ name: "a" }), madeRun({ name: "b", level: 2 }));
    const titles = [...document.querySelectorAll("#loss-figure h4")].map((h4) => h4.textContent);
    expect(titles).toEqual(["Loss, training", "Loss, validation"]);
    expect([...document.querySelectorAll("#loss-figure .legend b")].map((b) => b.textContent)).toEqual(["a", "b"]);
    const strokes = [...document.querySelectorAll("#loss-figure .panels > div:last-child g[aria-label=line]")].map(
      (g) => g.getAttribute("stroke"),
    );
    expect(strokes).toEqual(["var(--c0)", "var(--c1)"]);
    expect(document.querySelectorAll(".notes")).toHaveLength(0);
    // Run a has the lesser loss.
    expect([...document.querySelectorAll("td b")].map((b) => b.textContent)).toEqual(["0.05773"]);

    const other = await page(
      madeRun({ name: "a" }),
      madeRun({ name: "b", recipe: { loss: "d2net" }, data: { train: "x", validation: null } }),
    );
    const notes = [...other.querySelectorAll(".notes")].map((note) => note.textContent);
    expect(notes).toEqual([
      expect.stringMatching(/do not have one recipe/),
      expect.stringMatching(/not have the same data/),
    ]);
    expect(other.querySelectorAll("td b")).toHaveLength(0);
  });

  it("shows names as text, and tells runs of one name apart by their folders", async () => {
    const evil = '"><img src=x onerror=alert(1)>';
    const document = await page(madeRun({ name: evil, updates: 50 }), madeRun({ name: evil, updates: 50 }));
    expect(document.querySelectorAll("img")).toHaveLength(0);
    const rows = [...document.querySelectorAll("tbody th")].map((th) => th.textContent);
    expect(rows).toEqual([`${evil} (runs/0)`, `${evil} (runs/1)`]);
  });

  it("stays small for a long run", async () => {
    const html = await trainReportHtml(input(madeRun({ updates: 30_000, perEpoch: 1000 })));
    expect(html.length).toBeLessThan(250_000);
  });
});

describe("data", () => {
  const both = () => input(madeRun({ name: "a,b", updates: 80 }), madeRun({ name: "c", updates: 3, finished: false }));

  it("as CSV has a row per update and validation", () => {
    const lines = trainReportCsv(both()).trimEnd().split("\r\n");
    expect(lines[0]).toBe(
      "run,kind,time,step,epoch,pairs,loss,best,rate,norm,images_per_second,share of correct,attention",
    );
    expect(lines).toHaveLength(1 + 80 + 2 + 3);
    expect(lines[40]).toMatch(/^"a,b",step,2026-01-02T03:00:40\.000Z,40,0,8,[\d.]+,,0\.\d+,[\d.]+,16,/);
    expect(lines[41]).toMatch(/^"a,b",validation,2026-01-02T03:00:40\.000Z,40,0,20,[\d.]+,true,,,,,[\d.]+$/);
    // A metric that is no number is empty.
    expect(lines[7]).toMatch(/,$/);
  });

  it("as JSON has facts, summary and records", () => {
    const { runs } = JSON.parse(trainReportJson(both()));
    expect(runs.map(({ name, steps }: { name: string; steps: unknown[] }) => [name, steps.length])).toEqual([
      ["a,b", 80],
      ["c", 3],
    ]);
    expect(runs[0]).toMatchObject({
      folder: "runs/0",
      options: { seed: 42 },
      summary: { best: { step: 40 }, state: "finished" },
      resumed: [{ step: 120 }],
    });
    expect(runs[0].validations).toHaveLength(2);
    expect(runs[0].skips).toHaveLength(1);
  });
});

describe("strata train report", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "strata-report-"));
    for (const name of ["a", "b"]) {
      mkdirSync(join(folder, "runs", name), { recursive: true });
      writeFileSync(join(folder, "runs", name, "log.jsonl"), logText(madeRun({ name, updates: 80 })));
    }
    mkdirSync(join(folder, "runs/other"));
    writeFileSync(join(folder, "runs/notes.txt"), "");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function run(dirs: string | string[], ...flags: string[]) {
    const paths = [dirs].flat().map((dir) => join(folder, dir));
    const { code, out, err } = await fakeStrata().run("train", "report", ...paths, ...flags);
    return code === 0 ? out : `${code} ${err}`;
  }

  it("writes the page into the run's folder, also while the run goes on", async () => {
    appendFileSync(join(folder, "runs/a/log.jsonl"), '{"kind":"st');
    const said = await run("runs/a");
    expect(said).toBe(
      `a: 80 of 80 updates, least validation loss ${said.match(/loss ([\d.]+)/)?.[1]} at update 40; finished\nwritten: ${join(folder, "runs/a/report.html")}\n`,
    );
    expect(readFileSync(join(folder, "runs/a/report.html"), "utf8")).toContain("<title>a</title>");
  });

  it("compares folders, and finds the runs in a folder of runs", async () => {
    const out = join(folder, "compared.html");
    await run(["runs/b", "runs/a", "runs/b"], "--out", out, "--title", "both");
    expect(readFileSync(out, "utf8")).toContain("<title>both</title>");
    const { runs } = JSON.parse(await run("runs", "--json"));
    expect(runs.map(({ name }: { name: string }) => name)).toEqual(["a", "b"]);
    expect(existsSync(join(folder, "runs/report.html"))).toBe(false);
    const csv = join(folder, "new/runs.csv");
    await run("runs", "--csv", csv);
    expect(readFileSync(csv, "utf8").split("\r\n")).toHaveLength(2 * 82 + 2);
  });

  it("says what is wrong", async () => {
    expect(await run("runs/other")).toMatch(
      /^2 strata: .*other is no training: neither it nor a folder in it has a log\.jsonl\n$/,
    );
    expect(await run("nowhere")).toMatch(/^1 strata: cannot read .*nowhere: there is no such file or folder/);
    expect(await run(["runs/a", "runs/b"])).toMatch(/^2 strata: train report: several folders need --out FILE/);
    mkdirSync(join(folder, "bad"));
    writeFileSync(join(folder, "bad/log.jsonl"), "no log\n");
    expect(await run("bad")).toMatch(/^1 strata: .*log\.jsonl: line 1: not JSON/);
    expect(existsSync(join(folder, "bad/report.html"))).toBe(false);
  });
});
