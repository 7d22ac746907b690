/** The benchmark's report: a page, and the same figures for programs and spreadsheets. */
export { type ChosenPair, choosePairs, chooseSequences, firstRuns } from "./choose.js";
export { benchCsv } from "./csv.js";
export type { Gallery, PairPicture, Photo, ReportInput, ScoreMaps } from "./input.js";
export { benchJson } from "./json.js";
export { benchReportHtml } from "./page.js";
