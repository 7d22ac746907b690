/** The report of trainings: a page, and the same figures for programs and spreadsheets. */
export { trainReportCsv, trainReportJson } from "./data.js";
export type { RunSummary, TrainReportInput } from "./input.js";
export { trainReportHtml } from "./page.js";
