/** The parity report of `strata export --check` as text: a table per runtime, and what it comes to. */
import type { Parity } from "../../export/parity.js";
import type { Packing } from "../../model/pack.js";
import type { CheckReport } from "../../node/export.js";

const HEAD = ["image", "size", "points", "same", "near", "px", "score", "cosine", "ms", "library"];

export function checkLines(reports: readonly CheckReport[], precision: Packing): string[] {
  return reports.flatMap((report, i) => [...(i > 0 ? [""] : []), ...runtimeLines(report, precision)]);
}

function runtimeLines({ runtime, images, total, same }: CheckReport, precision: Packing): string[] {
  const rows = images.map((image) => [
    image.image,
    image.size.join("x"),
    ...figures(image),
    image.milliseconds.toFixed(0),
    image.libraryMilliseconds.toFixed(0),
  ]);
  const table = [HEAD, ...rows, [`${images.length} images`, "", ...figures(total), "", ""]];
  const widths = HEAD.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const lines = table.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  "),
  );
  return [runtime, ...lines.map((line) => `  ${line.trimEnd()}`), `  ${verdict(total, same, precision)}`];
}

function figures({ points, same, near, distance, score, cosine }: Parity): string[] {
  return [
    String(points),
    share(same, points),
    share(near, points),
    distance === 0 ? "0" : distance.toExponential(1),
    score === 0 ? "0" : score.toExponential(1),
    cosine.toFixed(5),
  ];
}

const share = (part: number, whole: number): string => (whole === 0 ? "-" : `${((100 * part) / whole).toFixed(2)} %`);

function verdict(total: Parity, good: boolean, precision: Packing): string {
  const { points, exported, same, near, meanDistance, meanCosine } = total;
  if (good) return `the library's points: ${share(same, Math.max(points, exported))} within 0.001 px (99.9 % wanted)`;
  const found = `${share(same, points)} of the library's points within 0.001 px, ${share(near, points)} within 0.5 px`;
  if (precision === "fp32") return `NOT the library's points: ${found}`;
  const moved = `on average ${meanDistance.toPrecision(2)} px away, cosine ${meanCosine.toFixed(4)}`;
  return `rounded weights (${precision}) move points: ${found}, ${moved}; judge them by your own task`;
}
