/** The reliability curve as a picture of its own: what was predicted against what was right, on the diagonal at best. */
import { openPlotter } from "../../report/plotter.js";
import type { ReliabilityBin } from "../calibration.js";

/** SVG text; the area of a dot is its bin's number of pairs. */
export async function reliabilitySvg(curve: readonly ReliabilityBin[]): Promise<string> {
  const plotter = await openPlotter();
  const { Plot } = plotter;
  const bins = [...curve];
  const said = bins.map(({ predicted, observed, count }) => {
    return `${predicted.toFixed(2)} predicted, ${observed.toFixed(2)} right, ${count} pairs`;
  });
  const axis = { domain: [0, 1], ticks: 5, grid: true, tickFormat: ".1f" };
  const ends: [number, number][] = [
    [0, 0],
    [1, 1],
  ];
  const svg = plotter.svg(`Reliability: ${said.join("; ")}`, {
    width: 420,
    height: 400,
    marginLeft: 46,
    marginBottom: 42,
    style: { background: "white", color: "#1b1f24" },
    x: { ...axis, label: "predicted probability →" },
    y: { ...axis, label: "↑ share of right homographies" },
    r: { range: [2, 14] },
    marks: [
      Plot.line(ends, { stroke: "#8a949e", strokeDasharray: "4 4" }),
      Plot.line(bins, { x: "predicted", y: "observed", stroke: "#0b62b8", strokeWidth: 1.5 }),
      Plot.dot(bins, { x: "predicted", y: "observed", r: "count", fill: "#0b62b8", fillOpacity: 0.6 }),
    ],
  });
  return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ').concat("\n");
}
