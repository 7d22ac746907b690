/** Every pair at a glance: one cell for each, coloured by the share of its matches that are right within 3 px. */
import { escapeXml, shorten } from "../../escape.js";
import { PANEL, type Plotter } from "../../report/plotter.js";
import type { SummarizedRun } from "./series.js";
import { accuracy, pairName } from "./text.js";

const ROW = 20;
/** Names of sequences are cut to this many letters, for which there is room. */
const LETTERS = 16;
const MARGIN = 104;
/** From here on the colour (cividis, made for any colour vision: Nuñez et al. 2018) is light and the figure on it black. */
const LIGHT = 0.5;

/** A grid per run, sequences below each other in the order of the records; `<figure>`s beside each other. */
export function heatFigures(plotter: Plotter, id: string, runs: readonly SummarizedRun[]): string {
  if (runs.length === 0) return "";
  const panels = runs.map((run) => `<div><h4>${escapeXml(run.name)}</h4>${heatGrid(plotter, run)}</div>`);
  return `<figure id="${id}"><div class="panels">${panels.join("\n")}</div>
<figcaption>MMA@3 of every pair: share of its matches within 3 px of the truth. Dark blue: none, yellow: all.</figcaption></figure>`;
}

function heatGrid(plotter: Plotter, { name, run }: SummarizedRun): string {
  const { Plot } = plotter;
  const cells = run.records.map((record) => ({
    sequence: record.sequence,
    pair: pairName(record.images),
    value: accuracy(record, 3),
    told: `${record.sequence} ${pairName(record.images)}: ${record.correct[2]} of ${record.matches} matches right`,
  }));
  const sequences = [...new Set(cells.map(({ sequence }) => sequence))];
  const pairs = [...new Set(cells.map(({ pair }) => pair))];
  const place = { x: "pair", y: "sequence" };
  return plotter.svg(describe(name, cells), {
    width: PANEL.width,
    height: ROW * sequences.length + 24,
    marginLeft: MARGIN,
    marginTop: 22,
    marginRight: 2,
    marginBottom: 2,
    x: { domain: pairs, axis: "top", label: null, tickSize: 0, padding: 0.04 },
    y: {
      domain: sequences,
      label: null,
      tickSize: 0,
      padding: 0.06,
      tickFormat: (text: string) => shorten(text, LETTERS),
    },
    color: { scheme: "cividis", domain: [0, 1] },
    marks: [
      Plot.cell(cells, { ...place, fill: "value", title: "told", inset: 0 }),
      Plot.text(cells, {
        ...place,
        text: ({ value }: { value: number }) => value.toFixed(2).replace(/^0/, ""),
        fill: ({ value }: { value: number }) => (value > LIGHT ? "black" : "white"),
        pointerEvents: "none",
      }),
    ],
  });
}

function describe(name: string, cells: readonly { sequence: string; pair: string; value: number }[]): string {
  const lowest = cells.reduce((a, b) => (b.value < a.value ? b : a));
  const highest = cells.reduce((a, b) => (b.value > a.value ? b : a));
  const say = ({ sequence, pair, value }: typeof lowest) => `${value.toFixed(2)} (${sequence}, ${pair})`;
  return `${name}: MMA@3 of ${cells.length} pairs, from ${say(lowest)} to ${say(highest)}.`;
}
