/** The report of a benchmark: what its one page says, chapter by chapter. */
import { type Chapter, reportPage } from "../../report/document.js";
import { openPlotter, type Plotter } from "../../report/plotter.js";
import { summarizeByKind } from "../summary.js";
import type { PairRecord } from "../types.js";
import { configurationHtml, machineName } from "./configuration.js";
import { changeFigure, homographyFigure } from "./curve-figures.js";
import { galleryHtml, LINE_KEY } from "./gallery-html.js";
import { heatFigures } from "./heat-figure.js";
import { checkReport, type ReportInput } from "./input.js";
import { mmaFigure } from "./mma-figure.js";
import { cachedTable, homographyTable, matchingTable, publishedTable } from "./result-tables.js";
import { comparedCurves, peerLabel, publishedGroup, type SummarizedRun, seriesOf, summarizeRuns } from "./series.js";
import { STYLE } from "./style.js";
import { counted } from "./text.js";

/**
 * The page as HTML text. Runs without pairs, curves whose lengths differ and pictures that are not data URIs are refused
 * with a ShapeError or an OptionError.
 */
export async function benchReportHtml(input: ReportInput): Promise<string> {
  checkReport("benchReportHtml", input);
  const plotter = await openPlotter();
  const runs = summarizeRuns(input.runs, summarizeByKind);
  const chapters = [
    accuracyChapter(plotter, input, runs),
    { id: "homographies", title: "Homographies", body: homographies(plotter, runs) },
    { id: "changes", title: "Rotation and scale", body: changeFigure(plotter, "change-figure", input.changes ?? []) },
    { id: "pairs", title: "Every pair", body: heatFigures(plotter, "pair-figure", runs) },
    sequencesChapter(input),
    { id: "configuration", title: "How it was made", body: configurationHtml(input, runs) },
  ];
  const title = input.title ?? defaultTitle(input);
  return reportPage({ title, subtitle: subtitle(input), notes: input.notes ?? [], chapters, style: STYLE });
}

function defaultTitle({ runs }: ReportInput): string {
  return runs.length > 0 ? `Local features on ${runs[0].info.data.name}` : "Published figures on HPatches";
}

/** Pairs and sequences, the date, the machine. */
function subtitle({ runs, date }: ReportInput): string {
  if (runs.length === 0) return date;
  const unique = (name: (record: PairRecord) => string) =>
    new Set(runs.flatMap(({ records }) => records.map(name))).size;
  const pairs = unique(({ sequence, images }) => JSON.stringify([sequence, images]));
  const sequences = unique(({ sequence }) => sequence);
  const machines = [...new Set(runs.map(({ info }) => machineName(info.machine)))];
  return `${counted(pairs, "pair")} of ${counted(sequences, "sequence")} · ${date} · ${machines.join("; ")}`;
}

const READING =
  "A match is a pair of mutual nearest neighbours; it is right at a threshold when the true homography carries its keypoint of the first image to within so many pixels of the one in the second. MMA is the mean share of right matches over pairs; a pair without matches counts 0. Solid: all matches, dashed: refined, that is cut to the inliers of a RANSAC homography (4 px).";

/** The MMA figures and what they are read from. */
function accuracyChapter(plotter: Plotter, input: ReportInput, runs: readonly SummarizedRun[]): Chapter {
  const { cached = [] } = input;
  const published = input.full || runs.length === 0 ? (input.published ?? []) : [];
  const peers = seriesOf(runs, cached, comparedCurves(published), peerLabel);
  const losses = seriesOf([], [], publishedGroup(published, "losses"));
  const hidden =
    (input.published?.length ?? 0) > published.length
      ? " Published curves are of the full HPatches and not shown beside other images."
      : "";
  const parts = [
    peers.length + losses.length > 0 ? `<p>${READING}${hidden}</p>` : "",
    mmaFigure(
      plotter,
      "comparison-figure",
      `Comparison with other methods${runs.length > 0 ? ". Thick lines with filled marks are the runs of this report." : ", as published."}`,
      peers,
    ),
    runs.length > 0 ? matchingTable(runs) : "",
    mmaFigure(plotter, "losses-figure", "The losses that the reference was trained with, as published.", losses),
    cached.length > 0 ? cachedTable(cached) : "",
    published.length > 0 ? publishedTable(published) : "",
  ];
  return { id: "accuracy", title: "Matching accuracy", body: parts.filter((part) => part !== "").join("\n") };
}

function homographies(plotter: Plotter, runs: readonly SummarizedRun[]): string {
  return runs.length > 0 ? `${homographyFigure(plotter, "homography-figure", runs)}\n${homographyTable(runs)}` : "";
}

function sequencesChapter({ gallery, runs }: ReportInput): Chapter {
  const chapter = { id: "sequences", title: "Sequences" };
  if (!gallery || gallery.pairs.length + gallery.scoreMaps.length === 0) return { ...chapter, body: "" };
  const all = new Set(runs.flatMap(({ records }) => records.map(({ sequence }) => sequence))).size;
  const shown = new Set([...gallery.pairs, ...gallery.scoreMaps].map(({ sequence }) => sequence)).size;
  const some = shown < all ? ` Shown are ${shown} of ${all} sequences, those with the highest and lowest scores.` : "";
  const intro = `<p>Of each sequence, the pairs with the highest and the lowest share of right matches.${some}</p>\n${LINE_KEY}`;
  return { ...chapter, body: `${gallery.pairs.length > 0 ? intro : ""}\n${galleryHtml(gallery)}` };
}
