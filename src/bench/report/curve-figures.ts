/** Figures over other axes: share of homographies against the corner error allowed, scores against rotation and scale. */
import { figure, legend } from "../../report/figure.js";
import { curveLook, drawCurve, PANEL, type Plotter, SHARES } from "../../report/plotter.js";
import { CURVE_EDGE } from "../change.js";
import type { ChangeCurve, Estimator, PairRecord, SequenceKind } from "../types.js";
import type { SummarizedRun } from "./series.js";
import { decimals, KIND_NAMES, runName } from "./text.js";

/** Corner errors on the axis, in pixels. */
const ERRORS = Array.from({ length: 41 }, (_, i) => i / 4);

/** Share of pairs whose homography has a mean corner error up to each threshold; pairs without one count as wrong. */
export function cumulativeErrors(records: readonly PairRecord[], estimator: Estimator): [number, number][] {
  const errors = records.map(({ cornerError }) => cornerError[estimator] ?? Number.POSITIVE_INFINITY);
  return ERRORS.map((t) => [t, errors.filter((error) => error <= t).length / Math.max(1, errors.length)]);
}

/** Three panels as in the MMA figure; solid MAGSAC, dashed RANSAC. */
export function homographyFigure(plotter: Plotter, id: string, runs: readonly SummarizedRun[]): string {
  if (runs.length === 0) return "";
  const looks = runs.map((_, i) => curveLook(i, true));
  const panels = (["all", "illumination", "viewpoint"] as const).flatMap((kind) => {
    const chosen = runs.map(({ run }) => run.records.filter((record) => kind === "all" || record.kind === kind));
    if (chosen.every((records) => records.length === 0)) return [];
    const curves = chosen.flatMap((records, i) =>
      records.length === 0
        ? []
        : [
            ...drawCurve(plotter, looks[i], cumulativeErrors(records, "ransac"), { dashed: true, dots: false }),
            ...drawCurve(plotter, looks[i], cumulativeErrors(records, "magsac"), { dots: false }),
            ...drawCurve(
              plotter,
              looks[i],
              cumulativeErrors(records, "magsac").filter(([t]) => t % 2 === 1),
            ).slice(1),
          ],
    );
    const svg = plotter.svg(describeErrors(kind, runs), {
      ...PANEL,
      x: { domain: [0, 10], ticks: 10, tickFormat: "d", label: "mean corner error (px) ≤ →" },
      y: { ...SHARES, label: "share of pairs" },
      marks: [plotter.Plot.ruleY([0]), ...curves],
    });
    return [`<div><h4>${kind === "all" ? "Overall" : KIND_NAMES[kind]}</h4>${svg}</div>`];
  });
  const names = runs.map(({ name }, i) => ({ name, look: looks[i] }));
  return figure(
    id,
    panels,
    legend(plotter, names, { dashed: true }),
    "Homographies: share of pairs whose estimated homography moves the image’s corners by at most so many pixels on average. Solid: MAGSAC, dashed: RANSAC.",
  );
}

function describeErrors(kind: SequenceKind | "all", runs: readonly SummarizedRun[]): string {
  const said = runs.map(({ name, summaries }) => {
    const summary = kind === "other" ? null : summaries[kind];
    const [one, three, five] = summary?.homography.magsac.accuracy ?? [];
    return `${name} ${decimals(one, 2)}, ${decimals(three, 2)}, ${decimals(five, 2)}`;
  });
  return `${KIND_NAMES[kind]}: share of homographies by MAGSAC within 1, 3 and 5 px: ${said.join("; ")}.`;
}

const CHANGES = {
  rotation: { title: "Rotation", label: "turn (degrees) →" },
  scale: { title: "Scale", label: "zoom factor →" },
} as const;

const SCORES = [
  { name: "mma3", title: "MMA@3" },
  { name: "homography3", title: "homographies ≤ 3 px" },
] as const;

/** Scores over changes made to single photographs: per change, a panel of MMA@3 and one of homographies. */
export function changeFigure(plotter: Plotter, id: string, curves: readonly ChangeCurve[]): string {
  if (curves.length === 0) return "";
  const names = [...new Set(curves.map(runName))];
  const looks = new Map(names.map((name, i) => [name, curveLook(i, true)]));
  const panels = (["rotation", "scale"] as const).flatMap((change) => {
    const shown = curves.filter((curve) => curve.change === change);
    if (shown.length === 0) return [];
    return SCORES.map(({ name, title }) => {
      const marks = shown.flatMap((curve) =>
        drawCurve(
          plotter,
          looks.get(runName(curve))!,
          curve.values.map((value, i): [number, number] => [value, curve[name][i]]),
        ),
      );
      const heading = `${CHANGES[change].title}: ${title}`;
      const svg = plotter.svg(describeChange(heading, name, shown), {
        ...PANEL,
        x: { ...axisOf(change, shown), label: CHANGES[change].label },
        y: { ...SHARES, label: null },
        marks: [plotter.Plot.ruleY([0]), ...marks],
      });
      return `<div><h4>${heading}</h4>${svg}</div>`;
    });
  });
  const entries = names.map((name) => ({ name, look: looks.get(name)! }));
  return figure(
    id,
    panels,
    legend(plotter, entries),
    `Single photographs against themselves, turned or zoomed: what a method bears. ${describePhotos(curves)}.`,
  );
}

function describePhotos(curves: readonly ChangeCurve[]): string {
  const counts = curves.map(({ photos }) => photos.length);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const many = least === most ? `${most}` : `${least} to ${most}`;
  return `Means over ${many} photograph${most === 1 ? "" : "s"} of at most ${CURVE_EDGE} px`;
}

function axisOf(change: ChangeCurve["change"], curves: readonly ChangeCurve[]) {
  const values = curves.flatMap((curve) => curve.values);
  const domain = [Math.min(...values), Math.max(...values)];
  if (change === "rotation")
    return { domain, ticks: [0, 90, 180, 270, 360].filter((t) => t >= domain[0] && t <= domain[1]) };
  const ticks = [0.25, 0.5, 1, 2, 4].filter((t) => t >= domain[0] * 0.999 && t <= domain[1] * 1.001);
  const names = new Map([
    [0.25, "¼"],
    [0.5, "½"],
  ]);
  return { type: "log" as const, base: 2, domain, ticks, tickFormat: (t: number) => names.get(t) ?? String(t) };
}

function describeChange(heading: string, score: "mma3" | "homography3", curves: readonly ChangeCurve[]): string {
  const said = curves.map((curve) => {
    const values = curve[score].filter(Number.isFinite);
    return `${runName(curve)} from ${decimals(Math.min(...values), 2)} to ${decimals(Math.max(...values), 2)}`;
  });
  return `${heading}: ${said.join("; ")}.`;
}
